import { stripVTControlCharacters } from 'node:util';

const TAIL_LINES = 40;
const LONGEST_LINE = 1000;
/** Enough for the last lines unless they are absurdly long. */
const KEPT_BYTES = 64 * 1024;

export interface OutputTail {
  push(chunk: Buffer): void;
  /** The last lines as a person may safely read them: no escape sequences, no control or direction characters. */
  lines(): readonly string[];
}

export function createOutputTail(): OutputTail {
  let kept: Buffer = Buffer.alloc(0);
  let cut = false;
  return {
    push: (chunk) => {
      cut ||= kept.length + chunk.length > KEPT_BYTES;
      kept = Buffer.concat([kept, chunk.subarray(-KEPT_BYTES)]);
      // A copy, so that the whole of a big chunk is not held by a piece of it.
      if (kept.length > KEPT_BYTES) kept = Buffer.from(kept.subarray(-KEPT_BYTES));
    },
    lines: () => {
      const text = kept.toString('utf8');
      const lines = (cut ? text.slice(text.indexOf('\n') + 1) : text).split('\n');
      if (lines.at(-1) === '') lines.pop();
      return lines.slice(-TAIL_LINES).map(readable);
    },
  };
}

function readable(line: string): string {
  const plain = stripVTControlCharacters(line)
    .replace(/\r$/, '')
    // A line that a program drew over itself shows what it drew last.
    .replace(/^.*\r/s, '')
    // eslint-disable-next-line no-control-regex -- these are what must go
    .replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g, '');
  return plain.length > LONGEST_LINE ? `${plain.slice(0, LONGEST_LINE)}…` : plain;
}
