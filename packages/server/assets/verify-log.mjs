#!/usr/bin/env node
/**
 * Verifies an exported log, with nothing but Node (18 or newer): no packages, no network, no database.
 *
 *   node verify-log.mjs FILE [--public-key KEY] [--head FILE]…
 *
 * Prints the first bad entry and exits 1, or the size and root of the log and exits 0. Exits 2 when asked wrongly.
 * The server uses the same functions, so there is one definition of a sound log. Hashes are those of RFC 6962,
 * heads are C2SP checkpoints (signed notes), keys are C2SP verifier keys.
 */
import { Buffer } from 'node:buffer';
import { createHash, createPublicKey, verify } from 'node:crypto';
import { createReadStream, readFileSync, realpathSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { TextDecoder } from 'node:util';

/** A line longer than this is refused before it is held in memory, bytes. */
const MAX_LINE_BYTES = 64 * 1024 * 1024;

/** DER of an Ed25519 public key up to its 32 bytes (RFC 8410). */
const ED25519_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');
/** Signature type of Ed25519 in signed notes. */
const ED25519_TYPE = Buffer.from([1]);
const LEAF = Buffer.from([0]);
const NODE = Buffer.from([1]);

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
const HEAD = /^([^\n]+)\n(0|[1-9]\d{0,14})\n([^\n]+)\n((?:[^\n]+\n)*)\n((?:\u2014 [^\n]+\n)+)$/;
const ONE_HEAD = /(?:(?!\u2014 )[^\n]+\n)+\n(?:\u2014 [^\n]+\n)+(?:\n|$)/y;

// --- hash tree (RFC 6962 §2.1) ---

export function leafHash(entry) {
  return createHash('sha256').update(LEAF).update(entry).digest();
}

export function nodeHash(left, right) {
  return createHash('sha256').update(NODE).update(left).update(right).digest();
}

export function createCompactRange(size = 0, hashes = []) {
  const stack = [...hashes];
  let count = size;
  return {
    size: () => count,
    hashes: () => [...stack],
    append(leaf) {
      let hash = leaf;
      for (let rest = count; rest % 2 === 1; rest = (rest - 1) / 2) {
        hash = nodeHash(stack.pop(), hash);
      }
      stack.push(hash);
      count += 1;
    },
    root() {
      if (stack.length === 0) return createHash('sha256').digest();
      return stack.reduceRight((right, left) => nodeHash(left, right));
    },
  };
}

// --- keys and heads (C2SP signed-note and tlog-checkpoint) ---

export function formatPublicKey(name, bytes) {
  const typed = Buffer.concat([ED25519_TYPE, bytes]);
  return `${name}+${keyIdOf(name, bytes).toString('hex')}+${typed.toString('base64')}`;
}

export function parsePublicKey(text) {
  const [, name, id, encoded] = /^([^+\s]+)\+([0-9a-f]{8})\+(\S+)$/.exec(text) ?? [];
  const typed = encoded === undefined ? null : decodeBase64(encoded);
  if (typed === null || typed.length !== 33 || typed[0] !== ED25519_TYPE[0]) return null;
  const bytes = typed.subarray(1);
  if (keyIdOf(name, bytes).toString('hex') !== id) return null;
  return { text, name, id: Buffer.from(id, 'hex'), bytes };
}

export function formatHead(size, root, publicKey, sign) {
  const body = `${publicKey.name}\n${size}\n${root.toString('base64')}\n`;
  const signature = Buffer.concat([publicKey.id, sign(Buffer.from(body))]);
  return `${body}\n\u2014 ${publicKey.name} ${signature.toString('base64')}\n`;
}

export function openHead(note, publicKey) {
  const parts = HEAD.exec(note);
  if (parts === null) return { ok: false, problem: 'not a signed head' };
  const [, origin, size, encoded, , signatures] = parts;
  const root = decodeBase64(encoded);
  if (root === null || root.length !== 32) return { ok: false, problem: 'root is no SHA-256' };
  if (origin !== publicKey.name) return { ok: false, problem: `head of the log "${origin}"` };
  const body = Buffer.from(note.slice(0, note.length - signatures.length - 1));
  const lines = signatures.split('\n').slice(0, -1);
  const key = createPublicKey({
    key: Buffer.concat([ED25519_PREFIX, publicKey.bytes]),
    format: 'der',
    type: 'spki',
  });
  const signed = lines.some((line) => {
    const [, name, text] = /^\u2014 (\S+) (\S+)$/.exec(line) ?? [];
    const bytes = text === undefined ? null : decodeBase64(text);
    if (bytes === null || name !== publicKey.name) return false;
    if (!bytes.subarray(0, 4).equals(publicKey.id)) return false;
    return verify(null, body, key, bytes.subarray(4));
  });
  if (!signed) return { ok: false, problem: `not signed by ${publicKey.text}` };
  return { ok: true, head: { size: Number(size), root, signatures: lines.length } };
}

export function splitHeads(text) {
  const notes = [];
  let end = 0;
  ONE_HEAD.lastIndex = 0;
  for (let match = ONE_HEAD.exec(text); match !== null; match = ONE_HEAD.exec(text)) {
    end = ONE_HEAD.lastIndex;
    notes.push(match[0].endsWith('\n\n') ? match[0].slice(0, -1) : match[0]);
  }
  return { notes, rest: text.slice(end) };
}

// --- the log ---

export function createLogVerifier({ publicKey: expectedKey = null, heads = [], check } = {}) {
  const range = createCompactRange();
  const lengthByRun = new Map();
  let lineNumber = 0;
  let header = null;
  let key = null;
  let headCount = 0;
  let sealed = -1;
  let given = [];

  const finding = (what, expected = null, actual = null, position = null) => ({
    line: lineNumber,
    position,
    what,
    expected,
    actual,
  });

  function readHeader(value) {
    if (!hasShape(value, ['type', 'v', 'origin', 'publicKey']) || value.type !== 'ccdash-log') {
      return finding('header', 'a line of type "ccdash-log"', null);
    }
    if (value.v !== 1) return finding('format version', '1', String(value.v));
    key = typeof value.publicKey === 'string' ? parsePublicKey(value.publicKey) : null;
    if (key === null) return finding('public key', 'a verifier key', String(value.publicKey));
    if (expectedKey !== null && value.publicKey !== expectedKey) {
      return finding('public key', expectedKey, value.publicKey);
    }
    if (value.origin !== key.name) return finding('origin', key.name, String(value.origin));
    header = value;
    for (const note of heads) {
      const opened = openHead(note, key);
      if (!opened.ok) return finding('given head', 'a head of this log', opened.problem);
      given.push(opened.head);
    }
    given.sort((a, b) => a.size - b.size);
    return compareGiven();
  }

  /** The heads given from outside that end where the log now ends. */
  function compareGiven() {
    while (given.length > 0 && given[0].size === range.size()) {
      const [head] = given.splice(0, 1);
      const root = range.root();
      if (!head.root.equals(root)) {
        const position = head.size === 0 ? null : head.size - 1;
        return finding(
          `root at given head of size ${head.size}`,
          head.root.toString('base64'),
          root.toString('base64'),
          position,
        );
      }
    }
    return null;
  }

  function readEvent(value) {
    const position = range.size();
    const bad = (what, expected, actual) => finding(what, expected, actual, position);
    if (!hasShape(value, ['type', 'body', 'leaf']) || typeof value.body !== 'string') {
      return bad('entry', 'the fields type, body and leaf', null);
    }
    const leaf = leafHash(Buffer.from(value.body));
    if (value.leaf !== leaf.toString('base64')) {
      return bad('leaf hash', leaf.toString('base64'), String(value.leaf));
    }
    const event = parseJson(value.body);
    if (!isObject(event)) return bad('body', 'a JSON object', null);
    if (event.v !== 1) return bad('event version', '1', String(event.v));
    if (event.position !== position) return bad('position', `${position}`, `${event.position}`);
    if (event.runId === null) {
      if (event.sequence !== null) return bad('sequence', 'null', `${event.sequence}`);
    } else if (typeof event.runId === 'string') {
      const sequence = lengthByRun.get(event.runId) ?? 0;
      if (event.sequence !== sequence) {
        return bad(`sequence in run ${event.runId}`, `${sequence}`, `${event.sequence}`);
      }
      lengthByRun.set(event.runId, sequence + 1);
    } else {
      return bad('run id', 'a string or null', String(event.runId));
    }
    const problem = check?.(event) ?? null;
    if (problem !== null) return bad(problem, null, null);
    range.append(leaf);
    return compareGiven();
  }

  function readHead(value) {
    const position = range.size() === 0 ? null : range.size() - 1;
    const bad = (what, expected, actual) => finding(what, expected, actual, position);
    if (!hasShape(value, ['type', 'n', 'note']) || typeof value.note !== 'string') {
      return bad('head', 'the fields type, n and note', null);
    }
    if (value.n !== headCount) return bad('head number', `${headCount}`, `${value.n}`);
    const opened = openHead(value.note, key);
    if (!opened.ok) return bad('head', 'a head signed by the key of the log', opened.problem);
    const { head } = opened;
    if (head.signatures !== 1) return bad('signatures of head', '1', `${head.signatures}`);
    if (head.size !== range.size()) return bad('size of head', `${range.size()}`, `${head.size}`);
    const root = range.root();
    if (!head.root.equals(root)) {
      return bad('root of head', head.root.toString('base64'), root.toString('base64'));
    }
    if (head.size <= sealed) return bad('size of head', `more than ${sealed}`, `${head.size}`);
    headCount += 1;
    sealed = head.size;
    return null;
  }

  return {
    line(text) {
      lineNumber += 1;
      const value = parseJson(text);
      // Written one way only: no spelling of a line but the exporter's passes.
      if (!isObject(value) || JSON.stringify(value) !== text) {
        return finding('line', 'compact JSON as the exporter writes it', preview(text));
      }
      if (header === null) return readHeader(value);
      if (value.type === 'event') return readEvent(value);
      if (value.type === 'head') return readHead(value);
      return finding('type of line', 'event or head', String(value.type));
    },
    end() {
      lineNumber += 1;
      const size = range.size();
      if (header === null) return finding('end of file', 'a header', null);
      if (given.length > 0) {
        const [head] = given;
        return finding('size', `at least ${head.size}, as the given head says`, `${size}`, size);
      }
      if (sealed !== size) {
        return finding('end of file', `a signed head of size ${size}`, null, size);
      }
      return null;
    },
    summary: () => ({
      size: range.size(),
      root: range.root().toString('base64'),
      heads: headCount,
      origin: header?.origin ?? '',
      publicKey: header?.publicKey ?? '',
    }),
  };
}

function keyIdOf(name, bytes) {
  const hash = createHash('sha256').update(`${name}\n`).update(ED25519_TYPE).update(bytes);
  return hash.digest().subarray(0, 4);
}

/** null for anything that Buffer would decode but no encoder writes. */
function decodeBase64(text) {
  if (!BASE64.test(text)) return null;
  const bytes = Buffer.from(text, 'base64');
  return bytes.toString('base64') === text ? bytes : null;
}

function parseJson(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // every caller reports what is no JSON object
  }
}

function isObject(value) {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function hasShape(value, keys) {
  return Object.keys(value).join() === keys.join();
}

function preview(text) {
  return text.length <= 60 ? text : `${text.slice(0, 60)}…`;
}

// --- command line ---

/**
 * Lines of a file, split at line feeds only: readline would also split at U+2028, which JSON strings may hold.
 * A last line without its line feed comes as `{ cut: true }`.
 */
async function* linesOf(path) {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  let parts = [];
  let held = 0;
  const take = () => {
    const bytes = Buffer.concat(parts, held);
    parts = [];
    held = 0;
    try {
      return { text: decoder.decode(bytes) };
    } catch {
      return { problem: 'not UTF-8' };
    }
  };
  for await (const chunk of createReadStream(path)) {
    let start = 0;
    for (let end = chunk.indexOf(10); end !== -1; end = chunk.indexOf(10, start)) {
      parts.push(chunk.subarray(start, end));
      held += end - start;
      yield take();
      start = end + 1;
    }
    parts.push(chunk.subarray(start));
    held += chunk.length - start;
    if (held > MAX_LINE_BYTES) yield { problem: `line longer than ${MAX_LINE_BYTES} bytes` };
  }
  if (held > 0) yield { problem: 'last line is cut off' };
}

async function verifyFile(path, options) {
  const verifier = createLogVerifier(options);
  let line = 0;
  for await (const { text, problem } of linesOf(path)) {
    line += 1;
    if (problem !== undefined) {
      return { line, position: null, what: problem, expected: null, actual: null };
    }
    const found = verifier.line(text);
    if (found !== null) return found;
  }
  return verifier.end() ?? verifier.summary();
}

export function formatFinding({ line, position, what, expected, actual }) {
  const where = position === null ? `line ${line}` : `line ${line}, position ${position}`;
  const want = expected === null ? '' : `; expected ${expected}`;
  const got = actual === null ? '' : `; found ${actual}`;
  return `${where}: ${what}${want}${got}`;
}

const USAGE = 'usage: node verify-log.mjs FILE [--public-key KEY] [--head FILE]…';

function parseArguments(args) {
  const options = { file: null, publicKey: null, heads: [] };
  for (let i = 0; i < args.length; i += 1) {
    const arg = args[i];
    if (arg === '--public-key' || arg === '--head') {
      const value = args[(i += 1)];
      if (value === undefined) throw new Error(`${arg} needs a value`);
      if (arg === '--head') options.heads.push(...readHeads(value));
      else if (parsePublicKey(value) === null) throw new Error(`not a verifier key: ${value}`);
      else options.publicKey = value;
    } else if (arg.startsWith('--')) {
      throw new Error(`unknown option ${arg}`);
    } else if (options.file !== null) {
      throw new Error(`one file at a time, not also ${arg}`);
    } else {
      options.file = arg;
    }
  }
  if (options.file === null) throw new Error('which file?');
  return options;
}

function readHeads(path) {
  const { notes, rest } = splitHeads(readFileSync(path, 'utf8'));
  if (notes.length === 0 || rest.trim() !== '') throw new Error(`${path} is not a file of heads`);
  return notes;
}

async function main(args) {
  let options;
  let result;
  try {
    options = parseArguments(args);
    result = await verifyFile(options.file, options);
  } catch (error) {
    process.stderr.write(`${error.message}\n${USAGE}\n`);
    return 2;
  }
  if ('what' in result) {
    process.stdout.write(`bad: ${formatFinding(result)}\n`);
    return 1;
  }
  const { size, root, heads } = result;
  process.stdout.write(`ok: size ${size}, root ${root}, heads ${heads}\n`);
  if (options.publicKey === null) {
    process.stderr.write(
      `Signed by the key that the file itself names: ${result.publicKey}\n` +
        'Pass --public-key to hold it against the one you trust.\n',
    );
  }
  return 0;
}

/** Only under its own name: bundled into a program, this file is a library. */
function isProgram() {
  const here = fileURLToPath(import.meta.url);
  const started = process.argv[1];
  return started !== undefined && here.endsWith('verify-log.mjs') && realpathSync(started) === here;
}

if (isProgram()) process.exitCode = await main(process.argv.slice(2));
