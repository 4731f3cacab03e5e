// A process with a first level of its own. Asked for a key it tells what it got and where from.

import { getData, listen } from './multi_level.mjs';

await listen((key) => process.send({ heard: key }));
process.on('message', async ({ key, value }) => {
  let fetched = false;
  const data = await getData(key, async () => {
    fetched = true;
    return value;
  });
  process.send({ data, fetched });
});
process.send('ready');
