import type { DatabaseSync } from 'node:sqlite';
import type { PublicKey } from '../../assets/verify-log.mjs';
import { EVENT_COLUMNS, recordToRow, rowToEnvelope } from './stored-row.ts';

/** Rows read at once. */
const PAGE = 500;

/**
 * The first `size` entries of the log as lines for `verify-log.mjs`, without their line feeds.
 * Shape:  `{type:'ccdash-log',v,origin,publicKey}`; `{type:'event',body,leaf}` per entry, the body as it is stored;
 *         `{type:'head',n,note}` after the entry that it ends with, `n` from 0.
 * Errors: throws CorruptEventError at a row whose columns do not say what its body says.       Rules: LG15
 */
export function* exportLog(
  db: DatabaseSync,
  publicKey: PublicKey,
  size: number,
): Generator<string, void> {
  yield JSON.stringify({
    type: 'ccdash-log',
    v: 1,
    origin: publicKey.name,
    publicKey: publicKey.text,
  });
  const heads = db.prepare('SELECT note FROM head WHERE size = ?');
  let headCount = 0;
  function* headAt(end: number): Generator<string, void> {
    const note = heads.get(end)?.['note'];
    if (note === undefined) return;
    yield JSON.stringify({ type: 'head', n: headCount, note });
    headCount += 1;
  }

  const page = db.prepare(
    `SELECT ${EVENT_COLUMNS} FROM event
     WHERE position >= ? AND position < ? ORDER BY position LIMIT ${PAGE}`,
  );
  yield* headAt(0);
  for (let next = 0; next < size;) {
    const rows = page.all(next, size);
    // A log that ends early is for the verifier to notice.
    if (rows.length === 0) return;
    for (const record of rows) {
      const row = recordToRow(record);
      rowToEnvelope(row);
      const leaf = Buffer.from(row.leaf).toString('base64');
      yield JSON.stringify({ type: 'event', body: row.body, leaf });
      next = row.position + 1;
      yield* headAt(next);
    }
  }
}
