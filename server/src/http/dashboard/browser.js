// The key browser: finds keys by pattern and type, shows their values, and changes them where the user may.

const PAGE = 100;
const ELEMENTS = 100;
const PREVIEW_BYTES = 64 * 1024;

let mayWrite = false;
let search = { cursor: '0', pattern: '*', type: '', found: 0 };
let chosen = null;

/** Whether the user may write: asked for with a key that is not there. */
async function findOutRights() {
  const [answer] = await ask([['UNLINK', 'spinel:dashboard:no-such-key']]);
  mayWrite = answer.error === undefined;
}

async function findKeys(begin) {
  if (begin) {
    search = { cursor: '0', pattern: find('#pattern').value || '*', type: find('#type').value, found: 0 };
    find('#found').replaceChildren();
  }
  const of = search;
  find('#found-note').textContent = 'Searching…';
  const wanted = of.found + PAGE;
  let rounds = 0;
  // Patterns that match little need many steps; after some of them it is time to ask again.
  do {
    const filter = of.type ? ['TYPE', of.type] : [];
    const { cursor, keys } = await askForKeys([of.cursor, 'MATCH', of.pattern, 'COUNT', Math.min(PAGE * 2 ** rounds, 2000), ...filter]);
    if (of !== search) return;
    of.cursor = cursor;
    of.found += keys.length;
    listKeys(keys);
    rounds++;
  } while (of.cursor !== '0' && of.found < wanted && rounds < 50 && of === search);
  const whole = of.cursor === '0';
  find('#more').hidden = whole;
  find('#found-note').textContent = `${count(of.found)} ${of.found === 1 ? 'key' : 'keys'}${whole ? '' : ' so far'}.`;
}

function listKeys(keys) {
  const items = keys.map(({ key, type, ttl }) => {
    const expiry = ttl >= 0 ? make('span', { class: 'tag' }, seconds(ttl / 1000)) : '';
    const button = make('button', { type: 'button', onclick: () => preview(key, button) },
      make('span', { class: `tag tag-${type}` }, type), make('span', { class: 'key' }, String(key)), expiry);
    return make('li', {}, button);
  });
  find('#found').append(...items);
}

/** The commands that show the beginning of a value, by its type. */
const PREVIEWS = {
  string: (key) => [['STRLEN', key], ['GETRANGE', key, 0, PREVIEW_BYTES - 1]],
  hash: (key) => [['HLEN', key], ['HSCAN', key, 0, 'COUNT', ELEMENTS]],
  list: (key) => [['LLEN', key], ['LRANGE', key, 0, ELEMENTS - 1]],
  set: (key) => [['SCARD', key], ['SSCAN', key, 0, 'COUNT', ELEMENTS]],
  zset: (key) => [['ZCARD', key], ['ZRANGE', key, 0, ELEMENTS - 1, 'REV', 'WITHSCORES']],
  stream: (key) => [['XLEN', key], ['XREVRANGE', key, '+', '-', 'COUNT', ELEMENTS]],
};

async function preview(key, button) {
  chosen = key;
  document.querySelectorAll('#found [aria-current]').forEach((item) => item.removeAttribute('aria-current'));
  button?.setAttribute('aria-current', 'true');
  const place = find('#preview');
  if (!button) place.scrollIntoView({ block: 'nearest' });
  try {
    const facts = await ask([['TYPE', key], ['PTTL', key], ['MEMORY', 'USAGE', key], ['OBJECT', 'ENCODING', key]]);
    const type = String(facts[0].result ?? '');
    if (chosen !== key) return;
    if (!PREVIEWS[type]) {
      place.replaceChildren(make('h3', {}, String(key)), make('p', { class: 'note' }, type === 'none' ? 'The key is not there any more.' : `Values of type ${type || '?'} are not shown.`));
      return;
    }
    const [length, value] = await ask(PREVIEWS[type](key));
    if (chosen !== key) return;
    place.replaceChildren(...describe(key, type, facts, length, value));
  } catch (error) {
    place.replaceChildren(make('p', { class: 'error' }, error.message));
  }
}

function describe(key, type, [, ttl, memory, encoding], length, value) {
  const unit = type === 'string' ? 'bytes' : type === 'hash' ? 'fields' : type === 'stream' ? 'entries' : 'elements';
  const facts = make('div', { class: 'facts' },
    make('span', { class: `tag-${type}` }, type),
    make('span', {}, `${length.result ?? '?'} ${unit}`),
    make('span', {}, bytes(memory.result ?? 0)),
    make('span', {}, String(encoding.result ?? '')),
    make('span', {}, ttl.result >= 0 ? `expires in ${seconds(ttl.result / 1000)}` : 'does not expire'));
  const elements = [make('h3', {}, String(key)), facts];
  if (value.error) elements.push(make('p', { class: 'error' }, value.error));
  else elements.push(...showValue(key, type, length.result, value.result));
  if (mayWrite && key.text !== null) elements.push(actions(key));
  return elements;
}

function showValue(key, type, length, value) {
  if (type === 'string') return showString(key, length, value);
  const table = (heads, rows) => {
    const made = make('table', {}, make('thead', {}, make('tr', {}, ...heads.map((head) => make('th', { scope: 'col', class: 'text' }, head)))), make('tbody'));
    fill(made, rows.map((row) => row.map((part) => make('td', { class: 'text wide code' }, String(part)))), 'Empty.');
    return make('div', { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': 'Value' }, made);
  };
  const pairs = (flat) => flat.flatMap((_, index) => (index % 2 === 0 ? [[flat[index], flat[index + 1]]] : []));
  const shown = {
    hash: () => [table(['Field', 'Value'], pairs(value[1])), value[1].length / 2],
    list: () => [table(['Index', 'Element'], value.map((element, index) => [index, element])), value.length],
    set: () => [table(['Member'], value[1].map((member) => [member])), value[1].length],
    zset: () => [table(['Score', 'Member'], pairs(value).map(([member, score]) => [score, member])), value.length / 2],
    stream: () => [table(['ID', 'Fields'], value.map(([id, fields]) => [id, pairs(fields).map((pair) => pair.join('=')).join('  ')])), value.length],
  };
  const [made, number] = shown[type]();
  return number < length ? [made, make('p', { class: 'note' }, `${count(number)} of ${count(length)} are shown.`)] : [made];
}

function showString(key, length, value) {
  const text = value.text;
  const whole = value.bytes.length === length;
  if (mayWrite && whole && text !== null && key.text !== null && lineEnd(text) !== null) return [editor(key, text)];
  let pretty = String(value);
  if (whole && text !== null && /^\s*[[{]/.test(text)) {
    try {
      pretty = JSON.stringify(JSON.parse(text), null, 2);
    } catch {
      // Not JSON after all.
    }
  }
  const made = [make('pre', { tabindex: 0 }, pretty)];
  if (!whole) made.push(make('p', { class: 'note' }, `The first ${bytes(value.bytes.length)} are shown.`));
  else if (text !== null && lineEnd(text) === null) made.push(make('p', { class: 'note' }, 'The lines end in different ways, which a field for editing would not keep.'));
  return made;
}

/** How all lines of a text end; `null` if not all end alike. */
function lineEnd(text) {
  const ends = new Set(text.match(/\r\n|\r|\n/g) ?? ['\n']);
  return ends.size === 1 ? [...ends][0] : null;
}

/** A field for a text. What is saved replaces just the text that was shown: not one that is newer, or of another type. */
function editor(key, text) {
  const area = make('textarea', { 'aria-label': 'Value', spellcheck: 'false' }, text);
  // The field makes line feeds of all line ends.
  const edited = () => area.value.replaceAll('\n', lineEnd(text));
  const save = () => change(key, ['SET', key, edited(), 'IFEQ', text, 'KEEPTTL'], 'Not saved: the value has changed meanwhile.');
  return make('div', { class: 'actions' }, area, make('button', { type: 'button', class: 'primary', onclick: save }, 'Save'));
}

/** What a user who may write can do with a key. */
function actions(key) {
  const ttl = make('input', { type: 'number', min: 1, placeholder: 'seconds', 'aria-label': 'Seconds to live' });
  const expire = () => ttl.value !== '' && change(key, ['EXPIRE', key, ttl.value]);
  const remove = make('button', { type: 'button', class: 'danger' }, 'Delete');
  remove.addEventListener('click', () => {
    // The second click means it.
    if (remove.textContent === 'Delete') {
      remove.textContent = 'Delete for good';
      remove.addEventListener('blur', () => (remove.textContent = 'Delete'), { once: true });
    } else {
      change(key, ['UNLINK', key]);
    }
  });
  return make('div', { class: 'actions' }, ttl,
    make('button', { type: 'button', onclick: expire }, 'Set expiry'),
    make('button', { type: 'button', onclick: () => change(key, ['PERSIST', key]) }, 'Keep for ever'),
    remove);
}

/** Carries a command out and shows what has become of the key. Where the reply is nil, `otherwise` says why. */
async function change(key, command, otherwise) {
  try {
    const [{ result, error }] = await ask([command]);
    if (error) throw new Error(error);
    if (result === null) throw new Error(otherwise);
    await preview(key);
  } catch (error) {
    find('#preview').append(make('p', { class: 'error', role: 'alert' }, error.message));
  }
}
