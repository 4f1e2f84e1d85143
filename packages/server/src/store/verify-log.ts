/** Verification inside the server: the rules are those of the shipped script, which this file runs. */
import { setImmediate } from 'node:timers/promises';
import { err, ok } from '@ccdash/core';
import type { Result, StoreUnavailable } from '@ccdash/core';
import { createLogVerifier } from '../../assets/verify-log.mjs';
import type { Finding, LogSummary, LogVerifierOptions } from '../../assets/verify-log.mjs';
import type { SqliteEventStore } from './sqlite-event-store.ts';
import { CorruptEventError } from './stored-row.ts';

export { formatFinding } from '../../assets/verify-log.mjs';
export type {
  Finding,
  LogSummary,
  LogVerifierOptions,
  VerifiedEvent,
} from '../../assets/verify-log.mjs';

/** The first bad entry. */
export interface LogInvalid {
  readonly type: 'LogInvalid';
  readonly finding: Finding;
}

/** Lines between which others get a turn. */
const TURN = 500;

/**
 * Verifies the lines of an export.
 * Errors: LogInvalid with the first thing that is wrong.       Rules: LG15
 */
export async function verifyLog(
  lines: Iterable<string>,
  options: LogVerifierOptions,
): Promise<Result<LogSummary, LogInvalid>> {
  const verifier = createLogVerifier(options);
  let count = 0;
  try {
    for (const line of lines) {
      const finding = verifier.line(line);
      if (finding !== null) return err({ type: 'LogInvalid', finding });
      count += 1;
      if (count % TURN === 0) await setImmediate();
    }
  } catch (error) {
    if (!(error instanceof CorruptEventError)) throw error;
    const { position, detail } = error;
    const finding = { line: count + 1, position, what: detail, expected: null, actual: null };
    return err({ type: 'LogInvalid', finding });
  }
  const finding = verifier.end();
  return finding === null ? ok(verifier.summary()) : err({ type: 'LogInvalid', finding });
}

/**
 * Verifies the log of a store against its own key, the heads kept beside it, and further heads in `options`.
 * Errors: LogInvalid; StoreUnavailable when the head over what is verified cannot be written.
 */
export async function verifyStore(
  store: SqliteEventStore,
  { heads = [], ...options }: Omit<LogVerifierOptions, 'publicKey'> = {},
): Promise<Result<LogSummary, LogInvalid | StoreUnavailable>> {
  const kept = store.keptHeads();
  const exported = store.exportLog();
  if (!exported.ok) return exported;
  const { publicKey } = store;
  return verifyLog(exported.value, { ...options, publicKey, heads: [...kept, ...heads] });
}
