// ioredis, in both versions of the protocol.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Redis } from 'ioredis';
import { startServer } from '../harness/server.mjs';
import { until } from '../harness/wait.mjs';

const server = await startServer();

for (const protocol of [2, 3]) describe(`RESP${protocol}`, () => eachVersion(protocol));

function eachVersion(protocol) {
  /** A client for one test, in an empty database. */
  async function client(t, options) {
    const redis = new Redis(server.url, { protocol, ...options });
    t.after(() => redis.disconnect());
    await redis.flushdb();
    return redis;
  }

  test(`RESP${protocol}: connects, and speaks the version that was asked for`, async (t) => {
    const redis = await client(t, { connectionName: 'matrix', db: 3 });
    const info = await redis.client('INFO');
    assert.match(info, /name=matrix .*db=3 /);
    assert.match(info, new RegExp(`resp=${protocol}`));
    assert.match(info, /lib-name=ioredis/);
  });

  test(`RESP${protocol}: basic commands`, async (t) => {
    const redis = await client(t, { keyPrefix: 'mine:' });
    assert.equal(await redis.set('key', 'value', 'EX', 100), 'OK');
    assert.equal(await redis.set('key', 'other', 'NX'), null);
    assert.equal(await redis.get('key'), 'value');
    assert.deepEqual(await redis.mget('key', 'missing'), ['value', null]);
    await redis.hset('hash', { a: 1, b: 'two' });
    assert.deepEqual(await redis.hgetall('hash'), { a: '1', b: 'two' });
    assert.equal(await redis.rpush('list', 'a', 'b'), 2);
    assert.deepEqual(await redis.lrange('list', 0, -1), ['a', 'b']);
    await redis.sadd('set', 'x', 'y');
    assert.deepEqual((await redis.smembers('set')).sort(), ['x', 'y']);
    await redis.zadd('zset', 1, 'one', 2.5, 'more');
    assert.deepEqual(await redis.zrange('zset', 0, -1, 'WITHSCORES'), ['one', '1', 'more', '2.5']);
    assert.equal(await redis.zscore('zset', 'more'), '2.5');
    const keys = [];
    for await (const page of redis.scanStream({ match: 'mine:*', count: 2 })) keys.push(...page);
    assert.deepEqual(keys.sort(), ['hash', 'key', 'list', 'set', 'zset'].map((key) => `mine:${key}`));
    await assert.rejects(redis.lpush('key', 'x'), /WRONGTYPE Operation against a key/);
    assert.match(await redis.info('server'), /redis_mode:standalone/);
  });

  test(`RESP${protocol}: pipelines, and large and binary values`, async (t) => {
    const redis = await client(t);
    const pipeline = redis.pipeline();
    for (let n = 0; n < 1000; n++) pipeline.set(`key:${n}`, n).get(`key:${n}`);
    const replies = await pipeline.lpush('key:0', 'x').exec();
    assert.equal(replies.length, 2001);
    assert.deepEqual(replies[1999], [null, '999']);
    assert.match(replies[2000][0].message, /WRONGTYPE/);
    const binary = Buffer.from(Array.from({ length: 1_000_000 }, (_, n) => n % 256));
    await redis.set('binary', binary);
    assert.deepEqual(await redis.getBuffer('binary'), binary);
  });

  test(`RESP${protocol}: pipelines that the client makes by itself`, async (t) => {
    const redis = await client(t, { enableAutoPipelining: true });
    const replies = await Promise.all(Array.from({ length: 500 }, (_, n) => (n % 2 ? redis.incr('n') : redis.get('n'))));
    assert.equal(replies.at(-1), 250);
    const outcomes = await Promise.allSettled([redis.set('s', 'x'), redis.incr('s'), redis.get('s')]);
    assert.deepEqual(outcomes.map(({ status }) => status), ['fulfilled', 'rejected', 'fulfilled']);
  });

  test(`RESP${protocol}: transactions, and WATCH`, async (t) => {
    const redis = await client(t);
    const replies = await redis.multi().set('a', 1).incr('a').hset('a', 'f', 'v').get('a').exec();
    assert.match(replies[2][0].message, /^WRONGTYPE/);
    replies.splice(2, 1);
    assert.deepEqual(replies, [[null, 'OK'], [null, 2], [null, '2']]);
    await redis.watch('a');
    const other = redis.duplicate();
    t.after(() => other.disconnect());
    await other.set('a', 'changed');
    assert.equal(await redis.multi().set('a', 'mine').exec(), null);
    assert.equal(await redis.get('a'), 'changed');
    await assert.rejects(redis.multi().set('a').exec(), /^ReplyError: EXECABORT/);
    await redis.multi({ pipeline: false });
    assert.equal(await redis.incr('n'), 'QUEUED');
    assert.deepEqual(await redis.exec(), [[null, 1]]);
  });

  test(`RESP${protocol}: publish and subscribe`, async (t) => {
    const redis = await client(t);
    const subscriber = redis.duplicate();
    t.after(() => subscriber.disconnect());
    const heard = [];
    subscriber.on('message', (channel, message) => heard.push([channel, message]));
    subscriber.on('pmessage', (pattern, channel, message) => heard.push([pattern, channel, message]));
    subscriber.on('smessage', (channel, message) => heard.push([channel, message]));
    assert.equal(await subscriber.subscribe('news', 'weather'), 2);
    assert.equal(await subscriber.psubscribe('new*'), 3);
    assert.equal(await subscriber.ssubscribe('shard'), 1);
    assert.equal(await redis.publish('news', 'first'), 2);
    assert.equal(await redis.spublish('shard', 'last'), 1);
    await until(() => heard.length === 3);
    assert.deepEqual(heard, [['news', 'first'], ['new*', 'news', 'first'], ['shard', 'last']]);
    assert.deepEqual((await redis.pubsub('NUMSUB', 'news', 'none')).map(String), ['news', '1', 'none', '0']);
    await subscriber.unsubscribe('news', 'weather');
    await subscriber.punsubscribe('new*');
    await subscriber.sunsubscribe('shard');
    assert.equal(await subscriber.get('nothing'), null);
  });

  test(`RESP${protocol}: streams and their groups`, async (t) => {
    const redis = await client(t);
    const id = await redis.xadd('stream', '*', 'field', 'value');
    assert.deepEqual(await redis.xrange('stream', '-', '+'), [[id, ['field', 'value']]]);
    await redis.xgroup('CREATE', 'stream', 'group', '0');
    const read = await redis.xreadgroup('GROUP', 'group', 'ann', 'COUNT', 1, 'STREAMS', 'stream', '>');
    assert.deepEqual(read, [['stream', [[id, ['field', 'value']]]]]);
    assert.deepEqual((await redis.xpending('stream', 'group'))[0], 1);
    const [, claimed] = await redis.xautoclaim('stream', 'group', 'ben', 0, '0');
    assert.deepEqual(claimed, [[id, ['field', 'value']]]);
    assert.equal(await redis.xack('stream', 'group', id), 1);
    const waiting = redis.duplicate();
    t.after(() => waiting.disconnect());
    const awaited = waiting.xread('BLOCK', 0, 'STREAMS', 'stream', '$');
    await until(async () => /blocked_clients:1\r/.test(await redis.info('clients')));
    const next = await redis.xadd('stream', '*', 'field', 'awaited');
    assert.deepEqual(await awaited, [['stream', [[next, ['field', 'awaited']]]]]);
  });

  test(`RESP${protocol}: scripts as commands, also in pipelines and after SCRIPT FLUSH`, async (t) => {
    const scripts = {
      add: { numberOfKeys: 2, lua: "return redis.call('INCRBY', KEYS[1], ARGV[1]) + #KEYS" },
      echoAll: { lua: 'return {KEYS, ARGV}' },
    };
    const redis = await client(t, { scripts });
    assert.equal(await redis.add('a', 'b', 5), 7);
    await redis.script('FLUSH');
    assert.equal(await redis.add('a', 'b', 5), 12);
    assert.deepEqual(await redis.pipeline().add('a', 'b', 1).get('a').exec(), [[null, 13], [null, '11']]);
    assert.deepEqual(await redis.multi().add('a', 'b', 1).exec(), [[null, 14]]);
    assert.deepEqual(await redis.echoAll(1, 'k', 'x', Buffer.from('y')), [['k'], ['x', 'y']]);
    assert.deepEqual(await redis.echoAllBuffer(0, Buffer.from([255])), [[], [Buffer.from([255])]]);
    await assert.rejects(redis.eval("return redis.call('NOSUCH')", 0), /Unknown Redis command/);
  });

  test(`RESP${protocol}: commands that wait`, async (t) => {
    const redis = await client(t);
    const waiting = redis.duplicate();
    t.after(() => waiting.disconnect());
    const popped = [waiting.blpop('one', 'two', 0), waiting.bzpopmin('zset', 0), waiting.blmove('one', 'two', 'LEFT', 'RIGHT', 0)];
    for (const give of [() => redis.rpush('two', 'a'), () => redis.zadd('zset', 1, 'b'), () => redis.rpush('one', 'c')]) {
      await until(async () => /blocked_clients:1\r/.test(await redis.info('clients')));
      await give();
      await popped[0];
      popped.push(popped.shift());
    }
    assert.deepEqual(await Promise.all(popped), [['two', 'a'], ['zset', 'b', '1'], 'c']);
    assert.equal(await waiting.blpop('nothing', 0.01), null);
  });

  test(`RESP${protocol}: connects again after a restart, and subscribes again`, async (t) => {
    const own = await startServer();
    const redis = new Redis(own.url, { protocol, retryStrategy: () => 20, maxRetriesPerRequest: null });
    const subscriber = redis.duplicate();
    const heard = [];
    for (const one of [redis, subscriber]) {
      one.on('error', () => {});
      t.after(() => one.disconnect());
    }
    subscriber.on('message', (channel, message) => heard.push(message));
    await subscriber.subscribe('news');
    await redis.set('key', 'before');
    const lost = new Promise((resolve) => redis.once('reconnecting', resolve));
    await own.stop();
    await lost;
    const queued = redis.set('key', 'after');
    await own.start();
    assert.equal(await queued, 'OK');
    await until(async () => (await redis.publish('news', 'again')) === 1);
    await until(() => heard.length > 0);
    assert.equal(heard[0], 'again');
    assert.equal(await redis.get('key'), 'after');
  });
}
