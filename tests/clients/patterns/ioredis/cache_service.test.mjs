import assert from 'node:assert/strict';
import { after, beforeEach, test } from 'node:test';
import { Redis } from 'ioredis';
import { startServer } from '../../harness/server.mjs';
import { until } from '../../harness/wait.mjs';
import { RedisCacheService, UserRepository } from './cache_service.mjs';

const redis = new Redis((await startServer()).url);
const cache = new RedisCacheService(redis);
beforeEach(() => redis.flushall());
after(() => redis.quit());

/** A database that counts how often it is asked. */
function aDatabase(rows) {
  const users = {
    reads: 0,
    async findById(id) {
      users.reads++;
      return rows[id] ?? null;
    },
    update: async (id, data) => (rows[id] = { ...rows[id], ...data }),
    delete: async (id) => delete rows[id],
  };
  return { users };
}

test('a repository reads through the cache, and its writes invalidate', async () => {
  const db = aDatabase({ 7: { name: 'Ann' } });
  const repository = new UserRepository(cache, db, 600);
  for (let n = 0; n < 3; n++) assert.deepEqual(await repository.findById('7'), { name: 'Ann' });
  assert.equal(db.users.reads, 1);
  assert.ok((await redis.ttl('user:7')) > 590);
  await repository.update('7', { name: 'Anne' });
  assert.equal(await redis.exists('user:7'), 0);
  assert.deepEqual(await repository.findById('7'), { name: 'Anne' });
  await repository.delete('7');
  assert.equal(await repository.findById('7'), null);
  assert.equal(await redis.exists('user:7'), 0);
});

test('stale while revalidate: fresh, stale with a fetch behind it, and too old', async (t) => {
  let fetched = 0;
  const fetcher = async () => ++fetched;
  const get = () => cache.getWithSWR('answer', fetcher, 3600, 600);
  t.mock.timers.enable({ apis: ['Date'], now: Date.now() });

  assert.deepEqual([await get(), await get()], [1, 1]);
  t.mock.timers.tick(3601_000);
  assert.equal(await get(), 1);
  await until(async () => JSON.parse(await redis.get('answer')).data === 2);
  assert.deepEqual([await get(), fetched], [2, 2]);
  t.mock.timers.tick(4201_000);
  assert.equal(await get(), 3);
});
