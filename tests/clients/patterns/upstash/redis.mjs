// The calls of @upstash/redis that the pattern uses, with that client's habit of reading and writing JSON, over RESP.

import { Redis } from 'ioredis';

export const connection = new Redis(process.env.REDIS_URL);

const parse = (text) => {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
};

export const redis = {
  get: async (key) => parse(await connection.get(key)),
  set: (key, value, options) => {
    const text = typeof value === 'string' ? value : JSON.stringify(value);
    return connection.set(key, text, ...(options?.ex ? ['EX', options.ex] : []));
  },
  del: (...keys) => connection.del(...keys),
  keys: (pattern) => connection.keys(pattern),
};
