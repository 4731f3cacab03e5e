import assert from 'node:assert/strict';
import { after, beforeEach, mock, test } from 'node:test';
import { startServer } from '../../harness/server.mjs';
import { until } from '../../harness/wait.mjs';

process.env.REDIS_URL = (await startServer()).url;
const { calls, prisma, redis } = await import('./world.mjs');
// Views are flushed by a timer, which goes when it is told to.
mock.timers.enable({ apis: ['setInterval'] });
const { getProduit, incrementerVues, saveProduit, updateProduit } = await import('./cache_aside.mjs');

beforeEach(async () => {
  await redis.flushAll();
  await prisma.produit.upsert({ where: { id: '1' }, update: { nom: 'vase' }, create: { id: '1', nom: 'vase' } });
  for (const kind in calls) calls[kind] = 0;
});
after(() => redis.close());

test('cache-aside: the database is asked once, and no longer than an hour is kept', async () => {
  assert.equal((await getProduit('1')).nom, 'vase');
  assert.equal((await getProduit('1')).nom, 'vase');
  assert.equal(calls.findUnique, 1);
  const ttl = await redis.ttl('produit:1');
  assert.ok(ttl > 3500 && ttl <= 3600);
  await redis.expire('produit:1', 0);
  await getProduit('1');
  assert.equal(calls.findUnique, 2);
});

test('cache-aside: what does not exist is not kept', async () => {
  assert.equal(await getProduit('none'), null);
  assert.equal(await getProduit('none'), null);
  assert.equal(calls.findUnique, 2);
});

test('cache-aside: an update invalidates', async () => {
  await getProduit('1');
  await updateProduit('1', { nom: 'jug' });
  assert.equal(await redis.exists('produit:1'), 0);
  assert.equal((await getProduit('1')).nom, 'jug');
});

test('write-through: what was written is read without the database', async () => {
  await saveProduit({ id: '2', nom: 'cup' });
  assert.deepEqual(await getProduit('2'), { id: '2', nom: 'cup' });
  assert.deepEqual(calls, { findUnique: 0, update: 0, upsert: 1 });
});

test('write-behind: views are counted here, and written every hundred and at the flush', async () => {
  await Promise.all(Array.from({ length: 250 }, () => incrementerVues('1')));
  await Promise.all(Array.from({ length: 30 }, () => incrementerVues('2')));
  assert.equal(calls.update, 2);
  mock.timers.tick(5 * 60 * 1000);
  await until(() => calls.update === 4);
  assert.equal((await prisma.produit.findUnique({ where: { id: '1' } })).vues, 250);
  assert.equal((await prisma.produit.findUnique({ where: { id: '2' } })).vues, 30);
});
