/** Where a scripted session has come to, on disk after each item, so that another process can go on. */
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { err, ok } from '@ccdash/core';
import type { Failure, Result } from '@ccdash/core';
import { z } from 'zod';

export interface ScriptProgress {
  /** The first prompt: it says which script is played. */
  readonly prompt: string;
  readonly version: 1;
  /** 0-based, of the script. */
  readonly turn: number;
  /** Items of that turn that are done: its words, each call, its answer. */
  readonly item: number;
  /** How often the turn has failed as the script wants. */
  readonly errors: number;
}

const progressSchema: z.ZodType<ScriptProgress> = z.strictObject({
  version: z.literal(1),
  prompt: z.string(),
  turn: z.int().min(0),
  item: z.int().min(0),
  errors: z.int().min(0),
});

/** Null for an id that is no plain word. */
export function sessionFile(stateDir: string, session: string): string | null {
  return /^[\w-]{1,64}$/.test(session) ? join(stateDir, `scripted-${session}.json`) : null;
}

/** Errors: Failure `resume_refused` when there is no such session, or it cannot be read. */
export function readProgress(path: string): Result<ScriptProgress, Failure> {
  const refuse = (why: string): Result<never, Failure> =>
    err({
      code: 'resume_refused',
      message: `the session at ${path} cannot go on: ${why}`,
      hint: 'retry the step to begin it anew',
    });
  try {
    const parsed = progressSchema.safeParse(JSON.parse(readFileSync(path, 'utf8')));
    return parsed.success ? ok(parsed.data) : refuse(z.prettifyError(parsed.error));
  } catch (error) {
    return refuse(error instanceof Error ? error.message : String(error));
  }
}

/** Whole or not at all, whatever happens meanwhile. */
export function writeProgress(path: string, progress: ScriptProgress): void {
  const temporary = `${path}.new`;
  const file = openSync(temporary, 'w', 0o600);
  try {
    writeSync(file, JSON.stringify(progress));
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(temporary, path);
}
