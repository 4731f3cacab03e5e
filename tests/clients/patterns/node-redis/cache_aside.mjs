// A cache in front of a database: read through it, write to both, write to the database later.

import { prisma, redis } from './world.mjs';

export async function getProduit(id) {
  const cacheKey = `produit:${id}`;

  const cached = await redis.get(cacheKey);
  if (cached) {
    return JSON.parse(cached);
  }

  const produit = await prisma.produit.findUnique({
    where: { id },
    include: { categorie: true, images: true },
  });

  if (produit) {
    await redis.set(cacheKey, JSON.stringify(produit), { EX: 3600 });
  }

  return produit;
}

export async function updateProduit(id, données) {
  const produit = await prisma.produit.update({ where: { id }, data: données });
  await redis.del(`produit:${id}`);
  return produit;
}

export async function saveProduit(produit) {
  await Promise.all([
    prisma.produit.upsert({ where: { id: produit.id }, update: produit, create: produit }),
    redis.set(`produit:${produit.id}`, JSON.stringify(produit), { EX: 3600 }),
  ]);
}

export async function incrementerVues(produitId) {
  const key = `produit:vues:${produitId}`;
  const newVues = await redis.incr(key);

  if (newVues % 100 === 0) {
    await syncVuesVersDB(produitId, newVues);
  }
}

async function syncVuesVersDB(produitId, vues) {
  await prisma.produit.update({ where: { id: produitId }, data: { vues } });
}

// Every few minutes what was counted is written.
setInterval(async () => {
  const keys = await redis.keys('produit:vues:*');
  for (const key of keys) {
    const produitId = key.split(':')[2];
    const vues = parseInt(await redis.get(key) ?? '0', 10);
    if (vues > 0) {
      await prisma.produit.update({ where: { id: produitId }, data: { vues } });
    }
  }
}, 5 * 60 * 1000);
