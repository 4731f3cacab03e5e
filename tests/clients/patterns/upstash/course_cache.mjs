// Results of queries under keys made of their parameters, dropped by patterns when what they show has changed.

import { redis } from './redis.mjs';

export const UPSTASH_CACHE_CONFIG = {
  SEARCH_RESULTS: 300,
  COURSE_DETAIL: 3600,
  LESSON_DETAIL: 1800,
  LESSON_LIST: 300,
  USER_PROGRESS: 600,
};

export class UpstashCacheManager {
  static generateKey(prefix, params) {
    const sortedParams = Object.keys(params)
      .sort()
      .map(key => `${key}:${params[key]}`)
      .join(':');

    return `${prefix}:${sortedParams}`;
  }

  static async get(key) {
    return redis.get(key);
  }

  static async set(key, value, ttl) {
    await redis.set(key, value, ttl ? { ex: ttl } : undefined);
  }

  static async delete(key) {
    await redis.del(key);
  }

  static async deleteMultiple(keys) {
    await redis.del(...keys);
  }

  static async getKeys(pattern) {
    return redis.keys(pattern);
  }

  static async clearAll() {
    const keys = await this.getKeys('*');
    if (keys.length > 0) {
      await this.deleteMultiple(keys);
    }
  }

  static async invalidateCourseCache(courseId) {
    const patterns = [
      `lessons:course:${courseId}:*`,
      `course:${courseId}:*`,
      `user:courses:*`,
      `admin:courses:*`,
      `admin:course:details:*`,
      `user:course:details:*`,
      `admin:course:participants:*`,
      `user:course:participants:*`,
    ];

    for (const pattern of patterns) {
      const keys = await this.getKeys(pattern);
      if (keys.length > 0) {
        await this.deleteMultiple(keys);
      }
    }
  }

  static async invalidateLessonCache(lessonId) {
    const patterns = [
      `lesson:${lessonId}:*`,
      `user-progress:lesson:${lessonId}:*`,
      `admin:lessons:course:*`,
      `admin:lesson:details:*`,
    ];

    for (const pattern of patterns) {
      const keys = await this.getKeys(pattern);
      if (keys.length > 0) {
        await this.deleteMultiple(keys);
      }
    }
  }
}

export async function withUpstashCache(key, fetchFunction, config) {
  try {
    const cached = await UpstashCacheManager.get(key);
    if (cached) {
      console.log(`[CACHE HIT] ${key}`);
      return cached;
    }

    console.log(`[CACHE MISS] ${key}`);
    const data = await fetchFunction();

    await UpstashCacheManager.set(key, data, config.ttl);

    return data;
  } catch (error) {
    console.error(`[CACHE ERROR] ${key}:`, error);
    // Without a cache things go on, slower.
    return await fetchFunction();
  }
}
