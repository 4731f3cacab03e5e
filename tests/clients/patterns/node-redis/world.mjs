// What the patterns of this directory have around them: a connection, and a database that counts how often it is asked.

import { createClient } from 'redis';

export const redis = createClient({ url: process.env.REDIS_URL });
await redis.connect();

const rows = new Map();
/** How often the database was asked, by kind. */
export const calls = { findUnique: 0, update: 0, upsert: 0 };
/** What a question to the database waits for; tests replace it. */
export const database = { answers: () => Promise.resolve() };

async function asked(kind) {
  calls[kind]++;
  await database.answers();
}

export const prisma = {
  produit: {
    async findUnique({ where: { id } }) {
      await asked('findUnique');
      return rows.get(id) ?? null;
    },
    async update({ where: { id }, data }) {
      await asked('update');
      rows.set(id, { ...rows.get(id), ...data });
      return rows.get(id);
    },
    async upsert({ where: { id }, update, create }) {
      await asked('upsert');
      rows.set(id, rows.has(id) ? { ...rows.get(id), ...update } : create);
    },
  },
};
