import assert from 'node:assert/strict';
import { after, beforeEach, test } from 'node:test';
import { Redis } from 'ioredis';
import { startServer } from '../../harness/server.mjs';
import { DauService } from './active_users.mjs';

const redis = new Redis((await startServer()).url);
const service = new DauService(redis);
beforeEach(() => redis.flushall());
after(() => redis.quit());

const day = () => new Date().toISOString().split('T')[0];
/** The standard error of the count. The hash has no seed, so a count of the same players is always the same. */
const ERROR = 0.0081;

function near(count, expected) {
  assert.ok(Math.abs(count - expected) <= Math.max(1, expected * ERROR), `${count} for ${expected}`);
}

test('a player who comes twice counts once, for thirty days', async () => {
  for (let n = 0; n < 500; n++) await service.recordActivePlayer(`player:${n % 100}`);
  near(await service.getDau(day()), 100);
  assert.ok((await redis.ttl(`dau:${day()}`)) > 2_591_900);
  assert.equal(await service.getDau('1999-01-01'), 0);
});

test('a million players are counted to within the standard error', async () => {
  for (let from = 0; from < 1_000_000; from += 10_000) {
    await redis.pfadd('dau:2026-01-01', ...Array.from({ length: 10_000 }, (_, n) => `player:${from + n}`));
  }
  near(await service.getDau('2026-01-01'), 1_000_000);
  assert.ok((await redis.strlen('dau:2026-01-01')) <= 12_304);
});

test('the month is the union of its days', async () => {
  // Each day has 1,000 players, of whom every next day shares 500.
  for (let ago = 0; ago < 30; ago++) {
    const date = new Date();
    date.setDate(date.getDate() - ago);
    const players = Array.from({ length: 1000 }, (_, n) => `player:${ago * 500 + n}`);
    await redis.pfadd(`dau:${date.toISOString().split('T')[0]}`, ...players);
  }
  near(await service.getMau(), 15_500);
});
