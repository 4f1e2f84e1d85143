/** The credential of this machine's own command line: a file that only the owner can read. */
import { randomBytes } from 'node:crypto';
import { lstatSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { err, ok } from '@ccdash/core';
import type { Failure, Result } from '@ccdash/core';

const TOKEN = /^[A-Za-z0-9_-]{43}$/;

/**
 * The token in `<stateDir>/token`, made now where there is none. One that others could have read is replaced.
 * Errors: Failure `state_unusable` when the file cannot be written.
 */
export function openToken(stateDir: string): Result<string, Failure> {
  const path = join(stateDir, 'token');
  try {
    const kept = readPrivateToken(path);
    if (kept !== null) return ok(kept);
    const token = randomBytes(32).toString('base64url');
    const temporary = `${path}.${randomBytes(6).toString('hex')}`;
    try {
      writeFileSync(temporary, `${token}\n`, { flag: 'wx', mode: 0o600 });
      renameSync(temporary, path);
    } finally {
      rmSync(temporary, { force: true });
    }
    return ok(token);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error)) throw error;
    return err({
      code: 'state_unusable',
      message: `${path} cannot be written (${String(error.code)}).`,
      hint: 'Make the state folder writable for the user who runs the server.',
    });
  }
}

/** null when there is none, or it is not private to this user. */
function readPrivateToken(path: string): string | null {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat === undefined || !stat.isFile()) return null;
  const isOwn = process.getuid === undefined || stat.uid === process.getuid();
  if (!isOwn || (process.platform !== 'win32' && (stat.mode & 0o077) !== 0)) return null;
  const token = readFileSync(path, 'utf8').trim();
  return TOKEN.test(token) ? token : null;
}
