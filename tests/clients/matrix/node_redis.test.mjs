// node-redis, in both versions of the protocol.

import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { BasicClientSideCache, createClient, createClientPool, defineScript } from 'redis';
import { startServer } from '../harness/server.mjs';
import { until } from '../harness/wait.mjs';

const server = await startServer();

for (const RESP of [2, 3]) describe(`RESP${RESP}`, () => eachVersion(RESP));

function eachVersion(RESP) {
  const connect = (options) => createClient({ url: server.url, RESP, ...options }).connect();
  /** A client for one test, in an empty database. */
  async function client(t, options) {
    const connected = await connect(options);
    connected.on('error', () => {});
    t.after(() => connected.destroy());
    await connected.flushDb();
    return connected;
  }

  test(`RESP${RESP}: connects, and speaks the version that was asked for`, async (t) => {
    const redis = await client(t, { name: 'matrix', database: 3 });
    const info = await redis.clientInfo();
    assert.deepEqual([info.name, info.db, info.resp], ['matrix', 3, RESP]);
    assert.equal(info.libName, 'node-redis');
    assert.equal(await redis.ping(), 'PONG');
  });

  test(`RESP${RESP}: basic commands`, async (t) => {
    const redis = await client(t);
    assert.equal(await redis.set('key', 'value', { expiration: { type: 'EX', value: 100 } }), 'OK');
    assert.equal(await redis.set('key', 'other', { condition: 'NX' }), null);
    assert.equal(await redis.get('key'), 'value');
    assert.ok((await redis.ttl('key')) > 90);
    assert.equal(await redis.incrBy('n', 41), 41);
    assert.equal(await redis.incrByFloat('n', 1.5), '42.5');
    assert.deepEqual(await redis.mGet(['key', 'missing']), ['value', null]);
    assert.equal(await redis.hSet('hash', { a: '1', b: '2' }), 2);
    assert.deepEqual({ ...(await redis.hGetAll('hash')) }, { a: '1', b: '2' });
    assert.equal(await redis.rPush('list', ['a', 'b', 'c']), 3);
    assert.deepEqual(await redis.lRange('list', 0, -1), ['a', 'b', 'c']);
    assert.equal(await redis.sAdd('set', ['x', 'y']), 2);
    assert.deepEqual([...(await redis.sMembers('set'))].sort(), ['x', 'y']);
    await redis.zAdd('zset', [{ value: 'one', score: 1 }, { value: 'half', score: 0.5 }, { value: 'inf', score: Infinity }]);
    assert.deepEqual(await redis.zRangeWithScores('zset', 0, -1), [
      { value: 'half', score: 0.5 },
      { value: 'one', score: 1 },
      { value: 'inf', score: Infinity },
    ]);
    assert.equal(await redis.zScore('zset', 'missing'), null);
    const keys = [];
    for await (const page of redis.scanIterator({ COUNT: 2 })) keys.push(...page);
    assert.deepEqual(keys.sort(), ['hash', 'key', 'list', 'n', 'set', 'zset']);
    await assert.rejects(redis.lPush('key', 'x'), /^(Simple)?Error: WRONGTYPE Operation against a key/);
    assert.equal(await redis.del(keys), 6);
  });

  test(`RESP${RESP}: many commands in one go, and large and binary values`, async (t) => {
    const redis = await client(t);
    const large = 'ä'.repeat(500_000);
    const replies = await Promise.all(Array.from({ length: 1000 }, (_, n) => redis.set(`key:${n}`, `${n}`)));
    assert.deepEqual(new Set(replies), new Set(['OK']));
    assert.deepEqual(
      await Promise.all(Array.from({ length: 1000 }, (_, n) => redis.get(`key:${n}`))),
      Array.from({ length: 1000 }, (_, n) => `${n}`),
    );
    await redis.set('large', large);
    assert.equal(await redis.get('large'), large);
    const binary = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
    await redis.set('binary', binary);
    assert.deepEqual(await redis.withTypeMapping({ 36: Buffer }).get('binary'), binary);
    const piped = await redis.multi().incr('n').incr('n').get('n').execAsPipeline();
    assert.deepEqual(piped, [1, 2, '2']);
  });

  test(`RESP${RESP}: transactions, and WATCH`, async (t) => {
    const redis = await client(t);
    const replies = await redis.multi().set('a', '1').incr('a').hSet('h', 'f', 'v').hGetAll('h').exec();
    assert.deepEqual(replies, ['OK', 2, 1, { f: 'v' }]);
    await redis.watch('a');
    const other = await connect();
    await other.set('a', 'changed');
    other.destroy();
    await assert.rejects(redis.multi().set('a', 'mine').exec(), /watched keys has been changed/);
    assert.equal(await redis.get('a'), 'changed');
    await assert.rejects(redis.multi().addCommand(['NOSUCH']).exec());
  });

  test(`RESP${RESP}: publish and subscribe`, async (t) => {
    const redis = await client(t);
    const subscriber = await connect();
    t.after(() => subscriber.destroy());
    const heard = [];
    await subscriber.subscribe(['news', 'weather'], (message, channel) => heard.push([channel, message]));
    await subscriber.pSubscribe('new*', (message, channel) => heard.push([`${channel} by pattern`, message]));
    await subscriber.sSubscribe('shard', (message, channel) => heard.push([channel, message]));
    assert.equal(await redis.publish('news', 'first'), 2);
    assert.equal(await redis.publish('weather', 'rain'), 1);
    assert.equal(await redis.sPublish('shard', 'last'), 1);
    await until(() => heard.length === 4);
    assert.deepEqual(heard, [['news', 'first'], ['news by pattern', 'first'], ['weather', 'rain'], ['shard', 'last']]);
    if (RESP === 3) assert.equal(await subscriber.echo('among pushes'), 'among pushes');
    await subscriber.unsubscribe();
    await subscriber.pUnsubscribe();
    await subscriber.sUnsubscribe();
    assert.equal(await subscriber.get('nothing'), null);
    assert.deepEqual(await redis.pubSubChannels(), []);
  });

  test(`RESP${RESP}: streams and their groups`, async (t) => {
    const redis = await client(t);
    const id = await redis.xAdd('stream', '*', { field: 'value' });
    await redis.xAdd('stream', '*', { field: 'other' });
    assert.deepEqual((await redis.xRange('stream', '-', '+'))[0], { id, message: { field: 'value' } });
    await redis.xGroupCreate('stream', 'group', '0');
    const [{ name, messages }] = await redis.xReadGroup('group', 'ann', { key: 'stream', id: '>' }, { COUNT: 1 });
    assert.deepEqual([name, messages.length, messages[0].id], ['stream', 1, id]);
    assert.equal((await redis.xPending('stream', 'group')).pending, 1);
    const claimed = await redis.xAutoClaim('stream', 'group', 'ben', 0, '0');
    assert.deepEqual(claimed.messages.map((message) => message.id), [id]);
    assert.equal(await redis.xAck('stream', 'group', id), 1);
    assert.equal((await redis.xInfoGroups('stream'))[0].lag, 1);
    const waiting = redis.duplicate();
    await waiting.connect();
    t.after(() => waiting.destroy());
    const read = waiting.xRead({ key: 'stream', id: '$' }, { BLOCK: 0 });
    await until(async () => /blocked_clients:1\r/.test(await redis.info('clients')));
    await redis.xAdd('stream', '*', { field: 'awaited' });
    assert.equal((await read)[0].messages[0].message.field, 'awaited');
  });

  test(`RESP${RESP}: scripts and functions`, async (t) => {
    const scripts = {
      addTo: defineScript({
        NUMBER_OF_KEYS: 1,
        SCRIPT: "return redis.call('INCRBY', KEYS[1], ARGV[1])",
        parseCommand: (parser, key, by) => {
          parser.pushKey(key);
          parser.push(String(by));
        },
        transformReply: (reply) => reply,
      }),
    };
    const redis = await client(t, { scripts });
    await redis.scriptFlush();
    assert.equal(await redis.addTo('n', 5), 5);
    assert.equal(await redis.addTo('n', 5), 10);
    assert.deepEqual(await redis.multi().addTo('n', 1).get('n').exec(), [11, '11']);
    assert.deepEqual(await redis.eval("return {KEYS[1], ARGV[1], 3}", { keys: ['k'], arguments: ['a'] }), ['k', 'a', 3]);
    await assert.rejects(redis.eval("return redis.error_reply('MINE no')"), /MINE no/);
    const code = "#!lua name=lib\nredis.register_function('twice', function(keys, args) return args[1] * 2 end)";
    assert.equal(await redis.functionLoad(code, { REPLACE: true }), 'lib');
    assert.equal(await redis.fCall('twice', { keys: [], arguments: ['21'] }), 42);
  });

  test(`RESP${RESP}: blocking commands and a pool of clients`, async (t) => {
    const redis = await client(t);
    const pool = await createClientPool({ url: server.url, RESP }, { minimum: 2, maximum: 4 }).connect();
    t.after(() => pool.destroy());
    const popped = [1, 2, 3].map(() => pool.blPop('queue', 0));
    await until(async () => /blocked_clients:3\r/.test(await redis.info('clients')));
    assert.equal(await pool.ping(), 'PONG');
    await redis.rPush('queue', ['a', 'b', 'c']);
    assert.deepEqual((await Promise.all(popped)).map(({ element }) => element).sort(), ['a', 'b', 'c']);
    assert.deepEqual(await pool.multi().set('k', 'v').get('k').exec(), ['OK', 'v']);
    const inOne = await pool.execute(async (one) => [await one.clientId(), await one.clientId()]);
    assert.equal(inOne[0], inOne[1]);
  });

  test(`RESP${RESP}: connects again after a restart, and subscribes again`, async (t) => {
    const own = await startServer();
    const redis = createClient({ url: own.url, RESP, socket: { reconnectStrategy: 20 } });
    const subscriber = redis.duplicate();
    const heard = [];
    for (const one of [redis, subscriber]) {
      one.on('error', () => {});
      await one.connect();
      t.after(() => one.destroy());
    }
    await subscriber.subscribe('news', (message) => heard.push(message));
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

test('RESP3: what a client keeps itself is invalidated by others', async (t) => {
  const redis = await createClient({ url: server.url }).connect();
  t.after(() => redis.destroy());
  const cache = new BasicClientSideCache({ ttl: 0, maxEntries: 0, evictPolicy: 'LRU' });
  const caching = await createClient({ url: server.url, RESP: 3, clientSideCache: cache }).connect();
  t.after(() => caching.destroy());
  await redis.set('kept', 'old');
  const gets = async () => Number((await redis.info('commandstats')).match(/cmdstat_get:calls=(\d+)/)?.[1] ?? 0);
  const before = await gets();
  for (let n = 0; n < 10; n++) assert.equal(await caching.get('kept'), 'old');
  assert.equal(await gets(), before + 1);
  assert.equal(cache.stats().hitCount, 9);
  await redis.set('kept', 'new');
  await until(async () => (await caching.get('kept')) === 'new');
  await redis.flushAll();
  await until(async () => (await caching.get('kept')) === null);
});

after(() => server.stop());
