// A sorted set of scores.

import { redis } from './world.mjs';

const LEADERBOARD_KEY = 'jeu:scores';

export async function updateScore(joueurId, score) {
  await redis.zAdd(LEADERBOARD_KEY, { score, value: joueurId });
}

export async function getTop10() {
  const membres = await redis.zRangeWithScores(LEADERBOARD_KEY, 0, 9, { REV: true });
  return membres.map(m => ({ joueur: m.value, score: m.score }));
}

export async function getRang(joueurId) {
  return redis.zRevRank(LEADERBOARD_KEY, joueurId);
}

export async function getJoueursAvecScore(min, max) {
  return redis.zRangeByScore(LEADERBOARD_KEY, min, max);
}
