// A process that counts one up so often, each time under a lock: reads, and writes what it read plus one.

import { Redis } from 'ioredis';
import Redlock from 'redlock';

const redis = new Redis(process.env.REDIS_URL);
const lock = new Redlock([redis], { retryCount: -1, retryDelay: 5, retryJitter: 5 });
process.on('message', async ({ times }) => {
  for (let n = 0; n < times; n++) {
    await lock.using(['counting'], 60_000, async () => {
      const before = Number(await redis.get('counter'));
      await redis.set('counter', before + 1);
    });
  }
  process.send('done');
});
process.send('ready');
