// A process that asks so many times at once, and tells what it was told.

import { checkRateLimit } from './rate_limit.mjs';

process.on('message', async ({ identifier, limit, times }) => {
  process.send(await Promise.all(Array.from({ length: times }, () => checkRateLimit(identifier, limit, 3600))));
});
process.send('ready');
