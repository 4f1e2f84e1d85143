/**
 * Reads the YAML of a plan file: one document of mappings, lists and plain values. What makes YAML hard to read or
 * dangerous to expand (anchors, aliases, merge keys, tags, directives) is refused where it stands.
 */
import { Composer, Parser, isAlias, isMap, isScalar, isSeq } from 'yaml';
import type { CST, Document, ParsedNode, YAMLError, YAMLMap } from 'yaml';
import { listed } from './problem.ts';
import type { Finding, Position } from './problem.ts';

export const MAX_PLAN_BYTES = 1_000_000;
const MAX_DEPTH = 40;
const FORBIDDEN_KEYS: readonly string[] = ['__proto__', 'constructor', 'prototype'];
/** What makes text look different from what it is; halves of characters; and NUL, which no program can be given. */
// eslint-disable-next-line no-control-regex -- NUL is what it looks for.
const FORBIDDEN_CHARACTER = /[\u0000\u202a-\u202e\u2066-\u2069\p{Cs}]/u;

export type ValuePath = readonly (string | number)[];

/** A plan file's text, and where things stand in it. */
export interface PlanSource {
  readonly file: string;
  readonly text: string;
  /** Where the value at `path` begins; of what does not exist, where the nearest thing around it begins. */
  positionOf(path: ValuePath): Position;
  /** Where the last key of `path` stands. */
  positionOfKey(path: ValuePath): Position;
  /**
   * Finds parts of the text at `path`: each call looks behind the part that was found before. Gives the place where
   * the text begins for what the file writes differently (escaped, or over several lines).
   */
  createPartFinder(path: ValuePath): (part: string) => Position;
}

export interface YamlReading {
  readonly source: PlanSource;
  /** Plain data; undefined when it could not be read at all. */
  readonly value: unknown;
  readonly findings: readonly Finding[];
  /** Values that were refused: what else is wrong with them is not worth saying. */
  readonly refused: readonly ValuePath[];
}

/** Reads `text`. Never throws; with a syntax error `value` is undefined. */
export function readYaml(text: string, file: string): YamlReading {
  const unmarked = text.startsWith('\ufeff') ? text.slice(1) : text;
  const positionAt = createPositions(unmarked);
  const failed = (findings: readonly Finding[]): YamlReading => ({
    source: createSource(file, unmarked, undefined, positionAt),
    value: undefined,
    findings,
    refused: [],
  });
  const start = { line: 1, column: 1 };
  if (new TextEncoder().encode(unmarked).length > MAX_PLAN_BYTES) {
    return failed([
      {
        type: 'FileTooLarge',
        detail: `A plan file holds at most ${MAX_PLAN_BYTES} bytes.`,
        hint: 'Move long prompts to files of their own: `prompt: { file: … }`.',
        at: start,
      },
    ]);
  }

  const tokens = [...new Parser().parse(unmarked)];
  const deep = findDeepToken(tokens);
  if (deep !== undefined) return failed([tooDeep(positionAt(deep))]);
  const documents = [
    ...new Composer({
      version: '1.2',
      schema: 'core',
      prettyErrors: false,
      stringKeys: true,
      // Its check compares every key with every other one; ours below does not.
      uniqueKeys: false,
    }).compose(tokens, true, unmarked.length),
  ];
  const errors = documents.flatMap((document) => document.errors);
  if (errors.length > 0) return failed(syntaxFindings(errors, positionAt));

  const findings: Finding[] = [];
  for (const token of tokens) {
    if (token.type !== 'directive') continue;
    findings.push({
      type: 'YamlFeature',
      detail: 'Lines that begin with `%` are directives, which could change how the file is read.',
      hint: 'Leave the directive out.',
      at: positionAt(token.offset),
    });
  }
  const [document, second] = documents;
  if (second !== undefined) {
    findings.push({
      type: 'MultipleDocuments',
      detail: 'A plan is one YAML document; another one begins here.',
      hint: 'Remove the line `---` or `...` between them, or put the other plan in a file of its own.',
      at: positionAt(second.range[0]),
    });
  }
  const root = document?.contents ?? null;
  if (root === null || (isScalar(root) && root.value === null)) {
    return failed([
      {
        type: 'EmptyFile',
        detail: 'There is no plan in this file.',
        hint: 'Start with `version: 1`, `name:` and `steps:`; `ccdash init` writes an example.',
        at: start,
      },
    ]);
  }
  const refused: ValuePath[] = [];
  const value = nodeToValue(root, [], { findings, refused, positionAt });
  return { source: createSource(file, unmarked, document, positionAt), value, findings, refused };
}

/** Counts lines itself: the library's counter misses line ends that its parser passes over as a whole. */
function createPositions(text: string): (offset: number) => Position {
  const starts = [0];
  for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', end + 1)) {
    starts.push(end + 1);
  }
  return (offset) => {
    const place = Math.min(Math.max(offset, 0), text.length);
    let low = 0;
    let high = starts.length - 1;
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if ((starts[middle] ?? 0) <= place) low = middle;
      else high = middle - 1;
    }
    return { line: low + 1, column: place - (starts[low] ?? 0) + 1 };
  };
}

const SYNTAX_HINTS: Readonly<Record<string, string>> = {
  TAB_AS_INDENT: 'Indent with spaces.',
  BLOCK_AS_IMPLICIT_KEY: 'Text that holds `: ` needs quotes, or a block that begins with `|`.',
  MISSING_CHAR: 'Close the quote or bracket that was opened before.',
  BAD_INDENT: 'Line it up with the lines around it.',
  BAD_SCALAR_START: 'Text that begins with this character needs quotes.',
  BAD_ALIAS: 'Text that begins with `*` or `&` needs quotes.',
  NON_STRING_KEY: 'Write a plain word before the colon.',
};

/** One finding a line: what follows an error on its line is mostly its echo. */
function syntaxFindings(
  errors: readonly YAMLError[],
  positionAt: (offset: number) => Position,
): readonly Finding[] {
  const byLine = new Map<number, Finding>();
  for (const error of errors) {
    const at = positionAt(error.pos[0]);
    if (error.code === 'RESOURCE_EXHAUSTION') return [tooDeep(at)];
    if (byLine.has(at.line)) continue;
    byLine.set(at.line, {
      type: 'YamlSyntax',
      detail: `${error.message.replace(/\.$/, '')}.`,
      hint: SYNTAX_HINTS[error.code] ?? 'Correct the YAML here; nothing else was checked yet.',
      at,
    });
  }
  return [...byLine.values()];
}

function tooDeep(at: Position): Finding {
  return {
    type: 'NestedTooDeeply',
    detail: `Lists and mappings are nested more than ${MAX_DEPTH} deep.`,
    hint: 'No field of a plan needs that: check the brackets and the indentation.',
    at,
  };
}

/** Offset of the first thing that is nested too deeply: the composer would go down to it by recursion. */
function findDeepToken(tokens: readonly CST.Token[]): number | undefined {
  const open = tokens.map((token) => ({ token, depth: 0 }));
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { token, depth } = next;
    // The document itself, and a mapping inside a list item on one line, count as levels too.
    if (depth > MAX_DEPTH + 2) return token.offset;
    const below: (CST.Token | null | undefined)[] = [];
    if (token.type === 'document') below.push(token.value);
    else if ('items' in token) {
      for (const item of token.items) below.push(item.key, item.value);
    }
    for (const child of below) {
      if (child !== null && child !== undefined) open.push({ token: child, depth: depth + 1 });
    }
  }
  return undefined;
}

interface Reading {
  readonly findings: Finding[];
  readonly refused: ValuePath[];
  readonly positionAt: (offset: number) => Position;
}

function nodeToValue(node: ParsedNode | null, path: ValuePath, reading: Reading): unknown {
  if (node === null) return null;
  const { findings, refused, positionAt } = reading;
  const at = positionAt(node.range[0]);
  const refuse = (type: Finding['type'], detail: string, hint: string): void => {
    findings.push({ type, detail, hint, at });
    refused.push(path);
  };
  if (path.length > MAX_DEPTH) {
    findings.push(tooDeep(at));
    refused.push(path);
    return null;
  }
  if (isAlias(node)) {
    refuse('YamlFeature', 'Plans do not have aliases (`*name`).', 'Write the value out here.');
    return null;
  }
  if (node.anchor !== undefined) {
    const hint = 'Remove it, and write the value out wherever it is needed.';
    findings.push({
      type: 'YamlFeature',
      detail: 'Plans do not have anchors (`&name`).',
      hint,
      at,
    });
  }
  if (node.tag !== undefined) {
    refuse('YamlFeature', 'Plans do not have tags (`!name`).', 'Remove the tag.');
  }
  if (isMap(node)) return mapToValue(node, path, reading);
  if (isSeq(node)) {
    return node.items.map((item, index) =>
      nodeToValue(item as ParsedNode | null, [...path, index], reading),
    );
  }
  if (!isScalar(node)) return null;
  if (typeof node.value === 'string') checkText(node.value, refuse);
  return node.value;
}

function checkText(
  value: string,
  refuse: (type: Finding['type'], detail: string, hint: string) => void,
): void {
  const found = FORBIDDEN_CHARACTER.exec(value)?.[0];
  if (found === undefined) return;
  const code = (found.codePointAt(0) ?? 0).toString(16).padStart(4, '0').toUpperCase();
  refuse(
    'ForbiddenText',
    `The text holds the character U+${code}, which cannot be seen.`,
    'Remove it: a plan must be what it looks like.',
  );
}

function mapToValue(map: YAMLMap.Parsed, path: ValuePath, reading: Reading): unknown {
  const value: Record<string, unknown> = {};
  for (const pair of map.items) {
    const key = isScalar(pair.key) ? String(pair.key.value) : '';
    const at = reading.positionAt(pair.key.range[0]);
    if (FORBIDDEN_KEYS.includes(key)) {
      reading.findings.push({
        type: 'ForbiddenKey',
        detail: `\`${key}\` is not allowed as a key.`,
        hint: `Choose another name: ${listed(FORBIDDEN_KEYS)} have a meaning of their own in programs.`,
        at,
      });
    } else if (key === '<<') {
      reading.findings.push({
        type: 'YamlFeature',
        detail: 'Plans do not have merge keys (`<<`).',
        hint: 'Write the fields out here.',
        at,
      });
    } else if (Object.hasOwn(value, key)) {
      reading.findings.push({
        type: 'DuplicateKey',
        detail: `\`${key}\` is given twice in the same mapping; only one of them could count.`,
        hint: 'Keep one of them.',
        at,
      });
    } else {
      checkText(key, (type, detail, hint) => reading.findings.push({ type, detail, hint, at }));
      value[key] = nodeToValue(pair.value, [...path, key], reading);
    }
  }
  return value;
}

function createSource(
  file: string,
  text: string,
  document: Document.Parsed | undefined,
  positionAt: (offset: number) => Position,
): PlanSource {
  const lookUp = createLookUp(document?.contents ?? null);
  return {
    file,
    text,
    positionOf: (path) => {
      const { key, value } = lookUp(path);
      // An empty value has no place of its own: its key has.
      const empty = value === null || value.range[0] === value.range[1];
      return positionAt((empty ? key : value.range[0]) ?? 0);
    },
    positionOfKey: (path) => positionAt(lookUp(path).key ?? 0),
    createPartFinder: (path) => {
      const [start, end] = lookUp(path).value?.range ?? [0, 0];
      let from = start;
      return (part) => {
        const offset = text.indexOf(part, from);
        if (offset < 0 || offset >= end) return positionAt(start);
        from = offset + part.length;
        return positionAt(offset);
      };
    },
  };
}

interface Place {
  readonly value: ParsedNode | null;
  /** Offset of the key, or of the list item, that leads to it. */
  readonly key: number | null;
}

/** Follows paths; a mapping's keys are gone through once, however often it is asked. */
function createLookUp(root: ParsedNode | null): (path: ValuePath) => Place {
  const pairsByMap = new Map<YAMLMap.Parsed, ReadonlyMap<string, Place>>();
  const childOf = (node: ParsedNode | null, segment: string | number): Place | undefined => {
    if (isSeq(node)) {
      const item = typeof segment === 'number' ? node.items[segment] : undefined;
      return item === undefined ? undefined : { value: item, key: item.range[0] };
    }
    if (!isMap(node)) return undefined;
    let pairs = pairsByMap.get(node);
    if (pairs === undefined) {
      pairs = placesInMap(node);
      pairsByMap.set(node, pairs);
    }
    return pairs.get(String(segment));
  };
  return (path) => {
    let place: Place = { value: root, key: root?.range[0] ?? null };
    for (const segment of path) {
      const next = childOf(place.value, segment);
      if (next === undefined) return place;
      place = next;
    }
    return place;
  };
}

function placesInMap(map: YAMLMap.Parsed): ReadonlyMap<string, Place> {
  const places = new Map<string, Place>();
  for (const { key, value } of map.items) {
    const name = isScalar(key) ? String(key.value) : '';
    if (!places.has(name)) places.set(name, { value, key: key.range[0] });
  }
  return places;
}
