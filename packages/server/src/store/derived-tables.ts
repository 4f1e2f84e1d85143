/** What the database holds besides the log: the edge of the hash tree and the signed heads. Both can be dropped. */
import type { DatabaseSync } from 'node:sqlite';
import { err, ok } from '@ccdash/core';
import type { Result } from '@ccdash/core';
import { createCompactRange, leafHash, openHead } from '../../assets/verify-log.mjs';
import type { CompactRange, PublicKey } from '../../assets/verify-log.mjs';

/** Leaves read at once while the tree is rebuilt. */
const PAGE = 1000;

const HASH_BYTES = 32;

const SQL = `
CREATE TABLE IF NOT EXISTS tree (
  id INTEGER PRIMARY KEY CHECK (id = 0),
  size INTEGER NOT NULL,
  hashes BLOB NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS head (size INTEGER PRIMARY KEY, note TEXT NOT NULL) STRICT;
`;

/** What the derived tables say is not what the log says. */
export interface DerivedMismatch {
  readonly type: 'DerivedMismatch';
  readonly detail: string;
}

export function dropDerived(db: DatabaseSync): void {
  db.exec('BEGIN IMMEDIATE; DROP TABLE IF EXISTS tree; DROP TABLE IF EXISTS head; COMMIT;');
}

/**
 * Makes the tables that are missing, from the log and from `notes`, heads in order that were kept outside.
 * A note must be signed by `publicKey` and hold for the log.       Rules: LG14
 */
export function rebuildDerived(
  db: DatabaseSync,
  notes: readonly string[],
  publicKey: PublicKey,
): Result<void, DerivedMismatch> {
  const isMissing = (table: string): boolean =>
    db.prepare("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?").get(table) ===
    undefined;
  const [noTree, noHeads] = [isMissing('tree'), isMissing('head')];
  if (!noTree && !noHeads) return ok(undefined);

  db.exec(`BEGIN IMMEDIATE; ${SQL}`);
  const range = createCompactRange();
  const saveHead = db.prepare('INSERT INTO head (size, note) VALUES (?, ?)');
  const pending = noHeads ? [...notes] : [];
  const takeHeads = (): DerivedMismatch | null => {
    for (let [note] = pending; note !== undefined; [note] = pending) {
      const opened = openHead(note, publicKey);
      if (!opened.ok) return mismatch(`a kept head is ${opened.problem}`);
      const { size, root } = opened.head;
      if (size > range.size()) return null;
      if (size < range.size()) return mismatch(`the kept head of size ${size} is out of order`);
      if (!root.equals(range.root())) return mismatch(`the head of size ${size} has another root`);
      saveHead.run(size, note);
      pending.shift();
    }
    return null;
  };
  let problem = takeHeads();
  for (const [position, body, leaf] of bodiesOf(db)) {
    if (problem !== null) break;
    const hash = leafHash(Buffer.from(body));
    if (!hash.equals(leaf)) problem = mismatch(`the hash at position ${position} does not fit`);
    range.append(hash);
    problem ??= takeHeads();
  }
  if (problem === null && pending.length > 0) problem = mismatch('a kept head is beyond the log');
  if (problem !== null) {
    db.exec('ROLLBACK');
    return err(problem);
  }
  if (noTree) prepareTreeEdge(db).save(range);
  db.exec('COMMIT');
  return ok(undefined);
}

function* bodiesOf(db: DatabaseSync): Iterable<readonly [number, string, Uint8Array]> {
  const page = db.prepare(
    'SELECT position, body, leaf FROM event WHERE position >= ? ORDER BY position LIMIT ?',
  );
  for (let next = 0; ;) {
    const rows = page.all(next, PAGE);
    for (const row of rows) {
      const position = Number(row['position']);
      yield [position, String(row['body']), row['leaf'] as Uint8Array];
      next = position + 1;
    }
    if (rows.length < PAGE) return;
  }
}

/** The edge of the tree, as the last transaction left it. */
export interface TreeEdge {
  read(): CompactRange;
  /** Part of the caller's transaction. */
  save(range: CompactRange): void;
}

export function prepareTreeEdge(db: DatabaseSync): TreeEdge {
  const select = db.prepare('SELECT size, hashes FROM tree');
  const replace = db.prepare('INSERT OR REPLACE INTO tree (id, size, hashes) VALUES (0, ?, ?)');
  return {
    read() {
      const { size, hashes } = select.get() ?? {};
      if (typeof size !== 'number' || !(hashes instanceof Uint8Array)) return createCompactRange();
      return createCompactRange(size, split(Buffer.from(hashes)));
    },
    save: (range) => void replace.run(range.size(), Buffer.concat(range.hashes())),
  };
}

/** Signed heads over more than `size` entries, oldest first. */
export function notesAfter(db: DatabaseSync, size: number): readonly string[] {
  const rows = db.prepare('SELECT note FROM head WHERE size > ? ORDER BY size').all(size);
  return rows.map((row) => String(row['note']));
}

function split(hashes: Buffer): readonly Buffer[] {
  return Array.from({ length: hashes.length / HASH_BYTES }, (_, i) =>
    hashes.subarray(i * HASH_BYTES, (i + 1) * HASH_BYTES),
  );
}

function mismatch(detail: string): DerivedMismatch {
  return { type: 'DerivedMismatch', detail };
}
