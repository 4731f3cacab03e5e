// Waiting for what happens elsewhere.

import { once } from 'node:events';
import { fork } from 'node:child_process';
import { after } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

/** Asks again until the answer is truthy, and gives it. For what cannot be awaited as an event. */
export async function until(question) {
  for (;;) {
    const answer = await question();
    if (answer) return answer;
    await sleep(5);
  }
}

const children = [];
after(() => children.forEach((child) => child.kill('SIGKILL')));

/**
 * Starts a module in a process of its own, and comes back with it when it has sent its `firstMessage`. It ends with the
 * tests of the file at the latest.
 */
export async function startProcess(module, environment = {}) {
  const child = fork(module, { env: { ...process.env, ...environment }, execArgv: [] });
  children.push(child);
  const ended = once(child, 'exit').then(([status]) => {
    throw new Error(`${module} ended with ${status} before it said anything`);
  });
  [child.firstMessage] = await Promise.race([once(child, 'message'), ended]);
  ended.catch(() => {});
  return child;
}

/** Sends a message to such a process, and gives what it answers. */
export async function ask(child, message) {
  child.send(message);
  const [answer] = await once(child, 'message');
  return answer;
}

/** Ends such a process at once, without a word. */
export async function kill(child) {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGKILL');
  await once(child, 'exit');
}
