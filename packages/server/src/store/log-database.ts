import { closeSync, existsSync, lstatSync, openSync, readSync, renameSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { pathToFileURL } from 'node:url';
import { assertInvariant, err, ok } from '@ccdash/core';
import type { Result } from '@ccdash/core';
import { createRowCheck } from './check-rows.ts';
import { isDamage } from './disk-fault.ts';
import { syncDirectory } from './durable-file.ts';
import { MIGRATIONS, SCHEMA_VERSION } from './migrations/migrations.ts';
import type { LogRefused } from './open-refusal.ts';
import { CHANGED_HINT, RESTORE_HINT } from './open-refusal.ts';

/** `CCDL`, in the header of every database that is a log. */
export const APPLICATION_ID = 0x4343444c;

/** A log with more rows is held against its hash tree after it was opened, beside other work. */
const MOST_ROWS_AT_OPEN = 10_000;

const MAGIC = Buffer.from('SQLite format 3\0', 'latin1');

/**
 * The database of the log, migrated and ready for one writer; a new one where there is none and `mayBegin`.
 * Looks before it touches: a file that is refused keeps every byte, its write-ahead log too.
 * Errors: NotALog, LogCorrupt, LogTooNew, LogRolledBack. Errors of the disk are thrown.       Rules: LG8, LG12, LG19
 */
export function openLogDatabase(path: string, mayBegin: boolean): Result<DatabaseSync, LogRefused> {
  const refused = inspect(path, mayBegin);
  if (refused !== null) return err(refused);
  if (!existsSync(path)) createLogDatabase(path);
  return ok(openDurably(path));
}

/** The log appears whole or not at all, and never in the rollback-journal mode in which SQLite begins a file. */
function createLogDatabase(path: string): void {
  const next = `${path}.next`;
  for (const suffix of ['', '-journal', '-wal', '-shm']) rmSync(next + suffix, { force: true });
  // The owner's only, whatever the umask; the files that SQLite puts beside it take after it.
  closeSync(openSync(next, 'wx', 0o600));
  const db = openDurably(next);
  // Closing would do the same, but says nothing when it fails.
  db.exec('PRAGMA wal_checkpoint(TRUNCATE)');
  db.close();
  renameSync(next, path);
  syncDirectory(dirname(path));
}

function openDurably(path: string): DatabaseSync {
  const db = new DatabaseSync(path);
  try {
    setDurable(db);
    migrate(db);
  } catch (error) {
    db.close();
    throw error;
  }
  return db;
}

/** Every connection that writes: an older build of SQLite reopens a WAL database with less than FULL. */
function setDurable(db: DatabaseSync): void {
  db.exec('PRAGMA busy_timeout = 200; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;');
  assertInvariant(pragma(db, 'journal_mode') === 'wal', 'the log could not be set to WAL');
  assertInvariant(pragma(db, 'synchronous') === 2, 'the log could not be set to synchronous=FULL');
}

function migrate(db: DatabaseSync): void {
  for (const { version, sql } of MIGRATIONS.slice(Number(pragma(db, 'user_version')))) {
    db.exec(`BEGIN IMMEDIATE; ${sql}
      PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${version}; COMMIT;`);
  }
}

/** Why the file is not to be opened. Only reads, through a connection of its own. */
function inspect(path: string, mayBegin: boolean): LogRefused | null {
  const refusal = (type: LogRefused['type'], detail: string, hint: string): LogRefused => ({
    type,
    path,
    detail,
    hint,
  });
  const elsewhere = 'Move it away, or name another folder for the log.';

  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat === undefined) {
    // SQLite would play the old write-ahead log into the new database.
    if (mayBegin && !existsSync(`${path}-wal`)) return null;
    return refusal('LogRolledBack', 'it is gone, but not what belongs to it', RESTORE_HINT);
  }
  if (!stat.isFile()) return refusal('NotALog', 'it is not a regular file', elsewhere);
  if (!firstBytes(path, MAGIC.length).equals(MAGIC)) {
    return refusal('NotALog', 'it is not an SQLite database', elsewhere);
  }
  let db: DatabaseSync | null = null;
  try {
    db = openToLook(path);
    if (pragma(db, 'application_id') !== APPLICATION_ID) {
      return refusal('NotALog', 'it is the database of another program', elsewhere);
    }
    const version = Number(pragma(db, 'user_version'));
    if (version > SCHEMA_VERSION) {
      const detail = `its schema has version ${version}; this program knows ${SCHEMA_VERSION}`;
      return refusal('LogTooNew', detail, 'Install the newer ccdash that wrote it.');
    }
    const health = pragma(db, 'quick_check(1)');
    if (health !== 'ok') return refusal('LogCorrupt', String(health), RESTORE_HINT);
    const { size } = db.prepare('SELECT max(position) + 1 AS size FROM event').get() ?? {};
    if (Number(size) > MOST_ROWS_AT_OPEN) return null;
    const rows = createRowCheck(db)(MOST_ROWS_AT_OPEN);
    return typeof rows === 'string' ? null : refusal('LogCorrupt', rows.detail, CHANGED_HINT);
  } catch (error) {
    if (!isDamage(error)) throw error;
    return refusal('LogCorrupt', error.message, RESTORE_HINT);
  } finally {
    db?.close();
  }
}

/** Only reads. Without a write-ahead log to read, SQLite is told that it need not make one. */
export function openToLook(path: string): DatabaseSync {
  const url = pathToFileURL(path);
  if (!existsSync(`${path}-wal`)) url.searchParams.set('immutable', '1');
  return new DatabaseSync(url, { readOnly: true });
}

function pragma(db: DatabaseSync, name: string): unknown {
  return Object.values(db.prepare(`PRAGMA ${name}`).get() ?? {})[0];
}

function firstBytes(path: string, length: number): Buffer {
  const file = openSync(path, 'r');
  try {
    const bytes = Buffer.alloc(length);
    return bytes.subarray(0, readSync(file, bytes, 0, length, 0));
  } finally {
    closeSync(file);
  }
}
