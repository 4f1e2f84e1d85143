/**
 * The clone's own `.git`. It is made by us, and then the work of a step does with it what it likes: commits, branches,
 * or ruins it. So it is looked at before an attempt, and made again where it is no longer whole.
 *
 * 1. git never runs under a configuration, or follows a link or alternate, that a step may have written.
 * 2. Nothing is deleted: a `.git` that is replaced is moved aside, and every ref whose commits are whole comes along.
 * 3. The same files are judged once: a clone that nothing touched costs no process of git.
 */
import { cpSync, existsSync, lstatSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { ok } from '@ccdash/core';
import type { Checkpoint, Failure, Result } from '@ccdash/core';
import { NOTHING_LEFT_OUT, textToNotes } from './checkpoint-notes.ts';
import type { CheckpointNotes } from './checkpoint-notes.ts';
import { splitLane } from '../base/lanes.ts';
import { lookAtClone } from './clone-look.ts';
import type { CloneHead, CloneLook } from './clone-look.ts';
import { syncAll, syncFolder } from './durable-folder.ts';
import { BASE_REF } from './make-workspace.ts';
import { BYTE_EXACT, outputText } from './git.ts';
import type { Git, GitOptions } from './git.ts';
import type { RunFolder } from './run-folder.ts';
import { listOf } from './workspace-failure.ts';

export interface Clones {
  /** HEAD as it stands, or the run's own branch where that names no commit; null where that is gone too. */
  head(folder: RunFolder): CloneHead | null;
  /**
   * Makes the clone whole, with HEAD where it is, or at `head` when that is given and its commit is there.
   * Gives sentences about what was done, for people; none when there was nothing to do.
   */
  mend(
    folder: RunFolder,
    head: CloneHead | null,
    keepAs: string,
  ): Promise<Result<readonly string[], Failure>>;
  /** What `checkpoint` says beside its tree; HEAD is where the clone began when it says nothing of it. */
  notesAt(folder: RunFolder, checkpoint: Checkpoint): Promise<Result<CheckpointNotes, Failure>>;
  /** Makes the index what HEAD has. */
  resetIndex(folder: RunFolder): Promise<Result<void, Failure>>;
}

/** The branch that a new clone is on. */
export function runBranch({ runId }: RunFolder): string {
  return `refs/heads/ccdash/${splitLane(runId).runId}`;
}

function isSameHead(one: CloneHead, other: CloneHead): boolean {
  return one.ref === other.ref && one.commit === other.commit;
}

export function createClones(git: Git): Clones {
  /** What the clone looked like when it was last found whole. */
  const wholeByRun = new Map<string, string>();
  const baseByRun = new Map<string, string>();
  const lastNotesByRun = new Map<
    string,
    { readonly at: string; readonly notes: CheckpointNotes }
  >();

  /** git over the objects of the clone, but with a configuration and refs of ours. */
  const run = (gitDir: string, folder: RunFolder, args: readonly string[], options?: GitOptions) =>
    git.run([`--git-dir=${gitDir}`, ...args], {
      ...options,
      config: BYTE_EXACT,
      env: {
        GIT_OBJECT_DIRECTORY: join(folder.tree, '.git/objects'),
        GIT_ALTERNATE_OBJECT_DIRECTORIES: folder.objects,
        ...options?.env,
      },
    });

  /** Whether all that `ids` lead to is there, beyond what the project has itself. */
  async function isReachable(
    folder: RunFolder,
    base: string,
    ids: readonly string[],
    options: readonly string[] = [],
    env: Readonly<Record<string, string>> = {},
  ): Promise<Result<boolean, Failure>> {
    const walk = ['rev-list', '--objects', '--quiet', ...options, '--stdin'];
    const stdin = [...ids, `^${base}`, ''].join('\n');
    const walked = await run(join(folder.pristine, '.git'), folder, walk, {
      ...{ stdin, env, accept: [1, 128] },
    });
    return walked.ok ? ok(walked.value.code === 0) : walked;
  }

  async function baseOf(folder: RunFolder): Promise<Result<string, Failure>> {
    const known = baseByRun.get(folder.runId);
    if (known !== undefined) return ok(known);
    const inRepository = `--git-dir=${folder.repository}`;
    const found = await git.run([inRepository, 'rev-parse', '--verify', BASE_REF]);
    if (!found.ok) return found;
    const base = outputText(found.value);
    baseByRun.set(folder.runId, base);
    return ok(base);
  }

  /** What is wrong with the clone; null when nothing is. */
  async function problemOf(
    folder: RunFolder,
    look: CloneLook,
  ): Promise<Result<string | null, Failure>> {
    if (look.problem !== null) return ok(look.problem);
    if (look.head === null) return ok('HEAD names no commit');
    const mark = look.fingerprint;
    if (mark !== null && wholeByRun.get(folder.runId) === mark) return ok(null);
    const gitDir = join(folder.tree, '.git');
    const config = ['config', '--file', join(gitDir, 'config'), '--no-includes', '--list', '-z'];
    const listed = await git.run(config, { accept: [1, 3, 128] });
    if (!listed.ok) return listed;
    if (listed.value.code !== 0 || !isUsableConfig(outputText(listed.value))) {
      return ok('its configuration is damaged');
    }
    const base = await baseOf(folder);
    if (!base.ok) return base;
    const ids = new Set([look.head.commit, ...look.refs.values()]);
    const env = { GIT_INDEX_FILE: join(gitDir, 'index') };
    const whole = await isReachable(folder, base.value, [...ids], ['--indexed-objects'], env);
    if (!whole.ok) return whole;
    if (!whole.value) return ok('objects or the index are damaged');
    if (mark !== null) wholeByRun.set(folder.runId, mark);
    return ok(null);
  }

  /** The refs of the ruined clone whose commits are whole. */
  async function wholeRefs(
    folder: RunFolder,
    base: string,
    refs: ReadonlyMap<string, string>,
  ): Promise<Result<ReadonlyMap<string, string>, Failure>> {
    const all = await isReachable(folder, base, [...refs.values()]);
    if (!all.ok) return all;
    if (all.value) return ok(refs);
    const whole = new Map<string, string>();
    for (const [ref, id] of refs) {
      const one = await isReachable(folder, base, [id]);
      if (!one.ok) return one;
      if (one.value) whole.set(ref, id);
    }
    return ok(whole);
  }

  async function remake(
    folder: RunFolder,
    look: CloneLook,
    wanted: CloneHead | null,
    keepAs: string,
  ): Promise<Result<readonly string[], Failure>> {
    const base = await baseOf(folder);
    if (!base.ok) return base;
    const making = join(folder.mending, '.git');
    rmSync(folder.mending, { recursive: true, force: true, maxRetries: 3 });
    mkdirSync(folder.mending, { mode: 0o700 });
    cpSync(join(folder.pristine, '.git'), making, { recursive: true });
    const found = new Map(look.refs);
    if (look.head?.ref === null)
      found.set(`refs/ccdash/aside/${keepAs}/detached`, look.head.commit);
    let refs: ReadonlyMap<string, string> = new Map();
    if (look.hasObjects) {
      for (const name of ['alternates', 'http-alternates']) {
        rmSync(join(folder.tree, '.git/objects/info', name), { recursive: true, force: true });
      }
      const whole = await wholeRefs(folder, base.value, found);
      if (!whole.ok) return whole;
      refs = whole.value;
    }
    const goal = wanted ?? look.head;
    const isGoalThere =
      goal === null
        ? ok(false)
        : look.hasObjects
          ? await isReachable(folder, base.value, [goal.commit])
          : ok(goal.commit === base.value);
    if (!isGoalThere.ok) return isGoalThere;
    const runRef = runBranch(folder);
    const began = { ref: runRef, commit: refs.get(runRef) ?? base.value };
    const head = goal !== null && isGoalThere.value ? goal : began;
    const kept = new Map(refs);
    const former = head.ref === null ? undefined : refs.get(head.ref);
    if (former !== undefined && former !== head.commit) {
      kept.set(`refs/ccdash/aside/${keepAs}/${branchName(head.ref ?? '')}`, former);
    }
    if (head.ref !== null) kept.set(head.ref, head.commit);
    if (look.hasObjects) {
      const stdin = [...new Set([head.commit, ...refs.values()]), `^${base.value}`, ''].join('\n');
      const pack = [
        'pack-objects',
        '--quiet',
        '--revs',
        '--non-empty',
        join(making, 'objects/pack/pack'),
      ];
      const packed = await run(making, folder, pack, { stdin });
      if (!packed.ok) return packed;
    }
    const lost = [...found.keys()].filter((ref) => !refs.has(ref));
    for (const [ref, id] of kept) {
      const set = await git.run([`--git-dir=${making}`, 'update-ref', ref, id], {
        config: BYTE_EXACT,
        accept: [1, 128],
      });
      if (!set.ok) return set;
      if (set.value.code !== 0) lost.push(ref);
    }
    const headArgs =
      head.ref === null
        ? ['update-ref', '--no-deref', 'HEAD', head.commit]
        : ['symbolic-ref', 'HEAD', head.ref];
    for (const args of [headArgs, ['read-tree', 'HEAD']]) {
      const done = await git.run([`--git-dir=${making}`, ...args], { config: BYTE_EXACT });
      if (!done.ok) return done;
    }
    syncAll(folder.mending);
    const aside = takePlace(folder, keepAs);
    const where = `${head.ref === null ? 'HEAD' : branchName(head.ref)} is at ${head.commit}`;
    const sentences = [`The clone's .git was made again; ${where}.`];
    if (aside !== null) sentences.push(`What was there is kept in ${aside}.`);
    if (former !== undefined && former !== head.commit) {
      sentences.push(`Commits made meanwhile are kept under refs/ccdash/aside/${keepAs} of it.`);
    }
    if (lost.length > 0) sentences.push(`Not whole, so only there: ${listOf(lost)}.`);
    return ok(sentences);
  }

  return {
    head(folder) {
      const { head, refs } = lookAtClone(folder);
      const ref = runBranch(folder);
      const commit = refs.get(ref);
      return head ?? (commit === undefined ? null : { ref, commit });
    },
    async mend(folder, head, keepAs) {
      takeUpMended(folder);
      const look = lookAtClone(folder);
      // Whatever wrote them has ended: nothing else writes while an attempt is made ready.
      for (const lock of look.locks) rmSync(lock, { force: true });
      const problem = await problemOf(folder, look);
      if (!problem.ok) return problem;
      const isThere = head === null || (look.head !== null && isSameHead(head, look.head));
      if (problem.value === null && isThere) return ok([]);
      const made = await remake(folder, look, head, keepAs);
      if (!made.ok || problem.value === null) return made;
      return ok([`The clone's .git could not be used: ${problem.value}.`, ...made.value]);
    },
    async notesAt(folder, { commit }) {
      const base = await baseOf(folder);
      if (!base.ok) return base;
      const began = { ref: runBranch(folder), commit: base.value };
      // The message of the base is the project's, not ours.
      if (commit === base.value) return ok({ head: began, leftOut: NOTHING_LEFT_OUT });
      const known = lastNotesByRun.get(folder.runId);
      if (known?.at === commit) return ok(known.notes);
      const read = await git.run([`--git-dir=${folder.repository}`, 'cat-file', 'commit', commit]);
      if (!read.ok) return read;
      const notes = textToNotes(outputText(read.value), began);
      lastNotesByRun.set(folder.runId, { at: commit, notes });
      return ok(notes);
    },
    async resetIndex(folder) {
      const head = lookAtClone(folder).head;
      if (head === null) return ok(undefined);
      const env = { GIT_INDEX_FILE: join(folder.tree, '.git/index') };
      const pristine = join(folder.pristine, '.git');
      const read = await run(pristine, folder, ['read-tree', '--reset', head.commit], { env });
      return read.ok ? ok(undefined) : read;
    },
  };
}

function branchName(ref: string): string {
  return ref.replace(/^refs\/heads\//, '');
}

/** Puts the new `.git` in the place of the old one; gives where that lies now, null when there was none. */
function takePlace(folder: RunFolder, keepAs: string): string | null {
  const current = join(folder.tree, '.git');
  // From here on it is whole: a process killed between the renames leaves it to the next one.
  renameSync(folder.mending, folder.mended);
  let aside: string | null = null;
  if (lstatThere(current)) {
    const name = keepAs.replaceAll('/', '_');
    mkdirSync(join(folder.aside, name), { recursive: true, mode: 0o700 });
    const place = join(
      folder.aside,
      name,
      String(readdirSync(join(folder.aside, name)).length + 1),
    );
    mkdirSync(place, { mode: 0o700 });
    aside = join(place, '.git');
    renameSync(current, aside);
  }
  takeUpMended(folder);
  return aside;
}

function takeUpMended(folder: RunFolder): void {
  const current = join(folder.tree, '.git');
  const mended = join(folder.mended, '.git');
  if (!lstatThere(current) && existsSync(mended)) renameSync(mended, current);
  rmSync(folder.mended, { recursive: true, force: true });
  syncFolder(folder.tree);
}

function lstatThere(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}

/** `printed`: `config --list -z`. Settings with which no git, or only another one, can work on the clone. */
function isUsableConfig(printed: string): boolean {
  const settings = printed.split('\0').map((entry) => entry.split('\n'));
  return settings.every(([key = '', value = '']) => {
    if (key === 'core.bare') return value === 'false';
    if (key === 'core.repositoryformatversion') return value === '0' || value === '1';
    return key !== 'core.worktree' && key !== 'extensions.refstorage';
  });
}
