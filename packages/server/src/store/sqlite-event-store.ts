/**
 * The log in one SQLite file.
 *
 * Owns: the database, the file `heads` beside it, the signing key. Does not own: the schemas of events, the timer of
 * heartbeats, the lock that keeps a second engine out (`lock.ts`).
 */
import { dirname } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { assertInvariant, err, ok } from '@ccdash/core';
import type { EventStore, Result, StoreUnavailable, StoredEvent } from '@ccdash/core';
import { createRowCheck } from './check-rows.ts';
import { notesAfter } from './derived-tables.ts';
import { errorToStoreUnavailable, isDamage } from './disk-fault.ts';
import { makePrivateDirectory } from './durable-file.ts';
import { exportLog } from './export-log.ts';
import { headsPathOf, readHeadsFile } from './heads-file.ts';
import type { HeadsFile } from './heads-file.ts';
import { openLogDatabase } from './log-database.ts';
import { createLogWriter } from './log-writer.ts';
import type { AppendResult, PreparedAppend } from './log-writer.ts';
import { CHANGED_HINT, RESTORE_HINT } from './open-refusal.ts';
import type { OpenRefusal } from './open-refusal.ts';
import { prepareLog } from './prepare-log.ts';
import type { LogIdentity } from './prepare-log.ts';
import { runEvidence } from './run-evidence.ts';
import type { RunEvidence } from './run-evidence.ts';
import type { SigningKey } from './signing-key.ts';
import { EVENT_COLUMNS, eventToBody, recordToRow, rowToEvent } from './stored-row.ts';
import type { DecodeEvent } from './stored-row.ts';

/** Rows read at once. */
const PAGE = 500;
/** Rows between which others get a turn; a millisecond or two. */
const ROWS_PER_TURN = 300;

/** `path`: the database. `keyDir`: out of reach of every workspace. `origin`: names the log in its heads; no white space, no `+`. */
export interface SqliteEventStoreOptions extends LogIdentity {
  /** Applied to every event that is read. */
  readonly decode?: DecodeEvent;
  /** Told of every refusal of the disk, also of those that no caller hears of. */
  readonly onFault?: (fault: StoreUnavailable) => void;
}

/** Reading throws CorruptEventError at an event that is not what was written. */
export interface SqliteEventStore extends EventStore {
  /** C2SP verifier key, as `verify-log.mjs --public-key` takes it. */
  readonly publicKey: string;
  /** 8 hex digits of it. */
  readonly keyId: string;
  /** Signs a head if the log has grown since the last one, and gives it; else null. For a timer. */
  heartbeat(): Result<string | null, StoreUnavailable>;
  /** Signed heads, C2SP checkpoints, oldest first. */
  heads(): readonly string[];
  /** The same as the file beside the database has them: what verification holds the log against. */
  keptHeads(): readonly string[];
  /**
   * Holds all rows against the hash tree, beside other work. What it finds, in words, or null; from then on the log
   * takes nothing more.
   */
  check(): Promise<string | null>;
  /** Lines of an export (`export-log.ts`) of the log as it is now, under a head over all of it. */
  exportLog(): Result<Iterable<string>, StoreUnavailable>;
  /** The entries of a run and the proof that they stand in the log, under a head over all of it; null: no such run. */
  evidence(runId: string): Result<RunEvidence | null, StoreUnavailable>;
}

/**
 * Opens the log, and begins one where there is none.
 * Errors: LogRefused, see there; StoreUnavailable when the disk refuses.
 * Rules:  LG8, LG11, LG12, LG14, LG20
 */
export function openSqliteEventStore(
  options: SqliteEventStoreOptions,
): Result<SqliteEventStore, OpenRefusal> {
  const { path, origin } = options;
  assertInvariant(/^[^\s+]+$/.test(origin), `"${origin}" cannot name a log`);
  let db: DatabaseSync | null = null;
  let isTaken = false;
  try {
    makePrivateDirectory(dirname(path));
    const kept = readHeadsFile(headsPathOf(path));
    const opened = openLogDatabase(path, kept.notes.length === 0);
    if (!opened.ok) return opened;
    db = opened.value;
    const prepared = prepareLog(db, kept, options);
    if (!prepared.ok) return prepared;
    const { key, headsFile } = prepared.value;
    const store = createStore(db, key, headsFile, options);
    // The first head covers nothing but says which key the log belongs to.
    const sealed = store.heads().length === 0 ? store.heartbeat() : ok(null);
    if (!sealed.ok) return sealed;
    isTaken = true;
    return ok(store);
  } catch (error) {
    if (isDamage(error)) {
      return err({ type: 'LogCorrupt', path, detail: error.message, hint: RESTORE_HINT });
    }
    const fault = errorToStoreUnavailable(error);
    if (fault === null) throw error;
    return err(fault);
  } finally {
    if (!isTaken) db?.close();
  }
}

interface Waiting extends PreparedAppend {
  readonly resolve: (result: AppendResult) => void;
  readonly reject: (error: unknown) => void;
}

function createStore(
  db: DatabaseSync,
  key: SigningKey,
  headsFile: HeadsFile,
  { path, decode = ok, onFault = () => undefined }: SqliteEventStoreOptions,
): SqliteEventStore {
  const writer = createLogWriter(db, key, headsFile, onFault);
  const selectRun = db.prepare(
    `SELECT ${EVENT_COLUMNS} FROM event WHERE run_id = ? AND sequence >= ?
     ORDER BY sequence LIMIT ${PAGE}`,
  );
  const selectLast = db.prepare(
    `SELECT ${EVENT_COLUMNS} FROM event WHERE run_id = ? ORDER BY sequence DESC LIMIT 1`,
  );
  const selectAll = db.prepare(
    `SELECT ${EVENT_COLUMNS} FROM event WHERE position >= ? ORDER BY position LIMIT ?`,
  );
  // Without the names of the indices the planner would rather scan the whole log.
  const selectGlobal = db.prepare(
    `SELECT ${EVENT_COLUMNS} FROM event INDEXED BY event_of_no_run
     WHERE run_id IS NULL AND position >= ? ORDER BY position LIMIT ${PAGE}`,
  );
  const selectRunIds = db.prepare(
    'SELECT run_id FROM event INDEXED BY start_of_run WHERE sequence = 0 ORDER BY position',
  );
  const selectSize = db.prepare('SELECT coalesce(max(position) + 1, 0) AS size FROM event');
  const size = (): number => Number(selectSize.get()?.['size']);
  let queue: Waiting[] = [];
  let isClosed = false;

  /** Runs once in a turn of the event loop: the appends of that turn share a transaction. */
  function flush(): void {
    const batch = queue;
    queue = [];
    if (batch.length === 0) return;
    try {
      const results = writer.write(batch);
      for (const [i, { resolve }] of batch.entries()) {
        const result = results[i];
        assertInvariant(result !== undefined, 'an append was given no result');
        resolve(result);
      }
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
  }

  function* readRun(runId: string, fromSequence = 0): Generator<StoredEvent, void> {
    for (let next = fromSequence; ; next += PAGE) {
      const rows = selectRun.all(runId, next);
      for (const row of rows) yield rowToEvent(recordToRow(row), decode);
      if (rows.length < PAGE) return;
    }
  }

  function* readGlobal(): Generator<StoredEvent, void> {
    for (let next = 0; ;) {
      const rows = selectGlobal.all(next).map(recordToRow);
      for (const row of rows) {
        yield rowToEvent(row, decode);
        next = row.position + 1;
      }
      if (rows.length < PAGE) return;
    }
  }

  return {
    publicKey: key.publicKey.text,
    keyId: key.publicKey.id.toString('hex'),
    async append(append) {
      const bodies = append.events.map((event) => eventToBody(event, append.runId));
      if (isClosed) return err({ type: 'StoreUnavailable', detail: 'the log is closed' });
      return new Promise((resolve, reject) => {
        if (queue.length === 0) setImmediate(flush);
        queue.push({ append, bodies, resolve, reject });
      });
    },
    readRun,
    lastOf: (runId) => {
      const row = selectLast.get(runId);
      return row === undefined ? null : rowToEvent(recordToRow(row), decode);
    },
    readGlobal,
    readAll: (fromPosition, limit) =>
      selectAll.all(fromPosition, limit).map((row) => rowToEvent(recordToRow(row), decode)),
    runIds: () => selectRunIds.all().map((row) => String(row['run_id'])),
    size,
    heartbeat: () => writer.seal(),
    heads: () => notesAfter(db, -1),
    keptHeads: () => readHeadsFile(headsPathOf(path)).notes,
    async check() {
      const next = createRowCheck(db);
      for (let found = next(ROWS_PER_TURN); found !== 'sound'; found = next(ROWS_PER_TURN)) {
        if (found !== 'more') {
          const detail = `${path}: ${found.detail}`;
          writer.refuse(`${detail}. ${CHANGED_HINT}`);
          return detail;
        }
        await nextTurn();
        if (isClosed) return null;
      }
      return null;
    },
    exportLog() {
      const sealed = writer.seal();
      return sealed.ok ? ok(exportLog(db, key.publicKey, size())) : sealed;
    },
    evidence(runId) {
      const sealed = writer.seal();
      return sealed.ok ? ok(runEvidence(db, key.publicKey, runId)) : sealed;
    },
    close() {
      if (isClosed) return;
      flush();
      isClosed = true;
      headsFile.close();
      db.close();
    },
  };
}
