/**
 * The program's totals go on over resumes of a session; an attempt has used what they have grown by. What they were at
 * the end of the last attempt is kept beside the session. An attempt that was killed leaves no entry: the next one
 * counts its part, so that the sum over all attempts is right.
 */
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';

export interface Totals {
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly cachedTokens: number;
  readonly usd: number;
}

const number = z.number().min(0);
const ledgerSchema = z.strictObject({
  session: z.string(),
  inputTokens: number,
  outputTokens: number,
  cachedTokens: number,
  usd: number,
});

const NOTHING: Totals = { inputTokens: 0, outputTokens: 0, cachedTokens: 0, usd: 0 };

/** Totals at the end of the session's last attempt; zeros when none is known. */
export function readLedger(stateDir: string, session: string): Totals {
  let text: string;
  try {
    text = readFileSync(ledgerPath(stateDir), 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return NOTHING;
    throw error;
  }
  const ledger = ledgerSchema.safeParse(parsed(text));
  // The agent can write here. With a ledger that it has spoilt, it counts for more, not for less.
  if (!ledger.success || ledger.data.session !== session) return NOTHING;
  const { session: _, ...totals } = ledger.data;
  return totals;
}

export function writeLedger(stateDir: string, session: string, totals: Totals): void {
  const path = ledgerPath(stateDir);
  writeFileSync(`${path}.new`, JSON.stringify({ session, ...totals }), { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

/** What `after` has more than `before`; all of it when the program has begun to count anew. */
export function grownBy(before: Totals, after: Totals): Totals {
  const isAnew = after.inputTokens < before.inputTokens || after.outputTokens < before.outputTokens;
  const from = isAnew ? NOTHING : before;
  return {
    inputTokens: after.inputTokens - from.inputTokens,
    outputTokens: after.outputTokens - from.outputTokens,
    cachedTokens: Math.max(0, after.cachedTokens - from.cachedTokens),
    usd: Math.max(0, after.usd - from.usd),
  };
}

function ledgerPath(stateDir: string): string {
  return join(stateDir, 'ccdash-usage.json');
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}
