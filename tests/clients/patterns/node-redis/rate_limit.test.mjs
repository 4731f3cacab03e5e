import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { startServer } from '../../harness/server.mjs';
import { ask, startProcess, until } from '../../harness/wait.mjs';

process.env.REDIS_URL = (await startServer()).url;
const { redis } = await import('./world.mjs');
const { checkRateLimit } = await import('./rate_limit.mjs');
after(() => redis.close());

test('rate limit: four processes together are let through exactly as often as the limit says', async () => {
  const program = new URL('rate_limit_worker.mjs', import.meta.url);
  const workers = await Promise.all(Array.from({ length: 4 }, () => startProcess(program)));
  for (const limit of [1, 10, 100]) {
    const order = { identifier: `everybody-${limit}`, limit, times: 50 };
    const told = (await Promise.all(workers.map((worker) => ask(worker, order)))).flat();
    const remaining = told.filter(({ allowed }) => allowed).map(({ remaining }) => remaining);
    assert.deepEqual(remaining.sort((a, b) => a - b), Array.from({ length: limit }, (_, n) => n));
  }
});

test('rate limit: the window slides, and identifiers do not share it', async () => {
  const first = await checkRateLimit('ann', 2, 0.3);
  assert.equal((await checkRateLimit('ann', 2, 0.3)).allowed, true);
  const refused = await checkRateLimit('ann', 2, 3600);
  assert.deepEqual([refused.allowed, refused.remaining], [false, 0]);
  assert.equal(refused.resetAt - first.resetAt, 3600_000 - 300);
  assert.equal((await checkRateLimit('ben', 2, 0.3)).allowed, true);
  await until(async () => (await checkRateLimit('ann', 2, 0.3)).allowed);
});
