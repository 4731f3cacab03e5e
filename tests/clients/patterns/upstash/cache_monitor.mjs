// How many keys there are, about how much they take, and how long they take to read.

import { UpstashCacheManager } from './course_cache.mjs';
import { redis } from './redis.mjs';

export class CacheMonitor {
  static async getStats() {
    try {
      const keys = await redis.keys('*');
      const totalKeys = keys.length;

      const sampleKeys = keys.slice(0, 10);
      const sampleData = await Promise.all(
        sampleKeys.map(key => redis.get(key))
      );

      const avgKeySize = sampleData.reduce((sum, data) =>
        sum + JSON.stringify(data).length, 0) / sampleData.length;

      const estimatedMemory = totalKeys * avgKeySize;

      return {
        totalKeys,
        estimatedMemory: `${(estimatedMemory / 1024 / 1024).toFixed(2)} MB`,
        sampleKeys: keys.slice(0, 5),
        timestamp: new Date().toISOString()
      };
    } catch (error) {
      console.error('Cache monitoring error:', error);
      return { error: 'Monitoring failed' };
    }
  }
}

/** Tells how long the cache took, or the database where the cache has nothing. */
export async function measure(key, fetchFromDatabase) {
  const cacheStart = Date.now();
  const cached = await UpstashCacheManager.get(key);
  const cacheTime = Date.now() - cacheStart;

  if (cached) {
    console.log(`[PERF] Cache hit: ${cacheTime}ms`);
  } else {
    const dbStart = Date.now();
    await fetchFromDatabase();
    const dbTime = Date.now() - dbStart;
    console.log(`[PERF] Database: ${dbTime}ms`);
  }
}
