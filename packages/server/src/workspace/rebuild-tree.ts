/**
 * Makes a work tree again that has gone, from its last checkpoint. It takes its place by one rename, so that a half
 * made one is never worked in. What checkpoints leave out (installed packages, caches) does not come back.
 */
import { cpSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { ok } from '@ccdash/core';
import type { Checkpoint, Failure, Result } from '@ccdash/core';
import { carriedList, carryOverPaths } from './carry-over.ts';
import type { CheckpointNotes } from './checkpoint-notes.ts';
import { createCheckpointRepository } from './checkpoint-repository.ts';
import type { Clones } from './clone.ts';
import { syncFolder } from './durable-folder.ts';
import type { Git } from './git.ts';
import { makeFolders } from './make-folders.ts';
import type { RunFolder } from './run-folder.ts';

/** What was carried over from the project is carried over again. Errors: those of git, of carrying over, of the disk. */
export async function rebuildTree(
  git: Git,
  clones: Clones,
  folder: RunFolder,
  target: Checkpoint,
  { head, leftOut }: CheckpointNotes,
  projectDir: string,
): Promise<Result<void, Failure>> {
  const making: RunFolder = { ...folder, tree: folder.rebuilding };
  rmSync(making.tree, { recursive: true, force: true, maxRetries: 3 });
  mkdirSync(making.tree, { mode: 0o700 });
  cpSync(join(folder.pristine, '.git'), join(making.tree, '.git'), { recursive: true });
  // It speaks of files that are gone.
  rmSync(join(folder.repository, 'index'), { force: true });
  const repository = createCheckpointRepository(git, making);
  const read = await repository.git(['read-tree', '-u', '--reset', target.commit]);
  if (!read.ok) return read;
  makeFolders(making.tree, leftOut.folders);
  const carried = await carryOverPaths(making, projectDir, carriedList(folder));
  if (!carried.ok) return carried;
  const mended = await clones.mend(making, head, 'rebuilt');
  if (!mended.ok) return mended;
  // A restore that was cut off has nothing left to finish.
  rmSync(folder.unfinishedFile, { force: true });
  renameSync(making.tree, folder.tree);
  syncFolder(folder.root);
  return ok(undefined);
}
