// Two ways to keep all who miss at once from asking the database at once: a lock, and recomputing early by chance.

import { setTimeout as sleep } from 'node:timers/promises';
import { prisma, redis } from './world.mjs';

export async function getProduitAvecVerrou(id) {
  const cacheKey = `produit:${id}`;
  const verrouilleKey = `verrou:${cacheKey}`;

  const cached = await redis.get(cacheKey);
  if (cached) return JSON.parse(cached);

  const verrou = await redis.set(verrouilleKey, '1', { NX: true, EX: 5 });

  if (verrou) {
    const produit = await prisma.produit.findUnique({ where: { id } });
    if (produit) {
      await redis.set(cacheKey, JSON.stringify(produit), { EX: 3600 });
    }
    await redis.del(verrouilleKey);
    return produit;
  } else {
    await sleep(100);
    return getProduitAvecVerrou(id);
  }
}

export async function getProduitProbabiliste(id, beta = 1) {
  const cacheKey = `produit:${id}`;
  const metaKey = `${cacheKey}:meta`;

  const [cached, meta] = await Promise.all([
    redis.get(cacheKey),
    redis.hGetAll(metaKey),
  ]);

  if (cached && meta.expires) {
    const ttlRestant = parseInt(meta.expires, 10) - Date.now();
    const delta = parseFloat(meta.delta ?? '1');

    const shouldRecompute = -delta * beta * Math.log(Math.random()) > ttlRestant;

    if (!shouldRecompute) return JSON.parse(cached);
  }

  const début = Date.now();
  const produit = await prisma.produit.findUnique({ where: { id } });
  const delta = Date.now() - début;

  if (produit) {
    const ttl = 3600;
    await Promise.all([
      redis.set(cacheKey, JSON.stringify(produit), { EX: ttl }),
      redis.hSet(metaKey, { expires: String(Date.now() + ttl * 1000), delta: String(delta) }),
    ]);
  }

  return produit;
}
