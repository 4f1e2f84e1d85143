import { chmodSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { err, ok } from '@ccdash/core';
import type { Result, StoreUnavailable } from '@ccdash/core';
import { errorToStoreUnavailable, isDamage } from './disk-fault.ts';
import { makePrivateDirectory, replaceFileDurably } from './durable-file.ts';

/** An SQLite file that stays empty; what counts is the lock that the operating system keeps on it. */
export const LOCK_FILE = 'engine.lock';
/** Who holds the lock, for people: the lock itself is not this file. */
export const HOLDER_FILE = 'engine.pid';

export interface StateLock {
  release(): void;
}

export interface StateLocked {
  readonly type: 'StateLocked';
  readonly dir: string;
  /** Process id of the holder; null when it has not said yet. */
  readonly pid: number | null;
  readonly hint: string;
}

/**
 * Makes this process the only engine of a state folder until it releases the lock or ends, however it ends.
 * No other code of the process may open and close the lock file: POSIX drops the locks of all its descriptors.
 * Errors: StateLocked when another engine lives; StoreUnavailable when the disk refuses.       Rules: LG16
 */
export function acquireStateLock(dir: string): Result<StateLock, StateLocked | StoreUnavailable> {
  let db: DatabaseSync | null = null;
  try {
    makePrivateDirectory(dir);
    db = new DatabaseSync(join(dir, LOCK_FILE));
    db.exec('BEGIN EXCLUSIVE');
    // Not opened for it, see above.
    chmodSync(join(dir, LOCK_FILE), 0o600);
    replaceFileDurably(join(dir, HOLDER_FILE), `${process.pid}\n`);
  } catch (error) {
    db?.close();
    return err(refusalOf(error, dir));
  }
  const held = db;
  return ok({
    release() {
      if (!held.isOpen) return;
      rmSync(join(dir, HOLDER_FILE), { force: true });
      held.close();
    },
  });
}

function refusalOf(error: unknown, dir: string): StateLocked | StoreUnavailable {
  if (isBusy(error)) {
    const pid = holderOf(dir);
    const who = pid === null ? 'the other engine' : `the other engine, process ${pid}`;
    const hint = `Use ${who}, or end it first.`;
    return { type: 'StateLocked', dir, pid, hint };
  }
  if (isDamage(error)) {
    const path = join(dir, LOCK_FILE);
    return {
      type: 'StoreUnavailable',
      detail: `${path} is not empty: delete it (${error.message})`,
    };
  }
  const fault = errorToStoreUnavailable(error);
  if (fault === null) throw error;
  return fault;
}

function isBusy(error: unknown): boolean {
  return error instanceof Error && 'errcode' in error && error.errcode === 5; // SQLITE_BUSY
}

function holderOf(dir: string): number | null {
  try {
    const pid = Number(readFileSync(join(dir, HOLDER_FILE), 'utf8'));
    return Number.isInteger(pid) && pid > 0 ? pid : null;
  } catch (error) {
    if (errorToStoreUnavailable(error) === null) throw error;
    return null; // the holder has not written it yet, or has just let go
  }
}
