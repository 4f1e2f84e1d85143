/**
 * Sets a work tree back to a checkpoint. What differs is kept first; what no commit can hold is moved out of the tree
 * instead of being deleted. May be killed at any point and repeated: the answer is then the same.
 */
import { mkdirSync, readdirSync, renameSync, rmSync, rmdirSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { ok } from '@ccdash/core';
import type { Checkpoint, Failure, Result } from '@ccdash/core';
import { bytesToFile, bytesToText, holdsPath, holdsPathIn, textToBytes } from './byte-path.ts';
import type { BytePath } from './byte-path.ts';
import { isUnkeepable, unkeepableToFailure } from './checkpoint-repository.ts';
import type { CheckpointRepository, Snapshot, SnapshotOptions } from './checkpoint-repository.ts';
import type { LeftOut } from './checkpoint-notes.ts';
import { readTextIfThere, replaceFile } from './durable-folder.ts';
import { makeFolders } from './make-folders.ts';
import type { RunFolder } from './run-folder.ts';
import { isSystemError, listOf, refuse } from './workspace-failure.ts';

export interface RestoreOptions extends Pick<SnapshotOptions, 'carried' | 'maxFileBytes'> {
  /** What `target` has beside its tree. */
  readonly leftOut: LeftOut;
}

/**
 * `keepAs`: name of the ref below `refs/ccdash/aside/`, and of the folder for what is moved.
 * Gives the commit of what differed; null when nothing did.
 * Errors: Failure `restore_incomplete` when something else keeps changing the tree, and those of git and the disk.
 */
export async function restoreTree(
  repository: CheckpointRepository,
  folder: RunFolder,
  target: Checkpoint,
  keepAs: string,
  { carried, maxFileBytes, leftOut }: RestoreOptions,
): Promise<Result<Checkpoint | null, Failure>> {
  const mover = createMover(folder, keepAs);
  const listed = await pathsOf(repository, target);
  if (!listed.ok) return listed;
  const paths = listed.value;
  const options = { tracked: paths, carried, maxFileBytes, folderBits: 0o700 } as const;

  const before = await snapshotAfterMoving(repository, target, options, mover);
  if (!before.ok) return before;
  const { tree, scan } = before.value;
  // A nested repository that came after the checkpoint goes as a whole.
  for (const path of scan.nestedGits) {
    const end = path.lastIndexOf('/');
    if (end > 0 && !isFolderIn(paths, path.slice(0, end))) mover.move(path);
  }
  const kept = await keep(repository, folder, target, keepAs, tree, mover.moved());
  if (!kept.ok) return kept;
  if (tree !== target.tree) {
    const unfinished: Unfinished = { keepAs, target, aside: kept.value };
    replaceFile(folder.unfinishedFile, JSON.stringify(unfinished));
  }
  const stays = new Set(leftOut.special);
  for (const path of scan.special) if (!stays.has(path)) unlinkSync(mover.fileOf(path));
  const folders =
    tree === target.tree ? ok(scan.folders) : await setBack(repository, target, options);
  if (!folders.ok) return folders;
  const wanted = [...paths, ...leftOut.folders].toSorted();
  removeEmptyFolders(folders.value, wanted, (path) => mover.fileOf(path));
  makeFolders(folder.tree, leftOut.folders);
  rmSync(folder.unfinishedFile, { force: true });
  return kept;
}

/** A restore that has begun to change the tree; when it is found, the process was killed half way. */
interface Unfinished {
  readonly keepAs: string;
  readonly target: Checkpoint;
  /** What the tree was before, whole. */
  readonly aside: Checkpoint | null;
}

function readUnfinished({ unfinishedFile }: RunFolder): Unfinished | null {
  const text = readTextIfThere(unfinishedFile);
  // Written by this file only, and never in part.
  return text === null ? null : (JSON.parse(text) as Unfinished);
}

/** Gives the folders there are then. A second look makes sure that the tree is what it should be. */
async function setBack(
  repository: CheckpointRepository,
  target: Checkpoint,
  options: SnapshotOptions,
): Promise<Result<readonly BytePath[], Failure>> {
  const read = await repository.git(['read-tree', '-u', '--reset', target.commit]);
  if (!read.ok) return read;
  const taken = await repository.snapshot(target.commit, options);
  if (!taken.ok) return taken;
  if (isUnkeepable(taken.value)) return unkeepableToFailure(taken.value, options.maxFileBytes);
  if (taken.value.tree === target.tree) return ok(taken.value.scan.folders);
  const differing = await repository.changes(target.tree, taken.value.tree);
  if (!differing.ok) return differing;
  const paths = listOf(differing.value.map(({ path }) => bytesToText(path)));
  const message = `The workspace is not as the checkpoint has it: ${paths}.`;
  const hint = 'Something else writes to the workspace; end it, then retry. What differed is kept.';
  return refuse('restore_incomplete', message, hint);
}

interface Mover {
  /** Moves a path of the work tree to the folder of what is set aside. */
  move(path: BytePath): void;
  moved(): readonly BytePath[];
  /** A path of the work tree for a file system call. */
  fileOf(path: BytePath): string | Buffer;
}

function createMover(folder: RunFolder, keepAs: string): Mover {
  const moved: BytePath[] = [];
  const tree = textToBytes(folder.tree);
  const asideOf = join(folder.aside, keepAs.replaceAll('/', '_'));
  const fileOf = (path: BytePath): string | Buffer => bytesToFile(`${tree}/${path}`);
  return {
    fileOf,
    moved: () => moved,
    move(path) {
      mkdirSync(asideOf, { recursive: true, mode: 0o700 });
      // A folder of its own for each, since names of a hostile tree may clash or be too long to be nested again.
      const place = join(asideOf, String(readdirSync(asideOf).length + 1));
      mkdirSync(place, { mode: 0o700 });
      const name = path.slice(path.lastIndexOf('/') + 1);
      renameSync(fileOf(path), bytesToFile(`${textToBytes(place)}/${name}`));
      moved.push(path);
    },
  };
}

/** Each round moves what the round before could not keep, until a snapshot holds everything. */
async function snapshotAfterMoving(
  repository: CheckpointRepository,
  target: Checkpoint,
  options: SnapshotOptions,
  mover: Mover,
): Promise<Result<Snapshot, Failure>> {
  const MAX_ROUNDS = 3;
  for (let round = 1; ; round += 1) {
    const taken = await repository.snapshot(target.commit, options);
    if (!taken.ok) return taken;
    const { value } = taken;
    if (!isUnkeepable(value)) return ok(value);
    if (round > MAX_ROUNDS) return unkeepableToFailure(value, options.maxFileBytes);
    for (const path of [...value.large, ...value.closed]) mover.move(path);
  }
}

/** Commits `tree` as what the work tree was before it is set back to `target`. */
async function keep(
  repository: CheckpointRepository,
  folder: RunFolder,
  target: Checkpoint,
  keepAs: string,
  tree: string,
  moved: readonly BytePath[],
): Promise<Result<Checkpoint | null, Failure>> {
  const ref = `aside/${keepAs}`;
  const found = await repository.find(ref);
  if (!found.ok) return found;
  const earlier = found.value;
  const unfinished = readUnfinished(folder);
  const isRepeated = unfinished?.keepAs === keepAs && unfinished.target.commit === target.commit;
  const original = isRepeated ? unfinished.aside : null;
  if (earlier?.parent === target.commit && moved.length === 0) {
    const isKnown = tree === earlier.checkpoint.tree || tree === target.tree;
    if (isKnown) return ok(original ?? earlier.checkpoint);
  }
  if (tree === target.tree && moved.length === 0) return ok(null);
  const parents = [target.commit, ...(earlier === null ? [] : [earlier.checkpoint.commit])];
  const list = moved.map((path) => `Moved out of the tree: ${JSON.stringify(bytesToText(path))}\n`);
  const message = `Set aside: ${keepAs}\n\n${list.join('')}`;
  const made = await repository.commit(tree, parents, message, ref);
  // Half set back, the tree is kept as well, but it is not what people will look for.
  return made.ok && original !== null ? ok(original) : made;
}

/** Paths of the files (and submodules) of a checkpoint, sorted by their bytes. */
async function pathsOf(
  repository: CheckpointRepository,
  { commit }: Checkpoint,
): Promise<Result<readonly BytePath[], Failure>> {
  const listed = await repository.git([
    'ls-tree',
    '-r',
    '-z',
    '--name-only',
    '--full-tree',
    commit,
  ]);
  if (!listed.ok) return listed;
  return ok(listed.value.stdout.toString('latin1').split('\0').slice(0, -1));
}

/** Whether the checkpoint has something in `folder`, or a submodule there. */
function isFolderIn(paths: readonly BytePath[], folder: BytePath): boolean {
  return holdsPathIn(paths, folder) || holdsPath(paths, folder);
}

/** Children before parents. A folder in which something ignored lies stays. */
function removeEmptyFolders(
  folders: readonly BytePath[],
  paths: readonly BytePath[],
  fileOf: (path: BytePath) => string | Buffer,
): void {
  for (const path of folders.toReversed()) {
    if (isFolderIn(paths, path)) continue;
    try {
      rmdirSync(fileOf(path));
    } catch (error) {
      if (!isSystemError(error, 'ENOTEMPTY', 'EEXIST', 'ENOENT')) throw error;
    }
  }
}
