/**
 * `<state>/http.json`: what the pages that are open need from the next server: its port, the name of their cookie, and
 * the digests of their sessions. No secret is in it; whoever can change it can change the token of the state folder too.
 */
import { randomBytes } from 'node:crypto';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { isErrno } from '../base/process-identity.ts';

export interface RestartState {
  /** The one it had last; null before the first. */
  readonly port: number | null;
  readonly cookieName: string;
  /** By the SHA-256 of what the cookie holds, in hex. */
  readonly sessions: Readonly<
    Record<string, { readonly person: string; readonly expiresAtMs: number }>
  >;
}

const schema: z.ZodType<RestartState> = z.object({
  port: z.int().min(1).max(65_535).nullable(),
  cookieName: z.string().regex(/^ccdash_[0-9a-f]{16}$/),
  sessions: z.record(
    z.string().regex(/^[0-9a-f]{64}$/),
    z.object({ person: z.string(), expiresAtMs: z.number() }),
  ),
});

export interface RestartFile {
  readonly state: RestartState;
  /** On disk before it returns. */
  change(change: Partial<RestartState>): void;
}

/** One that cannot be read is begun anew: people log in again, and that is all. */
export function openRestartFile(stateDir: string): RestartFile {
  const path = join(stateDir, 'http.json');
  let state: RestartState = readState(path) ?? {
    port: null,
    // Cookies ignore ports: another instance on this host must not overwrite or receive ours.
    cookieName: `ccdash_${randomBytes(8).toString('hex')}`,
    sessions: {},
  };
  return {
    get state() {
      return state;
    },
    change: (change) => {
      state = { ...state, ...change };
      const temporary = `${path}.${process.pid}`;
      writeFileSync(temporary, JSON.stringify(state), { mode: 0o600 });
      renameSync(temporary, path);
    },
  };
}

function readState(path: string): RestartState | null {
  try {
    return schema.safeParse(JSON.parse(readFileSync(path, 'utf8'))).data ?? null;
  } catch (error) {
    if (isErrno(error, 'ENOENT') || error instanceof SyntaxError) return null;
    throw error;
  }
}
