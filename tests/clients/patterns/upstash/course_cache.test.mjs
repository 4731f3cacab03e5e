import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { startHttpServer } from '../../harness/http.mjs';

const server = await startHttpServer();
const { redis } = await import('./redis.mjs');
const { CacheMonitor, UPSTASH_CACHE_CONFIG, UpstashCacheManager, withUpstashCache } = await import('./course_cache.mjs');
beforeEach(() => redis.flushall());

test('keys are made of sorted parameters', () => {
  const key = UpstashCacheManager.generateKey('admin:courses', { adminId: '123', page: 1, limit: 5, search: 'javascript' });
  assert.equal(key, 'admin:courses:adminId:123:limit:5:page:1:search:javascript');
});

test('a route asks the database once per page, for five minutes', async () => {
  let asked = 0;
  const page = (number) =>
    withUpstashCache(
      UpstashCacheManager.generateKey('admin:courses', { adminId: 'a', page: number, limit: 5, search: '' }),
      async () => ({ data: [`course ${++asked}`], page: number }),
      UPSTASH_CACHE_CONFIG.SEARCH_RESULTS,
    );
  assert.deepEqual([await page(1), await page(1)], Array(2).fill({ data: ['course 1'], page: 1 }));
  assert.deepEqual(await page(2), { data: ['course 2'], page: 2 });
  assert.equal(asked, 2);
  for (const key of await redis.keys('*')) {
    const ttl = await redis.ttl(key);
    assert.ok(ttl > 290 && ttl <= 300);
  }
});

test('an invalidation by patterns drops what shows the course, and nothing else', async () => {
  const drops = [
    'lessons:course:7:page:1', 'course:7:full', 'user:courses:userId:1', 'admin:courses:page:1', 'admin:course:details:7',
    'user:course:details:8', 'admin:course:participants:7', 'user:course:participants:7',
  ];
  const stays = ['lessons:course:8:page:1', 'course:77:full', 'lesson:7:full', 'user:profile:1', 'xadmin:courses:1'];
  // Many more than one page of a directory.
  const many = Array.from({ length: 2000 }, (_, n) => `user:courses:userId:${n}:page:1`);
  await Promise.all([...drops, ...many, ...stays].map((key) => UpstashCacheManager.set(key, { key }, 300)));
  await UpstashCacheManager.invalidateCourseCache('7');
  assert.deepEqual((await redis.keys('*')).sort(), stays.toSorted());
  await UpstashCacheManager.invalidateLessonCache('7');
  assert.deepEqual((await redis.keys('*')).sort(), stays.filter((key) => key !== 'lesson:7:full').sort());
  await UpstashCacheManager.clearAll();
  assert.equal(await redis.dbsize(), 0);
});

test('statistics of the keys that there are', async () => {
  await Promise.all(Array.from({ length: 40 }, (_, n) => UpstashCacheManager.set(`key:${n}`, 'x'.repeat(52_426))));
  const { totalKeys, estimatedMemory, sampleKeys } = await CacheMonitor.getStats();
  assert.deepEqual([totalKeys, estimatedMemory, sampleKeys.length], [40, '2.00 MB', 5]);
});

test('without the server the database answers', async () => {
  await server.stop();
  assert.equal(await withUpstashCache('key', async () => 'from the database', 300), 'from the database');
  assert.deepEqual(await CacheMonitor.getStats(), { error: 'Monitoring failed' });
});
