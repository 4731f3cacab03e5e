import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, test } from 'node:test';
import { startServer } from '../../harness/server.mjs';
import { startProcess, until } from '../../harness/wait.mjs';

process.env.REDIS_URL = (await startServer()).url;
const { calls, database, prisma, redis } = await import('./world.mjs');
const { getProduitProbabiliste } = await import('./stampede.mjs');
after(() => redis.close());

test('a lock lets one of 50 callers in five processes ask the database', async () => {
  const program = new URL('stampede_worker.mjs', import.meta.url);
  const workers = await Promise.all(Array.from({ length: 5 }, () => startProcess(program)));
  const answers = workers.map((worker) => once(worker, 'message'));
  workers.forEach((worker) => worker.send('ask'));
  // All have tried to take the lock: one has it, and the others wait.
  await until(async () => Number((await redis.info('commandstats')).match(/cmdstat_set:calls=(\d+)/)?.[1]) >= 50);
  workers.forEach((worker) => worker.send('answer'));
  const told = (await Promise.all(answers)).map(([answer]) => answer);
  assert.equal(told.reduce((sum, { loads }) => sum + loads, 0), 1);
  for (const { found } of told) assert.deepEqual(found, Array(10).fill({ id: '1', nom: 'vase' }));
  assert.equal(await redis.exists('verrou:produit:1'), 0);
});

test('early recomputation: never long before the end, always right before it', async () => {
  await prisma.produit.upsert({ where: { id: '2' }, update: {}, create: { id: '2', nom: 'jug' } });
  let clock = Date.now();
  const now = Date.now;
  // A database that takes a second, by a clock that it moves itself.
  database.answers = async () => (clock += 1000);
  Date.now = () => clock;
  try {
    assert.equal((await getProduitProbabiliste('2')).nom, 'jug');
    for (let n = 0; n < 100; n++) await getProduitProbabiliste('2');
    assert.equal(calls.findUnique, 1);
    assert.deepEqual({ ...(await redis.hGetAll('produit:2:meta')) }, { expires: String(clock + 3_600_000), delta: '1000' });
    clock += 3_600_000;
    await getProduitProbabiliste('2');
    assert.equal(calls.findUnique, 2);
  } finally {
    Date.now = now;
  }
});
