/**
 * Which files the file tools of an agent may touch. The sandbox holds the same line for programs; this one answers
 * with a reason, holds where there is no sandbox, and holds for agents that run inside the host.
 *
 * 1. A path is judged by where it really leads, links followed, and by how it is written: both must be allowed.
 * 2. What a program might read differently than this file does (`~`, blanks around it) is refused.
 */
import { lstatSync, realpathSync } from 'node:fs';
import { basename, dirname, isAbsolute, join, normalize, relative, sep } from 'node:path';
import type { Json } from '@ccdash/core';
import { isPathNamed } from '../../base/path-globs.ts';
import { textIn } from './tool-names.ts';

export interface FileRulesOptions {
  /** Absolute path of the work tree. */
  readonly workspace: string;
  /** Globs as in `.gitignore` of what may be written. */
  readonly write: readonly string[];
  /** Folders besides the workspace that may be read. */
  readonly readable: readonly string[];
}

/** Why a call may not touch the files it names, or null when it may. `cwd` is where relative paths begin. */
export type FileRules = (name: string, input: Json, cwd: string) => string | null;

type Access = 'read' | 'write';

/** Field that holds the path, whether it must be there, and what is done to it. */
const FILES_BY_NAME: ReadonlyMap<string, readonly [string, boolean, Access]> = new Map([
  ['Read', ['file_path', true, 'read']],
  ['Glob', ['path', false, 'read']],
  ['Grep', ['path', false, 'read']],
  ['Edit', ['file_path', true, 'write']],
  ['Write', ['file_path', true, 'write']],
  ['NotebookEdit', ['notebook_path', true, 'write']],
]);

export function createFileRules(options: FileRulesOptions): FileRules {
  const { workspace, write, readable } = options;

  function refusalOf(path: string, access: Access, cwd: string): string | null {
    if (path !== path.trim() || path.startsWith('~') || /\p{Cc}/u.test(path)) {
      return `${JSON.stringify(path)} is not a plain path; write it from the workspace's root`;
    }
    const given = isAbsolute(path) ? path : `${cwd}${sep}${path}`;
    const written = normalize(given);
    // `link/..` is one folder to those who follow links first, and another to those who shorten paths first.
    const leads = [whereItLeads(written), whereItLeads(given)];
    const root = realpathSync(workspace);
    if (access === 'read') {
      const folders = [root, ...readable.flatMap((folder) => whereItLeads(folder) ?? [])];
      const isInside = (real: string | null): boolean =>
        real !== null && folders.some((folder) => insideOf(folder, real) !== null);
      return leads.every(isInside) ? null : `${path} leads out of the workspace`;
    }
    const inner = [
      insideOf(workspace, written) ?? insideOf(root, written),
      ...leads.map((real) => (real === null ? null : insideOf(root, real))),
    ];
    for (const each of inner) {
      if (each === null) return `${path} leads out of the workspace, or nowhere`;
      if (each !== '' && isPathNamed(write, each)) continue;
      const allowed = write.length === 0 ? 'nothing' : write.join(', ');
      return `${each === '' ? path : each} is not among the files that may be written: ${allowed}`;
    }
    return null;
  }

  return (name, input, cwd) => {
    const files = FILES_BY_NAME.get(name);
    if (files === undefined) return null;
    const [field, needed, access] = files;
    if (name === 'Glob') {
      const pattern = textIn(input, 'pattern') ?? '';
      if (isAbsolute(pattern) || pattern.startsWith('~') || pattern.split(/[/\\]/).includes('..')) {
        return `the pattern ${pattern} may lead out of the workspace; search with a relative one`;
      }
    }
    const path = textIn(input, field);
    if (path !== null) return refusalOf(path, access, cwd);
    return needed ? `it names no ${field}` : refusalOf(cwd, access, cwd);
  };
}

/** The path with all links followed, though its last parts may not exist yet; null for a link that leads nowhere. */
function whereItLeads(path: string): string | null {
  try {
    // The other form of it shortens `..` before it follows links.
    return realpathSync.native(path);
  } catch (error) {
    if (!isMissing(error)) return null;
  }
  if (lstatSync(path, { throwIfNoEntry: false }) !== undefined) return null;
  const parent = dirname(path);
  const leads = parent === path ? null : whereItLeads(parent);
  return leads === null ? null : join(leads, basename(path));
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}

/** Path relative to a folder, with `/` between segments; null outside of it. */
function insideOf(folder: string, path: string): string | null {
  const inner = relative(folder, path);
  if (inner === '..' || inner.startsWith(`..${sep}`) || isAbsolute(inner)) return null;
  return inner.split(sep).join('/');
}
