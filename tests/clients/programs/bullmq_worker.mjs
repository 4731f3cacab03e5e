// A worker in a process of its own: it says that it is there, and then which jobs it runs. It never ends one that is
// named `stuck`.

import { Worker } from 'bullmq';

const { QUEUE, REDIS_URL } = process.env;
const worker = new Worker(
  QUEUE,
  async (job) => {
    process.send({ ran: job.id });
    if (job.name === 'stuck') await new Promise(() => {});
  },
  { connection: { url: REDIS_URL }, concurrency: 8, lockDuration: 500, stalledInterval: 100 },
);
await worker.waitUntilReady();
process.send('ready');
