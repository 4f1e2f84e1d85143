import type { StoreUnavailable } from '@ccdash/core';

/**
 * Why a log is not opened. It says what it said before, and a file that is no sound log of this version keeps every
 * byte. `hint` says what to do next.
 */
export interface LogRefused {
  readonly type:
    /** The file is something else. */
    | 'NotALog'
    /** Damaged, or changed by somebody else. */
    | 'LogCorrupt'
    /** Written by a newer version of this program. */
    | 'LogTooNew'
    /** The heads say more, or other, than the log: it was truncated or replaced by an older or a different one. */
    | 'LogRolledBack'
    /** Missing, readable by others, no Ed25519 key, or not the key of this log. */
    | 'SigningKeyUnusable';
  readonly path: string;
  readonly detail: string;
  readonly hint: string;
}

export type OpenRefusal = LogRefused | StoreUnavailable;

export const RESTORE_HINT =
  'Restore the state folder from a backup, or move it away to begin a new log.';

export const CHANGED_HINT =
  'See what else was changed: ccdash audit verify. Take what is there: ccdash audit export. Then restore the state folder from a backup, or move it away to begin a new log.';
