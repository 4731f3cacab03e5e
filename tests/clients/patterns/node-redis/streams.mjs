// A stream as a queue of messages, with a group of consumers.

import { redis } from './world.mjs';

export async function publierEvenement(stream, event) {
  return redis.xAdd(stream, '*', {
    type: event.type,
    payload: JSON.stringify(event),
    ts: String(Date.now()),
  });
}

export async function consommerEvenements(stream, group, consumer, traiterMessage) {
  try {
    await redis.xGroupCreate(stream, group, '0', { MKSTREAM: true });
  } catch { /* It is there. */ }

  while (true) {
    const messages = await redis.xReadGroup(group, consumer, [
      { key: stream, id: '>' },
    ], { COUNT: 10, BLOCK: 2000 });

    if (!messages) continue;

    for (const { messages: msgs } of messages) {
      for (const { id, message } of msgs) {
        try {
          await traiterMessage(message);
          await redis.xAck(stream, group, id);
        } catch (e) {
          console.error(`Échec traitement ${id}:`, e);
          // It stays pending, and is done later.
        }
      }
    }
  }
}

/** Takes over what consumers have left undone for so many milliseconds. */
export async function reprendreEvenements(stream, group, consumer, traiterMessage, minIdle) {
  let start = '0-0';
  do {
    const { nextId, messages } = await redis.xAutoClaim(stream, group, consumer, minIdle, start, { COUNT: 10 });
    for (const { id, message } of messages) {
      await traiterMessage(message);
      await redis.xAck(stream, group, id);
    }
    start = nextId;
  } while (start !== '0-0');
}
