// The overview, the commands, the slow log and the clients: asked for again and again.

const charts = {
  rate: new Chart('Commands per second', ['commands'], count),
  hits: new Chart('Hit rate', ['hits'], percent),
  latency: new Chart('Latency', ['p50', 'p99', 'p99.9'], micros, true),
  memory: new Chart('Memory', ['used', 'resident'], bytes),
  removed: new Chart('Removed keys per second', ['expired', 'evicted'], count),
  network: new Chart('Network per second', ['in', 'out'], bytes),
};

/** INFO's fields by name. */
function parseInfo(text) {
  const fields = new Map();
  for (const line of text.split('\r\n')) {
    const colon = line.indexOf(':');
    if (colon > 0 && !line.startsWith('#')) fields.set(line.slice(0, colon), line.slice(colon + 1));
  }
  return fields;
}

/** `a=1,b=2` as an object of numbers. */
const parts = (text) => Object.fromEntries((text ?? '').split(',').map((part) => part.split('=')).map(([name, value]) => [name, Number(value)]));

/** Counts of calls by the longest time of their step, in µs, of all commands together. */
function parseHistogram(reply) {
  const total = new Map();
  for (let at = 1; at < (reply?.length ?? 0); at += 2) {
    const steps = reply[at][3];
    let before = 0;
    for (let step = 0; step < steps.length; step += 2) {
      total.set(steps[step], (total.get(steps[step]) ?? 0) + steps[step + 1] - before);
      before = steps[step + 1];
    }
  }
  return total;
}

/** The time that a share of the calls between two histograms stayed within. */
function percentileBetween(before, now, share) {
  const steps = [...now].map(([limit, calls]) => [limit, calls - (before.get(limit) ?? 0)]).filter(([, calls]) => calls > 0);
  steps.sort(([a], [b]) => a - b);
  let rank = share * steps.reduce((sum, [, calls]) => sum + calls, 0);
  for (const [limit, calls] of steps) {
    // A step ends at twice where it begins.
    if (rank <= calls) return (limit / 2) * (1 + rank / calls);
    rank -= calls;
  }
  return NaN;
}

let last = null;

/** Shows what has come in since the last time. */
function showFigures(info, histogram) {
  const number = (name) => Number(info.get(name) ?? NaN);
  const now = { at: performance.now(), info, histogram, number };
  // A server that was started anew, or whose figures were reset, begins again.
  if (last && number('total_commands_processed') < last.number('total_commands_processed')) last = null;
  const elapsed = last ? (now.at - last.at) / 1000 : NaN;
  const rate = (name) => (last ? Math.max(0, number(name) - last.number(name)) / elapsed : NaN);
  const [hits, misses] = [rate('keyspace_hits'), rate('keyspace_misses')];
  const hitRate = hits / (hits + misses);
  const hitsEver = number('keyspace_hits') / (number('keyspace_hits') + number('keyspace_misses'));
  const [p50, p99, p999] = [0.5, 0.99, 0.999].map((share) => (last ? percentileBetween(last.histogram, histogram, share) : NaN));
  const databases = [...info].filter(([name]) => /^db\d+$/.test(name)).map(([, text]) => parts(text));
  const keys = databases.reduce((sum, { keys }) => sum + keys, 0);
  const expiring = databases.reduce((sum, { expires }) => sum + expires, 0);
  const limit = number('maxmemory');
  const tiles = [
    ['Commands/s', count(rate('total_commands_processed')), `${count(number('total_commands_processed'))} in all`],
    ['Hit rate', percent(hitRate), Number.isFinite(hitsEver) ? `${percent(hitsEver)} since the start` : 'no key was read yet'],
    ['Latency p99', micros(p99), Number.isFinite(p50) ? `half within ${micros(p50)}` : 'from the second reading on'],
    ['Memory', bytes(number('used_memory')), limit > 0 ? `of ${bytes(limit)}, ${info.get('maxmemory_policy')}` : 'without a limit'],
    ['Keys', count(keys), `${count(expiring)} with an expiry`],
    ['Expired/s', count(rate('expired_keys')), `${count(number('expired_keys'))} in all`],
    ['Evicted/s', count(rate('evicted_keys')), `${count(number('evicted_keys'))} in all`],
    ['Clients', count(number('connected_clients')), `${count(number('blocked_clients'))} waiting, ${count(number('pubsub_clients'))} subscribed`],
  ];
  find('#tiles').replaceChildren(
    ...tiles.map(([name, value, more]) => make('div', {}, make('dt', {}, name), make('dd', {}, value, make('small', {}, more)))),
  );
  if (last) {
    charts.rate.add(rate('total_commands_processed'));
    charts.hits.add(hitRate);
    charts.latency.add(p50, p99, p999);
    charts.removed.add(rate('expired_keys'), rate('evicted_keys'));
    charts.network.add(rate('total_net_input_bytes'), rate('total_net_output_bytes'));
  }
  charts.memory.add(number('used_memory'), number('used_memory_rss'));
  find('#identity').textContent =
    `version ${info.get('spinel_version')} · speaks Redis ${info.get('redis_version')} · port ${info.get('tcp_port')} · up ${seconds(number('uptime_in_seconds'))}`;
  showCommands(info, elapsed);
  last = now;
}

function showCommands(info, elapsed) {
  const rows = [];
  for (const [field, text] of info) {
    if (!field.startsWith('cmdstat_')) continue;
    const name = field.slice('cmdstat_'.length);
    const { calls, usec_per_call: mean, failed_calls: failed } = parts(text);
    const before = parts(last?.info.get(field)).calls ?? 0;
    const perSecond = last ? (calls - before) / elapsed : NaN;
    const { p50, p99, ...others } = parts(info.get(`latency_percentiles_usec_${name}`));
    rows.push({ perSecond, calls, cells: [name.toUpperCase().replace('|', ' '), count(perSecond), count(calls), micros(mean), micros(p50), micros(p99), micros(others['p99.9']), count(failed)] });
  }
  rows.sort((a, b) => (b.perSecond || 0) - (a.perSecond || 0) || b.calls - a.calls);
  fill(find('#commands table'), rows.slice(0, 50).map(({ cells }) => cells), 'None yet.');
}

function showSlowLog({ result, error }) {
  const rows = (result ?? []).map(([, when, took, words, address]) => [
    make('td', { class: 'text' }, new Date(when * 1000).toLocaleString()),
    micros(took),
    make('td', { class: 'text wide code' }, words.join(' ')),
    make('td', { class: 'text' }, String(address ?? '')),
  ]);
  fill(find('#slowlog table'), rows, error ?? 'Nothing was slow.');
}

function showClients({ result, error }) {
  const lines = String(result ?? '').split('\n').filter((line) => line !== '');
  const clients = lines.map((line) => Object.fromEntries(line.split(' ').map((part) => part.split(/=(.*)/s))));
  clients.sort((a, b) => b['tot-mem'] - a['tot-mem']);
  const rows = clients.slice(0, 100).map((client) => [
    make('td', { class: 'text' }, client.addr),
    make('td', { class: 'text' }, client.name),
    make('td', { class: 'text' }, client.user),
    make('td', { class: 'text' }, client.cmd),
    seconds(client.age),
    seconds(client.idle),
    bytes(Number(client['tot-mem'])),
  ]);
  fill(find('#clients table'), rows, error ? 'This user may not see the other clients.' : 'None.');
}
