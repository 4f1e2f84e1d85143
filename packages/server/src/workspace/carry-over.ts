/**
 * Brings untracked paths of the project (`.env`, installed packages) into a workspace. They are no part of the
 * project's history, so they are no part of checkpoints either: a secret in them reaches no commit and no diff.
 */
import {
  constants,
  copyFileSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { ok } from '@ccdash/core';
import type { Failure, Result } from '@ccdash/core';
import { textToBytes } from './byte-path.ts';
import type { BytePath } from './byte-path.ts';
import { readTextIfThere, replaceFile } from './durable-folder.ts';
import { plainPath } from './relative-path.ts';
import type { RunFolder } from './run-folder.ts';
import { refuse } from './workspace-failure.ts';

/** Paths that were carried over so far. */
export function carriedPaths(folder: RunFolder): ReadonlySet<BytePath> {
  return new Set(carriedList(folder).map(textToBytes));
}

export function carriedList({ carriedFile }: RunFolder): readonly string[] {
  // Written by this file only, and never in part.
  return JSON.parse(readTextIfThere(carriedFile) ?? '[]') as readonly string[];
}

/**
 * Copies `paths` (files, or folders with all below), replacing what is there. Links in them are copied as links.
 * Errors: Failure `invalid_path`, `carry_missing`, `leads_out`, `not_a_file`; nothing was copied then.
 */
export async function carryOverPaths(
  folder: RunFolder,
  projectDir: string,
  paths: readonly string[],
): Promise<Result<void, Failure>> {
  const wanted: string[] = [];
  for (const each of paths) {
    const path = checkSource(projectDir, each);
    if (!path.ok) return path;
    const reachable = checkDestination(folder.tree, path.value);
    if (!reachable.ok) return reachable;
    wanted.push(path.value);
  }
  // Known first, so that no checkpoint after a crash takes half of them for work of a step.
  const carried = [...new Set([...carriedList(folder), ...wanted])];
  replaceFile(folder.carriedFile, JSON.stringify(carried));
  for (const path of wanted) {
    mkdirSync(dirname(join(folder.tree, path)), { recursive: true });
    await copyEntry(join(projectDir, path), join(folder.tree, path));
  }
  return ok(undefined);
}

/** The path in its plain form. No link is on the way, so that it cannot lead out of the project. */
function checkSource(projectDir: string, stated: string): Result<string, Failure> {
  const hint = 'Name untracked files or folders of the project in `setup.copy`.';
  const plain = plainPath(stated);
  if (!plain.ok) return refuse('invalid_path', `${JSON.stringify(stated)} ${plain.error}.`, hint);
  const path = plain.value;
  const segments = path.split('/');
  if (segments.some((segment) => segment.toLowerCase() === '.git')) {
    return refuse('invalid_path', `${path} is git's own.`, hint);
  }
  for (let depth = 1; depth <= segments.length; depth += 1) {
    const part = segments.slice(0, depth).join('/');
    const stats = lstatSync(join(projectDir, part), { throwIfNoEntry: false });
    if (stats === undefined) {
      const message = `${path} is not in the project.`;
      return refuse('carry_missing', message, 'Make it, or take it out of `setup.copy`.');
    }
    if (stats.isSymbolicLink()) {
      return refuse('leads_out', `${part} in the project is a link.`, hint);
    }
    const isLast = depth === segments.length;
    if (!stats.isDirectory() && !(isLast && stats.isFile())) {
      return refuse('not_a_file', `${part} in the project is neither a file nor a folder.`, hint);
    }
  }
  return ok(path);
}

/** The folders above it in the workspace are folders, not links that lead elsewhere. */
function checkDestination(tree: string, path: string): Result<void, Failure> {
  const segments = path.split('/').slice(0, -1);
  for (let depth = 1; depth <= segments.length; depth += 1) {
    const part = segments.slice(0, depth).join('/');
    const stats = lstatSync(join(tree, part), { throwIfNoEntry: false });
    if (stats === undefined) break;
    if (stats.isDirectory()) continue;
    const message = `${part} in the workspace is no folder, so ${path} cannot be carried over.`;
    return refuse('leads_out', message, 'Set the workspace back, then retry.');
  }
  return ok(undefined);
}

async function copyEntry(from: string, to: string): Promise<void> {
  const stats = lstatSync(from);
  if (stats.isDirectory()) {
    const there = lstatSync(to, { throwIfNoEntry: false });
    if (there?.isDirectory() !== true) rmSync(to, { force: true });
    mkdirSync(to, { recursive: true });
    for (const name of readdirSync(from)) {
      if (name.toLowerCase() !== '.git') await copyEntry(join(from, name), join(to, name));
    }
    await setImmediate();
    return;
  }
  if (!stats.isFile() && !stats.isSymbolicLink()) return;
  // Removed first: writing over it would go through a link.
  rmSync(to, { recursive: true, force: true });
  if (stats.isSymbolicLink()) symlinkSync(readlinkSync(from), to);
  else copyFileSync(from, to, constants.COPYFILE_FICLONE | constants.COPYFILE_EXCL);
}
