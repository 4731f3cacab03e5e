import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { Redis } from 'ioredis';
import { startServer } from '../../harness/server.mjs';
import { LeaderboardService } from './leaderboard.mjs';

const redis = new Redis((await startServer()).url);
let writes = 0;
const service = new LeaderboardService(redis, { query: async () => writes++ });
after(() => redis.quit());

// 2,000 players in no order; the scores of 1,999 are different, and `last` has the lowest.
const players = Array.from({ length: 1999 }, (_, n) => ({ playerId: `p${n}`, score: ((n * 7919) % 10007) + 0.5 }));
players.push({ playerId: 'last', score: -1.25 });
const ranking = players.toSorted((a, b) => b.score - a.score).map((player, n) => ({ ...player, rank: n + 1 }));

test('ranks, the top hundred and who stands around a player', async () => {
  await Promise.all(players.map(({ playerId }) => service.updateScore(playerId, 0)));
  await Promise.all(players.map(({ playerId, score }) => service.updateScore(playerId, score)));
  assert.equal(writes, 4000);
  assert.deepEqual(await service.getTop100(), ranking.slice(0, 100));
  const ranks = await Promise.all(ranking.map(({ playerId }) => service.getPlayerRank(playerId)));
  assert.deepEqual(ranks, ranking.map(({ rank, score }) => ({ rank, score })));
  for (const at of [0, 1, 2, 1000, 1998, 1999]) {
    const around = await service.getContextualRanking(ranking[at].playerId);
    assert.deepEqual(around, ranking.slice(Math.max(0, at - 2), at + 3));
  }
  assert.equal(await service.getPlayerRank('nobody'), null);
  assert.deepEqual(await service.getContextualRanking('nobody'), []);
});

test('players by score, and the ranking of the day, which goes after two', async () => {
  const middle = ranking.filter(({ score }) => score >= 2000 && score <= 2500).map(({ playerId }) => `player:${playerId}`);
  assert.deepEqual(await service.getPlayersInScoreRange(2000, 2500), middle.reverse());
  const [daily, ...more] = await redis.keys('leaderboard:daily:*');
  assert.deepEqual(more, []);
  assert.equal(await redis.zcard(daily), 2000);
  const ttl = await redis.ttl(daily);
  assert.ok(ttl > 172700 && ttl <= 172800);
});
