// A Socket.IO server in a process of its own. Its first message is its port; then it does what it is asked to do.

import { once } from 'node:events';
import { createServer } from 'node:http';
import { createAdapter, createShardedAdapter } from '@socket.io/redis-adapter';
import { createAdapter as createStreamsAdapter } from '@socket.io/redis-streams-adapter';
import { Redis } from 'ioredis';
import { createClient } from 'redis';
import { Server } from 'socket.io';

const { ADAPTER, CLIENT, REDIS_URL } = process.env;

async function connect() {
  if (CLIENT === 'ioredis') return new Redis(REDIS_URL);
  const client = createClient({ url: REDIS_URL });
  client.on('error', console.error);
  return client.connect();
}

const adapters = {
  'pub/sub': async () => createAdapter(await connect(), await connect()),
  'sharded pub/sub': async () => createShardedAdapter(await connect(), await connect()),
  streams: async () => createStreamsAdapter(await connect(), { heartbeatInterval: 100 }),
};

const http = createServer().listen(0, '127.0.0.1');
await once(http, 'listening');
const io = new Server(http, {
  adapter: await adapters[ADAPTER](),
  ...(ADAPTER === 'streams' && { connectionStateRecovery: {} }),
});
io.on('connection', (socket) => {
  socket.on('join', async (room, done) => {
    await socket.join(room);
    done();
  });
  socket.on('say', (room, words) => socket.to(room).emit('said', words));
});
io.on('who', (name, answer) => answer(`${name}, I am ${process.pid}`));

const orders = {
  serverCount: () => io.of('/').adapter.serverCount(),
  fetchSockets: async ({ room }) => (await (room ? io.in(room) : io).fetchSockets()).map(({ id }) => id).sort(),
  emit: ({ room, words }) => (room ? io.to(room) : io).emit('said', words),
  except: ({ room, words }) => io.except(room).emit('said', words),
  ask: ({ words }) => io.timeout(10_000).emitWithAck('asked', words),
  serverSideEmit: ({ words }) => io.serverSideEmitWithAck('who', words),
  join: ({ id, room }) => io.in(id).socketsJoin(room),
  leave: ({ id, room }) => io.in(id).socketsLeave(room),
  disconnect: ({ id }) => io.in(id).disconnectSockets(true),
};
process.on('message', async ({ order, ...details }) => {
  try {
    process.send({ answer: (await orders[order](details)) ?? null });
  } catch (error) {
    process.send({ error: String(error) });
  }
});
process.send({ port: http.address().port });
