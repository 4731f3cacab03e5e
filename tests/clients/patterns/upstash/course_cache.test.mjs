import assert from 'node:assert/strict';
import { beforeEach, mock, test } from 'node:test';
import { startHttpServer } from '../../harness/http.mjs';

const server = await startHttpServer();
const { redis } = await import('./redis.mjs');
const { CacheMonitor, measure } = await import('./cache_monitor.mjs');
const { UPSTASH_CACHE_CONFIG, UpstashCacheManager, withUpstashCache } = await import('./course_cache.mjs');
const [logged, complaints] = [[], []];
mock.method(console, 'log', (line) => logged.push(line));
mock.method(console, 'error', (complaint) => complaints.push(complaint));
beforeEach(() => redis.flushall());

test('keys are made of sorted parameters', () => {
  const key = UpstashCacheManager.generateKey('admin:courses', { adminId: '123', page: 1, limit: 5, search: 'javascript' });
  assert.equal(key, 'admin:courses:adminId:123:limit:5:page:1:search:javascript');
  const other = UpstashCacheManager.generateKey('user:courses', { userId: '123', page: 1, limit: 10 });
  assert.equal(other, 'user:courses:limit:10:page:1:userId:123');
});

test('each kind of result is kept for its own time', async () => {
  for (const [kind, ttl] of Object.entries(UPSTASH_CACHE_CONFIG)) {
    assert.deepEqual(await withUpstashCache(kind, async () => ({ kind }), { ttl }), { kind });
    assert.deepEqual(await withUpstashCache(kind, () => assert.fail('asked twice'), { ttl }), { kind });
    const left = await redis.ttl(kind);
    assert.ok(left > ttl - 10 && left <= ttl, `${kind}: ${left}`);
  }
});

test('a single key is dropped alone', async () => {
  await UpstashCacheManager.set('a', 1, 300);
  await UpstashCacheManager.set('b', 2, 300);
  await UpstashCacheManager.delete('a');
  assert.deepEqual([await UpstashCacheManager.get('a'), await UpstashCacheManager.get('b')], [null, 2]);
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

test('what is measured is the cache where it has the key, else the database', async () => {
  logged.length = 0;
  await measure('key', async () => {});
  await UpstashCacheManager.set('key', 'value', 300);
  await measure('key', () => assert.fail('the cache has it'));
  assert.deepEqual(logged.map((line) => line.replace(/\d+/, 'n')), ['[PERF] Database: nms', '[PERF] Cache hit: nms']);
});

test('without the server the database answers, when the client has given up', async () => {
  assert.deepEqual(complaints, []);
  await server.stop();
  const [answer, stats] = await Promise.all([
    withUpstashCache('key', async () => 'from the database', { ttl: 300 }),
    CacheMonitor.getStats(),
  ]);
  assert.deepEqual([answer, stats], ['from the database', { error: 'Monitoring failed' }]);
  assert.deepEqual(complaints.sort(), ['Cache monitoring error:', '[CACHE ERROR] key:']);
});
