import type { StoreUnavailable } from '@ccdash/core';

/** Primary result codes of SQLite with which the disk, or another process, refuses: sqlite.org/rescode.html. */
const REFUSING_CODES: ReadonlySet<number> = new Set([
  5, // SQLITE_BUSY
  6, // SQLITE_LOCKED
  7, // SQLITE_NOMEM
  8, // SQLITE_READONLY
  10, // SQLITE_IOERR
  13, // SQLITE_FULL
  14, // SQLITE_CANTOPEN
  15, // SQLITE_PROTOCOL
]);
/** With which it says that a file is not what it should be. */
const DAMAGE_CODES: ReadonlySet<number> = new Set([
  11, // SQLITE_CORRUPT
  26, // SQLITE_NOTADB
]);

/** The refusal that `error`, of SQLite or of the file system, stands for; null when it is something else. */
export function errorToStoreUnavailable(error: unknown): StoreUnavailable | null {
  if (!(error instanceof Error)) return null;
  const code = sqliteCodeOf(error);
  const refused =
    code === null ? isSystemError(error) : REFUSING_CODES.has(code) || DAMAGE_CODES.has(code);
  return refused ? { type: 'StoreUnavailable', detail: error.message } : null;
}

/** SQLite found that a file is not what it should be. */
export function isDamage(error: unknown): error is Error {
  if (!(error instanceof Error)) return false;
  const code = sqliteCodeOf(error);
  return code !== null && DAMAGE_CODES.has(code);
}

/** The primary code, or null for an error of somebody else. */
function sqliteCodeOf(error: Error): number | null {
  if (!('errcode' in error) || typeof error.errcode !== 'number') return null;
  return error.errcode & 0xff;
}

function isSystemError(error: Error): boolean {
  return 'syscall' in error && 'errno' in error;
}
