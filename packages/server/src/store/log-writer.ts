import type { DatabaseSync } from 'node:sqlite';
import { assertInvariant, err, ok } from '@ccdash/core';
import type { Append, Result, StoreUnavailable, StoredEvent, VersionConflict } from '@ccdash/core';
import { formatHead } from '../../assets/verify-log.mjs';
import type { CompactRange } from '../../assets/verify-log.mjs';
import { prepareTreeEdge } from './derived-tables.ts';
import { errorToStoreUnavailable } from './disk-fault.ts';
import type { HeadsFile } from './heads-file.ts';
import type { SigningKey } from './signing-key.ts';
import { bodyToLeaf } from './stored-row.ts';
import type { EventBody } from './stored-row.ts';

/** Entries after which a head is signed though nobody asked for one. */
export const ENTRIES_PER_HEAD = 256;

export interface PreparedAppend {
  readonly append: Append;
  /** Of its events, in order. */
  readonly bodies: readonly EventBody[];
}

export type AppendResult = Result<readonly StoredEvent[], VersionConflict | StoreUnavailable>;

/**
 * The only code that writes to the log.
 *
 * 1. Events, their leaves, the edge of the tree and a head that is due are one transaction.
 * 2. Nothing about the log is kept in memory between transactions, so there is nothing to get out of step.
 * 3. A head reaches the file of heads after its transaction, so the file never says more than the log.
 * 4. After a refusal of the disk, nothing is written until what the refused transaction may have left in the
 *    write-ahead log is gone: a crash could bring it back.
 */
export interface LogWriter {
  /** Writes what can be written; results in the order of `batch`. Throws for bugs, and then nothing is written. */
  write(batch: readonly PreparedAppend[]): readonly AppendResult[];
  /** Signs a head over the whole log; null when the last head is one. */
  seal(): Result<string | null, StoreUnavailable>;
  /** From now on everything is refused with `detail`. */
  refuse(detail: string): void;
}

export function createLogWriter(
  db: DatabaseSync,
  key: SigningKey,
  headsFile: HeadsFile,
  onFault: (fault: StoreUnavailable) => void,
): LogWriter {
  const tree = prepareTreeEdge(db);
  const insertEvent = db.prepare(
    'INSERT INTO event (position, run_id, sequence, body, leaf) VALUES (?, ?, ?, ?, ?)',
  );
  const insertHead = db.prepare('INSERT INTO head (size, note) VALUES (?, ?)');
  const selectSealed = db.prepare('SELECT coalesce(max(size), -1) AS size FROM head');
  const selectLength = db.prepare(
    'SELECT coalesce(max(sequence) + 1, 0) AS length FROM event WHERE run_id = ?',
  );
  const dropRefused = db.prepare('PRAGMA wal_checkpoint(TRUNCATE)');
  let unwrittenHeads: string[] = [];
  let isFaulted = false;
  let refusal: StoreUnavailable | null = null;

  function write(batch: readonly PreparedAppend[]): readonly AppendResult[] {
    const written = transact(() => {
      const range = tree.read();
      const before = range.size();
      const results = batch.map((each) => insertAppend(each, range));
      if (range.size() > before) tree.save(range);
      const isSealed = results.some((result, i) => result.ok && batch[i]?.append.seal === true);
      return { results, note: signHead(range, isSealed ? 1 : ENTRIES_PER_HEAD) };
    });
    if (!written.ok) return batch.map(() => written);
    publishHead(written.value.note);
    return written.value.results;
  }

  function seal(): Result<string | null, StoreUnavailable> {
    const sealed = transact(() => signHead(tree.read(), 1));
    if (sealed.ok) publishHead(sealed.value);
    return sealed;
  }

  function insertAppend({ append, bodies }: PreparedAppend, range: CompactRange): AppendResult {
    const { runId, expectedSequence } = append;
    const length = runId === null ? null : Number(selectLength.get(runId)?.['length']);
    if (runId !== null && length !== null && length !== expectedSequence) {
      return err({
        type: 'VersionConflict',
        runId,
        expectedSequence: expectedSequence ?? -1,
        actualSequence: length,
      });
    }
    const events = append.events.map((event, i) => {
      const row = { position: range.size(), runId, sequence: length === null ? null : length + i };
      const body = bodies[i]?.(row.position, row.sequence);
      assertInvariant(body !== undefined, 'an event was given no body');
      const leaf = bodyToLeaf(body);
      insertEvent.run(row.position, row.runId, row.sequence, body, leaf);
      range.append(leaf);
      const { type, at, actor, data } = event;
      // Not read back: a plan of ten thousand steps would be in memory twice.
      return { ...row, type, at, actor, data };
    });
    return ok(events);
  }

  /** A head over `range` once there are `due` entries that no head covers. */
  function signHead(range: CompactRange, due: number): string | null {
    if (range.size() - Number(selectSealed.get()?.['size']) < due) return null;
    const { publicKey } = key;
    const sign = (body: Buffer): Buffer => key.sign(body);
    const note = formatHead(range.size(), range.root(), publicKey, sign);
    insertHead.run(range.size(), note);
    return note;
  }

  /** The head is in the log already, so a refusal here refuses nobody: it is written with the next. */
  function publishHead(note: string | null): void {
    if (note !== null) unwrittenHeads.push(note);
    if (unwrittenHeads.length === 0) return;
    try {
      headsFile.append(unwrittenHeads);
      unwrittenHeads = [];
    } catch (error) {
      refusalOf(error);
    }
  }

  function transact<T>(work: () => T): Result<T, StoreUnavailable> {
    const fault = refusal ?? (isFaulted ? recover() : null);
    if (fault !== null) return err(fault);
    try {
      db.exec('BEGIN IMMEDIATE');
      const value = work();
      db.exec('COMMIT');
      return ok(value);
    } catch (error) {
      isFaulted = true;
      recover();
      return err(refusalOf(error));
    }
  }

  function recover(): StoreUnavailable | null {
    try {
      if (db.isTransaction) db.exec('ROLLBACK');
      dropRefused.get();
      isFaulted = false;
      return null;
    } catch (error) {
      return refusalOf(error);
    }
  }

  /** Throws `error` again when it is none. */
  function refusalOf(error: unknown): StoreUnavailable {
    const fault = errorToStoreUnavailable(error);
    if (fault === null) throw error;
    onFault(fault);
    return fault;
  }

  return {
    write,
    seal,
    refuse: (detail) => {
      refusal = { type: 'StoreUnavailable', detail };
    },
  };
}
