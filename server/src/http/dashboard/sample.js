// Memory by type, the biggest and the hottest keys: from walking through all keys, a few at a time.

/** So many keys are asked for at once, and for so long each time: ten million keys in about a quarter of an hour. */
const SAMPLE = 2000;
const WALKING_MS = 100;
const LONGEST_LIST = 12;
const TYPES = ['string', 'hash', 'list', 'set', 'zset', 'stream'];

/** What one walk has seen. */
class Walk {
  cursor = '0';
  seen = 0;
  types = new Map(TYPES.map((type) => [type, { keys: 0, bytes: 0 }]));
  biggest = [];
  hottest = [];

  add({ key, type, size, frequency }) {
    const of = this.types.get(type);
    // What this user may not see.
    if (!of) return;
    of.keys++;
    of.bytes += size;
    note(this.biggest, { key, type, value: size });
    if (frequency > 0) note(this.hottest, { key, type, value: frequency });
  }
}

let walk = new Walk();
let shown = walk;

function note(list, entry) {
  if (list.length === LONGEST_LIST && list.at(-1).value >= entry.value) return;
  list.push(entry);
  list.sort((a, b) => b.value - a.value);
  list.length = Math.min(list.length, LONGEST_LIST);
}

/** Walks on for a moment. Whole walks stay shown until the next one is whole. */
async function sampleKeys(info) {
  const of = walk;
  const end = performance.now() + WALKING_MS;
  do {
    const { cursor, keys } = await askForKeys([of.cursor, 'COUNT', SAMPLE]);
    if (of !== walk) return;
    of.cursor = cursor;
    of.seen += keys.length;
    keys.forEach((found) => of.add(found));
  } while (of.cursor !== '0' && performance.now() < end);
  const whole = of.cursor === '0';
  if (whole || shown.cursor !== '0' || shown.seen === 0) shown = of;
  showSample(info);
  if (whole) walk = new Walk();
}

function showSample(info) {
  const counted = info.get('maxmemory_policy')?.includes('lfu');
  const { keys = 0 } = parts(info.get(`db${database}`));
  find('#sample-note').textContent =
    keys === 0 ? `Database ${database} is empty.` : `From ${count(Math.min(shown.seen, keys))} of ${count(keys)} keys of database ${database}.`;
  const all = [...shown.types.values()].reduce((sum, { bytes }) => sum + bytes, 0);
  const seen = [...shown.types.values()].reduce((sum, { keys }) => sum + keys, 0);
  const scale = seen > 0 ? Math.max(1, keys / seen) : 1;
  find('#types').replaceChildren(
    ...[...shown.types].filter(([, of]) => of.keys > 0).sort(([, a], [, b]) => b.bytes - a.bytes).map(([type, of]) => {
      const bar = make('svg:svg', { viewBox: '0 0 100 1', preserveAspectRatio: 'none', 'aria-hidden': 'true' });
      bar.append(make('svg:rect', { class: `fill-${type}`, width: (100 * of.bytes) / all, height: 1 }));
      return make('div', { class: 'bar' }, make('span', {}, type), bar, make('span', {}, `${bytes(of.bytes * scale)}, ${count(Math.round(of.keys * scale))}`));
    }),
  );
  const row = ({ key, type }, value) => [
    make('td', {}, make('button', { type: 'button', class: 'key', title: String(key), onclick: () => preview(key) }, String(key))),
    make('td', { class: `text tag-${type}` }, String(type)),
    value,
  ];
  fill(find('#biggest'), shown.biggest.map((entry) => row(entry, bytes(entry.value))), 'No keys.');
  fill(find('#hottest'), shown.hottest.map((entry) => row(entry, entry.value)), counted ? 'No keys.' : '');
  find('#hot-note').textContent = counted ? '' : 'How often keys are used is counted while maxmemory-policy is one of the lfu policies.';
}

function forgetSample() {
  walk = new Walk();
  shown = walk;
}
