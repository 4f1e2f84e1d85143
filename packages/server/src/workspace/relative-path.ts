import { err, ok } from '@ccdash/core';
import type { Result } from '@ccdash/core';

/**
 * A path relative to a folder without the parts that mean nothing (`./`, `//`, a slash at the end).
 * The error is what is wrong with it, as the end of a sentence.
 */
export function plainPath(path: string): Result<string, string> {
  if (path.includes('\0')) return err('holds a zero byte');
  if (path.startsWith('/')) return err('is absolute: paths are relative');
  const segments = path.split('/').filter((segment) => segment !== '' && segment !== '.');
  if (segments.includes('..')) return err('leads out by `..`');
  return segments.length === 0 ? err('names no file') : ok(segments.join('/'));
}
