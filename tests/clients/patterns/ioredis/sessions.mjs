// Sessions of express in the server, compressed where they are large; the application goes on without them.

import { randomUUID } from 'node:crypto';
import RedisStore from 'connect-redis';
import session from 'express-session';
import { Redis } from 'ioredis';
import { compressSync, uncompress } from 'snappy';

export const redis = new Redis(process.env.REDIS_URL, {
  retryStrategy: (times) => Math.min(times * 50, 2000),
  enableOfflineQueue: false,
});

// The store does not wait for what this returns, so it compresses at once.
const sessionSerializer = {
  stringify(session) {
    const json = JSON.stringify(session);
    if (json.length < 1024) return json;
    const compressed = compressSync(Buffer.from(json));
    return `compressed:${compressed.toString('base64')}`;
  },

  async parse(raw) {
    if (!raw.startsWith('compressed:')) return JSON.parse(raw);
    const compressed = Buffer.from(raw.replace('compressed:', ''), 'base64');
    const decompressed = await uncompress(compressed);
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

export async function countSessions() {
  return (await redis.keys('sess:*')).length;
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
