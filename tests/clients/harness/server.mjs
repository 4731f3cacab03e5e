// A server process in a directory of its own, which never outlives the test file that started it.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const binary = process.env.SPINEL_TEST_SERVER;
// Between choosing a free port and the server's bind another process may take it: so often is another one tried.
const PORT_ATTEMPTS = 5;

const servers = [];
process.on('exit', () => servers.forEach((server) => server.discard()));

/** A port of 127.0.0.1 that nobody listens on. */
export async function freePort() {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address();
  probe.close();
  await once(probe, 'close');
  return port;
}

/** Starts the server under test, without snapshots, on a free port of 127.0.0.1. */
export async function startServer(...args) {
  if (!binary) throw new Error('SPINEL_TEST_SERVER must be the path of a server; tests/clients/run sets it');
  for (let attempt = 1; ; attempt++) {
    const server = new Server(await freePort(), args);
    try {
      await server.start();
      return server;
    } catch (error) {
      server.discard();
      if (attempt === PORT_ATTEMPTS) throw error;
    }
  }
}

class Server {
  host = '127.0.0.1';
  #args;
  #directory = mkdtempSync(join(tmpdir(), 'spinel-clients-'));
  #process;

  constructor(port, args) {
    this.port = port;
    this.#args = args;
    servers.push(this);
  }

  get url() {
    return `redis://${this.host}:${this.port}`;
  }

  /** Comes back when the server says that it is ready. */
  async start() {
    const args = ['--port', this.port, '--bind', this.host, '--save', '', '--dir', this.#directory, ...this.#args];
    this.#process = spawn(binary, args.map(String), { stdio: ['ignore', 'pipe', 'inherit'] });
    this.#process.on('error', () => {}); // The lines end then, too.
    const lines = createInterface({ input: this.#process.stdout });
    let said = '';
    for await (const line of lines) {
      said += `${line}\n`;
      if (line.includes('Ready to accept connections')) {
        this.#process.stdout.resume();
        // A file whose tests are done ends, and the server with it.
        this.#process.unref();
        this.#process.stdout.unref();
        return;
      }
    }
    throw new Error(`${binary} did not start:\n${said}`);
  }

  /** Ends the process, and comes back when it is gone. */
  async stop() {
    if (this.#process.exitCode === null && this.#process.signalCode === null) {
      this.#process.ref();
      this.#process.kill();
      await once(this.#process, 'exit');
    }
  }

  /** Ends the process and starts another one in its place, which has no data. */
  async restart() {
    await this.stop();
    await this.start();
  }

  discard() {
    this.#process?.kill('SIGKILL');
    rmSync(this.#directory, { recursive: true, force: true });
  }
}
