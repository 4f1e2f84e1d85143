/**
 * A log that is only looked at: one that no engine may open any more, or not now. Nothing is written, not even a head,
 * so that what was changed in it is never signed.
 */
import type { DatabaseSync } from 'node:sqlite';
import { err, ok } from '@ccdash/core';
import type { Result } from '@ccdash/core';
import { createRowCheck } from './check-rows.ts';
import { notesAfter } from './derived-tables.ts';
import { exportLog } from './export-log.ts';
import { headsPathOf, readHeadsFile } from './heads-file.ts';
import { openToLook } from './log-database.ts';
import { RESTORE_HINT } from './open-refusal.ts';
import type { LogRefused } from './open-refusal.ts';
import type { LogIdentity } from './prepare-log.ts';
import { openSigningKey } from './signing-key.ts';
import { formatFinding, verifyLog } from './verify-log.ts';

export interface ReadLog {
  /** Lines of an export of all there is. */
  lines(): Iterable<string>;
  /** What is wrong with it, the first bad entry if there is one; null when it is sound. */
  verify(): Promise<{
    readonly size: number;
    readonly root: string;
    readonly problem: { readonly position: number | null; readonly detail: string } | null;
  }>;
  close(): void;
}

/** Errors: LogCorrupt when not even that can be done; SigningKeyUnusable. */
export function openLogToRead({ path, keyDir, origin }: LogIdentity): Result<ReadLog, LogRefused> {
  const key = openSigningKey(keyDir, origin, false);
  if (!key.ok) return key;
  let db: DatabaseSync;
  try {
    db = openToLook(path);
    // Without its tables there is nothing to hold it against.
    notesAfter(db, -1);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error)) throw error;
    return err({ type: 'LogCorrupt', path, detail: error.message, hint: RESTORE_HINT });
  }
  const { publicKey } = key.value;
  const sizeOf = (sql: string): number => Number(db.prepare(sql).get()?.['size'] ?? 0);
  const size = sizeOf('SELECT max(position) + 1 AS size FROM event');
  return ok({
    lines: () => exportLog(db, publicKey, size),
    async verify() {
      const sealed = sizeOf('SELECT max(size) AS size FROM head');
      const kept = readHeadsFile(headsPathOf(path)).notes;
      const upToHead = exportLog(db, publicKey, sealed);
      const verified = await verifyLog(upToHead, { publicKey: publicKey.text, heads: kept });
      if (!verified.ok) {
        const { finding } = verified.error;
        const problem = { position: finding.position, detail: formatFinding(finding) };
        return { size, root: '', problem };
      }
      const rows = createRowCheck(db)(size);
      const problem = typeof rows === 'string' ? null : { position: null, detail: rows.detail };
      return { size: sealed, root: verified.value.root, problem };
    },
    close: () => db.close(),
  });
}
