// The key browser: finds keys by pattern and type, shows their values, and changes them where the user may.

const PAGE = 100;

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

async function preview(key, button) {
  chosen = key;
  document.querySelectorAll('#found [aria-current]').forEach((item) => item.removeAttribute('aria-current'));
  button?.setAttribute('aria-current', 'true');
  const place = find('#preview');
  if (!button) place.scrollIntoView({ block: 'nearest' });
  const show = (...elements) => chosen === key && place.replaceChildren(make('h3', {}, String(key)), ...elements);
  try {
    const value = await askForValue(key);
    if (value === null) show(make('p', { class: 'note' }, 'The key is not there any more.'));
    else show(...describe(key, value));
  } catch (error) {
    show(make('p', { class: 'error' }, error.message));
  }
}

function describe(key, value) {
  const { type, size, ttl, encoding, length } = value;
  const unit = type === 'string' ? 'bytes' : type === 'hash' ? 'fields' : type === 'stream' ? 'entries' : 'elements';
  const facts = make('div', { class: 'facts' },
    make('span', { class: `tag-${type}` }, type),
    make('span', {}, `${length} ${unit}`),
    make('span', {}, bytes(size)),
    make('span', {}, encoding),
    make('span', {}, ttl >= 0 ? `expires in ${seconds(ttl / 1000)}` : 'does not expire'));
  const elements = type === 'string' ? showString(key, value) : showElements(value);
  return [facts, ...elements, ...(mayWrite ? [actions(key)] : [])];
}

/** A part of an element; of one that was cut, how long it is. */
const shownPart = (part) => (Array.isArray(part) ? `${part[0]}… (${bytes(part[1])})` : String(part));

/** Fields and values of a stream's entry, of which there may be more than are shown. */
function shownFields(number, parts) {
  const pairs = parts.flatMap((part, at) => (at % 2 === 0 ? [`${shownPart(part)}=${shownPart(parts[at + 1])}`] : []));
  if (pairs.length < number) pairs.push(`… (${count(number)} fields)`);
  return pairs.join('  ');
}

function showElements({ type, length, elements }) {
  const [heads, row] = {
    hash: [['Field', 'Value'], (parts) => parts.map(shownPart)],
    list: [['Index', 'Element'], ([element], index) => [String(index), shownPart(element)]],
    set: [['Member'], (parts) => parts.map(shownPart)],
    zset: [['Score', 'Member'], ([member, score]) => [String(score), shownPart(member)]],
    stream: [['ID', 'Fields'], ([id, number, ...parts]) => [String(id), shownFields(number, parts)]],
  }[type];
  const made = make('table', {}, make('thead', {}, make('tr', {}, ...heads.map((head) => make('th', { scope: 'col', class: 'text' }, head)))), make('tbody'));
  fill(made, elements.map(row).map((cells) => cells.map((cell) => make('td', { class: 'text wide code' }, cell))), 'Empty.');
  const shown = [make('div', { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': 'Value' }, made)];
  if (elements.length < length) shown.push(make('p', { class: 'note' }, `${count(elements.length)} of ${count(length)} are shown.`));
  return shown;
}

function showString(key, { elements: [[part]] }) {
  const whole = !Array.isArray(part);
  const value = whole ? part : part[0];
  const text = value.text;
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
