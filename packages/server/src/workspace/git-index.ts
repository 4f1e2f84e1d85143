/** Reads what git's index file knows about files, so that unchanged ones need no process to be told apart. */
import { createHash } from 'node:crypto';
import { fstatSync, openSync, closeSync, readFileSync } from 'node:fs';
import type { Stats } from 'node:fs';
import type { BytePath } from './byte-path.ts';
import { isSystemError } from './workspace-failure.ts';

export interface IndexEntry {
  readonly path: BytePath;
  /** As in a tree: 0o100644, 0o100755, 0o120000, 0o160000. */
  readonly mode: number;
  readonly size: number;
  readonly mtimeMs: number;
  readonly ctimeMs: number;
  /** The lower 32 bits. */
  readonly inode: number;
}

export interface GitIndex {
  /** Sorted by their bytes. */
  readonly entries: readonly IndexEntry[];
  /** When the file was written, ms since the epoch, by the clock of the file system. */
  readonly writtenAtMs: number;
}

export const GITLINK = 0o160000;

const FIXED_BYTES = 40;
const UINT32 = 2 ** 32;

/**
 * `idBytes`: 20 for SHA-1 repositories, 32 for SHA-256. null when there is no index, or one that a crash has damaged
 * (its checksum is verified, which git itself does not do when it reads).
 * Source: gitformat-index(5), version 2.
 */
export function readGitIndex(file: string, idBytes: 20 | 32): GitIndex | null {
  const read = readWithTime(file);
  if (read === null) return null;
  const { bytes, writtenAtMs } = read;
  const body = bytes.subarray(0, -idBytes);
  if (body.length < 12 || body.toString('latin1', 0, 4) !== 'DIRC' || body.readUInt32BE(4) !== 2) {
    return null;
  }
  const checksum = createHash(idBytes === 20 ? 'sha1' : 'sha256')
    .update(body)
    .digest();
  if (!checksum.equals(bytes.subarray(-idBytes))) return null;
  const entries: IndexEntry[] = [];
  const count = body.readUInt32BE(8);
  let at = 12;
  for (let i = 0; i < count; i += 1) {
    const nameAt = at + FIXED_BYTES + idBytes + 2;
    const stated = body.readUInt16BE(nameAt - 2) & 0xfff;
    const nameEnd = stated < 0xfff ? nameAt + stated : body.indexOf(0, nameAt);
    entries.push({
      path: body.toString('latin1', nameAt, nameEnd),
      ctimeMs: body.readUInt32BE(at) * 1000 + body.readUInt32BE(at + 4) / 1e6,
      mtimeMs: body.readUInt32BE(at + 8) * 1000 + body.readUInt32BE(at + 12) / 1e6,
      inode: body.readUInt32BE(at + 20),
      mode: body.readUInt32BE(at + 24),
      size: body.readUInt32BE(at + 36),
    });
    // Each entry is padded with 1 to 8 zero bytes to a multiple of eight.
    at += (nameEnd - at + 8) & ~7;
  }
  return { entries, writtenAtMs };
}

/**
 * Whether the file may differ from what the index holds. Certain when it says no: a file changed at or after the
 * moment the index was written counts as changed, since its times may not have moved.
 */
export function mayDiffer(entry: IndexEntry, stats: Stats, writtenAtMs: number): boolean {
  return (
    entry.mode !== treeMode(stats) ||
    entry.size !== stats.size % UINT32 ||
    entry.mtimeMs !== stats.mtimeMs ||
    entry.ctimeMs !== stats.ctimeMs ||
    entry.inode !== stats.ino % UINT32 ||
    Math.max(entry.mtimeMs, entry.ctimeMs) >= writtenAtMs
  );
}

/** Whether the file has another size than the index holds; an entry that was made without a file says nothing. */
export function hasOtherSize(entry: IndexEntry, stats: Stats): boolean {
  return entry.ctimeMs !== 0 && entry.size !== stats.size % UINT32;
}

/** The mode that a tree keeps for a regular file or a symbolic link. */
function treeMode(stats: Stats): number {
  if (stats.isSymbolicLink()) return 0o120000;
  return (stats.mode & 0o100) === 0 ? 0o100644 : 0o100755;
}

function readWithTime(
  file: string,
): { readonly bytes: Buffer; readonly writtenAtMs: number } | null {
  let descriptor: number;
  try {
    descriptor = openSync(file, 'r');
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return null;
    throw error;
  }
  try {
    return { writtenAtMs: fstatSync(descriptor).mtimeMs, bytes: readFileSync(descriptor) };
  } finally {
    closeSync(descriptor);
  }
}
