// A cache behind an interface, a repository that uses it, and values that are served stale while they are fetched anew.

export class UserRepository {
  constructor(cache, db, ttl = 3600) {
    this.cache = cache;
    this.db = db;
    this.ttl = ttl;
  }

  async findById(id) {
    const cacheKey = `user:${id}`;

    const cached = await this.cache.get(cacheKey);
    if (cached) {
      return cached;
    }

    const user = await this.db.users.findById(id);
    if (!user) {
      return null;
    }

    await this.cache.set(cacheKey, user, this.ttl);

    return user;
  }

  async update(id, data) {
    const user = await this.db.users.update(id, data);

    await this.cache.delete(`user:${id}`);

    return user;
  }

  async delete(id) {
    await this.db.users.delete(id);
    await this.cache.delete(`user:${id}`);
  }
}

export class RedisCacheService {
  constructor(redis) {
    this.redis = redis;
  }

  async get(key) {
    const data = await this.redis.get(key);
    return data ? JSON.parse(data) : null;
  }

  async set(key, value, ttlSeconds = 3600) {
    await this.redis.setex(key, ttlSeconds, JSON.stringify(value));
  }

  async delete(key) {
    await this.redis.del(key);
  }

  async getWithSWR(key, fetcher, ttl, staleWindow) {
    const cached = await this.redis.get(key);

    if (cached) {
      const { data, timestamp } = JSON.parse(cached);
      const age = Date.now() - timestamp;

      if (age < ttl * 1000) {
        return data;
      }

      if (age < (ttl + staleWindow) * 1000) {
        this.refreshAsync(key, fetcher, ttl);
        return data;
      }
    }

    return this.fetchAndCache(key, fetcher, ttl);
  }

  async refreshAsync(key, fetcher, ttl) {
    try {
      await this.fetchAndCache(key, fetcher, ttl);
    } catch (e) {
      console.error('Background refresh failed:', e);
    }
  }

  async fetchAndCache(key, fetcher, ttl) {
    const data = await fetcher();
    await this.redis.setex(
      key,
      ttl,
      JSON.stringify({ data, timestamp: Date.now() }),
    );
    return data;
  }
}
