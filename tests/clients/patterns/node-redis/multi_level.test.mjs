import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, test } from 'node:test';
import { startServer } from '../../harness/server.mjs';
import { ask, startProcess } from '../../harness/wait.mjs';

process.env.REDIS_URL = (await startServer()).url;
const { redis } = await import('./world.mjs');
const { invalidate } = await import('./multi_level.mjs');
after(() => redis.close());

test('two levels: one process fetches, the others find it; an invalidation reaches all of them', async () => {
  const program = new URL('multi_level_worker.mjs', import.meta.url);
  const [first, ...others] = await Promise.all(Array.from({ length: 3 }, () => startProcess(program)));
  assert.deepEqual(await ask(first, { key: 'k', value: 'old' }), { data: 'old', fetched: true });
  for (const worker of others) assert.deepEqual(await ask(worker, { key: 'k' }), { data: 'old', fetched: false });

  // The second level does not have it any more, the first of each process does.
  await redis.del('k');
  for (const worker of [first, ...others]) assert.deepEqual(await ask(worker, { key: 'k' }), { data: 'old', fetched: false });

  const all = [first, ...others].map((worker) => once(worker, 'message'));
  await invalidate('k');
  assert.deepEqual((await Promise.all(all)).map(([message]) => message), Array(3).fill({ heard: 'k' }));
  assert.deepEqual(await ask(others[0], { key: 'k', value: 'new' }), { data: 'new', fetched: true });
  assert.deepEqual(await ask(first, { key: 'k' }), { data: 'new', fetched: false });
});
