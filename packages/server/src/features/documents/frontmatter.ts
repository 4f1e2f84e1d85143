/**
 * The YAML between the fences at the top of a markdown file.
 *
 * It comes from anybody who can change the repository: no tag means anything, nothing is evaluated, aliases and depth
 * are bounded. Every scalar stays the text it is, so that the commit `3751e95` does not become a number.
 */
import { LineCounter, isAlias, isMap, isScalar, isSeq, parseDocument } from 'yaml';
import type { Document } from 'yaml';

export type Value = string | null | readonly Value[] | ValueMap;
/** Without a prototype: a key of it is never anything but what the file holds. */
export interface ValueMap {
  readonly [key: string]: Value;
}

/** 1-based, in the file. */
export interface DocumentProblem {
  readonly line: number;
  readonly column: number;
  readonly detail: string;
}

export interface Frontmatter {
  readonly values: ValueMap;
  readonly problem: DocumentProblem | null;
  /** What follows the closing fence. */
  readonly body: string;
}

const OPENING = /^\uFEFF?---[ \t]*\r?\n/;
const CLOSING = /^---[ \t]*\r?$/m;
const MAX_CHARACTERS = 64 * 1024;
const MAX_VALUES = 20_000;
const MAX_DEPTH = 32;

/** A file without frontmatter has no values and no problem; a broken one has its first mistake and no values. */
export function readFrontmatter(text: string): Frontmatter {
  const opening = OPENING.exec(text)?.[0];
  if (opening === undefined) return { values: emptyMap(), problem: null, body: text };
  const rest = text.slice(opening.length);
  const closing = CLOSING.exec(rest);
  if (closing === null) {
    // Without a key it is a line across the page.
    if (!/^[\w"'-]+[ \t]*:/.test(rest)) return { values: emptyMap(), problem: null, body: text };
    return broken(1, 1, 'the frontmatter is never closed; end it with a line `---`', '');
  }
  const source = rest.slice(0, closing.index);
  const body = rest.slice(closing.index + closing[0].length);
  if (source.length > MAX_CHARACTERS) {
    return broken(1, 1, `the frontmatter is longer than ${MAX_CHARACTERS} characters`, body);
  }
  const lines = new LineCounter();
  const place = (offset: number): readonly [line: number, column: number] => {
    const { line, col } = lines.linePos(offset);
    return [line + 1, col];
  };
  try {
    const document = parseDocument(source, {
      schema: 'failsafe',
      lineCounter: lines,
      prettyErrors: false,
      logLevel: 'silent',
      // Looked at below: the parser compares each key with each other.
      uniqueKeys: false,
    });
    const [fault] = document.errors;
    if (fault !== undefined) return broken(...place(fault.pos[0]), fault.message, body);
    const values = createReader(document)(document.contents, 0);
    if (values === null) return { values: emptyMap(), problem: null, body };
    if (typeof values !== 'object' || isList(values)) {
      return broken(2, 1, 'the frontmatter is no list of `key: value`', body);
    }
    return { values, problem: null, body };
  } catch (error) {
    if (error instanceof ValueFault) return broken(...place(error.offset), error.message, body);
    // The parser recurses: a file of nothing but brackets ends its stack.
    if (error instanceof RangeError) return broken(2, 1, 'the values are nested too deep', body);
    throw error;
  }
}

export function isList(value: Value | undefined): value is readonly Value[] {
  return Array.isArray(value);
}

export function isValueMap(value: Value | undefined): value is ValueMap {
  return typeof value === 'object' && value !== null && !isList(value);
}

class ValueFault extends Error {
  readonly offset: number;

  constructor(offset: number, detail: string) {
    super(detail);
    this.offset = offset;
  }
}

const NULLS: readonly string[] = ['', '~', 'null', 'Null', 'NULL'];

function createReader(document: Document): (node: unknown, depth: number) => Value {
  let left = MAX_VALUES;
  const read = (node: unknown, depth: number): Value => {
    const offset = offsetOf(node);
    left -= 1;
    if (left < 0) throw new ValueFault(offset, `more than ${MAX_VALUES} values`);
    if (depth > MAX_DEPTH) throw new ValueFault(offset, 'the values are nested too deep');
    if (isAlias(node)) return read(node.resolve(document), depth + 1);
    if (isScalar(node)) {
      const text = typeof node.value === 'string' ? node.value : '';
      return (node.type ?? 'PLAIN') === 'PLAIN' && NULLS.includes(text) ? null : text;
    }
    if (isSeq(node)) return node.items.map((item) => read(item, depth + 1));
    if (!isMap(node)) return null;
    const map: Record<string, Value> = emptyMap();
    for (const { key, value } of node.items) {
      const name = read(key, depth + 1);
      if (typeof name !== 'string') continue;
      if (name in map)
        throw new ValueFault(offsetOf(key), `${JSON.stringify(name)} is there twice`);
      map[name] = read(value, depth + 1);
    }
    return map;
  };
  return read;
}

function offsetOf(node: unknown): number {
  const range = (node as { readonly range?: readonly number[] | null } | null)?.range;
  return range?.[0] ?? 0;
}

function emptyMap(): Record<string, Value> {
  return Object.create(null) as Record<string, Value>;
}

function broken(line: number, column: number, detail: string, body: string): Frontmatter {
  const [first = detail] = detail.split('\n');
  return { values: emptyMap(), problem: { line, column, detail: first }, body };
}
