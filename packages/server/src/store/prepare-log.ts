import type { DatabaseSync } from 'node:sqlite';
import { err, ok } from '@ccdash/core';
import type { Result } from '@ccdash/core';
import { openHead } from '../../assets/verify-log.mjs';
import { notesAfter, prepareTreeEdge, rebuildDerived } from './derived-tables.ts';
import { headsPathOf, openHeadsFile } from './heads-file.ts';
import type { HeadsFile, HeadsRead } from './heads-file.ts';
import { RESTORE_HINT } from './open-refusal.ts';
import type { LogRefused } from './open-refusal.ts';
import { openSigningKey } from './signing-key.ts';
import type { SigningKey } from './signing-key.ts';

export interface LogIdentity {
  readonly path: string;
  readonly keyDir: string;
  readonly origin: string;
}

/**
 * Brings the log, its key, its derived tables and the heads that are kept beside it together.
 * Looks at the last head only; the whole log is what verification is for.
 * Errors: LogCorrupt, LogRolledBack, SigningKeyUnusable when they do not belong together. Errors of the disk are thrown.
 * Rules:  LG11, LG14, LG20
 */
export function prepareLog(
  db: DatabaseSync,
  kept: HeadsRead,
  { path, keyDir, origin }: LogIdentity,
): Result<{ readonly key: SigningKey; readonly headsFile: HeadsFile }, LogRefused> {
  const headsPath = headsPathOf(path);
  const refuse = (
    type: LogRefused['type'],
    detail: string,
    where: string = path,
  ): Result<never, LogRefused> => err({ type, path: where, detail, hint: RESTORE_HINT });

  if (kept.isDamaged) return refuse('LogCorrupt', 'it holds more than signed heads', headsPath);
  const size = sizeOf(db);
  const opened = openSigningKey(keyDir, origin, size === 0 && kept.notes.length === 0);
  if (!opened.ok) return opened;
  const key = opened.value;

  const lastKept = kept.notes.at(-1);
  const keptHead = lastKept === undefined ? null : openHead(lastKept, key.publicKey);
  if (keptHead?.ok === false) {
    return refuse('LogCorrupt', `its last head is wrong: ${keptHead.problem}`, headsPath);
  }
  const keptSize = keptHead?.head.size ?? -1;
  if (keptSize > size) {
    return refuse('LogRolledBack', `it has ${size} events, but a head for ${keptSize} was signed`);
  }

  const rebuilt = rebuildDerived(db, kept.notes, key.publicKey);
  if (!rebuilt.ok) return refuse('LogCorrupt', rebuilt.error.detail);
  const range = prepareTreeEdge(db).read();
  if (range.size() !== size) {
    return refuse('LogCorrupt', `it has ${size} events, but its tree has ${range.size()}`);
  }
  if (keptHead !== null) {
    const isSameHead = notesAfter(db, keptSize - 1)[0] === lastKept;
    const isSameTree = keptSize < size || keptHead.head.root.equals(range.root());
    if (!isSameHead || !isSameTree) {
      return refuse('LogRolledBack', `it is not the log of which head ${keptSize} is kept`);
    }
  }
  const added = notesAfter(db, keptSize);
  const last = added.at(-1);
  const lastHead = last === undefined ? null : openHead(last, key.publicKey);
  if (lastHead?.ok === false) {
    return refuse('LogCorrupt', `its last head is wrong: ${lastHead.problem}`);
  }
  return ok({ key, headsFile: openHeadsFile(headsPath, kept, added) });
}

function sizeOf(db: DatabaseSync): number {
  const row = db.prepare('SELECT coalesce(max(position) + 1, 0) AS size FROM event').get();
  return Number(row?.['size']);
}
