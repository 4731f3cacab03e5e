// Begins, asks for figures as long as the page is looked at, and ends when the token is not accepted any more.

const EVERY_MS = 2000;
let paused = false;
let timer = 0;
/** What this user may not ask for, with the errors. */
const refused = new Map();

function say(text, lost = false) {
  find('#state').textContent = text;
  find('#state').classList.toggle('lost', lost);
}

function showLogin(reason) {
  clearTimeout(timer);
  find('#dashboard').hidden = true;
  find('nav').hidden = true;
  find('#login').hidden = false;
  find('#login-error').textContent = reason;
  find('#identity').textContent = '';
  say('');
  find('#token').focus();
}

async function tick() {
  clearTimeout(timer);
  try {
    if (!paused && !document.hidden) await refresh();
  } catch (error) {
    if (error instanceof Unauthorized) {
      showLogin(storedToken() === '' ? '' : 'The server does not accept this token.');
      return;
    }
    say(`No connection: ${error.message}`, true);
  }
  timer = setTimeout(tick, EVERY_MS);
}

async function refresh() {
  const questions = [['INFO', 'all'], ['LATENCY', 'HISTOGRAM'], ['SLOWLOG', 'GET', 25], ['CLIENT', 'LIST']];
  // What was refused once is not asked for again: the server would log it every time.
  const answers = await ask(questions.filter((question) => !refused.has(question[0])));
  const next = (name) => (refused.has(name) ? refused.get(name) : answers.shift());
  const [info, histogram, slowLog, clients] = questions.map(([name]) => [name, next(name)]).map(([name, answer]) => {
    if (answer.error?.startsWith('NOPERM')) refused.set(name, answer);
    return answer;
  });
  if (info.error) throw new Error(info.error);
  const fields = parseInfo(String(info.result));
  if (find('#dashboard').hidden) await open(fields);
  showFigures(fields, parseHistogram(histogram.result));
  showSlowLog(slowLog);
  showClients(clients);
  if (!refused.has('SCAN')) await sampleKeys(fields).catch(whyNoSample);
  say(`${new Date().toLocaleTimeString()}${mayWrite ? '' : ' · read only'}`);
}

function whyNoSample(error) {
  if (!(error instanceof Refused)) throw error;
  if (error.message.startsWith('NOPERM')) refused.set('SCAN', error);
  find('#sample-note').textContent = error.message;
}

/** Shows the dashboard for the first time. */
async function open(fields) {
  await findOutRights();
  find('#login').hidden = true;
  find('#dashboard').hidden = false;
  find('nav').hidden = false;
  const used = [...fields.keys()].filter((name) => /^db\d+$/.test(name)).map((name) => Number(name.slice(2)));
  const numbers = [...new Set([0, ...used])].sort((a, b) => a - b);
  find('#database').replaceChildren(...numbers.map((number) => make('option', { value: number }, String(number))));
  findKeys(true).catch((error) => (find('#found-note').textContent = error.message));
}

find('#login form').addEventListener('submit', (event) => {
  event.preventDefault();
  sessionStorage.setItem(TOKEN_AT, find('#token').value);
  refused.clear();
  find('#token').value = '';
  find('#login-error').textContent = '';
  tick();
});
find('#leave').addEventListener('click', () => {
  sessionStorage.removeItem(TOKEN_AT);
  location.reload();
});
find('#pause').addEventListener('click', () => {
  paused = !paused;
  find('#pause').textContent = paused ? 'Go on' : 'Pause';
  find('#pause').setAttribute('aria-pressed', paused);
  say(paused ? 'Paused' : '');
  tick();
});
find('#search').addEventListener('submit', (event) => {
  event.preventDefault();
  findKeys(true).catch((error) => (find('#found-note').textContent = error.message));
});
find('#more').addEventListener('click', () => findKeys(false).catch((error) => (find('#found-note').textContent = error.message)));
find('#database').addEventListener('change', () => {
  database = Number(find('#database').value);
  forgetSample();
  findKeys(true).catch((error) => (find('#found-note').textContent = error.message));
});
document.addEventListener('keydown', (event) => {
  const typing = /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName);
  if (event.key === '/' && !typing && !event.ctrlKey && !event.metaKey && !event.altKey && !find('#dashboard').hidden) {
    event.preventDefault();
    find('#pattern').focus();
    find('#pattern').select();
  }
  // Up and down within the list of keys.
  const item = event.target.closest?.('#found li');
  const next = { ArrowDown: item?.nextElementSibling, ArrowUp: item?.previousElementSibling }[event.key];
  if (next) {
    event.preventDefault();
    next.firstElementChild.focus();
  }
});
document.addEventListener('visibilitychange', () => document.hidden || tick());
find('#charts').append(...Object.values(charts).map((chart) => chart.element));
tick();
