/**
 * Looks at files that a repository brings along. They may be hostile, so no symbolic link is followed below the project
 * folder, nothing but regular files is read, and never more than a stated size.
 */
import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readSync,
  readdirSync,
} from 'node:fs';
import { join } from 'node:path';

import { err, ok } from '@ccdash/core';
import type { Failure, Result } from '@ccdash/core';

export type EntryKind = 'absent' | 'file' | 'folder' | 'link' | 'other';

/** What is at `path` (relative to `projectDir`), without following a link there. Errors: Failure `unreadable`. */
export function kindOfProjectEntry(projectDir: string, path: string): Result<EntryKind, Failure> {
  try {
    const stats = lstatSync(join(projectDir, path), { throwIfNoEntry: false });
    if (stats === undefined) return ok('absent');
    if (stats.isSymbolicLink()) return ok('link');
    if (stats.isDirectory()) return ok('folder');
    return ok(stats.isFile() ? 'file' : 'other');
  } catch (error) {
    return unreadable(path, error);
  }
}

/**
 * The names in a folder of the project, sorted; null when it, or a folder on the way to it, does not exist.
 * `path` has `/` between its segments.
 * Errors: Failure `not_a_folder` when one of them is a link or a file; `unreadable`.
 */
export function listProjectFolder(
  projectDir: string,
  path: string,
): Result<readonly string[] | null, Failure> {
  const there = isProjectFolder(projectDir, path);
  if (!there.ok || !there.value) return there.ok ? ok(null) : there;
  try {
    return ok(readdirSync(join(projectDir, path)).sort());
  } catch (error) {
    return unreadable(path, error);
  }
}

/** Whether `path` and every folder on the way to it is a folder, and no link. Errors: as listProjectFolder. */
function isProjectFolder(projectDir: string, path: string): Result<boolean, Failure> {
  const segments = path.split('/');
  for (let depth = 1; depth <= segments.length; depth += 1) {
    const folder = segments.slice(0, depth).join('/');
    const kind = kindOfProjectEntry(projectDir, folder);
    if (!kind.ok) return kind;
    if (kind.value === 'absent') return ok(false);
    if (kind.value !== 'folder') {
      const message = `${folder} is ${ENTRY_WORDS[kind.value]}, not a folder.`;
      const hint = `Make ${folder} a folder, or remove it.`;
      return err({ code: 'not_a_folder', message, hint });
    }
  }
  return ok(true);
}

/**
 * The text of a file of the project; null when it, or a folder on the way to it, does not exist.
 * Errors: Failure `not_a_folder`, `not_a_file`, `too_large`, `not_text` (not UTF-8), `unreadable`.
 */
export function readProjectText(
  projectDir: string,
  path: string,
  maxBytes: number,
): Result<string | null, Failure> {
  const folder = path.split('/').slice(0, -1).join('/');
  if (folder !== '') {
    const there = isProjectFolder(projectDir, folder);
    if (!there.ok || !there.value) return there.ok ? ok(null) : there;
  }
  const kind = kindOfProjectEntry(projectDir, path);
  if (!kind.ok) return kind;
  if (kind.value === 'absent') return ok(null);
  if (kind.value !== 'file') {
    const message = `${path} is ${ENTRY_WORDS[kind.value]}, not a regular file.`;
    return refuse('not_a_file', message, path);
  }
  try {
    const bytes = readAtMost(join(projectDir, path), maxBytes);
    if (bytes === null) {
      return refuse('too_large', `${path} is larger than ${maxBytes} bytes.`, path);
    }
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
    try {
      return ok(text.decode(bytes));
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
      return refuse('not_text', `${path} is not UTF-8 text.`, path);
    }
  } catch (error) {
    return unreadable(path, error);
  }
}

const ENTRY_WORDS = {
  file: 'a file',
  folder: 'a folder',
  link: 'a symbolic link',
  other: 'a special file',
} as const;

/** null when the file has more than `maxBytes`. A link put there since it was looked at is not followed. */
function readAtMost(file: string, maxBytes: number): Uint8Array | null {
  const descriptor = openSync(
    file,
    constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK,
  );
  try {
    const { size } = fstatSync(descriptor);
    if (size > maxBytes) return null;
    let buffer = new Uint8Array(size + 1);
    let length = 0;
    let read = 1;
    while (read > 0 && length <= maxBytes) {
      if (length === buffer.length) {
        // It grows while it is read.
        const longer = new Uint8Array(Math.min(2 * length, maxBytes + 1));
        longer.set(buffer);
        buffer = longer;
      }
      read = readSync(descriptor, buffer, length, buffer.length - length, null);
      length += read;
    }
    return length > maxBytes ? null : buffer.subarray(0, length);
  } finally {
    closeSync(descriptor);
  }
}

function refuse(code: string, message: string, path: string): Result<never, Failure> {
  return err({ code, message, hint: `Put a small text file at ${path}, or remove it.` });
}

function unreadable(path: string, error: unknown): Result<never, Failure> {
  if (!(error instanceof Error && 'code' in error)) throw error;
  const hint = `Make ${path} readable for the user who runs the workbench.`;
  return err({
    code: 'unreadable',
    message: `${path} cannot be read (${String(error.code)}).`,
    hint,
  });
}
