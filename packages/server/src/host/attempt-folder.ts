/** Where an attempt keeps what it leaves behind: `<stateDir>/attempts/<runId>/<step>/<n>/`, mode 0700. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';

import { assertInvariant } from '@ccdash/core';
import type { AttemptRef } from '@ccdash/core';

export interface AttemptFolder {
  readonly dir: string;
  /** What to run; no secret is in it. */
  readonly spec: string;
  /** Who may run it, or that nobody may: made once, never changed. */
  readonly claim: string;
  /** Where its host is. */
  readonly lease: string;
  /** What happened, a line a fact. */
  readonly spool: string;
  /** What the program printed, redacted. */
  readonly output: string;
  /** What the model answered, redacted, a line an answer; for agent attempts. */
  readonly answers: string;
  /** What the host process itself has to say, for agent attempts. */
  readonly log: string;
  /** The folder that holds the file `$CCDASH_OUTPUT`. */
  readonly out: string;
}

export function attemptFolder(stateDir: string, ref: AttemptRef): AttemptFolder {
  const { runId, step, attempt } = ref;
  const sound =
    /^[A-Za-z0-9_-]+$/.test(runId) && /^[a-z][a-z0-9-]*$/.test(step) && Number.isInteger(attempt);
  assertInvariant(sound, `no attempt can be called ${JSON.stringify(ref)}`);
  const dir = join(stateDir, 'attempts', runId, step, `${attempt}`);
  return {
    dir,
    spec: join(dir, 'spec.json'),
    claim: join(dir, 'claim'),
    lease: join(dir, 'lease.json'),
    spool: join(dir, 'spool'),
    output: join(dir, 'output'),
    answers: join(dir, 'answers'),
    log: join(dir, 'host.log'),
    out: join(dir, 'out'),
  };
}

export function makeAttemptFolder(folder: AttemptFolder): void {
  mkdirSync(folder.dir, { recursive: true, mode: 0o700 });
}

export function attemptKey({ runId, step, attempt }: AttemptRef): string {
  return `${runId}/${step}/${attempt}`;
}
