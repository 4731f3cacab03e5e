// The dashboard in a browser. CHROMIUM is the browser's path; where there is none, all is skipped. With SCREENSHOTS, a
// directory, the pages are kept there to be looked at.

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Redis } from '@upstash/redis';
import { chromium } from 'playwright-core';
import { startHttpServer } from '../harness/http.mjs';

await startHttpServer('--enable-debug-command', 'yes');
const url = process.env.UPSTASH_REDIS_REST_URL;
const token = process.env.UPSTASH_REDIS_REST_TOKEN;
const readOnlyToken = process.env.UPSTASH_REDIS_REST_READONLY_TOKEN;
const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';
const skip = existsSync(executablePath) ? false : 'no browser';
const desktop = { viewport: { width: 1360, height: 900 } };
const phone = { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true };
const redis = new Redis({ url, token, enableTelemetry: false });
let browser;

before(async () => {
  if (skip) return;
  browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });
  await redis.set('page:home', '<script>document.title="hurt"</script>', { ex: 1000 });
  await redis.hset('user:1', { name: 'Ann', plan: 'pro' });
  await redis.zadd('board', { score: 3, member: 'ann' }, { score: 5, member: 'bob' });
  await redis.rpush('queue', 'first', 'second');
  await redis.xadd('events', '*', { kind: 'click' });
  for (let index = 0; index < 150; index++) await redis.set(`session:${index}`, { user: index });
  await put('/set/%ff%fe', 'bytes');
  // Keys that are there in two databases, and a key that is no text beside one that is.
  await put('/set/%fe%ff%fd', 'the third one', { 'spinel-database': 3 });
  await put('/set/%fe%ff%fd', 'the first one');
  await put('/hset/neighbour/field', 'value', { 'spinel-database': 3 });
});
after(() => browser?.close());

/** Sends a command whose last argument is the body. */
async function put(path, body, headers = {}) {
  const answer = await fetch(url + path, { method: 'POST', body, headers: { authorization: `Bearer ${token}`, ...headers } });
  assert.equal(answer.status, 200);
}

/** A string as it is stored, which the client would take for JSON. */
async function stored(key) {
  const answer = await fetch(`${url}/get/${key}`, { headers: { authorization: `Bearer ${token}` } });
  return (await answer.json()).result;
}

/** Opens the page in a new context for a test, and closes it afterwards. */
function check(name, options, run) {
  test(name, { skip }, async (t) => {
    const context = await browser.newContext({ ...options, reducedMotion: 'reduce' });
    t.after(() => context.close());
    const page = await context.newPage();
    const complaints = [];
    page.on('pageerror', (error) => complaints.push(String(error.stack)));
    page.on('console', (message) => {
      // The first request tells whether a token is wanted.
      if (message.type() === 'error' && !message.text().includes('401')) complaints.push(message.text());
    });
    await page.goto(url);
    await run(page);
    assert.deepEqual(complaints, []);
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    assert.ok(wide <= 0, `the page is ${wide} px too wide`);
    if (process.env.SCREENSHOTS) {
      await page.screenshot({ path: join(process.env.SCREENSHOTS, `${name.replaceAll(/\W+/g, '-')}.png`), fullPage: true });
    }
  });
}

/** Gives the token by the keyboard alone. */
async function enter(page, secret) {
  await page.locator('#token:focus').waitFor();
  await page.keyboard.type(secret);
  await page.keyboard.press('Enter');
}

/** Comes back when there are lines: rates are known from the second reading on. */
async function secondReading(page) {
  await page.locator('figure', { hasText: 'Latency' }).locator('.line0[d*="M"]').waitFor({ state: 'attached' });
}

async function search(page, pattern) {
  await page.keyboard.press('/');
  await page.keyboard.type(pattern);
  await page.keyboard.press('Enter');
}

check('a wrong token stays outside', desktop, async (page) => {
  await enter(page, 'wrong');
  await page.getByText('The server does not accept this token.').waitFor();
  assert.ok(await page.locator('#dashboard').isHidden());
});

for (const [name, options] of [
  ['light', { ...desktop, colorScheme: 'light' }],
  ['dark', { ...desktop, colorScheme: 'dark' }],
  ['phone light', { ...phone, colorScheme: 'light' }],
  ['phone dark', { ...phone, colorScheme: 'dark' }],
]) {
  check(`figures, ${name}`, options, async (page) => {
    await enter(page, token);
    await page.locator('#tiles dd', { hasText: /^\s*159/ }).waitFor();
    await page.locator('#commands td', { hasText: 'HSET' }).waitFor();
    await page.locator('#types .bar', { hasText: 'zset' }).waitFor();
    await page.locator('#biggest td', { hasText: 'page:home' }).waitFor();
    await page.locator('#clients td', { hasText: '127.0.0.1' }).first().waitFor();
    assert.doesNotMatch(await page.locator('#tiles').textContent(), /(within|of) –|– since/);
    await secondReading(page);
    await page.locator('figcaption', { hasText: /Latency.* to .*logarithmic/ }).waitFor();
  });
}

check('keys are found and shown by the keyboard', desktop, async (page) => {
  await enter(page, token);
  await page.locator('#found li').first().waitFor();
  for (const [pattern, shown] of [
    ['user:1', 'Ann'],
    ['board', 'bob'],
    ['queue', 'second'],
    ['events', 'kind=click'],
    ['??', 'bytes'],
  ]) {
    await search(page, pattern);
    await page.getByText('1 key.', { exact: true }).waitFor();
    await page.keyboard.press('Tab');
    await page.locator('#found button').first().focus();
    await page.keyboard.press('Enter');
    await page.locator('#preview', { hasText: shown }).waitFor();
  }
  await search(page, 'session:*');
  await page.getByText(/keys( so far)?\.$/).waitFor();
  await page.locator('#found button').first().focus();
  const first = await page.locator('#found button').first().textContent();
  await page.keyboard.press('ArrowDown');
  assert.notEqual(await page.locator('#found button:focus').textContent(), first);
});

check('those who may write change values', desktop, async (page) => {
  await enter(page, token);
  await page.locator('#found li').first().waitFor();
  await search(page, 'page:home');
  await page.getByText('1 key.', { exact: true }).waitFor();
  await page.locator('#found button').click();
  await page.locator('#preview textarea').fill('changed');
  await page.getByRole('button', { name: 'Save' }).click();
  await page.locator('#preview', { hasText: '7 bytes' }).waitFor();
  assert.equal(await redis.get('page:home'), 'changed');
  assert.ok((await redis.ttl('page:home')) > 0);
  await page.getByRole('button', { name: 'Delete' }).click();
  assert.equal(await redis.exists('page:home'), 1);
  await page.getByRole('button', { name: 'Delete for good' }).click();
  await page.getByText('The key is not there any more.').waitFor();
  assert.equal(await redis.exists('page:home'), 0);
  assert.equal(await page.title(), 'Spinel');
});

check('what is saved replaces what was shown and nothing else', desktop, async (page) => {
  const choose = async (key) => {
    await search(page, key);
    await page.getByText('1 key.', { exact: true }).waitFor();
    await page.locator('#found button', { hasText: key }).click();
    await page.locator('#preview h3', { hasText: key }).waitFor();
  };
  const area = page.locator('#preview textarea');
  const save = page.getByRole('button', { name: 'Save' });
  await put('/set/text:windows', 'one\r\ntwo\r\n');
  await put('/set/text:mixed', 'one\r\ntwo\n');
  await put('/set/text:taken', 'before');
  await put('/set/text:newer', 'before');
  await enter(page, token);
  await page.locator('#found li').first().waitFor();

  await choose('text:windows');
  await area.fill('one\ntwo\nthree\n');
  await save.click();
  await page.locator('#preview', { hasText: '17 bytes' }).waitFor();
  assert.equal(await stored('text:windows'), 'one\r\ntwo\r\nthree\r\n');
  // Nothing was changed: nothing changes.
  await save.click();
  await page.locator('#preview', { hasText: '17 bytes' }).waitFor();
  assert.equal(await stored('text:windows'), 'one\r\ntwo\r\nthree\r\n');

  await choose('text:mixed');
  await page.getByText('The lines end in different ways').waitFor();
  assert.equal(await area.count(), 0);

  await choose('text:taken');
  await redis.del('text:taken');
  await redis.hset('text:taken', { field: 'kept' });
  await save.click();
  await page.locator('#preview [role=alert]', { hasText: 'WRONGTYPE' }).waitFor();
  assert.deepEqual(await redis.hgetall('text:taken'), { field: 'kept' });

  await choose('text:newer');
  await area.fill('mine');
  await redis.set('text:newer', 'theirs');
  await save.click();
  await page.getByText('Not saved: the value has changed meanwhile.').waitFor();
  assert.equal(await stored('text:newer'), 'theirs');
  await redis.del('text:windows', 'text:mixed', 'text:taken', 'text:newer');
});

check('keys that are no text are those of their database', desktop, async (page) => {
  await enter(page, token);
  await page.locator('#found li').first().waitFor();
  await page.locator('#database').selectOption('3');
  await page.getByText('2 keys.', { exact: true }).waitFor();
  await page.locator('#found li', { hasText: 'neighbour' }).locator('.tag-hash').waitFor();
  const binary = page.locator('#found li', { hasText: '\\xfe\\xff\\xfd' });
  await binary.locator('.tag-string').waitFor();
  await binary.getByRole('button').click();
  await page.locator('#preview', { hasText: 'the third one' }).waitFor();
});

check('keys with zero bytes are shown and changed', desktop, async (page) => {
  // What Java's serializer makes of "user:1".
  const key = '%ac%ed%00%05t%00%06user:1';
  const sixth = { 'spinel-database': 6 };
  await put(`/set/${key}`, 'Ann', sixth);
  await enter(page, token);
  await page.locator('#found li').first().waitFor();
  await page.locator('#database').selectOption('6');
  await page.getByText('1 key.', { exact: true }).waitFor();
  await page.locator('#found button').click();
  await page.locator('#preview pre', { hasText: 'Ann' }).waitFor();
  await page.getByLabel('Seconds to live').fill('1000');
  await page.getByRole('button', { name: 'Set expiry' }).click();
  await page.locator('#preview', { hasText: 'expires in 16 min' }).waitFor();
  await page.getByRole('button', { name: 'Delete' }).click();
  await page.getByRole('button', { name: 'Delete for good' }).click();
  await page.getByText('The key is not there any more.').waitFor();
});

check('values are shown as far as people read', desktop, async (page) => {
  const long = 'é'.repeat(1 << 20);
  for (let element = 0; element < 20; element++) await put('/rpush/long:list', long);
  await put('/set/long:text', `x${long}`);
  await put('/xadd/long:stream/1-1/field', long);
  await enter(page, token);
  await page.locator('#found li').first().waitFor();
  for (const [key, shown] of [
    ['long:list', /19é{2048}… \(2\.00 MiB\)/],
    ['long:text', /xé{32767}The first 64\.0 KiB are shown\./],
    ['long:stream', /1-1field=é{2048}… \(2\.00 MiB\)/],
  ]) {
    await search(page, key);
    await page.getByText('1 key.', { exact: true }).waitFor();
    await page.locator('#found button', { hasText: key }).click();
    await page.locator('#preview', { hasText: shown }).waitFor();
  }
  await redis.del('long:list', 'long:text', 'long:stream');
});

check('looking on uses no keys', desktop, async (page) => {
  const hits = async () => {
    const answer = await fetch(`${url}/info/stats`, { headers: { authorization: `Bearer ${token}` } });
    return /keyspace_hits:(\d+)/.exec((await answer.json()).result)[1];
  };
  const before = await hits();
  await enter(page, token);
  await page.locator('#found li').first().waitFor();
  await page.locator('#biggest button').first().waitFor();
  await secondReading(page);
  await search(page, 'session:77');
  await page.getByText('1 key.', { exact: true }).waitFor();
  await page.locator('#found button').click();
  await page.locator('#preview textarea').waitFor();
  assert.equal(await hits(), before);
});

check('a walk sees all keys, and a name is found among many', desktop, async (page) => {
  const fifth = { 'spinel-database': 5 };
  await put('/debug/populate/9000/many', '10', fifth);
  await enter(page, token);
  await page.locator('#found li').first().waitFor();
  await page.locator('#database').selectOption('5');
  await page.getByText('From 9000 of 9000 keys of database 5.').waitFor();
  await page.locator('#types .bar', { hasText: /string.*, 9000$/ }).waitFor();
  await search(page, 'many:8765');
  await page.getByText('1 key.', { exact: true }).waitFor();
  await page.locator('#found .key', { hasText: 'many:8765' }).waitFor();
  await put('/flushdb', '', fifth);
});

check('those who may not write see no way to', desktop, async (page) => {
  await enter(page, readOnlyToken);
  await page.locator('#state', { hasText: 'read only' }).waitFor();
  await page.getByText('This user may not see the other clients.').waitFor();
  await page.locator('#found button').first().click();
  await page.locator('#preview h3').waitFor();
  assert.equal(await page.locator('#preview button, #preview textarea').count(), 0);
});
