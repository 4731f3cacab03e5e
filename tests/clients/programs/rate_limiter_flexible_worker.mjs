// A process that asks so many times for a point, and tells how often it was given one.

import { Redis } from 'ioredis';
import { RateLimiterRedis } from 'rate-limiter-flexible';

const storeClient = new Redis(process.env.REDIS_URL);
const limiter = new RateLimiterRedis({ storeClient, points: 150, duration: 3600 });
process.on('message', async ({ times }) => {
  const asked = await Promise.allSettled(Array.from({ length: times }, () => limiter.consume('everybody')));
  process.send(asked.filter(({ status }) => status === 'fulfilled').length);
});
process.send('ready');
