/** Failures of the workspace, each with what to do next. */
import { err } from '@ccdash/core';
import type { Failure, Result } from '@ccdash/core';

export function refuse(code: string, message: string, hint: string | null): Result<never, Failure> {
  return err({ code, message, hint });
}

export const DISK_FULL_HINT = 'Free space on the disk that holds the state folder, then try again.';

/** What a system call said, as a Failure; null when `error` is no system error, so a bug. */
export function systemErrorToFailure(error: unknown): Failure | null {
  if (!(error instanceof Error) || !('syscall' in error) || !('code' in error)) return null;
  const code = String(error.code);
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return { code: 'disk_full', message: error.message, hint: DISK_FULL_HINT };
  }
  const hint = 'Look at the permissions and the disk of the state folder, then try again.';
  return { code: 'workspace_io', message: error.message, hint };
}

/** Whether `error` is a system error with one of `codes`. */
export function isSystemError(error: unknown, ...codes: readonly string[]): boolean {
  return error instanceof Error && 'code' in error && codes.includes(String(error.code));
}

/** The first `limit` items, and how many more there are. */
export function listOf(items: readonly string[], limit = 5): string {
  const more = items.length > limit ? ` and ${items.length - limit} more` : '';
  return items.slice(0, limit).join(', ') + more;
}
