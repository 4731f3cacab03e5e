// A server that speaks HTTP, too, and where Upstash's clients look for one.

import { freePort, startServer } from './server.mjs';

/** Starts such a server, empty, and names it in the environment. */
export async function startHttpServer(...args) {
  const port = await freePort();
  process.env.UPSTASH_REDIS_REST_URL = `http://127.0.0.1:${port}`;
  process.env.UPSTASH_REDIS_REST_TOKEN = 'writes';
  process.env.UPSTASH_REDIS_REST_READONLY_TOKEN = 'reads';
  const tokens = ['--http-token', 'writes', '--http-readonly-token', 'reads'];
  return startServer('--http-port', port, ...tokens, ...args);
}
