// One instance of the application, in a process of its own; its first message is its port.

import { once } from 'node:events';
import express from 'express';
import { metrics, redis, refreshSessionTTL, sessionMiddleware, sessionWithFallback } from './sessions.mjs';

redis.on('error', () => {});
const app = express();
app.use(express.json({ limit: '1mb' }));
app.get('/redis', (_req, res) => res.json({ status: redis.status, ...metrics.counted }));
app.use(sessionWithFallback);
// Without the server there are no sessions, and pages that need none go on.
app.use((req, res, next) => (redis.status === 'ready' ? sessionMiddleware(req, res, next) : next()));
app.use(refreshSessionTTL);
app.post('/login', (req, res) => {
  Object.assign(req.session, req.body);
  res.json(req.sessionID);
});
app.get('/api/protected/session', (req, res) => (req.session.user ? res.json(req.session) : res.sendStatus(401)));
app.get('/public', (req, res) => res.json({ session: Boolean(req.session) }));
app.post('/logout', (req, res) => req.session.destroy(() => res.json('gone')));

if (redis.status !== 'ready') await once(redis, 'ready');
const http = app.listen(0, '127.0.0.1');
await once(http, 'listening');
process.send(http.address().port);
