// connect-redis in its newest version, which is for node-redis: its whole interface, with sessions of 200 KB.

import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { RedisStore } from 'connect-redis-9';
import { createClient } from 'redis';
import { startServer } from '../../harness/server.mjs';

const server = await startServer();
const client = createClient({ url: server.url });
const store = new RedisStore({ client, prefix: 'app:', ttl: 600 });
before(() => client.connect());
beforeEach(() => client.flushAll());
after(() => client.destroy());

const session = (n) => ({ cookie: { originalMaxAge: null }, user: `user-${n}`, basket: `${n}`.repeat(200_000 / `${n}`.length) });

test('connect-redis: sessions are kept, touched and destroyed', async () => {
  await store.set('one', session(1));
  assert.deepEqual(await store.get('one'), session(1));
  await client.expire('app:one', 10);
  await store.touch('one', session(1));
  assert.ok((await client.ttl('app:one')) > 590);
  await store.set('brief', { cookie: { expires: new Date(Date.now() - 1000) } });
  assert.equal(await client.exists('app:brief'), 0);
  await store.destroy('one');
  assert.ok(!(await store.get('one')));
});

test('connect-redis: all sessions are found, and cleared without other keys', async () => {
  await client.set('other', 'key');
  await Promise.all(Array.from({ length: 120 }, (_, n) => store.set(`s${n}`, session(n))));
  assert.equal(await store.length(), 120);
  const names = Array.from({ length: 120 }, (_, n) => `s${n}`).sort();
  assert.deepEqual((await store.ids()).sort(), names);
  assert.deepEqual((await store.all()).map(({ id }) => id).sort(), names);
  await store.clear();
  assert.deepEqual(await client.keys('*'), ['other']);
});
