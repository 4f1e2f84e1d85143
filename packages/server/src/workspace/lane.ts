/**
 * A workspace that a step has for itself, below the folder of its run. It has a work tree, a clone and an index of its
 * own; objects and checkpoints lie with those of the run, so that what is made here can be joined and shown there.
 *
 * Made under another name and renamed once it is whole, like the workspace of the run.
 */
import {
  constants,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { ok } from '@ccdash/core';
import type { Checkpoint, Failure, Result } from '@ccdash/core';
import { carriedList } from './carry-over.ts';
import { ATTRIBUTES } from './checkpoint-repository.ts';
import { replaceFile, syncAll, syncFolder } from './durable-folder.ts';
import { BYTE_EXACT, outputText } from './git.ts';
import type { Git } from './git.ts';
import { BASE_REF } from './make-workspace.ts';
import { findRunFolder } from './run-folder.ts';
import type { RunFolder } from './run-folder.ts';

/** From the objects of a lane's clone to those of its run; relative, so that the state folder may be moved. */
const RUN_OBJECTS = '../../../../../objects';
const RUN_CHECKPOINTS = '../../../checkpoints.git/objects';

/** Finds the lane, or makes it with the files of `target`. One whose tree has gone is put aside and made anew. */
export async function openLane(
  git: Git,
  run: RunFolder,
  lane: RunFolder,
  target: Checkpoint,
): Promise<Result<void, Failure>> {
  if (existsSync(lane.root)) {
    if (findRunFolder(lane).ok) return ok(undefined);
    const lost = readdirSync(dirname(lane.root)).filter((name) => name.startsWith('.lost-'));
    const place = `.lost-${String(lost.length + 1)}-${basename(lane.root)}`;
    renameSync(lane.root, join(dirname(lane.root), place));
  }
  const root = join(dirname(lane.root), `.making-${basename(lane.root)}`);
  rmSync(root, { recursive: true, force: true, maxRetries: 3 });
  mkdirSync(dirname(root), { recursive: true, mode: 0o700 });
  mkdirSync(root, { mode: 0o700 });
  const repository = join(root, 'checkpoints.git');
  const base = await git.run([`--git-dir=${run.repository}`, 'rev-parse', '--verify', BASE_REF]);
  if (!base.ok) return base;
  const format = outputText(base.value).length === 64 ? 'sha256' : 'sha1';
  const init = ['init', '--quiet', '--template=', `--object-format=${format}`, '--bare'];
  const made = await git.run([...init, repository]);
  if (!made.ok) return made;
  rmSync(join(repository, 'objects'), { recursive: true });
  symlinkSync(RUN_CHECKPOINTS, join(repository, 'objects'));
  mkdirSync(join(repository, 'info'), { mode: 0o700 });
  writeFileSync(join(repository, 'info/attributes'), ATTRIBUTES);
  const shallow = join(run.repository, 'shallow');
  if (existsSync(shallow)) cpSync(shallow, join(repository, 'shallow'));

  const tree = join(root, 'tree');
  if (existsSync(run.seed)) copyTree(run.seed, tree);
  else mkdirSync(tree, { mode: 0o700 });
  for (const clone of [tree, join(root, 'pristine')]) {
    cpSync(join(run.pristine, '.git'), join(clone, '.git'), { recursive: true });
    writeFileSync(join(clone, '.git/objects/info/alternates'), `${RUN_OBJECTS}\n`);
  }
  const carried = carriedList(run);
  if (carried.length > 0) replaceFile(join(root, 'carried.json'), JSON.stringify(carried));
  const inRepository = [`--git-dir=${repository}`, `--work-tree=${tree}`];
  for (const args of [
    [...inRepository, 'update-ref', BASE_REF, outputText(base.value)],
    [...inRepository, 'read-tree', '-u', '--reset', target.commit],
  ]) {
    const done = await git.run(args, { config: BYTE_EXACT });
    if (!done.ok) return done;
  }
  for (const part of ['checkpoints.git', 'pristine', 'tree/.git']) {
    for (const name of readdirSync(join(root, part))) {
      const path = join(root, part, name);
      // The objects are those of the run, and durable by its own care.
      if (lstatSync(path).isDirectory()) syncAll(path);
    }
  }
  renameSync(root, lane.root);
  syncFolder(dirname(lane.root));
  return ok(undefined);
}

/**
 * Keeps the files as they are for lanes to begin with, what checkpoints leave out included: installed packages, caches.
 * Nothing may be at work in the tree.
 */
export function keepSeed(run: RunFolder): void {
  const making = join(run.root, '.making-seed');
  rmSync(making, { recursive: true, force: true, maxRetries: 3 });
  copyTree(run.tree, making);
  rmSync(run.seed, { recursive: true, force: true, maxRetries: 3 });
  renameSync(making, run.seed);
}

/** Regular files, folders, and links as they are; shares blocks where the disk can. */
function copyTree(from: string, to: string): void {
  const clone = join(from, '.git');
  cpSync(from, to, {
    recursive: true,
    verbatimSymlinks: true,
    mode: constants.COPYFILE_FICLONE,
    filter: (path) => {
      if (path === clone) return false;
      const stats = lstatSync(path);
      return stats.isFile() || stats.isDirectory() || stats.isSymbolicLink();
    },
  });
}
