import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { startServer } from '../../harness/server.mjs';

process.env.REDIS_URL = (await startServer()).url;
const { redis } = await import('./world.mjs');
const { getJoueursAvecScore, getRang, getTop10, updateScore } = await import('./leaderboard.mjs');
after(() => redis.close());

test('leaderboard: ranks, the top ten and players by score', async () => {
  // 500 players in no order; player n has the score 7n modulo 1009, which is different for each.
  const score = (n) => (7 * n) % 1009;
  const players = Array.from({ length: 500 }, (_, n) => ({ joueur: `joueur-${n}`, score: score(n) }));
  await Promise.all(players.map(({ joueur }) => updateScore(joueur, 0)));
  await Promise.all(players.map(({ joueur, score }) => updateScore(joueur, score)));
  const sorted = players.toSorted((a, b) => b.score - a.score);
  assert.deepEqual(await getTop10(), sorted.slice(0, 10));
  assert.deepEqual(await Promise.all(sorted.map(({ joueur }) => getRang(joueur))), sorted.map((_, rank) => rank));
  assert.equal(await getRang('nobody'), null);
  const middle = sorted.filter(({ score }) => score >= 300 && score <= 400).map(({ joueur }) => joueur);
  assert.deepEqual(await getJoueursAvecScore(300, 400), middle.reverse());
});
