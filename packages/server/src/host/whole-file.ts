/** Small files that are there whole or not at all. */
import {
  closeSync,
  fsyncSync,
  linkSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';

import { isErrno } from '../base/process-identity.ts';

let counter = 0;

/** Replaces `path`; readers see the old text or the new one. Not durable by itself. */
export function replaceFile(path: string, text: string): void {
  const temporary = writeTemporary(path, text, false);
  renameSync(temporary, path);
}

/** Makes `path` with `text`, durably, unless it exists. Of several who try at once exactly one gets `true`. */
export function createFileOnce(path: string, text: string): boolean {
  const temporary = writeTemporary(path, text, true);
  try {
    // Unlike opening with `wx`, nobody ever sees the file without its text.
    linkSync(temporary, path);
  } catch (error) {
    if (isErrno(error, 'EEXIST')) return false;
    throw error;
  } finally {
    rmSync(temporary);
  }
  syncFolder(dirname(path));
  return true;
}

/** null when there is no such file. */
export function readIfExists(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return null;
    throw error;
  }
}

function writeTemporary(path: string, text: string, durable: boolean): string {
  counter += 1;
  const temporary = `${path}.${process.pid}.${counter}`;
  const descriptor = openSync(temporary, 'wx', 0o600);
  try {
    writeSync(descriptor, text);
    if (durable) fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
  return temporary;
}

function syncFolder(dir: string): void {
  const descriptor = openSync(dir, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
