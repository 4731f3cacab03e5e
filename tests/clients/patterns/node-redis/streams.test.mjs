import assert from 'node:assert/strict';
import { after, beforeEach, test } from 'node:test';
import { startServer } from '../../harness/server.mjs';
import { kill, startProcess, until } from '../../harness/wait.mjs';

process.env.REDIS_URL = (await startServer()).url;
const { redis } = await import('./world.mjs');
const { publierEvenement, reprendreEvenements } = await import('./streams.mjs');
const program = new URL('streams_worker.mjs', import.meta.url);
beforeEach(() => redis.flushAll());
after(() => redis.close());

const publish = async (count) => {
  for (let n = 0; n < count; n++) await publierEvenement('orders', { type: 'order', n });
};

test('streams: two consumers share the messages, each of which is dealt with once', async () => {
  const dealtWith = [];
  const workers = await Promise.all(['ann', 'ben'].map((CONSUMER) => startProcess(program, { CONSUMER })));
  workers.forEach((worker) => worker.on('message', ({ n }) => dealtWith.push(n)));
  await publish(200);
  await until(() => dealtWith.length >= 200);
  await until(async () => (await redis.xPending('orders', 'billing')).pending === 0);
  assert.deepEqual(dealtWith.sort((a, b) => a - b), Array.from({ length: 200 }, (_, n) => n));
  await Promise.all(workers.map(kill));
});

test('streams: what a consumer that died had is delivered again', async () => {
  await publish(15);
  const dealtWith = [];
  const worker = await startProcess(program, { CONSUMER: 'ann', HANGS_AT: 4 });
  worker.on('message', ({ n }) => dealtWith.push(n));
  await until(() => dealtWith.includes(4));
  await kill(worker);
  // It had taken ten, was done with four, and is gone.
  const pending = await redis.xPending('orders', 'billing');
  assert.deepEqual([pending.pending, pending.consumers], [6, [{ name: 'ann', deliveriesCounter: 6 }]]);

  const rescued = [];
  await reprendreEvenements('orders', 'billing', 'ben', (message) => rescued.push(JSON.parse(message.payload).n), 0);
  assert.deepEqual(rescued, [4, 5, 6, 7, 8, 9]);
  assert.equal((await redis.xPending('orders', 'billing')).pending, 0);

  const rest = [];
  const next = await startProcess(program, { CONSUMER: 'ben' });
  next.on('message', ({ n }) => rest.push(n));
  await until(() => rest.includes(14));
  await until(async () => (await redis.xPending('orders', 'billing')).pending === 0);
  assert.deepEqual(rest, [10, 11, 12, 13, 14]);
  await kill(next);
});

test('streams: what failed stays pending, with a count of its deliveries', async () => {
  await publish(3);
  const seen = [];
  const worker = await startProcess(program, { CONSUMER: 'ann', FAILS_AT: 1 });
  worker.on('message', ({ n }) => seen.push(n));
  await until(() => seen.includes(2));
  await until(async () => (await redis.xPending('orders', 'billing')).pending === 1);
  await kill(worker);
  const [left, ...others] = await redis.xPendingRange('orders', 'billing', '-', '+', 10);
  assert.deepEqual([left.consumer, left.deliveriesCounter, others], ['ann', 1, []]);
  await reprendreEvenements('orders', 'billing', 'ben', () => {}, 3_600_000);
  assert.equal((await redis.xPending('orders', 'billing')).pending, 1);
  await reprendreEvenements('orders', 'billing', 'ben', () => {}, 0);
  assert.equal((await redis.xPending('orders', 'billing')).pending, 0);
});
