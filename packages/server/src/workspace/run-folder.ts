/** Where the parts of a run's workspace lie. All of it is below the state folder and for its owner only. */
import { lstatSync } from 'node:fs';
import { join } from 'node:path';
import { assertInvariant, ok } from '@ccdash/core';
import type { Failure, Result } from '@ccdash/core';
import { refuse } from './workspace-failure.ts';

export interface RunFolder {
  readonly runId: string;
  readonly root: string;
  /** The clone; the only part that the work of a step may write. */
  readonly tree: string;
  /** The checkpoint repository (bare). */
  readonly repository: string;
  /** The project's objects as they were when the run began: what `tree` and `repository` borrow from. */
  readonly objects: string;
  /** Holds the clone's `.git` as it was made, for when it has to be made again. */
  readonly pristine: string;
  /** What `tree` held once the run was set up, for lanes to begin with; there where a plan could have any. */
  readonly seed: string;
  /** Where that is done, and what of it is whole and has yet to take its place. */
  readonly mending: string;
  readonly mended: string;
  /** A tree that is being made again from a checkpoint. */
  readonly rebuilding: string;
  /** Things set aside that no commit can hold. */
  readonly aside: string;
  /** JSON list of the paths that were carried over. */
  readonly carriedFile: string;
  /** JSON; there while a restore changes the tree. */
  readonly unfinishedFile: string;
}

const RUN_ID = /^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$/;

export function workspacesFolder(stateDir: string): string {
  return join(stateDir, 'workspaces');
}

/** `name`: the folder's name when it is not the run's id. */
export function runFolder(stateDir: string, runId: string, name: string = runId): RunFolder {
  // Run ids are made by this program; anything else would be a path.
  assertInvariant(RUN_ID.test(runId), `not a run id: ${JSON.stringify(runId)}`);
  return runFolderAt(runId, join(workspacesFolder(stateDir), name));
}

function runFolderAt(runId: string, root: string): RunFolder {
  return {
    runId,
    root,
    tree: join(root, 'tree'),
    repository: join(root, 'checkpoints.git'),
    objects: join(root, 'objects'),
    pristine: join(root, 'pristine'),
    seed: join(root, 'seed'),
    mending: join(root, 'mending'),
    mended: join(root, 'mended'),
    rebuilding: join(root, 'rebuilding'),
    aside: join(root, 'aside'),
    carriedFile: join(root, 'carried.json'),
    unfinishedFile: join(root, 'unfinished-restore.json'),
  };
}

/** The folder of a lane: below that of its run, with whose objects it works. */
export function laneFolder(run: RunFolder, lane: string, step: string): RunFolder {
  const folder = runFolderAt(lane, join(run.root, 'lanes', step));
  return { ...folder, objects: run.objects };
}

/** Errors: Failure `workspace_missing` when a part of it is gone, or is a link to somewhere else. */
export function findRunFolder(folder: RunFolder): Result<RunFolder, Failure> {
  const kept = [folder.root, folder.repository, folder.objects, folder.pristine];
  const lost = kept.find((path) => problemOf(path) !== null);
  if (lost !== undefined) {
    return missing(folder, lost, 'Bring the folder back, or cancel the run and start a new one.');
  }
  if (problemOf(folder.tree) === null) return ok(folder);
  const hint = `Its checkpoints are still there: ccdash retry ${folder.runId} (or resume) makes the files again. What they leave out, such as installed packages, is gone: retry the step that made it.`;
  return missing(folder, folder.tree, hint);
}

/** For a fork: the work tree may be gone. Errors: Failure `workspace_missing`. */
export function findCheckpoints(folder: RunFolder): Result<RunFolder, Failure> {
  const lost = [folder.root, folder.repository, folder.objects].find(
    (path) => problemOf(path) !== null,
  );
  if (lost === undefined) return ok(folder);
  return missing(folder, lost, 'Bring the folder back, or start a new run of the plan.');
}

/** Whether the tree alone is gone, so that it can be made again from a checkpoint. */
export function isTreeLost(folder: RunFolder): boolean {
  const kept = [folder.root, folder.repository, folder.objects, folder.pristine];
  return kept.every((path) => problemOf(path) === null) && problemOf(folder.tree) === 'is gone';
}

function problemOf(path: string): string | null {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  if (stats === undefined) return 'is gone';
  return stats.isDirectory() ? null : 'is no folder any more';
}

function missing(folder: RunFolder, path: string, hint: string): Result<never, Failure> {
  const what = problemOf(path) ?? '';
  const message = `The workspace of run ${folder.runId} cannot be used: ${path} ${what}.`;
  return refuse('workspace_missing', message, hint);
}
