import assert from 'node:assert/strict';
import { after, beforeEach, test } from 'node:test';
import { Redis } from 'ioredis';
import { startServer } from '../../harness/server.mjs';
import { until } from '../../harness/wait.mjs';
import { AnalyticsCacheService, CACHE_TTL, warmAnalyticsCache, watchHitRate } from './analytics.mjs';

const redis = new Redis((await startServer()).url);
let queries, counted, gauges, alerts;
const db = {
  async query(kind, parameters) {
    queries++;
    return kind === 'tenants' ? Array.from({ length: 50 }, (_, n) => ({ id: `t${n}` })) : { revenue: parameters };
  },
};
const metrics = {
  increment: (name) => (counted[name] = (counted[name] ?? 0) + 1),
  gauge: (name, value) => gauges.push([name, value]),
};
const alerting = { send: (...alert) => alerts.push(alert) };
const service = new AnalyticsCacheService(redis, db, metrics);
beforeEach(async () => {
  [queries, counted, gauges, alerts] = [0, {}, [], []];
  await redis.flushall();
  await redis.config('RESETSTAT');
});
after(() => redis.quit());

test('each kind of statistics is kept for its own time', async () => {
  for (const [kind, seconds] of Object.entries(CACHE_TTL)) {
    const loader = async () => ({ kind });
    assert.deepEqual(await service.getCached(kind, kind, loader), { kind });
    assert.deepEqual(await service.getCached(kind, kind, () => assert.fail('asked twice')), { kind });
    const ttl = await redis.ttl(kind);
    assert.ok(ttl > seconds - 5 && ttl <= seconds, `${kind}: ${ttl}`);
  }
  assert.deepEqual(counted, { 'analytics.cache.hit': 6, 'analytics.cache.miss': 6 });
});

test('what was warmed up in a pipeline is there before the first question', async () => {
  assert.equal(await warmAnalyticsCache(redis, db), 150);
  assert.equal(queries, 151);
  assert.equal(await redis.dbsize(), 150);
  assert.deepEqual(await service.getDashboardStats('t49', '90d'), { revenue: ['t49', '90d'] });
  assert.equal(queries, 151);
  assert.deepEqual(counted, { 'analytics.cache.hit': 1 });
});

test('the hit rate, as INFO tells it', async (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  watchHitRate(redis, metrics, alerting);
  const aMinute = async () => {
    const told = gauges.length;
    t.mock.timers.tick(60_000);
    await until(() => gauges.length > told);
  };
  await aMinute();
  assert.deepEqual(gauges, [['cache.hit_rate', 0]]);
  for (let n = 0; n < 100; n++) await service.getDashboardStats(`t${n % 20}`, '7d');
  await aMinute();
  // 20 misses, 80 hits.
  assert.deepEqual(gauges[1], ['cache.hit_rate', 0.8]);
  assert.deepEqual(alerts.at(-1), ['warning', 'Hit rate cache < 85% (80.0%)']);
  for (let n = 0; n < 100; n++) await service.getDashboardStats('t1', '7d');
  alerts.length = 0;
  await aMinute();
  assert.deepEqual([gauges[2], alerts], [['cache.hit_rate', 0.9], []]);
});
