/** Reads files that the work of a step may have written, so: never through a link that leads out. */
import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readSync,
  realpathSync,
} from 'node:fs';
import { join } from 'node:path';
import ignore from 'ignore';
import { ok } from '@ccdash/core';
import type { Failure, Result } from '@ccdash/core';
import { bytesToText, textToBytes } from './byte-path.ts';
import { plainPath } from './relative-path.ts';
import { scanTree } from './scan-tree.ts';
import type { ScanOptions } from './scan-tree.ts';
import { isSystemError, refuse } from './workspace-failure.ts';

/**
 * The bytes of a regular file. A link is followed when what it leads to lies in the work tree.
 * Errors: Failure `invalid_path`, `file_missing`, `leads_out`, `not_a_file`, `too_large`, `unreadable`.
 */
export function readWorkspaceFile(
  tree: string,
  path: string,
  maxBytes: number,
): Result<Uint8Array, Failure> {
  const plain = plainPath(path);
  if (!plain.ok) {
    const message = `${JSON.stringify(path)} ${plain.error}.`;
    return refuse('invalid_path', message, 'Name a file by its path from the root of the project.');
  }
  const root = realpathSync(tree);
  let descriptor: number;
  let file: string;
  try {
    file = realpathSync(join(root, plain.value));
    if (!file.startsWith(`${root}/`)) return leadsOut(path);
    descriptor = openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    return openingToFailure(error, path);
  }
  try {
    const stats = fstatSync(descriptor);
    if (!stats.isFile()) return notAFile(path);
    // What was opened is what lies there without any link on the way, whatever was swapped in between.
    const seen = lstatSync(file, { throwIfNoEntry: false });
    if (seen?.ino !== stats.ino || seen.dev !== stats.dev || realpathSync(file) !== file) {
      return leadsOut(path);
    }
    if (stats.size > maxBytes) return tooLarge(path, maxBytes);
    const bytes = readAtMost(descriptor, maxBytes);
    return bytes === null ? tooLarge(path, maxBytes) : ok(bytes);
  } catch (error) {
    return openingToFailure(error, path);
  } finally {
    closeSync(descriptor);
  }
}

/**
 * What matches `globs`, sorted; not in the folders that checkpoints leave out. Links and pipes are among it: whoever
 * reads them hears why they cannot be read, and they do not go missing without a word.
 */
export async function matchWorkspaceFiles(
  tree: string,
  globs: readonly string[],
  options: ScanOptions,
): Promise<readonly string[]> {
  const matcher = ignore({ ignorecase: false }).add([...globs]);
  const { files, special } = await scanTree(textToBytes(tree), options);
  return [...files.map(({ path }) => path), ...special]
    .map(bytesToText)
    .filter((path) => matcher.ignores(path))
    .sort();
}

/** null when there are more than `maxBytes`; reads what is there now, whatever size was stated before. */
function readAtMost(descriptor: number, maxBytes: number): Uint8Array | null {
  const chunks: Buffer[] = [];
  let length = 0;
  while (true) {
    const chunk = Buffer.allocUnsafe(64 * 1024);
    const read = readSync(descriptor, chunk, 0, chunk.length, null);
    if (read === 0) return Buffer.concat(chunks);
    length += read;
    if (length > maxBytes) return null;
    chunks.push(chunk.subarray(0, read));
  }
}

function openingToFailure(error: unknown, path: string): Result<never, Failure> {
  if (isSystemError(error, 'ENOENT', 'ENOTDIR')) {
    return refuse(
      'file_missing',
      `${path} is not in the workspace.`,
      'Look at the step that should write it.',
    );
  }
  if (isSystemError(error, 'ELOOP')) return leadsOut(path);
  if (isSystemError(error, 'ENXIO', 'ENODEV')) return notAFile(path);
  if (isSystemError(error, 'EACCES', 'EPERM', 'ENAMETOOLONG', 'EIO')) {
    const hint = 'Have the step write it as a file that its owner may read.';
    return refuse('unreadable', `${path} cannot be read (${String(error)}).`, hint);
  }
  throw error;
}

function leadsOut(path: string): Result<never, Failure> {
  const message = `${path} is a link, or lies behind one, that leads out of the workspace.`;
  return refuse('leads_out', message, 'Have the step write a regular file there.');
}

function notAFile(path: string): Result<never, Failure> {
  return refuse(
    'not_a_file',
    `${path} is not a regular file.`,
    'Have the step write a regular file there.',
  );
}

function tooLarge(path: string, maxBytes: number): Result<never, Failure> {
  return refuse(
    'too_large',
    `${path} is larger than ${maxBytes} bytes.`,
    'Have the step write less.',
  );
}
