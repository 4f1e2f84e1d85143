/** The workspaces of a project's runs, on the local disk with git. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { assertInvariant, ok } from '@ccdash/core';
import type { Checkpoint, Failure, Joined, Result, Workspaces } from '@ccdash/core';
import { laneOf, splitLane } from '../base/lanes.ts';
import { applyResult, previewApply } from './apply-result.ts';
import { bytesToText } from './byte-path.ts';
import { carriedList, carriedPaths, carryOverPaths } from './carry-over.ts';
import { isSameNotes, leftOutOf, notesToText } from './checkpoint-notes.ts';
import {
  createCheckpointRepository,
  isUnkeepable,
  unkeepableToFailure,
} from './checkpoint-repository.ts';
import type { CheckpointRepository } from './checkpoint-repository.ts';
import { createClones } from './clone.ts';
import { isFullCommitId } from './commit-id.ts';
import { createGit } from './git.ts';
import { takeSide, unsettledIn } from './join-work.ts';
import { keepSeed, openLane } from './lane.ts';
import { inspectProject } from './inspect-project.ts';
import { baseCheckpoint, makeWorkspace } from './make-workspace.ts';
import { mergeCommits } from './merge-commits.ts';
import { matchWorkspaceFiles, readWorkspaceFile } from './read-workspace.ts';
import { rebuildTree } from './rebuild-tree.ts';
import { restoreTree } from './restore-tree.ts';
import { findCheckpoints, findRunFolder, isTreeLost, laneFolder, runFolder } from './run-folder.ts';
import type { RunFolder } from './run-folder.ts';
import { refuse, systemErrorToFailure } from './workspace-failure.ts';

export interface WorkspacesOptions {
  /** Absolute. The workspaces lie in its folder `workspaces`, one folder for each run. */
  readonly stateDir: string;
  /** Absolute path of git; found in PATH when it is left out. */
  readonly git?: string;
  /** A file with more bytes cannot be part of a checkpoint; 50 MiB when it is left out. */
  readonly maxFileBytes?: number;
}

const DEFAULT_MAX_FILE_BYTES = 50 * 1024 * 1024;
/** `step/1`, `step/1-before`: what may stand in the name of a ref without a second thought. */
const LABEL = /^[a-z0-9][a-z0-9-]*(?:\/[a-z0-9][a-z0-9-]*)*$/;

/**
 * One process at a time may use a state folder; within it, operations on one run wait for each other.
 * Every answer that can be expected is a Failure; see the functions for theirs. `workspace_missing` when the folder
 * of a run has gone, `program_missing` without git, `disk_full`, `workspace_io` when the disk refuses otherwise.
 */
export function createWorkspaces(options: WorkspacesOptions): Workspaces {
  const { stateDir, maxFileBytes = DEFAULT_MAX_FILE_BYTES } = options;
  const git = createGit(options.git ?? null);
  const clones = createClones(git);
  const inTurn = createTurns();
  const folderOf = (id: string): RunFolder => {
    const { runId, step } = splitLane(id);
    const run = runFolder(stateDir, runId);
    return step === null ? run : laneFolder(run, id, step);
  };

  /** Runs `work` on a run's workspace, alone, with errors of the disk as values. */
  const withRun = <T>(
    runId: string,
    work: (repository: CheckpointRepository, folder: RunFolder) => Promise<Result<T, Failure>>,
  ): Promise<Result<T, Failure>> =>
    inTurn(runId, () =>
      guarded(async () => {
        const found = findRunFolder(folderOf(runId));
        return found.ok ? work(createCheckpointRepository(git, found.value), found.value) : found;
      }),
    );

  return {
    inspect: (projectDir) => guarded(() => inspectProject(git, projectDir)),

    create: (runId, source) =>
      inTurn(runId, () =>
        guarded(async () => {
          const made = folderOf(runId);
          const making = runFolder(stateDir, runId, `.making-${runId}`);
          const found = existsSync(made.root) ? findRunFolder(made) : null;
          if (found !== null && !found.ok) return found;
          const { forkedFrom } = source;
          const forked =
            forkedFrom === undefined ? ok(null) : findCheckpoints(folderOf(forkedFrom));
          if (!forked.ok) return forked;
          const checkpoint =
            found === null
              ? await makeWorkspace(git, source, making, made, forked.value)
              : await baseCheckpoint(git, made, source.baseCommit);
          if (!checkpoint.ok) return checkpoint;
          const there = (path: string): boolean => existsSync(join(source.projectDir, path));
          const paths = forked.value === null ? [] : carriedList(forked.value).filter(there);
          const carried = await carryOverPaths(made, source.projectDir, paths);
          return carried.ok ? ok({ checkpoint: checkpoint.value }) : carried;
        }),
      ),

    openLane: (runId, step, target) => {
      const id = laneOf(runId, step);
      return inTurn(id, () =>
        guarded(async () => {
          const known = checkIds(target);
          if (!known.ok) return known;
          return openLane(git, folderOf(runId), folderOf(id), target);
        }),
      );
    },

    keepSeed: (runId) =>
      withRun(runId, (_repository, folder) => {
        keepSeed(folder);
        return Promise.resolve(ok(undefined));
      }),

    join: (runId, order) => {
      assertInvariant(LABEL.test(order.label), `not a label: ${JSON.stringify(order.label)}`);
      return withRun<Joined>(runId, async (repository, folder) => {
        const { onto, work, take, label } = order;
        const known = checkIds(onto, work);
        if (!known.ok) return known;
        const merged = await mergeCommits(git, folder, folder.objects, onto.commit, work.commit);
        if (!merged.ok) return merged;
        const notes = await clones.notesAt(folder, onto);
        if (!notes.ok) return notes;
        const carried = carriedPaths(folder);
        const set = (target: Checkpoint, keepAs: string) =>
          restoreTree(repository, folder, target, keepAs, {
            ...{ carried, maxFileBytes, leftOut: notes.value.leftOut },
          });
        const keep = (tree: string, ref: string) =>
          repository.commit(
            tree,
            [onto.commit, work.commit],
            `${label}\n\n${notesToText(notes.value)}`,
            ref,
          );
        const { conflicts } = merged.value;
        const files = conflicts.map(bytesToText);
        let { tree } = merged.value;
        if (conflicts.length > 0 && take === 'workspace') {
          const options = { tracked: [], carried, maxFileBytes, folderBits: 0o500 } as const;
          const left = unsettledIn(folder, conflicts);
          if (left.length > 0) return ok({ joined: false, files: left.map(bytesToText) });
          const taken = await repository.snapshot(onto.commit, options);
          if (!taken.ok) return taken;
          if (isUnkeepable(taken.value)) return unkeepableToFailure(taken.value, maxFileBytes);
          tree = taken.value.tree;
        } else if (conflicts.length > 0 && take !== null) {
          const side = take === 'work' ? work : onto;
          const chosen = await takeSide(repository, folder, merged.value, side);
          if (!chosen.ok) return chosen;
          tree = chosen.value;
        } else if (conflicts.length > 0) {
          const shown = await keep(tree, `conflicts/${label}`);
          if (!shown.ok) return shown;
          const restored = await set(shown.value, `${label}-conflict`);
          return restored.ok ? ok({ joined: false, files }) : restored;
        }
        const checkpoint = await keep(tree, `checkpoints/${label}`);
        if (!checkpoint.ok) return checkpoint;
        const restored = await set(checkpoint.value, `${label}-before`);
        if (!restored.ok) return restored;
        return ok({ joined: true, checkpoint: checkpoint.value, files });
      });
    },

    pathOf: (runId) => folderOf(runId).tree,
    objectPathsOf: (runId) => [folderOf(runId).objects],

    checkpoint: (runId, parent, label) => {
      assertInvariant(LABEL.test(label), `not a label: ${JSON.stringify(label)}`);
      return withRun(runId, async (repository, folder) => {
        const known = checkIds(parent);
        if (!known.ok) return known;
        if (existsSync(folder.unfinishedFile)) {
          const message = `Setting the workspace of run ${runId} back was cut off half way.`;
          return refuse('restore_unfinished', message, 'Retry the step: that sets it back first.');
        }
        const carried = carriedPaths(folder);
        const taken = await repository.snapshot(parent.commit, {
          tracked: [],
          carried,
          maxFileBytes,
          folderBits: 0o500,
        });
        if (!taken.ok) return taken;
        if (isUnkeepable(taken.value)) return unkeepableToFailure(taken.value, maxFileBytes);
        const { tree } = taken.value;
        const before = await clones.notesAt(folder, parent);
        if (!before.ok) return before;
        const head = clones.head(folder) ?? before.value.head;
        const notes = { head, leftOut: leftOutOf(taken.value) };
        if (tree === parent.tree && isSameNotes(notes, before.value)) return ok(parent);
        const message = `${label}\n\n${notesToText(notes)}`;
        return repository.commit(tree, [parent.commit], message, `checkpoints/${label}`);
      });
    },

    changes: async (runId, from, to) =>
      guarded(async () => {
        const known = checkIds(from, to);
        if (!known.ok) return known;
        if (from.tree === to.tree) return ok([]);
        const found = findCheckpoints(folderOf(runId));
        if (!found.ok) return found;
        const changed = await createCheckpointRepository(git, found.value).changes(
          from.tree,
          to.tree,
        );
        if (!changed.ok) return changed;
        return ok(changed.value.map(({ path, change }) => ({ path: bytesToText(path), change })));
      }),

    treeNow: (runId, parent) =>
      withRun(runId, async (repository, folder) => {
        const known = checkIds(parent);
        if (!known.ok) return known;
        const carried = carriedPaths(folder);
        const options = { tracked: [], carried, maxFileBytes, folderBits: 0o500 } as const;
        const taken = await repository.snapshot(parent.commit, options);
        if (!taken.ok) return taken;
        if (isUnkeepable(taken.value)) return unkeepableToFailure(taken.value, maxFileBytes);
        return ok(taken.value.tree);
      }),

    diff: async (runId, from, to, maxBytes) =>
      guarded(async () => {
        const known = checkIds(from, to);
        if (!known.ok) return known;
        const found = findCheckpoints(folderOf(runId));
        if (!found.ok) return found;
        const flags = ['-r', '-p', '--no-renames', '--no-ext-diff', '--no-textconv', '--no-color'];
        const printed = await createCheckpointRepository(git, found.value).git(
          ['diff-tree', ...flags, '--src-prefix=a/', '--dst-prefix=b/', from.tree, to.tree],
          { cutAtBytes: maxBytes },
        );
        if (!printed.ok) return printed;
        const { stdout, isCut } = printed.value;
        return ok({ text: stdout.toString('utf8'), truncated: isCut });
      }),

    restore: (runId, target, keepAs) => {
      assertInvariant(LABEL.test(keepAs), `not a label: ${JSON.stringify(keepAs)}`);
      return withRun(runId, async (repository, folder) => {
        const known = checkIds(target);
        if (!known.ok) return known;
        const carried = carriedPaths(folder);
        const notes = await clones.notesAt(folder, target);
        if (!notes.ok) return notes;
        const { head, leftOut } = notes.value;
        const restored = await restoreTree(repository, folder, target, keepAs, {
          ...{ carried, maxFileBytes, leftOut },
        });
        if (!restored.ok) return restored;
        const mended = await clones.mend(folder, head, keepAs);
        if (!mended.ok) return mended;
        const reset = restored.value === null ? ok(undefined) : await clones.resetIndex(folder);
        return reset.ok ? restored : reset;
      });
    },

    previewApply: (runId, target) =>
      withRun(runId, async (repository, folder) => {
        const known = checkIds(target.base, target.result);
        return known.ok ? previewApply(git, repository, folder, target) : known;
      }),

    applyResult: (runId, order) =>
      withRun(runId, async (repository, folder) => {
        const known = checkIds(order.base, order.result);
        return known.ok ? applyResult(git, repository, folder, order) : known;
      }),

    patch: async (runId, from, to) =>
      guarded(async () => {
        const known = checkIds(from, to);
        if (!known.ok) return known;
        const found = findRunFolder(folderOf(runId));
        if (!found.ok) return found;
        const flags = ['-r', '-p', '--binary', '--full-index', '--no-renames', '--no-ext-diff'];
        const printed = await createCheckpointRepository(git, found.value).git([
          ...['diff-tree', ...flags, '--no-textconv', '--no-color'],
          ...['--src-prefix=a/', '--dst-prefix=b/', from.tree, to.tree],
        ]);
        return printed.ok ? ok(printed.value.stdout) : printed;
      }),
    ready: (runId, keepAs) => {
      assertInvariant(LABEL.test(keepAs), `not a label: ${JSON.stringify(keepAs)}`);
      return withRun(runId, async (_repository, folder) => {
        const mended = await clones.mend(folder, null, keepAs);
        return mended.ok ? ok(undefined) : mended;
      });
    },

    rebuild: (runId, target, projectDir) =>
      inTurn(runId, () =>
        guarded(async () => {
          const folder = folderOf(runId);
          const known = checkIds(target);
          if (!known.ok || !isTreeLost(folder)) return known;
          const notes = await clones.notesAt(folder, target);
          if (!notes.ok) return notes;
          return rebuildTree(git, clones, folder, target, notes.value, projectDir);
        }),
      ),

    readFile: (runId, path, maxBytes) =>
      guarded(async () => {
        const found = findRunFolder(folderOf(runId));
        return found.ok ? readWorkspaceFile(found.value.tree, path, maxBytes) : found;
      }),

    match: (runId, globs) =>
      guarded(async () => {
        const found = findRunFolder(folderOf(runId));
        if (!found.ok) return found;
        const carried = carriedPaths(found.value);
        return ok(
          await matchWorkspaceFiles(found.value.tree, globs, {
            tracked: [],
            carried,
            folderBits: 0o500,
          }),
        );
      }),

    carryOver: (runId, projectDir, paths) =>
      withRun(runId, (_repository, folder) => carryOverPaths(folder, projectDir, paths)),
  };
}

/** Errors: Failure `checkpoint_unknown` for what cannot be an id; git would take it for an option or a name. */
function checkIds(...checkpoints: readonly Checkpoint[]): Result<void, Failure> {
  for (const { commit, tree } of checkpoints) {
    if (isFullCommitId(commit) && isFullCommitId(tree)) continue;
    const message = `${JSON.stringify(commit)} is not a checkpoint.`;
    return refuse('checkpoint_unknown', message, 'Name a checkpoint that the run recorded.');
  }
  return ok(undefined);
}

/** Turns what the disk refuses into a Failure; bugs stay thrown. */
async function guarded<T>(work: () => Promise<Result<T, Failure>>): Promise<Result<T, Failure>> {
  try {
    return await work();
  } catch (error) {
    const failure = systemErrorToFailure(error);
    if (failure === null) throw error;
    return { ok: false, error: failure };
  }
}

/** Lets work with the same key wait for what was asked for before it. */
function createTurns(): <T>(key: string, work: () => Promise<T>) => Promise<T> {
  const lastByKey = new Map<string, Promise<unknown>>();
  return (key, work) => {
    const before = lastByKey.get(key) ?? Promise.resolve();
    const mine = before.then(work, work);
    lastByKey.set(key, mine);
    const forget = (): void => {
      if (lastByKey.get(key) === mine) lastByKey.delete(key);
    };
    mine.then(forget, forget);
    return mine;
  };
}
