// Upstash's client for JavaScript, and its rate limiter, against the HTTP port.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Agent, request } from 'node:http';
import { beforeEach, test } from 'node:test';
import { Ratelimit } from '@upstash/ratelimit';
import { Redis } from '@upstash/redis';
import { startHttpServer } from '../harness/http.mjs';

const server = await startHttpServer('--http-max-body-size', '1mb');
const url = process.env.UPSTASH_REDIS_REST_URL;
const token = process.env.UPSTASH_REDIS_REST_TOKEN;
const options = { url, token, enableTelemetry: true, retry: false };
const redis = new Redis(options);
beforeEach(() => redis.flushall());

/** The answer to a request that the client would not send. */
async function raw(path, init) {
  const response = await fetch(url + path, { ...init, headers: { authorization: `Bearer ${token}`, ...init.headers } });
  return { status: response.status, body: await response.json() };
}

test('strings, numbers and what is not there', async () => {
  assert.equal(await redis.set('name', 'Spinel'), 'OK');
  assert.equal(await redis.get('name'), 'Spinel');
  assert.equal(await redis.get('nothing'), null);
  assert.equal(await redis.set('count', 41), 'OK');
  assert.equal(await redis.incr('count'), 42);
  assert.equal(await redis.get('count'), 42);
  assert.equal(await redis.set('name', 'x', { nx: true }), null);
  assert.equal(await redis.set('name', 'OK', { ex: 100, get: true }), 'Spinel');
  assert.equal(await redis.get('name'), 'OK');
  assert.deepEqual(await redis.mget('name', 'nothing', 'count'), ['OK', null, 42]);
  assert.equal(await redis.ttl('name'), 100);
  assert.equal(await redis.ping(), 'PONG');
  assert.equal(await redis.type('name'), 'string');
});

test('values become JSON and come back', async () => {
  const session = { user: 7, tags: ['a', 'ü', '😀'], nested: { yes: true, none: null, pi: 3.25 } };
  await redis.set('session', session);
  assert.deepEqual(await redis.get('session'), session);
  await redis.hset('hash', { object: session, text: 'x', number: 2, flag: false });
  assert.deepEqual(await redis.hgetall('hash'), { object: session, text: 'x', number: 2, flag: false });
  assert.deepEqual(await redis.hmget('hash', 'text', 'none'), { text: 'x', none: null });
  await redis.rpush('list', session, 2, 'three');
  assert.deepEqual(await redis.lrange('list', 0, -1), [session, 2, 'three']);
  const strings = new Redis({ ...options, automaticDeserialization: false });
  assert.equal(await strings.get('session'), JSON.stringify(session));
});

test('sets, sorted sets, streams and scans', async () => {
  assert.equal(await redis.sadd('set', 'a', 'b'), 2);
  assert.deepEqual((await redis.smembers('set')).sort(), ['a', 'b']);
  assert.equal(await redis.zadd('board', { score: 1.5, member: 'ann' }, { score: 3, member: 'bob' }), 2);
  assert.deepEqual(await redis.zrange('board', 0, -1, { withScores: true, rev: true }), ['bob', 3, 'ann', 1.5]);
  assert.equal(await redis.zscore('board', 'ann'), 1.5);
  assert.equal(await redis.zrevrank('board', 'ann'), 1);
  const id = await redis.xadd('stream', '*', { kind: 'test', n: 1 });
  assert.deepEqual(await redis.xrange('stream', '-', '+'), { [id]: { kind: 'test', n: 1 } });
  const [cursor, keys] = await redis.scan(0, { match: 's*', count: 100 });
  assert.equal(String(cursor), '0');
  assert.deepEqual(keys.sort(), ['set', 'stream']);
  assert.equal(await redis.geoadd('geo', { longitude: 13.361389, latitude: 38.115556, member: 'Palermo' }), 1);
  assert.equal((await redis.geopos('geo', 'Palermo'))[0].lng.toFixed(4), '13.3614');
});

test('binary values', async () => {
  const bytes = Buffer.from(Uint8Array.from({ length: 256 }, (_, index) => index));
  const { status } = await raw('/set/bytes', { method: 'POST', body: bytes });
  assert.equal(status, 200);
  assert.equal(await redis.strlen('bytes'), 256);
  const { body } = await raw('/get/bytes', { headers: { 'upstash-encoding': 'base64' } });
  assert.deepEqual(Buffer.from(body.result, 'base64'), bytes);
  await redis.set('zero', 'a\0b');
  assert.equal(await redis.get('zero'), 'a\0b');
});

test('pipelines', async () => {
  const [ok, value, list] = await redis.pipeline().set('a', { n: 1 }).get('a').lpush('list', 1, 2).exec();
  assert.deepEqual([ok, value, list], ['OK', { n: 1 }, 2]);
  await assert.rejects(redis.pipeline().set('a', 'x').incr('a').exec(), /Command 2 \[ incr \] failed: ERR value is not/);
  const kept = await redis.pipeline().incr('a').get('a').exec({ keepErrors: true });
  assert.match(kept[0].error, /^ERR value is not an integer/);
  assert.equal(kept[1].result, 'x');
});

test('auto-pipelining', async () => {
  const auto = new Redis({ ...options, enableAutoPipelining: true });
  const values = await Promise.all(Array.from({ length: 50 }, (_, index) => auto.incrby('sum', index)));
  assert.equal(values.at(-1), 1225);
  assert.ok(auto.pipelineCounter < 50, `${auto.pipelineCounter} pipelines`);
});

test('transactions', async () => {
  assert.deepEqual(await redis.multi().set('a', 1).incr('a').get('a').exec(), ['OK', 2, 2]);
  const { status, body } = await raw('/multi-exec', { method: 'POST', body: '[["SET","a","x"],["SET","a"]]' });
  assert.equal(status, 400);
  assert.match(body.error, /^EXECABORT Transaction discarded/);
  assert.equal(await redis.get('a'), 2);
});

test('scripts', async () => {
  assert.equal(await redis.eval('return ARGV[1] .. KEYS[1]', ['key'], ['value ']), 'value key');
  assert.deepEqual(await redis.eval('return {1, "a", {2, "OK"}, false}', [], []), [1, 'a', [2, 'OK'], null]);
  const script = redis.createScript('return redis.call("INCRBY", KEYS[1], ARGV[1])');
  assert.equal(await script.exec(['counter'], ['2']), 2);
  assert.equal(await script.exec(['counter'], ['2']), 4);
  // More digits than Lua's numbers have when they are shortened.
  await redis.eval('redis.call("SET", KEYS[1], 1763680000123456)', ['digits'], []);
  assert.equal(await redis.get('digits'), 1763680000123456);
});

test('the rate limiter lets its number through', async () => {
  const limiters = {
    fixed: Ratelimit.fixedWindow(5, '1 h'),
    sliding: Ratelimit.slidingWindow(5, '1 h'),
    bucket: Ratelimit.tokenBucket(5, '1 h', 5),
  };
  for (const [name, limiter] of Object.entries(limiters)) {
    const ratelimit = new Ratelimit({ redis, limiter, prefix: name, ephemeralCache: false, analytics: true });
    const outcomes = await Promise.all(Array.from({ length: 12 }, () => ratelimit.limit('user')));
    assert.equal(outcomes.filter(({ success }) => success).length, 5, name);
    await Promise.all(outcomes.map(({ pending }) => pending));
    assert.equal((await ratelimit.getRemaining('user')).remaining, 0, name);
    await ratelimit.resetUsedTokens('user');
    assert.ok((await ratelimit.limit('user')).success, name);
  }
});

test('subscriptions', async () => {
  const subscription = redis.subscribe(['chat']);
  const patterns = redis.psubscribe(['c*']);
  const heard = (source, event) => new Promise((resolve) => source.on(event, resolve));
  await Promise.all([heard(subscription, 'subscribe'), heard(patterns, 'psubscribe')]);
  const [message, pmessage] = [heard(subscription, 'message'), heard(patterns, 'pmessage')];
  assert.equal(await redis.publish('chat', { text: 'a,b' }), 2);
  assert.deepEqual(await message, { channel: 'chat', message: { text: 'a,b' } });
  assert.deepEqual(await pmessage, { pattern: 'c*', channel: 'chat', message: { text: 'a,b' } });
  await Promise.all([subscription.unsubscribe(), patterns.unsubscribe()]);
});

test('the read-only token reads', async () => {
  const reader = new Redis({ ...options, token: process.env.UPSTASH_REDIS_REST_READONLY_TOKEN });
  await redis.set('a', 1);
  assert.equal(await reader.get('a'), 1);
  await assert.rejects(reader.set('a', 2), /NOPERM/);
});

test('a wrong token is refused', async () => {
  await assert.rejects(new Redis({ ...options, token: 'wrong' }).get('a'), /WRONGPASS/);
  const { status } = await raw('/get/a', { headers: { authorization: 'Bearer wrong' } });
  assert.equal(status, 401);
});

test('a wrong command is refused', async () => {
  await assert.rejects(redis.exec(['NONESUCH', 'a']), /ERR unknown command 'NONESUCH'/);
  await assert.rejects(redis.exec(['GET']), /ERR wrong number of arguments for 'get' command/);
  assert.equal((await raw('/get', {})).status, 400);
});

test('a body that is too large is refused', async () => {
  await assert.rejects(redis.set('large', 'x'.repeat(2 << 20)), /the body is larger than/);
  assert.equal((await raw('/set/large', { method: 'POST', body: 'x'.repeat(2 << 20) })).status, 413);
  assert.equal(await redis.exists('large'), 0);
});

test('a client reads what it has written, whatever it was told of a copy', async () => {
  // There is one copy: the server hands out no token, and takes any.
  const reader = new Redis({ ...options, readYourWrites: true });
  await reader.set('a', 1);
  assert.equal(reader.readYourWritesSyncToken, '');
  reader.readYourWritesSyncToken = 'of another server';
  assert.equal(await reader.get('a'), 1);
  assert.equal(await new Redis({ ...options, readYourWrites: false }).get('a'), 1);
});

test('requests in all forms that are known', async () => {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const ports = new Set();
  const send = async (method, path, { headers, body = [] } = {}) => {
    const sent = request(url + path, { method, agent, headers: { authorization: `Bearer ${token}`, ...headers } });
    sent.on('continue', () => ports.add('continue'));
    body.forEach((piece) => sent.write(piece)); // Chunked, where no length is given.
    sent.end();
    const [response] = await once(sent, 'response');
    ports.add(response.socket.localPort);
    return [response.statusCode, (await response.toArray()).join('')];
  };
  assert.deepEqual(await send('PUT', '/set/a/1'), [200, '{"result":"OK"}']);
  assert.deepEqual(await send('POST', '/set/b?EX=100', { body: ['chun', 'ked'] }), [200, '{"result":"OK"}']);
  assert.deepEqual(await send('GET', '/get/b'), [200, '{"result":"chunked"}']);
  assert.deepEqual(await send('HEAD', '/get/b'), [200, '']);
  assert.equal((await send('DELETE', '/del/b'))[0], 405);
  assert.deepEqual(await send('GET', '/get/b', { headers: { 'upstash-encoding': 'base64' } }), [200, '{"result":"Y2h1bmtlZA=="}']);
  const resp2 = { 'upstash-response-format': 'resp2' };
  assert.deepEqual(await send('GET', '/get/b', { headers: resp2 }), [200, '$7\r\nchunked\r\n']);
  assert.equal(ports.size, 1, 'one connection');
  const asked = { expect: '100-continue', 'content-length': 5 };
  assert.deepEqual(await send('POST', '/set/b', { headers: asked, body: ['asked'] }), [200, '{"result":"OK"}']);
  assert.ok(ports.has('continue'));
  assert.equal(await redis.get('b'), 'asked');
  agent.destroy();
});

test('malformed JSON is refused', async () => {
  for (const path of ['/', '/pipeline', '/multi-exec']) {
    const { status, body } = await raw(path, { method: 'POST', body: '[["SET","a",1]' });
    assert.equal(status, 400);
    assert.match(body.error, /JSON/);
  }
  assert.equal(await redis.exists('a'), 0);
});

test('a server that starts again is found again', async () => {
  const patient = new Redis({ ...options, retry: { retries: 200, backoff: () => 50 } });
  await Promise.all([redis.set('a', 1), patient.set('b', 2)]);
  await server.stop();
  await assert.rejects(redis.get('a'), /fetch failed/);
  // It asks while there is nobody, and is answered by the one who comes.
  const answer = patient.get('b');
  await server.start();
  assert.equal(await answer, null);
  assert.equal(await redis.get('a'), null);
  assert.equal(await redis.set('a', 3), 'OK');
  assert.deepEqual(await patient.pipeline().get('a').incr('b').exec(), [3, 1]);
  // Nobody has asked between its end and its next start.
  await server.restart();
  assert.equal(await redis.get('a'), null);
  assert.deepEqual(await redis.multi().set('a', 4).get('a').exec(), ['OK', 4]);
});

test('a subscription is made anew when the server has started again', async () => {
  const first = redis.subscribe(['chat']);
  await new Promise((resolve) => first.on('subscribe', resolve));
  await server.restart();
  const second = redis.subscribe(['chat']);
  await new Promise((resolve) => second.on('subscribe', resolve));
  const message = new Promise((resolve) => second.on('message', resolve));
  assert.equal(await redis.publish('chat', 'again'), 1);
  assert.deepEqual(await message, { channel: 'chat', message: 'again' });
  await second.unsubscribe();
});
