// Redlock, with one server and with three.

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { Redis } from 'ioredis';
import Redlock, { ExecutionError } from 'redlock';
import { startServer } from '../harness/server.mjs';
import { ask, startProcess, until } from '../harness/wait.mjs';

const servers = await Promise.all([startServer(), startServer(), startServer()]);
const clients = servers.map(({ url }) => new Redis(url));
after(() => clients.forEach((client) => client.disconnect()));

const impatient = { retryCount: 0 };
const patient = { retryCount: -1, retryDelay: 5, retryJitter: 2 };

test('a lock is had by one, and free once he lets go of it', async () => {
  const lock = new Redlock([clients[0]], impatient);
  const mine = await lock.acquire(['door'], 60_000);
  await assert.rejects(lock.acquire(['door'], 60_000), ExecutionError);
  assert.ok((await clients[0].pttl('door')) > 50_000);
  const longer = await mine.extend(600_000);
  assert.ok((await clients[0].pttl('door')) > 500_000);
  await longer.release();
  assert.equal(await clients[0].exists('door'), 0);
  await (await lock.acquire(['door'], 60_000)).release();
});

test('several resources are locked together or not at all', async () => {
  const lock = new Redlock([clients[0]], impatient);
  const mine = await lock.acquire(['left', 'right'], 60_000);
  await assert.rejects(lock.acquire(['middle', 'right'], 60_000), ExecutionError);
  assert.equal(await clients[0].exists('middle'), 0);
  await mine.release();
  assert.equal(await clients[0].exists('left', 'right'), 0);
});

test('a lock that ran out can neither be extended nor released', async () => {
  const lock = new Redlock([clients[0]], impatient);
  const mine = await lock.acquire(['short'], 20);
  await until(async () => !(await clients[0].exists('short')));
  await assert.rejects(mine.extend(1000));
  const other = await lock.acquire(['short'], 60_000);
  await assert.rejects(mine.release(), ExecutionError);
  await other.release();
});

test('using() extends the lock for as long as the work takes', async () => {
  const lock = new Redlock(clients, { ...patient, automaticExtensionThreshold: 4900 });
  await lock.using(['long'], 5000, async (signal) => {
    const [mine, end] = [await clients[0].get('long'), await clients[0].pexpiretime('long')];
    await until(async () => (await clients[0].pexpiretime('long')) > end);
    assert.equal(signal.aborted, false);
    assert.equal(await clients[0].get('long'), mine);
  });
  // It goes on when most servers have let go of the lock, and the last one does so later.
  for (const client of clients) await until(async () => !(await client.exists('long')));
});

test('two of three servers are enough', async () => {
  const lock = new Redlock(clients, impatient);
  await clients[2].set('quorum', 'somebody else');
  const mine = await lock.acquire(['quorum'], 60_000);
  await assert.rejects(lock.acquire(['quorum'], 60_000), ExecutionError);
  await mine.release();
  await clients[1].set('quorum', 'somebody else');
  await assert.rejects(lock.acquire(['quorum'], 60_000), ExecutionError);
  // What it had of the first server it has given back.
  await until(async () => !(await clients[0].exists('quorum')));
});

test('four processes count under the lock and lose nothing', async () => {
  const program = new URL('redlock_worker.mjs', import.meta.url);
  const start = () => startProcess(program, { REDIS_URL: servers[0].url });
  const workers = await Promise.all(Array.from({ length: 4 }, start));
  await Promise.all(workers.map((worker) => ask(worker, { times: 50 })));
  assert.equal(await clients[0].get('counter'), '200');
});
