// Sessions as hashes, of which single fields are read and written.

import { redis } from './world.mjs';

export async function updateUserSession(userId, updates) {
  const key = `session:${userId}`;
  await redis.hSet(key, updates);
  await redis.expire(key, 86400);
}

export async function getSessionField(userId, field) {
  return redis.hGet(`session:${userId}`, field);
}
