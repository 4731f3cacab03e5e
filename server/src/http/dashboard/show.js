// How figures and elements are made.

/** An element with attributes and children: `make('td', { class: 'text' }, 'x')`. */
function make(name, attributes = {}, ...children) {
  const element = name.startsWith('svg:')
    ? document.createElementNS('http://www.w3.org/2000/svg', name.slice(4))
    : document.createElement(name);
  for (const [attribute, value] of Object.entries(attributes)) {
    if (attribute.startsWith('on')) element.addEventListener(attribute.slice(2), value);
    else if (value !== undefined && value !== false) element.setAttribute(attribute, value);
  }
  element.append(...children);
  return element;
}

const find = (selector) => document.querySelector(selector);

/** Replaces the rows of a table; each is a list of cells, a cell is what stands in it or an element `td`. */
function fill(table, rows, otherwise) {
  const cell = (content) => (content instanceof HTMLTableCellElement ? content : make('td', {}, content));
  const made = rows.map((row) => make('tr', {}, ...row.map(cell)));
  if (made.length === 0) made.push(make('tr', {}, make('td', { colspan: 9, class: 'text' }, otherwise)));
  table.tBodies[0].replaceChildren(...made);
}

function count(number) {
  if (!Number.isFinite(number)) return '–';
  if (number >= 1e9) return `${(number / 1e9).toFixed(2)}G`;
  if (number >= 1e6) return `${(number / 1e6).toFixed(2)}M`;
  if (number >= 1e4) return `${(number / 1e3).toFixed(1)}k`;
  return number >= 100 || Number.isInteger(number) ? Math.round(number).toString() : number.toFixed(1);
}

function bytes(number) {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let unit = 0;
  while (number >= 1024 && unit < units.length - 1) {
    number /= 1024;
    unit++;
  }
  return `${unit === 0 ? Math.round(number) : number.toFixed(number < 10 ? 2 : 1)} ${units[unit]}`;
}

function micros(number) {
  if (!Number.isFinite(number)) return '–';
  if (number >= 1e6) return `${(number / 1e6).toFixed(2)} s`;
  if (number >= 1e3) return `${(number / 1e3).toFixed(2)} ms`;
  return `${number < 10 ? number.toFixed(1) : Math.round(number)} µs`;
}

const percent = (share) => (Number.isFinite(share) ? `${(100 * share).toFixed(share > 0.9995 ? 0 : 1)} %` : '–');

function seconds(number) {
  for (const [unit, length] of [['d', 86400], ['h', 3600], ['min', 60]]) {
    if (number >= length) return `${Math.floor(number / length)} ${unit}`;
  }
  return `${Math.max(0, Math.round(number))} s`;
}

/** Lines over time that grow at the right; with `logarithmic`, equal steps up are equal factors. */
class Chart {
  static POINTS = 90;

  constructor(title, names, format, logarithmic = false) {
    this.series = names.map(() => []);
    this.format = format;
    this.logarithmic = logarithmic;
    this.value = make('span');
    this.top = make('span');
    this.lines = names.map((_, index) => make('svg:path', { class: `line line${index}` }));
    this.area = make('svg:path', { class: 'area' });
    const grid = [0.5, 30, 59.5].map((y) => make('svg:line', { class: 'grid', x1: 0, x2: 300, y1: y, y2: y }));
    const svg = make('svg:svg', { viewBox: '0 0 300 60', preserveAspectRatio: 'none', role: 'img', 'aria-label': title });
    svg.append(...grid, this.area, ...this.lines);
    this.legend = names.length > 1 ? names.map((name, index) => [make('span', { class: `key${index}` }, name), make('b')]) : [];
    const legend = make('div', { class: 'legend' }, ...this.legend.map(([key, value]) => make('span', {}, key, ' ', value)));
    this.element = make('figure', { class: 'card' }, make('figcaption', {}, title, this.top), svg, legend);
  }

  add(...values) {
    values.forEach((value, index) => {
      const series = this.series[index];
      series.push(Number.isFinite(value) ? value : null);
      if (series.length > Chart.POINTS) series.shift();
    });
    const numbers = this.series.flat().filter((value) => value !== null);
    const share = this.logarithmic ? this.shareOfDecades(numbers) : this.shareOfHighest(numbers);
    const x = (index, length) => (300 * (Chart.POINTS - length + index)) / (Chart.POINTS - 1);
    const y = (value) => 58 - 56 * share(value);
    this.series.forEach((series, index) => {
      let path = '';
      series.forEach((value, at) => {
        if (value === null) return;
        const move = at === 0 || series[at - 1] === null;
        path += `${move ? 'M' : 'L'}${x(at, series.length).toFixed(1)} ${y(value).toFixed(1)}`;
      });
      this.lines[index].setAttribute('d', path);
      if (index === 0 && this.series.length === 1 && !series.includes(null) && series.length > 1) {
        this.area.setAttribute('d', `${path}L300 60L${x(0, series.length).toFixed(1)} 60Z`);
      }
      if (this.legend[index]) this.legend[index][1].textContent = this.format(values[index]);
    });
  }

  /** How high values stand below the highest of them, which the caption names. */
  shareOfHighest(numbers) {
    const highest = Math.max(...numbers, 0);
    this.top.textContent = `highest ${this.format(highest)}`;
    return (value) => value / (highest || 1);
  }

  /** How high values stand between the powers of ten around all of them, which the caption names. */
  shareOfDecades(numbers) {
    const logarithms = numbers.filter((value) => value > 0).map(Math.log10);
    const lowest = Math.floor(Math.min(...logarithms, 3));
    const highest = Math.max(Math.ceil(Math.max(...logarithms, lowest)), lowest + 1);
    this.top.textContent = `${this.format(10 ** lowest)} to ${this.format(10 ** highest)}, logarithmic`;
    return (value) => Math.max(0, (Math.log10(value) - lowest) / (highest - lowest));
  }
}
