/**
 * What proves a run to somebody who has no access to the log: its entries as they are stored, a signed head, and the
 * hashes that lead from the one to the other.
 *
 * It proves that every entry stands in the log that the head was signed over, in this order and with none left out
 * between the first and the last. That nothing of the run came after the last one, only the whole log can prove.
 */
import type { DatabaseSync } from 'node:sqlite';
import { err, ok } from '@ccdash/core';
import type { Result, StoredEvent } from '@ccdash/core';
import { openHead, parsePublicKey, splitHeads } from '../../assets/verify-log.mjs';
import type { PublicKey } from '../../assets/verify-log.mjs';
import type { RunEvidence } from '../base/run-evidence.ts';
import {
  EVENT_COLUMNS,
  CorruptEventError,
  bodyToLeaf,
  recordToRow,
  rowToEnvelope,
} from './stored-row.ts';
import { rootOfSet, setProof } from './tree.ts';

export type { RunEvidence } from '../base/run-evidence.ts';

const HASH_BYTES = 32;

/** null when there is no such run. The newest head must be over the whole log. */
export function runEvidence(
  db: DatabaseSync,
  publicKey: PublicKey,
  runId: string,
): RunEvidence | null {
  const rows = db
    .prepare(`SELECT ${EVENT_COLUMNS} FROM event WHERE run_id = ? ORDER BY sequence`)
    .all(runId)
    .map(recordToRow);
  if (rows.length === 0) return null;
  const head = db.prepare('SELECT note FROM head ORDER BY size DESC LIMIT 1').get()?.['note'];
  const leaves = db
    .prepare('SELECT leaf FROM event ORDER BY position')
    .all()
    .map(({ leaf }) => Buffer.from(leaf as Uint8Array));
  const positions = rows.map(({ position }) => position);
  return {
    publicKey: publicKey.text,
    head: String(head),
    entries: rows.map(({ body }) => body),
    proof: setProof(leaves, positions).map((hash) => hash.toString('base64')),
  };
}

export interface EvidenceTrust {
  /** The only key to accept; null: the one that the evidence names, which then proves nothing about who wrote it. */
  readonly publicKey: string | null;
  /** Signed heads kept elsewhere, as a witness gives them; null: nobody was asked. */
  readonly witness: string | null;
}

export interface ProvenRun {
  readonly runId: string;
  readonly events: readonly StoredEvent[];
  readonly publicKey: string;
  /** Entries of the log under the head. */
  readonly size: number;
  /** Base64. */
  readonly root: string;
}

/** The first thing that does not hold, in words. */
export interface EvidenceInvalid {
  readonly type: 'EvidenceInvalid';
  readonly detail: string;
}

/** Errors: EvidenceInvalid.       Rules: RP2, RP3, RP4 */
export function verifyEvidence(
  evidence: RunEvidence,
  trust: EvidenceTrust,
): Result<ProvenRun, EvidenceInvalid> {
  const invalid = (detail: string): Result<never, EvidenceInvalid> =>
    err({ type: 'EvidenceInvalid', detail });
  const { publicKey, head, entries, proof } = evidence;
  if (trust.publicKey !== null && trust.publicKey !== publicKey) {
    return invalid(`it is signed with another key than ${trust.publicKey}`);
  }
  const key = parsePublicKey(publicKey);
  if (key === null) return invalid('its public key is none');
  const opened = openHead(head, key);
  if (!opened.ok) return invalid(`its head does not hold: ${opened.problem}`);
  const { size, root } = opened.head;
  const events = readEntries(entries);
  if (!events.ok) return invalid(events.error);
  const members = events.value.map(({ position }, i) => ({
    index: position,
    leaf: bodyToLeaf(entries[i] ?? ''),
  }));
  const hashes = proof.map((text) => Buffer.from(text, 'base64'));
  const isProven =
    hashes.every(({ length }) => length === HASH_BYTES) &&
    rootOfSet(size, members, hashes)?.equals(root) === true;
  if (!isProven)
    return invalid('its entries are not those of the log that the head was signed over');
  if (trust.witness !== null) {
    const heads = splitHeads(trust.witness).notes.map((note) => openHead(note, key));
    const seen = heads.find((each) => each.ok && each.head.size === size);
    if (seen?.ok !== true) {
      return invalid(`the witness has no head of this log over its first ${size} entries`);
    }
    if (!seen.head.root.equals(root)) {
      return invalid(`the witness has seen another log: its head over ${size} entries differs`);
    }
  }
  const runId = events.value[0]?.runId ?? '';
  return ok({ runId, events: events.value, publicKey, size, root: root.toString('base64') });
}

/** Entries of one run, from its first on, with none left out between. */
function readEntries(entries: readonly string[]): Result<readonly StoredEvent[], string> {
  const events: StoredEvent[] = [];
  for (const [sequence, body] of entries.entries()) {
    const event = readEntry(body);
    if (event === null) return err(`its entry ${sequence} is no entry of a log`);
    const isNext = event.sequence === sequence && event.runId !== null;
    if (!isNext || event.runId !== (events[0]?.runId ?? event.runId)) {
      return err(`its entry ${sequence} is not the next one of the run`);
    }
    events.push(event);
  }
  return events.length === 0 ? err('it has no entries') : ok(events);
}

function readEntry(body: string): StoredEvent | null {
  try {
    const { position, runId, sequence } = JSON.parse(body) as StoredEvent;
    return rowToEnvelope({ position, runId, sequence, body, leaf: bodyToLeaf(body) });
  } catch (error) {
    if (error instanceof CorruptEventError || error instanceof SyntaxError) return null;
    if (error instanceof TypeError) return null; // null has no fields
    throw error;
  }
}
