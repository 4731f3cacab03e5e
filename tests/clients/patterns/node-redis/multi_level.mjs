// A cache of two levels: in the process, and shared; the first is told by pub/sub when something has changed.

import { LRUCache } from 'lru-cache';
import { redis } from './world.mjs';

const l1Cache = new LRUCache({
  max: 500,
  ttl: 60_000,
});

export async function getData(key, fetcher) {
  const l1 = l1Cache.get(key);
  if (l1) return l1;

  const l2 = await redis.get(key);
  if (l2) {
    const data = JSON.parse(l2);
    l1Cache.set(key, data);
    return data;
  }

  const data = await fetcher();
  await redis.set(key, JSON.stringify(data), { EX: 3600 });
  l1Cache.set(key, data);
  return data;
}

const CHANNEL = 'cache:invalidate';

/** Drops a key from both levels, in all processes. */
export async function invalidate(key) {
  await redis.del(key);
  await redis.publish(CHANNEL, key);
}

/** Has this process hear of what others invalidate. */
export async function listen(heard = () => {}) {
  const subscriber = redis.duplicate();
  await subscriber.connect();
  await subscriber.subscribe(CHANNEL, (key) => {
    l1Cache.delete(key);
    heard(key);
  });
  return subscriber;
}
