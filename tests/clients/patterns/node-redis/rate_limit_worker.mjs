// A process that asks a limiter so many times at once, and tells what it was told. With `clock`, the time of its first
// call, it goes by a clock of its own, which goes on by `step` milliseconds with each.

const { now } = Date;
process.on('message', async ({ limiter, identifier, limit, times, clock, step }) => {
  const { checkRateLimit } = await import(limiter);
  let next = clock;
  Date.now = clock ? () => (next += step) - step : now;
  process.send(await Promise.all(Array.from({ length: times }, () => checkRateLimit(identifier, limit, 3600))));
});
process.send('ready');
