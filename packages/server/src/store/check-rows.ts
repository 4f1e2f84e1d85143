/**
 * Holds every row against its hash, the hashes against the tree, and the tree against the last head: what shows that
 * somebody has changed the file by hand. Only reads. Signatures are not looked at; whoever opens the log does that.
 */
import type { DatabaseSync } from 'node:sqlite';
import { createCompactRange } from '../../assets/verify-log.mjs';
import { notesAfter, prepareTreeEdge } from './derived-tables.ts';
import { bodyToLeaf } from './stored-row.ts';

/** What is wrong with the log, naming the first bad entry where one can be named. */
export interface RowsDamaged {
  readonly type: 'RowsDamaged';
  readonly detail: string;
}

/** Looks at up to `count` more rows. `more`: there are others. `sound`: these were the last. */
export type RowCheck = (count: number) => 'more' | 'sound' | RowsDamaged;

/** Rows as they are now; what is appended meanwhile is not looked at. A log without derived tables has only its rows. */
export function createRowCheck(db: DatabaseSync): RowCheck {
  const size = Number(db.prepare('SELECT count(*) AS size FROM event').get()?.['size']);
  const hasTables =
    db.prepare("SELECT 1 FROM sqlite_schema WHERE name IN ('tree', 'head')").all().length === 2;
  const expected = hasTables ? prepareTreeEdge(db).read() : null;
  const lastNote = hasTables ? notesAfter(db, -1).at(-1) : undefined;
  const sealed = lastNote === undefined ? null : sealOf(lastNote);
  const page = db.prepare(
    'SELECT position, body, leaf FROM event WHERE position >= ? AND position < ? ORDER BY position',
  );
  const range = createCompactRange();

  function take(body: string, leaf: Uint8Array): RowsDamaged | null {
    const position = range.size();
    const hash = bodyToLeaf(body);
    if (!hash.equals(leaf)) return damaged(`the entry at position ${position} was changed`);
    range.append(hash);
    if (sealed?.size !== range.size() || sealed.root === range.root().toString('base64')) {
      return null;
    }
    return damaged(
      `an entry before position ${sealed.size} was changed: the head signed there differs`,
    );
  }

  return (count) => {
    const end = Math.min(range.size() + count, size);
    for (const row of page.iterate(range.size(), end)) {
      if (row['position'] !== range.size()) {
        return damaged(`the entry at position ${range.size()} is missing`);
      }
      const problem = take(String(row['body']), row['leaf'] as Uint8Array);
      if (problem !== null) return problem;
    }
    if (range.size() < end) return damaged(`the entry at position ${range.size()} is missing`);
    if (end < size) return 'more';
    const isTree = expected === null || expected.root().equals(range.root());
    return isTree ? 'sound' : damaged('the hash tree is not that of the entries');
  };
}

function sealOf(note: string): { readonly size: number; readonly root: string } {
  const [, size = '', root = ''] = note.split('\n');
  return { size: Number(size), root };
}

function damaged(detail: string): RowsDamaged {
  return { type: 'RowsDamaged', detail };
}
