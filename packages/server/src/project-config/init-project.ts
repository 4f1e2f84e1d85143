/** Gives a project its `.ccdash/` folder: settings, the policy that ships with CCDash, and an example plan. */
import { closeSync, mkdirSync, openSync, unlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { err, ok } from '@ccdash/core';
import type { Failure, Result } from '@ccdash/core';

import { readAsset } from '../base/assets.ts';
import { kindOfProjectEntry, listProjectFolder, readProjectText } from '../base/project-files.ts';

/** The policies that ship: one for somebody who works alone, and one for a team. */
export type ShippedPolicy = 'default' | 'strict';

interface Template {
  readonly path: string;
  readonly asset: string;
}

const CASES = '.ccdash/policy/cases.yaml';

/** What is written, and the asset it is a copy of. */
function templates(policy: ShippedPolicy): readonly Template[] {
  return [
    { path: '.ccdash/config.yaml', asset: 'init/config.yaml' },
    { path: `.ccdash/policy/${policy}.cedar`, asset: `policy/${policy}.cedar` },
    { path: CASES, asset: 'policy/cases.yaml' },
    { path: '.ccdash/plans/example.yaml', asset: 'init/plans/example.yaml' },
  ];
}

/** Paths relative to the project. */
export interface InitializedProject {
  readonly written: readonly string[];
  /** Was there already, and is left as it was. */
  readonly kept: readonly string[];
}

/**
 * Writes what is missing of `.ccdash/` in a project; never over a file, never through a symbolic link.
 * A file of rules that the project has keeps the shipped copy out: the two together would be another policy.
 * Errors: Failure `not_a_repository`; `not_a_folder`, `not_a_file` when something else stands where a file belongs
 * (nothing is written then); `unreadable`; `not_writable` when the file system refuses (earlier files stay).
 */
export function initProject(
  projectDir: string,
  policy: ShippedPolicy = 'default',
): Result<InitializedProject, Failure> {
  const repository = isRepository(projectDir);
  if (!repository.ok) return repository;
  if (!repository.value) {
    const message = `${projectDir} is not the top folder of a git repository.`;
    const hint = 'Go to the top folder of the project, or make it one with `git init`.';
    return err({ code: 'not_a_repository', message, hint });
  }
  const missing: Template[] = [];
  const kept: string[] = [];
  for (const template of templates(policy)) {
    const there = findExisting(projectDir, template.path);
    if (!there.ok) return there;
    if (there.value.length > 0) kept.push(...there.value);
    else missing.push(template);
  }
  const written: string[] = [];
  // The cases are those of the shipped rules: beside rules of the project's own they would only fail.
  const hasOwnRules = !missing.some(({ path }) => path.endsWith('.cedar'));
  for (const { path, asset } of missing) {
    if (hasOwnRules && path === CASES) continue;
    const created = createFile(projectDir, path, readAsset(asset));
    if (!created.ok) return created;
    (created.value ? written : kept).push(path);
  }
  return ok({ written, kept });
}

/** A work tree with its own `.git`: the folder, or the file that a linked work tree or submodule has instead. */
function isRepository(projectDir: string): Result<boolean, Failure> {
  const kind = kindOfProjectEntry(projectDir, '.git');
  if (!kind.ok) return kind;
  if (kind.value === 'folder') {
    const head = kindOfProjectEntry(projectDir, '.git/HEAD');
    return head.ok ? ok(head.value !== 'absent') : head;
  }
  if (kind.value !== 'file') return ok(kind.value === 'link');
  const link = readProjectText(projectDir, '.git', 4096);
  return link.ok ? ok(link.value?.startsWith('gitdir: ') ?? false) : link;
}

/** What stands where the file at `path` belongs; for the policy that is any file of rules. */
function findExisting(projectDir: string, path: string): Result<readonly string[], Failure> {
  const folder = dirname(path);
  const listed = listProjectFolder(projectDir, folder);
  if (!listed.ok) return listed;
  const kind = kindOfProjectEntry(projectDir, path);
  if (!kind.ok) return kind;
  if (kind.value !== 'absent' && kind.value !== 'file') {
    const message = `Something that is not a regular file stands at ${path}.`;
    const hint = 'Move it away, then run `ccdash init` again.';
    return err({ code: 'not_a_file', message, hint });
  }
  const rules = (listed.value ?? []).filter(
    (name) => path.endsWith('.cedar') && name.endsWith('.cedar'),
  );
  if (rules.length > 0) return ok(rules.map((name) => `${folder}/${name}`));
  return ok(kind.value === 'file' ? [path] : []);
}

/** false when somebody else has just put something there. Leaves no half-written file behind. */
function createFile(projectDir: string, path: string, text: string): Result<boolean, Failure> {
  const file = join(projectDir, path);
  let descriptor: number;
  try {
    mkdirSync(dirname(file), { recursive: true });
    // Exclusive: never over a file, and never through a link, not even a dangling one.
    descriptor = openSync(file, 'wx');
  } catch (error) {
    return codeOf(error) === 'EEXIST' ? ok(false) : notWritable(path, error);
  }
  try {
    writeFileSync(descriptor, text);
    return ok(true);
  } catch (error) {
    unlinkSync(file);
    return notWritable(path, error);
  } finally {
    closeSync(descriptor);
  }
}

function notWritable(path: string, error: unknown): Result<never, Failure> {
  const message = `${path} cannot be written (${codeOf(error)}).`;
  const hint =
    'Make the project writable and see that the disk has room, then run `ccdash init` again.';
  return err({ code: 'not_writable', message, hint });
}

function codeOf(error: unknown): string {
  if (!(error instanceof Error && 'code' in error)) throw error;
  return String(error.code);
}
