'use strict';
// How the page talks to the server: by the requests that any other client sends.

const TOKEN_AT = 'spinel-token';
const storedToken = () => sessionStorage.getItem(TOKEN_AT) ?? '';

/** The server wants a token, or another one. */
class Unauthorized extends Error {}

/** The server refuses what was asked. */
class Refused extends Error {}

/** Bytes from the server: keys and values need not be text. */
class Bytes {
  constructor(base64) {
    const binary = atob(base64);
    this.bytes = Uint8Array.from(binary, (character) => character.charCodeAt(0));
  }
  /** The text, if it is one. */
  get text() {
    try {
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(this.bytes);
    } catch {
      return null;
    }
  }
  /** What people see: text as it is, other bytes escaped. */
  toString() {
    const text = this.text;
    if (text !== null && !/[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]/.test(text)) return text;
    return Array.from(this.bytes, (byte) =>
      byte >= 32 && byte < 127 && byte !== 92 ? String.fromCharCode(byte) : `\\x${byte.toString(16).padStart(2, '0')}`,
    ).join('');
  }
  /** As a part of a path, where any bytes may stand. */
  get encoded() {
    return Array.from(this.bytes, (byte) => `%${byte.toString(16).padStart(2, '0')}`).join('');
  }
}

/** A reply with its strings as `Bytes`; a status stays a string. */
function decoded(value) {
  if (Array.isArray(value)) return value.map(decoded);
  // Two letters are not base64: this is the status.
  if (value === 'OK') return value;
  return typeof value === 'string' ? new Bytes(value) : value;
}

/** The database that all requests are about. */
let database = 0;

async function send(path, body) {
  const type = typeof body === 'string' ? 'application/json' : 'application/octet-stream';
  const headers = { 'content-type': type, 'upstash-encoding': 'base64' };
  if (database !== 0) headers['spinel-database'] = database;
  if (storedToken() !== '') headers.authorization = `Bearer ${storedToken()}`;
  const response = await fetch(path, { method: 'POST', headers, body, cache: 'no-store', redirect: 'error' });
  const answer = await response.json();
  if (response.status === 401) throw new Unauthorized(answer.error);
  return answer;
}

/** Carries commands out, one after another, and gives a `{ result }` or an `{ error }` for each. */
async function ask(commands) {
  const isText = (argument) => !(argument instanceof Bytes) || argument.text !== null;
  if (!commands.flat().every(isText)) return Promise.all(commands.map(askByPath));
  const plain = commands.map((command) => command.map((part) => (part instanceof Bytes ? part.text : part)));
  const answers = await send('/pipeline', JSON.stringify(plain));
  if (!Array.isArray(answers)) throw new Error(answers.error);
  return answers.map(({ result, error }) => (error === undefined ? { result: decoded(result) } : { error }));
}

/** One command with arguments that JSON cannot hold. */
async function askByPath(command) {
  const path = command.map((part) => (part instanceof Bytes ? part.encoded : encodeURIComponent(part))).join('/');
  const { result, error } = await send(`/${path}`, '');
  return error === undefined ? { result: decoded(result) } : { error };
}

/**
 * What a key holds, `null` if it is not there: elements are lists of parts, those that are long are cut and become a
 * list of their beginning and their length. Counts as no use of the key, which is sent as it is.
 */
async function askForValue(key) {
  const { result, error } = await send('/dashboard/value', key.bytes);
  if (error !== undefined) throw new Refused(error);
  if (result === null) return null;
  const [type, size, ttl, encoding, length, elements] = decoded(result);
  return { type: String(type), size, ttl, encoding: String(encoding), length, elements };
}

/** A page of SCAN with what the server tells of each key, which counts as no use of them. Options begin with a cursor. */
async function askForKeys(options) {
  const { result, error } = await send('/dashboard/keys', JSON.stringify(options));
  if (error !== undefined) throw new Refused(error);
  const [cursor, found] = decoded(result);
  const keys = found.map(([key, type, size, ttl, frequency]) => ({ key, type: String(type ?? '?'), size, ttl, frequency }));
  return { cursor: String(cursor), keys };
}
