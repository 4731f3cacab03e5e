// Statistics of a platform, each kind kept for as long as it stays true; warmed up at the start, and watched.

export const CACHE_TTL = {
  globalStats: 3600,
  tenantStats: 300,
  userStats: 60,
  realtimeEvents: 30,
  tenantConfig: 86400,
  filteredReports: 120,
};

export class AnalyticsCacheService {
  constructor(redis, db, metrics) {
    this.redis = redis;
    this.db = db;
    this.metrics = metrics;
  }

  async getCached(key, cacheType, loader) {
    const cached = await this.redis.get(key);
    if (cached) {
      this.metrics.increment('analytics.cache.hit', { type: cacheType });
      return JSON.parse(cached);
    }

    this.metrics.increment('analytics.cache.miss', { type: cacheType });
    const value = await loader();

    await this.redis.set(
      key,
      JSON.stringify(value),
      'EX',
      CACHE_TTL[cacheType],
    );

    return value;
  }

  async getDashboardStats(tenantId, period) {
    const key = `tenant:${tenantId}:stats:${period}`;
    return this.getCached(key, 'tenantStats', () => this.db.query('stats', [tenantId, period]));
  }
}

export async function warmAnalyticsCache(redis, db) {
  const topTenants = await db.query('tenants', [50]);

  const pipeline = redis.pipeline();
  let count = 0;

  for (const { id } of topTenants) {
    for (const period of ['7d', '30d', '90d']) {
      const stats = await db.query('stats', [id, period]);
      pipeline.set(
        `tenant:${id}:stats:${period}`,
        JSON.stringify(stats),
        'EX',
        CACHE_TTL.tenantStats,
      );
      count++;
    }
  }

  await pipeline.exec();
  return count;
}

/** Tells the hit rate every minute. */
export function watchHitRate(redis, metrics, alerting) {
  setInterval(async () => {
    const info = await redis.info('stats');
    const hits = parseInt(info.match(/keyspace_hits:(\d+)/)?.[1] || '0');
    const misses = parseInt(info.match(/keyspace_misses:(\d+)/)?.[1] || '0');
    const total = hits + misses;
    const hitRate = total > 0 ? hits / total : 0;

    metrics.gauge('cache.hit_rate', hitRate);

    if (hitRate < 0.85) {
      alerting.send('warning', `Hit rate cache < 85% (${(hitRate * 100).toFixed(1)}%)`);
    }
  }, 60_000);
}
