// BullMQ's queues, over ioredis and over node-redis. Nearly all of it are scripts that touch keys which they do not
// declare, and workers that wait for them.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, test } from 'node:test';
import { FlowProducer, Queue, QueueEvents, UnrecoverableError, Worker } from 'bullmq';
import { Redis } from 'ioredis';
import { createClient } from 'redis';
import { startServer } from '../harness/server.mjs';
import { kill, startProcess, until } from '../harness/wait.mjs';

const server = await startServer('--maxmemory-policy', 'noeviction');
let queues = 0;

for (const [client, connect] of [
  ['ioredis', () => new Redis(server.url, { maxRetriesPerRequest: null })],
  ['node-redis', () => createClient({ url: server.url })],
]) {
  const connection = connect();
  after(() => connection.quit());
  testsOver(connection, (name) => `${client}: ${name}`);
}

function testsOver(connection, title) {
  /** A queue with its events, and a way to start workers, all closed after the test. */
  async function aQueue(t, options) {
    const name = `queue-${++queues}`;
    const queue = new Queue(name, { connection, ...options });
    // It reads all events, also those before it was there.
    const events = new QueueEvents(name, { connection, lastEventId: '0', blockingTimeout: 200 });
    await Promise.all([queue.waitUntilReady(), events.waitUntilReady()]);
    const workers = [];
    t.after(async () => {
      await Promise.all(workers.map((worker) => worker.close(true)));
      await Promise.all([queue.close(), events.close()]);
    });
    const work = (processor, workerOptions) => {
      const worker = new Worker(name, processor, { connection, drainDelay: 0.2, ...workerOptions });
      worker.on('error', () => {}); // A connection that is closed in mid-wait says so.
      workers.push(worker);
      return worker;
    };
    return { name, queue, events, work };
  }

  test(title('jobs are processed, with results, progress and logs'), async (t) => {
    const { queue, events, work } = await aQueue(t);
    const progress = [];
    events.on('progress', ({ data }) => progress.push(data));
    work(async (job) => {
      await job.log(`paints ${job.data.colour}`);
      await job.updateProgress(42);
      return { painted: job.data.colour };
    });
    const jobs = await queue.addBulk(['red', 'blue'].map((colour) => ({ name: 'paint', data: { colour } })));
    const results = await Promise.all(jobs.map((job) => job.waitUntilFinished(events)));
    assert.deepEqual(results, [{ painted: 'red' }, { painted: 'blue' }]);
    assert.deepEqual(progress, [42, 42]);
    assert.deepEqual((await queue.getJobLogs(jobs[1].id)).logs, ['paints blue']);
    const done = await queue.getJob(jobs[0].id);
    assert.deepEqual([done.returnvalue, done.progress, await done.getState()], [{ painted: 'red' }, 42, 'completed']);
    assert.deepEqual(await queue.getJobCounts('completed', 'waiting', 'active'), { completed: 2, waiting: 0, active: 0 });
  });

  test(title('the events of a job come in order'), async (t) => {
    const { queue, events, work } = await aQueue(t);
    const seen = [];
    for (const event of ['added', 'waiting', 'active', 'completed']) events.on(event, () => seen.push(event));
    work(async () => 'done');
    const job = await queue.add('job', {});
    await job.waitUntilFinished(events);
    await until(() => seen.includes('completed'));
    assert.deepEqual(seen, ['added', 'waiting', 'active', 'completed']);
  });

  test(title('delayed jobs wait for their time, or are promoted'), async (t) => {
    const { queue, events, work } = await aQueue(t);
    work(async () => Date.now());
    const soon = await queue.add('soon', {}, { delay: 100 });
    const late = await queue.add('late', {}, { delay: 3_600_000 });
    assert.ok((await soon.waitUntilFinished(events)) >= soon.timestamp + 100);
    assert.equal(await late.getState(), 'delayed');
    await late.promote();
    await late.waitUntilFinished(events);
  });

  test(title('a job scheduler repeats its job until it is removed'), async (t) => {
    const { queue, work } = await aQueue(t);
    await queue.upsertJobScheduler('often', { every: 50 }, { name: 'tick', data: { from: 'often' } });
    await queue.upsertJobScheduler('yearly', { pattern: '0 0 1 1 *' }, { name: 'year' });
    const ran = [];
    const worker = work(async (job) => ran.push([job.name, job.data.from]));
    while (ran.length < 3) await once(worker, 'completed');
    assert.deepEqual(ran.slice(0, 3), Array(3).fill(['tick', 'often']));
    const schedulers = await queue.getJobSchedulers(0, -1, true);
    assert.deepEqual(schedulers.map(({ key }) => key), ['often', 'yearly']);
    assert.ok(schedulers[1].next > Date.now());
    assert.equal(await queue.removeJobScheduler('often'), true);
    assert.equal(await queue.getJobSchedulersCount(), 1);
    await until(async () => (await queue.getDelayedCount()) === 1 && (await queue.getActiveCount()) === 0);
  });

  test(title("a flow's parent runs after its children and sees their values"), async (t) => {
    const { name, queue, events, work } = await aQueue(t);
    const flows = new FlowProducer({ connection });
    t.after(() => flows.close());
    work(async (job) => {
      if (job.name !== 'sum') return job.data.value;
      return Object.values(await job.getChildrenValues()).reduce((sum, value) => sum + value, 0);
    });
    const child = (value) => ({ name: 'child', queueName: name, data: { value } });
    const inner = { name: 'sum', queueName: name, children: [child(3), child(4)] };
    const { job } = await flows.add({ name: 'sum', queueName: name, children: [child(1), child(2), inner] });
    assert.equal(await job.waitUntilFinished(events), 10);
    assert.deepEqual(await queue.getJobCounts('completed', 'waiting-children'), { completed: 6, 'waiting-children': 0 });
  });

  test(title("a flow's parent fails with its child where that is asked for"), async (t) => {
    const { name, events, work } = await aQueue(t);
    const flows = new FlowProducer({ connection });
    t.after(() => flows.close());
    work(async () => {
      throw new Error('broken');
    });
    const children = [{ name: 'child', queueName: name, opts: { failParentOnFailure: true } }];
    const { job } = await flows.add({ name: 'parent', queueName: name, children });
    await assert.rejects(job.waitUntilFinished(events), /child .* failed/);
  });

  test(title('the rate limit lets so many jobs through and no more'), async (t) => {
    const { queue, work } = await aQueue(t);
    const ran = [];
    const limit = { limiter: { max: 2, duration: 3_600_000 }, concurrency: 4, maximumRateLimitDelay: 10 };
    const processor = async (job) => ran.push(job.id);
    const workers = [work(processor, limit), work(processor, limit)];
    await Promise.all(workers.map((worker) => worker.waitUntilReady()));
    await queue.addBulk(Array.from({ length: 5 }, () => ({ name: 'job', data: {} })));
    await until(async () => ran.length >= 2 && (await queue.getRateLimitTtl(2)) > 0);
    await until(async () => (await queue.getWaitingCount()) === 3);
    assert.equal(ran.length, 2);
    await queue.removeRateLimitKey();
    await until(async () => (await queue.getWaitingCount()) === 1 && (await queue.getActiveCount()) === 0);
    assert.equal(ran.length, 4);
  });

  test(title('what fails is tried again, later each time'), async (t) => {
    const { queue, events, work } = await aQueue(t);
    const tries = [];
    work(async (job) => {
      tries.push(job.attemptsMade);
      if (job.name === 'hopeless') throw new UnrecoverableError('no use');
      if (tries.length < 3) throw new Error('not yet');
      return 'at last';
    });
    const job = await queue.add('stubborn', {}, { attempts: 3, backoff: { type: 'exponential', delay: 10 } });
    assert.equal(await job.waitUntilFinished(events), 'at last');
    assert.deepEqual(tries, [0, 1, 2]);
    const hopeless = await queue.add('hopeless', {}, { attempts: 3 });
    await assert.rejects(hopeless.waitUntilFinished(events), /no use/);
    assert.equal(tries.length, 4);
    const failed = await queue.getFailed();
    assert.deepEqual(failed.map(({ id, failedReason }) => [id, failedReason]), [[hopeless.id, 'no use']]);
    await failed[0].retry();
    await assert.rejects(hopeless.waitUntilFinished(events), /no use/);
    assert.equal(tries.length, 5);
  });

  test(title('priorities, and last in first out'), async (t) => {
    const { queue, work } = await aQueue(t);
    for (const [name, options] of [
      ['fifth', { priority: 9 }],
      ['third', { priority: 2 }],
      ['fourth', { priority: 2 }],
      ['second', {}],
      ['first', { lifo: true }],
    ]) {
      await queue.add(name, {}, options);
    }
    assert.deepEqual(await queue.getCountsPerPriority([0, 2, 9]), { 0: 2, 2: 2, 9: 1 });
    const ran = [];
    work(async (job) => ran.push(job.name));
    await until(() => ran.length === 5);
    assert.deepEqual(ran, ['first', 'second', 'third', 'fourth', 'fifth']);
  });

  test(title('a queue that is paused keeps its jobs'), async (t) => {
    const { queue, events, work } = await aQueue(t);
    const worker = work(async () => 'ran');
    await worker.waitUntilReady();
    await queue.pause();
    const job = await queue.add('job', {});
    assert.equal(await queue.isPaused(), true);
    assert.equal(await queue.count(), 1);
    assert.equal(await job.getState(), 'waiting');
    await queue.resume();
    assert.equal(await job.waitUntilFinished(events), 'ran');
  });

  test(title('the same work is not queued twice'), async (t) => {
    const { queue, events, work } = await aQueue(t);
    const options = { deduplication: { id: 'only' } };
    const [first, second] = [await queue.add('job', { n: 1 }, options), await queue.add('job', { n: 2 }, options)];
    assert.equal(second.id, first.id);
    assert.equal((await queue.add('job', { n: 3 }, { jobId: 'mine' })).id, 'mine');
    await queue.add('job', { n: 4 }, { jobId: 'mine' });
    assert.equal(await queue.count(), 2);
    work(async (job) => job.data.n);
    assert.equal(await first.waitUntilFinished(events), 1);
    await until(async () => (await queue.getCompletedCount()) === 2);
    assert.notEqual((await queue.add('job', { n: 5 }, options)).id, first.id);
  });

  test(title('queues are drained, cleaned and obliterated'), async (t) => {
    const { queue, events, work } = await aQueue(t);
    const worker = work(async () => 'done');
    const jobs = await queue.addBulk(Array.from({ length: 20 }, () => ({ name: 'job', data: {} })));
    await Promise.all(jobs.map((job) => job.waitUntilFinished(events)));
    await worker.pause();
    assert.equal((await queue.clean(0, 15, 'completed')).length, 15);
    assert.equal(await queue.getCompletedCount(), 5);
    await queue.add('later', {}, { delay: 3_600_000 });
    await queue.add('now', {});
    await queue.drain();
    assert.deepEqual(await queue.getJobCounts('waiting', 'delayed'), { waiting: 0, delayed: 1 });
    await queue.obliterate({ force: true });
    assert.deepEqual(await queue.getJobCounts('completed', 'delayed'), { completed: 0, delayed: 0 });
  });

  test(title('two processes share the jobs, each of which runs once'), async (t) => {
    const { name, queue } = await aQueue(t);
    const runs = new Map();
    const start = async () => {
      const child = await startProcess(new URL('bullmq_worker.mjs', import.meta.url), { QUEUE: name, REDIS_URL: server.url });
      t.after(() => kill(child));
      child.on('message', ({ ran }) => runs.set(ran, (runs.get(ran) ?? 0) + 1));
    };
    await Promise.all([start(), start()]);
    await queue.addBulk(Array.from({ length: 300 }, () => ({ name: 'job', data: {} })));
    await until(async () => (await queue.getCompletedCount()) === 300 && runs.size === 300);
    assert.deepEqual(new Set(runs.values()), new Set([1]));
  });

  test(title('the job of a process that died is run by another'), async (t) => {
    const { name, queue, events, work } = await aQueue(t);
    const job = await queue.add('stuck', {});
    const child = await startProcess(new URL('bullmq_worker.mjs', import.meta.url), { QUEUE: name, REDIS_URL: server.url });
    await once(child, 'message');
    await kill(child);
    assert.equal(await job.getState(), 'active');
    const stalled = once(events, 'stalled');
    work(async () => 'rescued', { stalledInterval: 100 });
    assert.equal(await job.waitUntilFinished(events), 'rescued');
    assert.equal((await stalled)[0].jobId, job.id);
  });
}
