// The same window, in which calls of the same millisecond count one by one.

import { randomUUID } from 'node:crypto';
import { redis } from './world.mjs';

export async function checkRateLimit(identifier, limit, windowSeconds) {
  const key = `ratelimit:${identifier}`;
  const now = Date.now();
  const windowMs = windowSeconds * 1000;

  // The fourth argument tells calls of the same millisecond apart.
  const script = `
    local key = KEYS[1]
    local limit = tonumber(ARGV[1])
    local now = tonumber(ARGV[2])
    local window = tonumber(ARGV[3])

    redis.call('ZREMRANGEBYSCORE', key, 0, now - window)

    local count = redis.call('ZCARD', key)

    if count < limit then
      redis.call('ZADD', key, now, now .. ':' .. ARGV[4])
      redis.call('EXPIRE', key, math.ceil(window / 1000))
      return {1, limit - count - 1}
    else
      return {0, 0}
    end
  `;

  const result = await redis.eval(script, {
    keys: [key],
    arguments: [String(limit), String(now), String(windowMs), randomUUID()],
  });

  const oldest = await redis.zRange(key, 0, 0);
  const resetAt = oldest.length > 0
    ? new Date(parseInt(oldest[0], 10) + windowMs)
    : new Date(now + windowMs);

  return {
    allowed: result[0] === 1,
    remaining: result[1],
    resetAt,
  };
}
