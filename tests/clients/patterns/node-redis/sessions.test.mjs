import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { startServer } from '../../harness/server.mjs';

process.env.REDIS_URL = (await startServer()).url;
const { redis } = await import('./world.mjs');
const { getSessionField, updateUserSession } = await import('./sessions.mjs');
after(() => redis.close());

test('sessions in hashes: fields change alone, and the whole lives for another day', async () => {
  await updateUserSession('ann', { theme: 'dark', cart: '[]' });
  await redis.expire('session:ann', 100);
  await updateUserSession('ann', { cart: '[1,2]' });
  assert.equal(await getSessionField('ann', 'theme'), 'dark');
  assert.equal(await getSessionField('ann', 'cart'), '[1,2]');
  assert.equal(await getSessionField('ann', 'none'), null);
  assert.equal(await getSessionField('ben', 'theme'), null);
  const ttl = await redis.ttl('session:ann');
  assert.ok(ttl > 86300 && ttl <= 86400);
});
