// Sessions of express in the server, compressed where they are large; the application goes on without them.

import { randomUUID } from 'node:crypto';
import RedisStore from 'connect-redis';
import session from 'express-session';
import { Redis } from 'ioredis';
import { compress, uncompress as decompress } from 'snappy';

/** What the application tells of itself. */
export const metrics = {
  counted: {},
  gauges: {},
  increment: (name) => (metrics.counted[name] = (metrics.counted[name] ?? 0) + 1),
  gauge: (name, value) => (metrics.gauges[name] = value),
};

/** A client for the store, which does not wait for its serializer's promise before it hands it on: this waits for it. */
class StoreRedis extends Redis {
  async set(key, value, ...options) {
    return super.set(key, await value, ...options);
  }
}

export const redis = new StoreRedis(process.env.REDIS_URL, {
  retryStrategy: (times) => Math.min(times * 50, 2000),
  enableOfflineQueue: false,
});

export const sessionSerializer = {
  async stringify(session) {
    const json = JSON.stringify(session);
    if (json.length < 1024) return json;
    const compressed = await compress(Buffer.from(json));
    return `compressed:${compressed.toString('base64')}`;
  },

  async parse(raw) {
    if (!raw.startsWith('compressed:')) return JSON.parse(raw);
    const compressed = Buffer.from(raw.replace('compressed:', ''), 'base64');
    const decompressed = await decompress(compressed);
    return JSON.parse(decompressed.toString());
  },
};

export const store = new RedisStore({
  client: redis,
  prefix: 'sess:',
  ttl: 86400,
  disableTouch: false,
  serializer: sessionSerializer,
});

export const sessionMiddleware = session({
  store,
  secret: process.env.SESSION_SECRET,
  resave: false,
  saveUninitialized: false,
  cookie: {
    secure: process.env.NODE_ENV === 'production',
    httpOnly: true,
    sameSite: 'lax',
    maxAge: 24 * 60 * 60 * 1000,
  },
  genid: () => randomUUID(),
});

export function sessionWithFallback(req, res, next) {
  const redisAvailable = redis.status === 'ready';

  if (!redisAvailable) {
    console.warn('[Session] Redis indisponible — mode dégradé activé');
    metrics.increment('session.degraded_mode');

    if (!req.path.startsWith('/api/protected')) {
      return next();
    }

    return res.status(503).json({
      error: 'Service temporairement indisponible',
      retryAfter: 30,
    });
  }

  next();
}

/** What a timer calls; nothing has to be cleaned up, since sessions expire. */
export async function cleanOrphanedSessions() {
  const sessionCount = await redis.dbsize();
  const actualSessions = (await redis.keys('sess:*')).length;
  metrics.gauge('sessions.active', actualSessions);
  console.log(`Sessions actives : ${actualSessions}`);
  return sessionCount;
}

export function refreshSessionTTL(req, _res, next) {
  if (req.session && req.sessionID) {
    if (req.session.rememberMe) {
      req.session.cookie.maxAge = 30 * 24 * 60 * 60 * 1000;
    }
    req.session.lastActivity = Date.now();
  }
  next();
}
