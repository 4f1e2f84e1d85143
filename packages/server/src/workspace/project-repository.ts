/** Reads a project's repository without changing a byte of it and without running anything it configures. */
import { statSync } from 'node:fs';
import { ok } from '@ccdash/core';
import type { Failure, Result } from '@ccdash/core';
import { outputText } from './git.ts';
import type { ConfigEntry, Git } from './git.ts';
import { isSystemError, refuse } from './workspace-failure.ts';

export interface ProjectRepository {
  /** Absolute. */
  readonly objects: string;
  readonly objectFormat: 'sha1' | 'sha256';
  /** Where a shallow history ends, absolute path; null when the history is whole. */
  readonly shallowFile: string | null;
  /** Where the project is published, when that is a network address; without any credential. */
  readonly origin: string | null;
}

/** Errors: Failure `not_a_repository`, `bare_repository`, `not_owned`, and those of git. */
export async function openProject(
  git: Git,
  projectDir: string,
): Promise<Result<ProjectRepository, Failure>> {
  if (!isFolder(projectDir)) {
    const hint = 'Name a folder that exists, with --project.';
    return refuse('not_a_repository', `${projectDir} is not a folder.`, hint);
  }
  const asked = ['--is-bare-repository', '--is-shallow-repository', '--show-object-format'];
  const paths = ['--git-path', 'objects', '--git-path', 'shallow'];
  const told = await git.run(
    ['-C', projectDir, 'rev-parse', '--path-format=absolute', ...asked, ...paths],
    { accept: [128] },
  );
  if (!told.ok) return told;
  if (told.value.code !== 0) return notUsable(git, projectDir);
  const [bare, shallow, format, objects = '', shallowFile = ''] = outputText(told.value).split(
    '\n',
  );
  if (bare === 'true') {
    const message = `${projectDir} is a bare repository: it has no files to work on.`;
    return refuse('bare_repository', message, 'Name a clone of it that has a work tree.');
  }
  const origin = await git.run(['-C', projectDir, 'config', '--get', 'remote.origin.url'], {
    accept: [1],
  });
  if (!origin.ok) return origin;
  return ok({
    objects,
    objectFormat: format === 'sha256' ? 'sha256' : 'sha1',
    shallowFile: shallow === 'true' ? shallowFile : null,
    origin: publicAddress(outputText(origin.value)),
  });
}

/**
 * Empty programs for every filter that is configured, so that git compares files without running them.
 * `clean` alone is not enough: `process` comes first where both stand.
 */
export async function filtersOff(
  git: Git,
  projectDir: string,
): Promise<Result<readonly ConfigEntry[], Failure>> {
  const listed = await git.run(
    ['-C', projectDir, 'config', '-z', '--name-only', '--get-regexp', '^filter\\.'],
    { accept: [1] },
  );
  if (!listed.ok) return listed;
  const keys = outputText(listed.value)
    .split('\0')
    .filter((key) => key !== '');
  const names = new Set(keys.map((key) => key.slice('filter.'.length, key.lastIndexOf('.'))));
  return ok(
    [...names].flatMap((name): readonly ConfigEntry[] => [
      [`filter.${name}.clean`, ''],
      [`filter.${name}.smudge`, ''],
      [`filter.${name}.process`, ''],
      [`filter.${name}.required`, 'false'],
    ]),
  );
}

/** The address without user and password; null for a path, a helper program, or anything else that is no plain host. */
export function publicAddress(url: string): string | null {
  const web = /^(https?):\/\/(?:[^/@\s]*@)?([A-Za-z0-9][A-Za-z0-9.-]*(?::\d+)?\/[^\s?#]*)$/.exec(
    url,
  );
  if (web !== null) return `${web[1] ?? ''}://${web[2] ?? ''}`;
  const isSsh =
    /^ssh:\/\/(?:[A-Za-z0-9][\w.-]*@)?[A-Za-z0-9][A-Za-z0-9.-]*(?::\d+)?\/[^\s]*$/.test(url) ||
    /^(?:[A-Za-z0-9][\w.-]*@)[A-Za-z0-9][A-Za-z0-9.-]*:(?!:)[^\s]+$/.test(url);
  return isSsh ? url : null;
}

/** Why git would not look at the folder. */
async function notUsable(git: Git, projectDir: string): Promise<Result<never, Failure>> {
  const again = await git.run(['-C', projectDir, 'rev-parse', '--git-dir']);
  const reason = again.ok ? 'git could not describe it.' : again.error.message;
  if (reason.includes('dubious ownership')) {
    const message = `${projectDir} belongs to another user, so git does not trust it.`;
    return refuse('not_owned', message, 'Run as the owner of the folder, or clone it as yourself.');
  }
  const hint =
    'Make it one: git init, then commit something. Or name another folder with --project.';
  return refuse('not_a_repository', `${projectDir} is not a git repository (${reason})`, hint);
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch (error) {
    if (isSystemError(error, 'ENOENT', 'ENOTDIR', 'EACCES', 'ELOOP', 'ENAMETOOLONG')) return false;
    throw error;
  }
}
