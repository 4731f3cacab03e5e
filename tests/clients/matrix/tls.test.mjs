// node-redis and ioredis over TLS, with a certificate of their own where the server asks for one.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Redis } from 'ioredis';
import { createClient } from 'redis';
import { freePort, startServer } from '../harness/server.mjs';

const folder = mkdtempSync(join(tmpdir(), 'spinel-clients-tls-'));
execFileSync(fileURLToPath(new URL('../harness/certificates', import.meta.url)), [folder], { stdio: 'ignore' });
const [caFile, certFile, keyFile] = ['ca.pem', 'cert.pem', 'key.pem'].map((name) => join(folder, name));
const [ca, cert, key] = [caFile, certFile, keyFile].map((file) => readFileSync(file));
after(() => rmSync(folder, { recursive: true }));

const port = await freePort();
const files = ['--tls-cert-file', certFile, '--tls-key-file', keyFile, '--tls-ca-cert-file', caFile];
await startServer('--tls-port', port, ...files, '--tls-auth-clients', 'yes');

const large = 'ü'.repeat(1_000_000);

test('ioredis over TLS', async (t) => {
  const redis = new Redis({ host: '127.0.0.1', port, tls: { ca, key, cert }, maxRetriesPerRequest: 0 });
  redis.on('error', () => {}); // Who waits for a reply is told, too.
  t.after(() => redis.disconnect());
  await redis.set('ioredis', large);
  assert.equal(await redis.get('ioredis'), large);
  assert.equal((await redis.pipeline().incr('n').incr('n').exec()).at(-1)[1], 2);
});

test('node-redis over TLS', async (t) => {
  const redis = createClient({ url: `rediss://127.0.0.1:${port}`, socket: { ca, key, cert, reconnectStrategy: false } });
  redis.on('error', () => {}); // Who waits for a reply is told, too.
  t.after(() => redis.destroy());
  await redis.connect();
  await redis.set('node-redis', large);
  assert.equal(await redis.get('node-redis'), large);
});

test('who has no certificate, or does not trust the server, is not let in', async () => {
  for (const socket of [{ ca }, { key, cert }]) {
    const redis = createClient({ url: `rediss://127.0.0.1:${port}`, socket: { ...socket, reconnectStrategy: false } });
    redis.on('error', () => {});
    await assert.rejects(redis.connect().then(() => redis.ping()));
  }
});
