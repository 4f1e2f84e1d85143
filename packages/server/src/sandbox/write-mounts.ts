/** Turns the globs of a scope into the folders of the workspace that are mounted writable. */
import { lstatSync, mkdirSync, realpathSync } from 'node:fs';
import { join, sep } from 'node:path';

import { err, ok } from '@ccdash/core';
import type { Failure, Result } from '@ccdash/core';

/** Absolute folders to mount writable; the workspace itself when a glob has no fixed prefix. */
export type WriteMounts = readonly string[];

/**
 * Makes missing prefix folders on the way. A prefix that is, or passes through, a symbolic link is mounted where it
 * leads when that lies inside the workspace.
 * Errors: Failure `unsafe_path` when it leads out of the workspace or into `.git`, or is not a folder.
 */
export function writeMountsOf(
  workspace: string,
  globs: readonly string[],
): Result<WriteMounts, Failure> {
  const root = realpathSync(workspace);
  const folders = new Set<string>();
  for (const glob of globs) {
    // What a negated glob takes away again is checked when the step ends.
    if (glob.startsWith('!')) continue;
    const folder = openPrefix(root, fixedPrefixOf(glob), glob);
    if (!folder.ok) return folder;
    folders.add(folder.value);
  }
  const all = [...folders].sort();
  return ok(all.filter((one) => !all.some((other) => one.startsWith(other + sep))));
}

/**
 * The folders every match of a glob lies in. As in `.gitignore`, a glob without a slash before its end matches at any
 * depth, and has none.
 */
export function fixedPrefixOf(glob: string): readonly string[] {
  const anchored = glob.slice(0, -1).includes('/');
  if (!anchored) return [];
  const segments = glob.replace(/^\//, '').split('/');
  const prefix: string[] = [];
  for (const segment of segments.slice(0, -1)) {
    if (/[*?[\]\\]/.test(segment)) break;
    prefix.push(segment);
  }
  return prefix;
}

function openPrefix(
  root: string,
  prefix: readonly string[],
  glob: string,
): Result<string, Failure> {
  let folder = root;
  for (const segment of prefix) {
    if (segment === '' || segment === '.' || segment === '..') {
      return refuse(glob, `has the path segment ${JSON.stringify(segment)}`);
    }
    const next = join(folder, segment);
    const stats = lstatSync(next, { throwIfNoEntry: false });
    if (stats === undefined) mkdirSync(next);
    folder = stats?.isSymbolicLink() === true ? (targetOf(next) ?? '') : next;
    if (folder !== root && !folder.startsWith(root + sep)) {
      return refuse(glob, `leads out of the workspace by the symbolic link ${segment}`);
    }
    if (folder === join(root, '.git') || folder.startsWith(join(root, '.git') + sep)) {
      return refuse(glob, 'leads into .git');
    }
    if (!lstatSync(folder).isDirectory()) return refuse(glob, `${segment} is not a folder`);
  }
  return ok(folder);
}

/** null for a link that leads nowhere. */
function targetOf(link: string): string | null {
  try {
    return realpathSync(link);
  } catch (error) {
    if (error instanceof Error && 'code' in error) return null;
    throw error;
  }
}

function refuse(glob: string, why: string): Result<never, Failure> {
  return err({
    code: 'unsafe_path',
    message: `scope.write ${JSON.stringify(glob)} ${why}`,
    hint: 'name a folder of the workspace itself in scope.write',
  });
}
