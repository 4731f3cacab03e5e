// A ranking of all players and of today's.

const LEADERBOARD_KEY = 'leaderboard:global';
const DAILY_LEADERBOARD_KEY = (date) => `leaderboard:daily:${date}`;

export class LeaderboardService {
  constructor(redis, db) {
    this.redis = redis;
    this.db = db;
  }

  async updateScore(playerId, newScore) {
    const pipeline = this.redis.pipeline();

    pipeline.zadd(LEADERBOARD_KEY, newScore.toString(), `player:${playerId}`);

    const today = new Date().toISOString().split('T')[0];
    pipeline.zadd(DAILY_LEADERBOARD_KEY(today), newScore.toString(), `player:${playerId}`);
    pipeline.expire(DAILY_LEADERBOARD_KEY(today), 86400 * 2);

    await pipeline.exec();

    this.db.query('upsert', [playerId, newScore])
      .catch(err => console.error('DB write failed for leaderboard', err));
  }

  async getPlayerRank(playerId) {
    const [rank, score] = await Promise.all([
      this.redis.zrevrank(LEADERBOARD_KEY, `player:${playerId}`),
      this.redis.zscore(LEADERBOARD_KEY, `player:${playerId}`),
    ]);

    if (rank === null || score === null) return null;
    return { rank: rank + 1, score: parseFloat(score) };
  }

  async getTop100() {
    const results = await this.redis.zrevrange(
      LEADERBOARD_KEY,
      0,
      99,
      'WITHSCORES',
    );

    const top100 = [];
    for (let i = 0; i < results.length; i += 2) {
      const playerId = results[i].replace('player:', '');
      const score = parseFloat(results[i + 1]);
      top100.push({ playerId, score, rank: top100.length + 1 });
    }
    return top100;
  }

  async getContextualRanking(playerId, radius = 2) {
    const rank = await this.redis.zrevrank(LEADERBOARD_KEY, `player:${playerId}`);
    if (rank === null) return [];

    const from = Math.max(0, rank - radius);
    const to = rank + radius;

    const results = await this.redis.zrevrange(
      LEADERBOARD_KEY,
      from,
      to,
      'WITHSCORES',
    );

    const contextual = [];
    for (let i = 0; i < results.length; i += 2) {
      contextual.push({
        playerId: results[i].replace('player:', ''),
        score: parseFloat(results[i + 1]),
        rank: from + contextual.length + 1,
      });
    }
    return contextual;
  }

  async getPlayersInScoreRange(minScore, maxScore) {
    return this.redis.zrangebyscore(
      LEADERBOARD_KEY,
      minScore.toString(),
      maxScore.toString(),
    );
  }
}
