// A consumer in a process of its own. It tells what it deals with, hangs at the number HANGS_AT, and fails at
// FAILS_AT.

import { consommerEvenements } from './streams.mjs';

const { CONSUMER, FAILS_AT, HANGS_AT } = process.env;
process.send('ready');
await consommerEvenements('orders', 'billing', CONSUMER, async (message) => {
  const { n } = JSON.parse(message.payload);
  process.send({ n });
  if (n === Number(FAILS_AT)) throw new Error('not now');
  if (n === Number(HANGS_AT)) await new Promise(() => {});
});
