// Takes the pictures of the dashboard in docs/images, with a server at work:
//
//     SPINEL_TEST_SERVER=target/release/spinel-server node tests/clients/http/pictures.mjs [DIRECTORY]
//
// CHROMIUM is the browser's path.

import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { chromium } from 'playwright-core';
import { startHttpServer } from '../harness/http.mjs';

const directory = process.argv[2] ?? join(import.meta.dirname, '../../../docs/images');
const SECONDS = 90;
const CLIENTS = 4;
const USERS = 3000;

const server = await startHttpServer('--maxmemory', '200mb', '--maxmemory-policy', 'allkeys-lfu');
const clients = Array.from({ length: CLIENTS }, (_, index) => new Redis({ port: server.port, connectionName: `shop-${index + 1}` }));
// Few are asked for often, many seldom.
const someone = () => Math.floor(USERS * Math.random() ** 3);
const view = (user) => JSON.stringify({ user, seen: ['home', 'search', 'basket'], theme: user % 2 ? 'dark' : 'light' });

/** What an application does, with pauses, until it is told to end. */
async function work(client, over) {
  while (!over.aborted) {
    const batch = client.pipeline();
    for (let request = 0; request < 6; request++) {
      const user = someone();
      batch.get(`session:${user}`).hgetall(`user:${user}`);
      if (Math.random() < 0.4) batch.set(`session:${user}`, view(user), 'EX', 2 + someone() % 60);
    }
    batch.zrevrange('ranking', 0, 9, 'WITHSCORES').lpush('queue:mail', someone()).ltrim('queue:mail', 0, 499);
    batch.zincrby('ranking', 1, `user:${someone()}`);
    await batch.exec();
    await pause(10 + 20 * Math.random());
  }
}

const [first] = clients;
const filling = first.pipeline();
for (let user = 0; user < USERS; user++) {
  filling.hset(`user:${user}`, 'name', `User ${user}`, 'mail', `user${user}@example.com`, 'plan', user % 3 ? 'free' : 'pro', 'visits', someone());
}
for (let order = 0; order < 200; order++) filling.xadd('orders', '*', 'user', someone(), 'total', 5 + someone());
for (let tag = 0; tag < 400; tag++) filling.sadd('tags:popular', `tag-${tag}`);
await filling.exec();
const ending = new AbortController();
const working = clients.map((client) => work(client, ending.signal));

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox'] });
const desktop = { viewport: { width: 1360, height: 960 } };
const phone = { viewport: { width: 390, height: 844 }, deviceScaleFactor: 1.5, isMobile: true, hasTouch: true };

/** Opens the dashboard and lets it draw. */
async function open(options) {
  const context = await browser.newContext({ ...options, reducedMotion: 'reduce' });
  const page = await context.newPage();
  await page.goto(process.env.UPSTASH_REDIS_REST_URL);
  await page.locator('#token').fill(process.env.UPSTASH_REDIS_REST_TOKEN);
  await page.keyboard.press('Enter');
  await page.locator('#found li').first().waitFor();
  return page;
}

const pages = {};
for (const colorScheme of ['light', 'dark']) {
  pages[`dashboard-${colorScheme}`] = await open({ ...desktop, colorScheme });
  pages[`dashboard-phone-${colorScheme}`] = await open({ ...phone, colorScheme });
}
await pause(SECONDS * 1000);
for (const [name, page] of Object.entries(pages)) await page.screenshot({ path: join(directory, `${name}.png`) });

ending.abort();
await Promise.all(working);
// The slow log holds what is slow by itself, on however busy a machine.
await first.config('SET', 'slowlog-log-slower-than', 100);
await first.slowlog('RESET');
await first.eval("local sum = 0 for i = 1, ARGV[1] do sum = sum + i % 7 end return sum", 0, 1e6);
await first.sort('ranking', 'BY', '*->visits', 'GET', '*->name', 'GET', '*->mail');
await first.sort('ranking', 'ALPHA', 'DESC', 'STORE', 'ranking:names');
await first.config('SET', 'slowlog-log-slower-than', -1);
const page = pages['dashboard-light'];
await page.locator('#pattern').fill('user:1*');
await page.keyboard.press('Enter');
await page.locator('#found button', { hasText: 'user:1' }).first().click();
await page.locator('#preview h3').waitFor();
await page.setViewportSize({ width: 1360, height: 1040 });
await page.locator('nav a', { hasText: 'Keys' }).click();
await page.locator('#slowlog td', { hasText: 'ranking:names' }).waitFor();
await page.screenshot({ path: join(directory, 'dashboard-keys.png') });

clients.forEach((client) => client.disconnect());
await browser.close();
process.exit();
