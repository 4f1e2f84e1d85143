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
  const root = join(workspacesFolder(stateDir), name);
  return {
    runId,
    root,
    tree: join(root, 'tree'),
    repository: join(root, 'checkpoints.git'),
    objects: join(root, 'objects'),
    aside: join(root, 'aside'),
    carriedFile: join(root, 'carried.json'),
    unfinishedFile: join(root, 'unfinished-restore.json'),
  };
}

/** Errors: Failure `workspace_missing` when a part of it is gone, or is a link to somewhere else. */
export function findRunFolder(folder: RunFolder): Result<RunFolder, Failure> {
  for (const path of [folder.root, folder.tree, folder.repository, folder.objects]) {
    const stats = lstatSync(path, { throwIfNoEntry: false });
    if (stats?.isDirectory() === true) continue;
    const what = stats === undefined ? 'is gone' : 'is no folder any more';
    const message = `The workspace of run ${folder.runId} cannot be used: ${path} ${what}.`;
    return refuse(
      'workspace_missing',
      message,
      'Bring the folder back, or cancel the run and start a new one.',
    );
  }
  return ok(folder);
}
