// Socket.IO's adapters: two servers, each in a process of its own, whose clients hear each other.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, before, describe, test } from 'node:test';
import { Redis } from 'ioredis';
import { io } from 'socket.io-client';
import { startServer } from '../harness/server.mjs';
import { ask, kill, startProcess, until } from '../harness/wait.mjs';

const program = new URL('socketio_server.mjs', import.meta.url);

for (const adapter of ['pub/sub', 'sharded pub/sub', 'streams']) {
  for (const client of ['ioredis', 'node-redis']) {
    describe(`${adapter} over ${client}`, () => twoServers(adapter, client));
  }
}

function twoServers(adapter, client) {
  const processes = [];
  const sockets = [];
  let server, admin, one, two, ann, ben, eve, everybody;

  before(async () => {
    server = await startServer();
    admin = new Redis(server.url);
    [one, two] = [await start(), await start()];
    await until(async () => (await one.order('serverCount')) === 2 && (await two.order('serverCount')) === 2);
    [ann, ben, eve] = [await connect(one), await connect(two), await connect(two)];
    everybody = [ann.id, ben.id, eve.id].sort();
  });
  after(async () => {
    for (const socket of sockets) socket.close();
    await Promise.all(processes.map(kill));
    await admin.quit();
    await server.stop();
  });

  async function start() {
    const environment = { ADAPTER: adapter, CLIENT: client, REDIS_URL: server.url };
    const started = await startProcess(program, environment);
    processes.push(started);
    return { order: orderOf(started), url: `http://127.0.0.1:${started.firstMessage.port}` };
  }

  async function connect({ url }) {
    const socket = io(url, { transports: ['websocket'], forceNew: true });
    sockets.push(socket);
    socket.heard = [];
    socket.on('said', (words) => socket.heard.push(words));
    socket.on('asked', (words, answer) => answer(`${words} ${socket.id}`));
    await once(socket, 'connect');
    return socket;
  }

  /** Comes back when all these sockets have heard so much, and checks what they heard. */
  async function heard(expected) {
    await until(() => expected.every(([socket, words]) => socket.heard.length >= words.length));
    for (const [socket, words] of expected) assert.deepEqual(socket.heard, words);
  }

  /** Sharded adapters subscribe to a room after a socket has joined it. */
  function subscribed(room) {
    const channels = () => admin.pubsub('SHARDCHANNELS', `*#${room}#`);
    return until(async () => adapter !== 'sharded pub/sub' || (await channels()).length > 0);
  }

  test(`${adapter}, ${client}: sockets of all servers are listed`, async () => {
    await until(async () => (await one.order('fetchSockets')).length === 3);
    assert.deepEqual(await one.order('fetchSockets'), everybody);
    assert.deepEqual(await two.order('fetchSockets'), everybody);
  });

  test(`${adapter}, ${client}: a broadcast reaches everybody, in order`, async () => {
    const words = Array.from({ length: 20 }, (_, n) => `to all ${n}`);
    for (const word of words) await one.order('emit', { words: word });
    await heard([ann, ben, eve].map((socket) => [socket, words]));
    for (const socket of sockets) socket.heard.length = 0;
  });

  test(`${adapter}, ${client}: rooms across servers`, async () => {
    await Promise.all([ann, ben].map((socket) => socket.emitWithAck('join', 'red')));
    await subscribed('red');
    assert.deepEqual(await two.order('fetchSockets', { room: 'red' }), [ann.id, ben.id].sort());
    await two.order('emit', { room: 'red', words: 'red' });
    await heard([[ann, ['red']], [ben, ['red']]]);
    // What a socket says to a room it does not hear itself.
    ann.emit('say', 'red', 'hello');
    await heard([[ben, ['red', 'hello']]]);
    await one.order('except', { room: 'red', words: 'others' });
    await heard([[eve, ['others']], [ann, ['red']], [ben, ['red', 'hello']]]);
  });

  test(`${adapter}, ${client}: buffers arrive as they were`, async () => {
    const bytes = Buffer.from([0, 255, 13, 10, 128]);
    ann.emit('say', eve.id, bytes);
    await until(() => eve.heard.length === 2);
    assert.deepEqual(Buffer.from(eve.heard[1]), bytes);
  });

  test(`${adapter}, ${client}: answers from all clients, and from the other server`, async () => {
    const answers = await one.order('ask', { words: 'who?' });
    assert.deepEqual(answers.sort(), everybody.map((id) => `who? ${id}`));
    const [answer] = await one.order('serverSideEmit', { words: 'you' });
    assert.equal(answer, `you, I am ${processes[1].pid}`);
  });

  test(`${adapter}, ${client}: sockets are moved and disconnected from the other server`, async () => {
    await one.order('join', { id: eve.id, room: 'blue' });
    await until(async () => (await one.order('fetchSockets', { room: 'blue' })).length === 1);
    await one.order('leave', { id: eve.id, room: 'blue' });
    await until(async () => (await one.order('fetchSockets', { room: 'blue' })).length === 0);
    const gone = once(eve, 'disconnect');
    await one.order('disconnect', { id: eve.id });
    assert.deepEqual((await gone)[0], 'io server disconnect');
    await until(async () => (await one.order('fetchSockets')).length === 2);
  });

  if (adapter === 'streams') {
    test(`${adapter}, ${client}: who comes back on another server hears what was said meanwhile`, async () => {
      ben.io.reconnection(false);
      ben.io.engine.close();
      await until(async () => (await one.order('fetchSockets')).length === 1);
      await one.order('emit', { words: 'meanwhile' });
      ben.io.uri = one.url;
      ben.heard.length = 0;
      ben.connect();
      await once(ben, 'connect');
      assert.equal(ben.recovered, true);
      await heard([[ben, ['meanwhile']]]);
    });
  }
}

function orderOf(child) {
  return async (order, details) => {
    const { answer, error } = await ask(child, { order, ...details });
    if (error) throw new Error(error);
    return answer;
  };
}
