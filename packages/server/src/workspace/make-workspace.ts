/**
 * Makes a run's workspace: a clone with a `.git` of its own on a branch of its own, and the checkpoint repository.
 *
 * Everything is made under another name and renamed once it is whole and on the disk; what a crash leaves behind is
 * removed by the next try. The project is only read. The clone has no remote that leads back to it: `origin` is the
 * address where the project itself is published, if that is a network address, so that a step may push when its
 * scope has that host.
 */
import { copyFileSync, cpSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { ok } from '@ccdash/core';
import type { Checkpoint, Failure, Result, WorkspaceSource } from '@ccdash/core';
import { ATTRIBUTES } from './checkpoint-repository.ts';
import { copyObjects } from './copy-objects.ts';
import { syncAll, syncFolder } from './durable-folder.ts';
import { BYTE_EXACT, outputText } from './git.ts';
import type { Git } from './git.ts';
import { openProject } from './project-repository.ts';
import type { ProjectRepository } from './project-repository.ts';
import { isFullCommitId } from './commit-id.ts';
import type { RunFolder } from './run-folder.ts';
import { refuse } from './workspace-failure.ts';

/** The ref of the checkpoint repository that holds the commit a run starts from. */
export const BASE_REF = 'refs/ccdash/base';

/**
 * `forked`: the run that it begins from, whose checkpoints it has then. `making`: where it is built; `made`: its name once it is whole. Neither is used by anything else meanwhile.
 * Errors: Failure `commit_missing`, and those of opening the project, of git and of the disk.
 */
export async function makeWorkspace(
  git: Git,
  source: WorkspaceSource,
  making: RunFolder,
  made: RunFolder,
  forked: RunFolder | null,
): Promise<Result<Checkpoint, Failure>> {
  const { baseCommit } = source;
  const project = await openProject(git, source.projectDir);
  if (!project.ok) return project;
  rmSync(making.root, { recursive: true, force: true, maxRetries: 3 });
  mkdirSync(dirname(making.root), { recursive: true, mode: 0o700 });
  mkdirSync(making.root, { mode: 0o700 });
  mkdirSync(making.objects, { mode: 0o700 });
  // A fork needs nothing of the project that the other run had not taken already.
  const objects = forked === null ? project.value.objects : join(forked.repository, 'objects');
  const copied = await copyObjects(objects, making.objects);
  if (!copied.ok) return copied;
  const repository = await initRepository(git, project.value, making.repository, null);
  if (!repository.ok) return repository;
  const base = await baseCheckpoint(git, making, baseCommit);
  if (!base.ok) return base;
  const clone = await initRepository(git, project.value, making.tree, `ccdash/${made.runId}`);
  if (!clone.ok) return clone;

  const inRepository = [`--git-dir=${making.repository}`, `--work-tree=${making.tree}`];
  const inClone = [`--git-dir=${join(making.tree, '.git')}`];
  for (const args of [
    [...inRepository, 'update-ref', BASE_REF, baseCommit],
    [...inRepository, 'read-tree', '-u', '--reset', baseCommit],
    [...inClone, 'update-ref', 'HEAD', baseCommit],
  ]) {
    const done = await git.run(args, { config: BYTE_EXACT });
    if (!done.ok) return done;
  }
  // The same paths with the same times: the clone's git has nothing to compare at its first look.
  copyFileSync(join(making.repository, 'index'), join(making.tree, '.git/index'));
  cpSync(join(making.tree, '.git'), join(making.pristine, '.git'), { recursive: true });
  for (const part of [making.repository, join(making.tree, '.git'), making.pristine]) syncAll(part);
  syncFolder(making.root);
  renameSync(making.root, made.root);
  syncFolder(dirname(made.root));
  return base;
}

/** Errors: Failure `commit_missing`. */
export async function baseCheckpoint(
  git: Git,
  folder: RunFolder,
  baseCommit: string,
): Promise<Result<Checkpoint, Failure>> {
  const hint = 'Fetch it into the project, or start a new run from a commit that is there.';
  const missing = `Commit ${baseCommit} is not in the project.`;
  if (!isFullCommitId(baseCommit)) return refuse('commit_missing', missing, hint);
  const found = await git.run(
    [`--git-dir=${folder.repository}`, 'rev-parse', '--verify', '--quiet', `${baseCommit}^{tree}`],
    { accept: [1, 128] },
  );
  if (!found.ok) return found;
  if (found.value.code !== 0) return refuse('commit_missing', missing, hint);
  return ok({ commit: baseCommit, tree: outputText(found.value) });
}

/** A repository that borrows the objects beside it. `branch` null makes it bare. */
async function initRepository(
  git: Git,
  project: ProjectRepository,
  path: string,
  branch: string | null,
): Promise<Result<void, Failure>> {
  const isBare = branch === null;
  const gitDir = isBare ? path : join(path, '.git');
  mkdirSync(path, { mode: 0o700 });
  const kind = isBare ? ['--bare'] : ['-b', branch];
  const format = `--object-format=${project.objectFormat}`;
  const made = await git.run(['init', '--quiet', '--template=', format, ...kind, path]);
  if (!made.ok) return made;
  mkdirSync(join(gitDir, 'info'), { recursive: true, mode: 0o700 });
  // Relative, so that the state folder may be moved.
  const objects = isBare ? '../../objects' : '../../../objects';
  writeFileSync(join(gitDir, 'objects/info/alternates'), `${objects}\n`);
  if (project.shallowFile !== null) copyFileSync(project.shallowFile, join(gitDir, 'shallow'));
  if (isBare) {
    writeFileSync(join(gitDir, 'info/attributes'), ATTRIBUTES);
    return ok(undefined);
  }
  const settings: readonly (readonly [string, string])[] = [
    ['user.name', 'CCDash'],
    ['user.email', 'ccdash@localhost'],
    ...(project.origin === null
      ? []
      : ([
          ['remote.origin.url', project.origin],
          ['remote.origin.fetch', '+refs/heads/*:refs/remotes/origin/*'],
        ] as const)),
  ];
  for (const [key, value] of settings) {
    const set = await git.run(['config', '--file', join(gitDir, 'config'), key, value]);
    if (!set.ok) return set;
  }
  return ok(undefined);
}
