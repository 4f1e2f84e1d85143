/** What a run would start from, and what its workspace will lack. */
import { ok } from '@ccdash/core';
import type { Failure, Result } from '@ccdash/core';
import { outputText } from './git.ts';
import type { ConfigEntry, Git } from './git.ts';
import { filtersOff, openProject } from './project-repository.ts';
import { listOf, refuse } from './workspace-failure.ts';

export interface Inspected {
  readonly baseCommit: string;
  /** Sentences. */
  readonly notCarried: readonly string[];
}

/** Errors: Failure `not_a_repository`, `bare_repository`, `not_owned`, `no_commit`, and those of git. */
export async function inspectProject(
  git: Git,
  projectDir: string,
): Promise<Result<Inspected, Failure>> {
  const project = await openProject(git, projectDir);
  if (!project.ok) return project;
  const config = await filtersOff(git, projectDir);
  if (!config.ok) return config;
  const status = await readStatus(git, projectDir, config.value);
  if (!status.ok) return status;
  const { commit } = status.value;
  if (commit === null) {
    const message = `${projectDir} has no commit yet.`;
    return refuse('no_commit', message, 'Commit something first: git add . && git commit');
  }
  const submodules = await listSubmodules(git, projectDir);
  if (!submodules.ok) return submodules;
  const largeFiles = await countLargeFileStorage(git, projectDir, config.value);
  if (!largeFiles.ok) return largeFiles;
  const notCarried = [
    uncommittedSentence(status.value, commit),
    submodules.value.length > 0
      ? `Submodules are empty folders in the workspace: ${listOf(submodules.value)}.`
      : null,
    largeFiles.value > 0
      ? `${plural(largeFiles.value, 'file')} kept by Git LFS: the workspace has the pointers, not the contents.`
      : null,
    project.value.shallowFile === null
      ? null
      : 'The history of the project is cut off (a shallow clone), and so is that of the workspace.',
    status.value.isDetached
      ? `The project is on no branch; the run starts from commit ${commit.slice(0, 12)}.`
      : null,
  ].filter((sentence) => sentence !== null);
  return ok({ baseCommit: commit, notCarried });
}

interface ProjectStatus {
  readonly commit: string | null;
  readonly isDetached: boolean;
  readonly staged: number;
  readonly unstaged: number;
  readonly untracked: number;
}

/** Source: git-status(1), "Porcelain Format Version 2". */
async function readStatus(
  git: Git,
  projectDir: string,
  config: readonly ConfigEntry[],
): Promise<Result<ProjectStatus, Failure>> {
  const flags = ['--porcelain=v2', '--branch', '-z', '--no-renames', '--ignore-submodules=all'];
  const said = await git.run(
    ['-C', projectDir, 'status', ...flags, '--untracked-files=normal', '--no-ahead-behind'],
    { config },
  );
  if (!said.ok) return said;
  const lines = said.value.stdout.toString('utf8').split('\0');
  const header = (name: string): string =>
    lines.find((line) => line.startsWith(`# ${name} `))?.slice(name.length + 3) ?? '';
  const changed = lines.filter((line) => /^[12u] /.test(line));
  const oid = header('branch.oid');
  return ok({
    commit: oid === '(initial)' ? null : oid,
    isDetached: header('branch.head') === '(detached)',
    staged: changed.filter((line) => line[2] !== '.').length,
    unstaged: changed.filter((line) => line[3] !== '.').length,
    untracked: lines.filter((line) => line.startsWith('? ')).length,
  });
}

async function listSubmodules(
  git: Git,
  projectDir: string,
): Promise<Result<readonly string[], Failure>> {
  const listed = await git.run(['-C', projectDir, 'ls-tree', '-r', '-z', '--full-tree', 'HEAD']);
  if (!listed.ok) return listed;
  const lines = listed.value.stdout.toString('utf8').split('\0');
  return ok(
    lines
      .filter((line) => line.startsWith('160000 '))
      .map((line) => line.slice(line.indexOf('\t') + 1)),
  );
}

async function countLargeFileStorage(
  git: Git,
  projectDir: string,
  config: readonly ConfigEntry[],
): Promise<Result<number, Failure>> {
  const listed = await git.run(
    ['-C', projectDir, 'ls-files', '-z', '--', ':(top,attr:filter=lfs)'],
    { config },
  );
  return listed.ok ? ok(outputText(listed.value).split('\0').length - 1) : listed;
}

function uncommittedSentence(status: ProjectStatus, commit: string): string | null {
  const { staged, unstaged, untracked } = status;
  if (staged + unstaged + untracked === 0) return null;
  const parts = [
    staged > 0 ? `${staged} staged` : null,
    unstaged > 0 ? `${unstaged} changed but not staged` : null,
    untracked > 0 ? `${untracked} untracked` : null,
  ].filter((part) => part !== null);
  return `Work that is not committed stays behind (${parts.join(', ')}): the workspace starts from commit ${commit.slice(0, 12)}.`;
}

function plural(count: number, noun: string): string {
  return count === 1 ? `1 ${noun} is` : `${count} ${noun}s are`;
}
