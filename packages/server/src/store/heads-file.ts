/**
 * The signed heads as text beside the database, one C2SP checkpoint after the other, a blank line after each.
 * Written after the transaction that made the head, so it never says more than the database did; a database that
 * says less than this file was truncated or replaced.
 */
import {
  closeSync,
  existsSync,
  fsyncSync,
  openSync,
  readFileSync,
  readSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { splitHeads } from '../../assets/verify-log.mjs';
import { replaceFileDurably } from './durable-file.ts';

const MAX_ORIGIN_BYTES = 256;

/** The file of heads that belongs to the database at `logPath`. */
export function headsPathOf(logPath: string): string {
  return join(dirname(logPath), 'heads');
}

export interface HeadsFile {
  /** On the disk when it returns. After an error that is thrown, the next call writes over what was left half done. */
  append(notes: readonly string[]): void;
  close(): void;
}

/** `isTorn`: the last append was cut off by a crash. `isDamaged`: something else is wrong with the file. */
export interface HeadsRead {
  readonly notes: readonly string[];
  readonly isTorn: boolean;
  readonly isDamaged: boolean;
}

/** What is in the file; a missing file is an empty one. Errors of the disk are thrown. */
export function readHeadsFile(path: string): HeadsRead {
  if (!existsSync(path)) return { notes: [], isTorn: false, isDamaged: false };
  const text = readFileSync(path, 'utf8');
  const { notes, rest } = splitHeads(text);
  const isWhole = text === notesToText(notes);
  // A whole head after what is none: that was no crash.
  return { notes, isTorn: !isWhole, isDamaged: /\n\n\u2014 .*\n/.test(rest) };
}

/**
 * The name that the log at `logPath` has in its heads, as the first of them says; null where there is none to read.
 * Says nothing about whether that head is right: whoever opens the log looks at that.
 */
export function originInHeads(logPath: string): string | null {
  const start = Buffer.alloc(MAX_ORIGIN_BYTES);
  let file: number | null = null;
  try {
    file = openSync(headsPathOf(logPath), 'r');
    const read = readSync(file, start, 0, start.length, 0);
    return /^([\w./-]+)\n/.exec(start.toString('latin1', 0, read))?.[1] ?? null;
  } catch (error) {
    // Not there yet, or not to be read: opening the log meets the same, and says so.
    if (error instanceof Error && 'code' in error) return null;
    throw error;
  } finally {
    if (file !== null) closeSync(file);
  }
}

/**
 * Opens for appending the file that was `read`, once it also holds the notes in `added` and nothing half written.
 * Errors of the disk are thrown.
 */
export function openHeadsFile(path: string, read: HeadsRead, added: readonly string[]): HeadsFile {
  const text = notesToText([...read.notes, ...added]);
  if (read.isTorn || added.length > 0 || !existsSync(path)) replaceFileDurably(path, text);
  const file = openSync(path, 'r+');
  let length = Buffer.byteLength(text);
  return {
    append(notes) {
      const bytes = Buffer.from(notesToText(notes));
      for (let done = 0; done < bytes.length;) {
        done += writeSync(file, bytes, done, bytes.length - done, length + done);
      }
      fsyncSync(file);
      length += bytes.length;
    },
    close: () => closeSync(file),
  };
}

function notesToText(notes: readonly string[]): string {
  return notes.map((note) => `${note}\n`).join('');
}
