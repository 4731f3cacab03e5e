// How many different players there were, by day and by month.

export class DauService {
  constructor(redis) {
    this.redis = redis;
  }

  async recordActivePlayer(playerId) {
    const today = new Date().toISOString().split('T')[0];
    await this.redis.pfadd(`dau:${today}`, playerId);
    await this.redis.expire(`dau:${today}`, 86400 * 30);
  }

  async getDau(date) {
    return this.redis.pfcount(`dau:${date}`);
  }

  async getMau() {
    const keys = Array.from({ length: 30 }, (_, i) => {
      const d = new Date();
      d.setDate(d.getDate() - i);
      return `dau:${d.toISOString().split('T')[0]}`;
    });
    await this.redis.pfmerge('mau:current', ...keys);
    return this.redis.pfcount('mau:current');
  }
}
