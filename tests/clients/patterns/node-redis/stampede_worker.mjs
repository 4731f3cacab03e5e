// A process with ten callers who all miss. Its database answers when it is told to.

import { calls, database, prisma } from './world.mjs';
import { getProduitAvecVerrou } from './stampede.mjs';

await prisma.produit.upsert({ where: { id: '1' }, update: {}, create: { id: '1', nom: 'vase' } });
const answer = new Promise((resolve) => process.on('message', (order) => order === 'answer' && resolve()));
database.answers = () => answer;
process.on('message', async (order) => {
  if (order !== 'ask') return;
  const found = await Promise.all(Array.from({ length: 10 }, () => getProduitAvecVerrou('1')));
  process.send({ loads: calls.findUnique, found });
});
process.send('ready');
