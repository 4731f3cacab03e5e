import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, test } from 'node:test';
import { startServer } from '../../harness/server.mjs';
import { kill, startProcess, until } from '../../harness/wait.mjs';

const server = await startServer();
process.env.REDIS_URL = server.url;
process.env.SESSION_SECRET = 'not a secret';
const { cleanOrphanedSessions, metrics, redis, sessionSerializer, store } = await import('./sessions.mjs');
redis.on('error', () => {});
let pods;
before(async () => {
  await until(() => redis.status === 'ready');
  const program = new URL('sessions_pod.mjs', import.meta.url);
  pods = await Promise.all([startProcess(program), startProcess(program)]);
});
after(() => redis.disconnect());

/** Somebody who keeps his cookie and talks to whichever pod he is told to. */
class Browser {
  async ask(pod, method, path, body) {
    const response = await fetch(`http://127.0.0.1:${pods[pod].firstMessage}${path}`, {
      method,
      headers: { 'content-type': 'application/json', ...(this.cookie && { cookie: this.cookie }) },
      body: body && JSON.stringify(body),
    });
    this.cookie = response.headers.get('set-cookie')?.split(';')[0] ?? this.cookie;
    return { status: response.status, body: response.status === 401 ? null : await response.json() };
  }

  login = (pod, session) => this.ask(pod, 'POST', '/login', session);
  session = (pod) => this.ask(pod, 'GET', '/api/protected/session');
}

const DAY = 86400;
const countSessions = async () => (await redis.keys('sess:*')).length;

test('sessions of 50 to 200 KB are the same in all instances', async () => {
  const sizes = [100, 50_000, 100_000, 200_000];
  for (const size of sizes) {
    const browser = new Browser();
    // Half of it can be compressed.
    const basket = randomBytes(size / 4).toString('hex') + 'x'.repeat(size / 2);
    await browser.login(0, { user: 'ann', basket });
    const { status, body } = await browser.session(1);
    assert.deepEqual([status, body.user, body.basket.length], [200, 'ann', size]);
    assert.equal(body.basket, basket);
  }
  assert.equal(await countSessions(), sizes.length);
  const stored = await Promise.all((await redis.keys('sess:*')).map((key) => redis.get(key)));
  assert.equal(stored.filter((value) => value.startsWith('compressed:')).length, 3);
});

test('sessions are compressed from 1 KB on, and come back', async () => {
  for (const size of [10, 1000, 1024, 50_000, 200_000]) {
    const kept = { user: 'zoë', basket: 'ü'.repeat(size) };
    await redis.set('kept', await sessionSerializer.stringify(kept));
    const raw = await redis.get('kept');
    assert.equal(raw.startsWith('compressed:'), JSON.stringify(kept).length >= 1024);
    assert.deepEqual(await sessionSerializer.parse(raw), kept);
  }
});

test('the sessions that there are, beside other keys', async (t) => {
  await redis.flushall();
  const log = t.mock.method(console, 'log', () => {});
  await Promise.all([new Browser().login(0, { user: 'ann' }), new Browser().login(1, { user: 'ben' })]);
  await redis.set('other', 'key');
  assert.equal(await cleanOrphanedSessions(), 3);
  assert.deepEqual(metrics.gauges, { 'sessions.active': 2 });
  assert.deepEqual(log.mock.calls.map(({ arguments: [line] }) => line), ['Sessions actives : 2']);
});

test('each request puts the end of a session off, to thirty days for who asked for that', async () => {
  const browser = new Browser();
  const { body: id } = await browser.login(0, { user: 'ben' });
  assert.ok((await redis.ttl(`sess:${id}`)) > DAY - 60);
  await redis.expire(`sess:${id}`, 100);
  await browser.session(1);
  assert.ok((await redis.ttl(`sess:${id}`)) > DAY - 60);
  await browser.login(1, { rememberMe: true });
  await browser.session(0);
  assert.ok((await redis.ttl(`sess:${id}`)) > 30 * DAY - 60);
});

test('many sessions at once, listed by the store and ended one by one', async () => {
  await redis.flushall();
  const browsers = Array.from({ length: 50 }, () => new Browser());
  await Promise.all(browsers.map((browser, n) => browser.login(n % 2, { user: `user-${n}` })));
  const seen = await Promise.all(browsers.map((browser, n) => browser.session((n + 1) % 2)));
  assert.deepEqual(seen.map(({ body }) => body.user), browsers.map((_, n) => `user-${n}`));
  assert.equal(await new Promise((resolve) => store.length((_error, length) => resolve(length))), 50);
  await browsers[0].ask(1, 'POST', '/logout');
  assert.equal(await countSessions(), 49);
  assert.equal((await browsers[0].session(0)).status, 401);
});

test('an instance that is replaced takes no session with it', async () => {
  const browser = new Browser();
  await browser.login(0, { user: 'eve' });
  await kill(pods[0]);
  pods[0] = await startProcess(new URL('sessions_pod.mjs', import.meta.url));
  assert.equal((await browser.session(0)).body.user, 'eve');
});

test('without the server pages without a session go on, and with it everything does', async () => {
  const browser = new Browser();
  await browser.login(0, { user: 'ann' });
  const redisOfPod = async () => (await browser.ask(0, 'GET', '/redis')).body;
  const connected = async (wanted) => (await redisOfPod()).status === 'ready' === wanted;
  await server.stop();
  await until(() => connected(false));
  assert.deepEqual(await browser.ask(0, 'GET', '/public'), { status: 200, body: { session: false } });
  const refused = await browser.session(0);
  assert.deepEqual(refused, { status: 503, body: { error: 'Service temporairement indisponible', retryAfter: 30 } });
  assert.equal((await redisOfPod())['session.degraded_mode'], 2);
  await server.start();
  await until(() => connected(true));
  await browser.login(0, { user: 'ann again' });
  assert.equal((await browser.session(0)).body.user, 'ann again');
});
