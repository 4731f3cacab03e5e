import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { startServer } from '../../harness/server.mjs';
import { ask, startProcess } from '../../harness/wait.mjs';

process.env.REDIS_URL = (await startServer()).url;
const { redis } = await import('./world.mjs');
const { checkRateLimit } = await import('./rate_limit.mjs');
const { checkRateLimit: checkRateLimitDistinct } = await import('./rate_limit_distinct.mjs');
after(() => redis.close());

const program = new URL('rate_limit_worker.mjs', import.meta.url);
const workers = await Promise.all(Array.from({ length: 4 }, () => startProcess(program)));

/** What four processes are told that ask at once, each of them fifty times. */
async function everybodyAsks(limiter, limit, clockOf = () => ({})) {
  const order = { limiter, identifier: `everybody-${limiter}-${limit}`, limit, times: 50 };
  return (await Promise.all(workers.map((worker, n) => ask(worker, { ...order, ...clockOf(n) })))).flat();
}

/** So many were let through, and each was told another number of calls that remain. */
function assertAllowed(told, limit) {
  const remaining = told.filter(({ allowed }) => allowed).map(({ remaining }) => remaining);
  assert.deepEqual(remaining.sort((a, b) => a - b), Array.from({ length: limit }, (_, n) => n));
  assert.ok(told.every(({ allowed, remaining }) => allowed || remaining === 0));
}

test('rate limit: four processes that never call in the same millisecond get exactly the limit', async () => {
  for (const limit of [1, 10, 100]) {
    const now = Date.now();
    assertAllowed(await everybodyAsks('./rate_limit.mjs', limit, (n) => ({ clock: now + n, step: workers.length })), limit);
  }
});

test('rate limit: what it keeps are the times of the calls, until the window has passed', async (t) => {
  const now = 1_763_680_000_123;
  t.mock.timers.enable({ apis: ['Date'], now });
  const told = [];
  for (let n = 0; n < 4; n++) {
    told.push(await checkRateLimit('ann', 3, 60));
    t.mock.timers.tick(1000);
  }
  assert.deepEqual(told.map(({ allowed, remaining }) => [allowed, remaining]), [[true, 2], [true, 1], [true, 0], [false, 0]]);
  assert.deepEqual(told.map(({ resetAt }) => resetAt.getTime()), [0, 1, 2, 3].map((n) => now + n * 1000 + 60_000));
  const times = [0, 1, 2].map((n) => now + n * 1000);
  const kept = await redis.zRangeWithScores('ratelimit:ann', 0, -1);
  assert.deepEqual(kept.map(({ value, score }) => [value, score]), times.map((time) => [String(time), time]));
  const ttl = await redis.ttl('ratelimit:ann');
  assert.ok(ttl > 50 && ttl <= 60);
  assert.equal((await checkRateLimit('ben', 3, 60)).remaining, 2);

  // The first call leaves the window, and makes room for one.
  t.mock.timers.setTime(now + 60_000);
  assert.equal((await checkRateLimit('ann', 3, 60)).allowed, true);
  assert.equal((await checkRateLimit('ann', 3, 60)).allowed, false);
  assert.deepEqual(await redis.zRange('ratelimit:ann', 0, -1), [times[1], times[2], now + 60_000].map(String));
});

test('rate limit with distinct calls: four processes get exactly the limit, whenever they call', async () => {
  for (const limit of [1, 10, 100]) {
    assertAllowed(await everybodyAsks('./rate_limit_distinct.mjs', limit), limit);
  }
});

test('rate limit with distinct calls: the window slides, and identifiers do not share it', async (t) => {
  const now = Date.now();
  t.mock.timers.enable({ apis: ['Date'], now });
  const check = (identifier) => checkRateLimitDistinct(identifier, 2, 60);
  const told = [await check('eve'), await check('eve'), await check('eve')];
  assert.deepEqual(told.map(({ allowed, remaining }) => [allowed, remaining]), [[true, 1], [true, 0], [false, 0]]);
  assert.equal((await check('ben')).allowed, true);
  t.mock.timers.tick(59_999);
  const refused = await check('eve');
  assert.deepEqual([refused.allowed, refused.resetAt.getTime()], [false, now + 60_000]);
  t.mock.timers.tick(1);
  assert.equal((await check('eve')).allowed, true);
});
