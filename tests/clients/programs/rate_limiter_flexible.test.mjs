// rate-limiter-flexible over ioredis and over node-redis.

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { Redis } from 'ioredis';
import limiters from 'rate-limiter-flexible';
import { createClient } from 'redis';
import { startServer } from '../harness/server.mjs';
import { ask, startProcess, until } from '../harness/wait.mjs';

const { BurstyRateLimiter, RateLimiterMemory, RateLimiterQueue, RateLimiterRedis, RateLimiterRes, RateLimiterUnion } =
  limiters;
const server = await startServer();
const node = await createClient({ url: server.url }).connect();
const io = new Redis(server.url);
after(() => Promise.all([node.quit(), io.quit()]));
let prefixes = 0;

for (const [name, client] of [
  ['ioredis', { storeClient: io }],
  ['node-redis', { storeClient: node, useRedisPackage: true }],
]) {
  const limiter = (options) => new RateLimiterRedis({ ...client, keyPrefix: `limit-${++prefixes}`, ...options });

  test(`${name}: so many points and no more, of 50 who ask at once`, async () => {
    const five = limiter({ points: 5, duration: 3600 });
    const asked = await Promise.allSettled(Array.from({ length: 50 }, () => five.consume('ann')));
    const allowed = asked.filter(({ status }) => status === 'fulfilled').map(({ value }) => value.remainingPoints);
    assert.deepEqual(allowed.sort(), [0, 1, 2, 3, 4]);
    const refused = asked.find(({ status }) => status === 'rejected').reason;
    assert.ok(refused instanceof RateLimiterRes);
    assert.ok(refused.msBeforeNext > 3_500_000 && refused.msBeforeNext <= 3_600_000);
    await five.consume('ben');
  });

  test(`${name}: points come back when the time is over`, async () => {
    const one = limiter({ points: 1, duration: 1 });
    await one.consume('ann');
    await assert.rejects(one.consume('ann'));
    const again = () => one.consume('ann').then(() => true, () => false);
    await until(again);
  });

  test(`${name}: who asks too often is blocked for longer`, async () => {
    const strict = limiter({ points: 2, duration: 10, blockDuration: 3600 });
    await strict.consume('ann', 2);
    await assert.rejects(strict.consume('ann'));
    assert.ok((await strict.get('ann')).msBeforeNext > 3_500_000);
  });

  test(`${name}: penalties, rewards, blocks and their end`, async () => {
    const ten = limiter({ points: 10, duration: 3600 });
    assert.equal(await ten.get('ann'), null);
    await ten.consume('ann', 4);
    assert.equal((await ten.penalty('ann', 3)).consumedPoints, 7);
    assert.equal((await ten.reward('ann', 2)).consumedPoints, 5);
    assert.equal((await ten.get('ann')).remainingPoints, 5);
    await ten.set('ann', 9, 60);
    assert.equal((await ten.get('ann')).consumedPoints, 9);
    await ten.block('ann', 60);
    await assert.rejects(ten.consume('ann'));
    assert.equal(await ten.delete('ann'), true);
    assert.equal((await ten.consume('ann')).remainingPoints, 9);
    const forEver = limiter({ points: 2, duration: 0 });
    await forEver.consume('ann', 2);
    await assert.rejects(forEver.consume('ann'));
    assert.equal((await forEver.get('ann')).msBeforeNext, -1);
  });

  test(`${name}: bursts and unions`, async () => {
    const bursty = new BurstyRateLimiter(limiter({ points: 1, duration: 3600 }), limiter({ points: 2, duration: 3600 }));
    const asked = await Promise.allSettled(Array.from({ length: 5 }, () => bursty.consume('ann')));
    assert.equal(asked.filter(({ status }) => status === 'fulfilled').length, 3);
    const union = new RateLimiterUnion(limiter({ points: 1, duration: 60 }), limiter({ points: 5, duration: 3600 }));
    await union.consume('ann');
    await assert.rejects(union.consume('ann'));
  });

  test(`${name}: a queue lets tasks through at their rate`, async () => {
    const queue = new RateLimiterQueue(limiter({ points: 2, duration: 1 }), { maxQueueSize: 3 });
    const order = [];
    const tasks = [1, 2, 3].map((task) => queue.removeTokens(1).then(() => order.push(task)));
    await Promise.all(tasks);
    assert.deepEqual(order, [1, 2, 3]);
  });
}

test('four processes share one limit', async () => {
  const program = new URL('rate_limiter_flexible_worker.mjs', import.meta.url);
  const workers = await Promise.all(Array.from({ length: 4 }, () => startProcess(program, { REDIS_URL: server.url })));
  const allowed = await Promise.all(workers.map((worker) => ask(worker, { times: 100 })));
  assert.equal(allowed.reduce((sum, count) => sum + count), 150);
});

test('another limiter takes over while there is no server', async () => {
  const lost = await startServer();
  const client = new Redis(lost.url, { enableOfflineQueue: false, retryStrategy: null });
  client.on('error', () => {});
  await until(() => client.status === 'ready');
  const insuranceLimiter = new RateLimiterMemory({ points: 1, duration: 3600 });
  const insured = new RateLimiterRedis({ storeClient: client, points: 2, duration: 3600, insuranceLimiter });
  await insured.consume('ann', 2);
  await lost.stop();
  await until(() => client.status === 'end');
  assert.equal((await insured.consume('ann')).remainingPoints, 0);
  await assert.rejects(insured.consume('ann'), RateLimiterRes);
});
