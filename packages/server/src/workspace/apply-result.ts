/**
 * Brings what a run has made into the user's repository.
 *
 * Owns: one branch of the project, and its checkout when it is checked out and clean. Everything else of the project
 * stays as it is: other branches, stashes, the index of a checkout that is not concerned.
 * 1. Merges are made beside the project, in the run's own repository; the project gets objects and a moved branch.
 * 2. A branch is moved only from where the person saw it.
 * 3. The same order makes the same commit, so that it may be repeated after a crash.
 */
import { ok } from '@ccdash/core';
import type {
  ApplyOrder,
  ApplyPreview,
  ApplyTarget,
  ChangedPath,
  Failure,
  Result,
} from '@ccdash/core';
import { bytesToText } from './byte-path.ts';
import type { CheckpointRepository } from './checkpoint-repository.ts';
import { outputText } from './git.ts';
import type { Git, GitOptions, GitOutput } from './git.ts';
import { mergeCommits } from './merge-commits.ts';
import { openProject } from './project-repository.ts';
import type { RunFolder } from './run-folder.ts';
import { listOf, refuse } from './workspace-failure.ts';

/** The project as far as a result concerns it. */
interface Place {
  readonly objects: string;
  readonly branch: string;
  readonly from: string | null;
  readonly isCheckedOut: boolean;
}

export async function previewApply(
  git: Git,
  repository: CheckpointRepository,
  folder: RunFolder,
  target: ApplyTarget,
): Promise<Result<ApplyPreview, Failure>> {
  const { runId } = folder;
  const { base, result, projectDir } = target;
  if (base.tree === result.tree) {
    const hint = 'There is nothing to bring over; look at its steps: ccdash run show';
    return refuse('nothing_to_apply', `Run ${runId} has changed no file.`, hint);
  }
  const place = await placeOf(git, repository, runId, target);
  if (!place.ok) return place;
  const { branch, from, isCheckedOut, objects } = place.value;
  const merged =
    target.mode === 'branch' || from === null
      ? ok({ tree: result.tree, conflicts: [] })
      : await mergeCommits(git, folder, objects, from, result.commit);
  if (!merged.ok) return merged;
  const { tree } = merged.value;
  const conflicts = merged.value.conflicts.map(bytesToText);
  const before = from ?? base.commit;
  const changed = await diffOf(repository, objects, before, tree);
  if (!changed.ok) return changed;
  const dirty = isCheckedOut ? await dirtyPaths(git, projectDir) : ok([]);
  if (!dirty.ok) return dirty;
  const seen = { branch, from, tree, conflicts, isCheckedOut, dirty: dirty.value };
  return ok({ ...seen, ...changed.value });
}

export async function applyResult(
  git: Git,
  repository: CheckpointRepository,
  folder: RunFolder,
  order: ApplyOrder,
): Promise<Result<string, Failure>> {
  const { runId } = folder;
  const { projectDir, mode, result, tree } = order;
  const place = await placeOf(git, repository, runId, order);
  if (!place.ok) return place;
  const { objects, from: now, isCheckedOut } = place.value;
  const commit = await commitFor(git, repository, objects, order);
  if (!commit.ok) return commit;
  if (now === commit.value) return commit;
  if (now !== order.from) return branchMoved(order.branch);
  if (mode !== 'branch' && order.from !== null) {
    const merged = await mergeCommits(git, folder, objects, order.from, result.commit);
    if (!merged.ok) return merged;
    const conflicts = merged.value.conflicts.map(bytesToText);
    if (conflicts.length > 0) return conflictFailure(runId, conflicts);
    if (merged.value.tree !== tree) return branchMoved(order.branch);
  }
  const sent = await sendObjects(git, repository, objects, order, commit.value);
  if (!sent.ok) return sent;
  const moved = isCheckedOut
    ? await moveCheckout(git, projectDir, commit.value)
    : await moveBranch(git, order, commit.value);
  return moved.ok ? commit : moved;
}

/** The project's objects are read besides the run's own. */
function reading(objects: string): Required<Pick<GitOptions, 'env'>> {
  return { env: { GIT_ALTERNATE_OBJECT_DIRECTORIES: objects } };
}

/** The branch that is meant, where it is, and whether it may be moved. */
async function placeOf(
  git: Git,
  repository: CheckpointRepository,
  runId: string,
  { projectDir, mode, branch: asked, result }: ApplyTarget,
): Promise<Result<Place, Failure>> {
  const project = await openProject(git, projectDir);
  if (!project.ok) return project;
  const { objects } = project.value;
  const head = await git.run(['-C', projectDir, 'symbolic-ref', '--quiet', '--short', 'HEAD'], {
    accept: [1],
  });
  if (!head.ok) return head;
  const current = head.value.code === 0 ? outputText(head.value) : null;
  const branch = asked ?? (mode === 'branch' ? `ccdash/${runId}` : current);
  if (branch === null) {
    const message = 'The project is on no branch.';
    return refuse('no_branch', message, 'Name one with --branch, or apply it --as branch.');
  }
  const valid = await git.run(['check-ref-format', '--branch', branch], { accept: [1, 128, 129] });
  if (!valid.ok) return valid;
  if (valid.value.code !== 0 || branch.startsWith('-')) {
    const message = `${JSON.stringify(branch)} cannot be the name of a branch.`;
    return refuse('invalid_branch', message, 'Name another one with --branch.');
  }
  const at = await commitOf(git, projectDir, `refs/heads/${branch}`);
  if (!at.ok) return at;
  const from = at.value;
  if (mode === 'branch' && from !== null && from !== result.commit) {
    // An earlier result of this run may be replaced by a later one; nothing else is.
    const isEarlier = await isAncestor(repository, objects, from, result.commit);
    if (!isEarlier.ok) return isEarlier;
    if (!isEarlier.value) {
      const message = `There is a branch ${branch} already, with other work on it.`;
      return refuse('branch_exists', message, 'Name another one with --branch.');
    }
  }
  if (mode !== 'branch' && from === null) {
    const message = `There is no branch ${branch} to put the result on.`;
    return refuse('no_branch', message, 'Name one that is there, or apply it --as branch.');
  }
  const isCheckedOut = branch === current;
  const elsewhere = isCheckedOut ? ok(null) : await checkoutOf(git, projectDir, branch);
  if (!elsewhere.ok) return elsewhere;
  if (elsewhere.value !== null) {
    const message = `Branch ${branch} is checked out in ${elsewhere.value}.`;
    return refuse('branch_in_use', message, 'Name another one with --branch, or apply it there.');
  }
  return ok({ objects, branch, from, isCheckedOut });
}

async function commitFor(
  git: Git,
  repository: CheckpointRepository,
  objects: string,
  { mode, result, from, tree, message, at, projectDir }: ApplyOrder,
): Promise<Result<string, Failure>> {
  if (mode === 'branch' || from === null) return ok(result.commit);
  const identity = await identityOf(git, projectDir, at);
  if (!identity.ok) return identity;
  const parents = mode === 'merge' ? [from, result.commit] : [from];
  const flags = parents.flatMap((parent) => ['-p', parent]);
  const made = await repository.git(['commit-tree', tree, ...flags], {
    stdin: message,
    env: { ...reading(objects).env, ...identity.value },
  });
  return made.ok ? ok(outputText(made.value)) : made;
}

/** Whoever the user's own git takes them for. */
async function identityOf(
  git: Git,
  projectDir: string,
  at: string,
): Promise<Result<Readonly<Record<string, string>>, Failure>> {
  const told: string[] = [];
  for (const key of ['user.name', 'user.email']) {
    const value = await git.run(['-C', projectDir, 'config', '--get', key], {
      accept: [1],
      asUser: true,
    });
    if (!value.ok) return value;
    told.push(outputText(value.value));
  }
  const [name = '', email = ''] = told;
  if (name === '' || email === '') {
    const message = 'git does not know who you are, so the commit would have no author.';
    const hint = 'Tell it: git config --global user.name "…" and user.email "…"; then try again.';
    return refuse('no_identity', message, hint);
  }
  const date = `${String(Math.floor(Date.parse(at) / 1000))} +0000`;
  return ok({
    ...{ GIT_AUTHOR_NAME: name, GIT_AUTHOR_EMAIL: email, GIT_AUTHOR_DATE: date },
    ...{ GIT_COMMITTER_NAME: name, GIT_COMMITTER_EMAIL: email, GIT_COMMITTER_DATE: date },
  });
}

/** Everything that the project lacks of `commit`. */
async function sendObjects(
  git: Git,
  repository: CheckpointRepository,
  objects: string,
  { projectDir, base, from }: ApplyOrder,
  commit: string,
): Promise<Result<GitOutput, Failure>> {
  const known = [base.commit, ...(from === null ? [] : [from])];
  const stdin = [commit, ...known.map((each) => `^${each}`), ''].join('\n');
  const packed = await repository.git(['pack-objects', '--revs', '--stdout', '-q'], {
    stdin,
    ...reading(objects),
  });
  if (!packed.ok) return packed;
  const stored = ['-C', projectDir, 'index-pack', '--stdin', '--strict'];
  return git.run(stored, { stdin: packed.value.stdout });
}

async function moveBranch(
  git: Git,
  { projectDir, branch, from }: ApplyOrder,
  commit: string,
): Promise<Result<void, Failure>> {
  const before = from ?? '0'.repeat(commit.length);
  const args = ['update-ref', '-m', 'ccdash apply', `refs/heads/${branch}`, commit, before];
  const moved = await git.run(['-C', projectDir, ...args], { accept: [1, 128] });
  if (!moved.ok) return moved;
  return moved.value.code === 0 ? ok(undefined) : branchMoved(branch);
}

/** git itself refuses to overwrite a change that is not committed. */
async function moveCheckout(
  git: Git,
  projectDir: string,
  commit: string,
): Promise<Result<void, Failure>> {
  const args = ['merge', '--ff-only', '--quiet', '--no-autostash', commit];
  const moved = await git.run(['-C', projectDir, ...args], { asUser: true });
  if (moved.ok) return ok(undefined);
  const hint = 'Commit or stash what is in the way, or apply it --as branch.';
  return refuse('checkout_refused', moved.error.message, hint);
}

async function commitOf(
  git: Git,
  projectDir: string,
  ref: string,
): Promise<Result<string | null, Failure>> {
  const found = await git.run(
    ['-C', projectDir, 'rev-parse', '--verify', '--quiet', `${ref}^{commit}`],
    { accept: [1] },
  );
  if (!found.ok) return found;
  return ok(found.value.code === 0 ? outputText(found.value) : null);
}

async function isAncestor(
  repository: CheckpointRepository,
  objects: string,
  earlier: string,
  later: string,
): Promise<Result<boolean, Failure>> {
  const known = await repository.git(['cat-file', '-e', earlier], {
    accept: [1, 128],
    ...reading(objects),
  });
  if (!known.ok) return known;
  if (known.value.code !== 0) return ok(false);
  const said = await repository.git(['merge-base', '--is-ancestor', earlier, later], {
    accept: [1],
    ...reading(objects),
  });
  return said.ok ? ok(said.value.code === 0) : said;
}

/** The folder of another work tree that has `branch` checked out; null when none has. */
async function checkoutOf(
  git: Git,
  projectDir: string,
  branch: string,
): Promise<Result<string | null, Failure>> {
  const listed = await git.run(['-C', projectDir, 'worktree', 'list', '--porcelain', '-z']);
  if (!listed.ok) return listed;
  let folder = '';
  for (const line of outputText(listed.value).split('\0')) {
    if (line.startsWith('worktree ')) folder = line.slice('worktree '.length);
    if (line === `branch refs/heads/${branch}`) return ok(folder);
  }
  return ok(null);
}

async function dirtyPaths(
  git: Git,
  projectDir: string,
): Promise<Result<readonly string[], Failure>> {
  const flags = ['--porcelain', '-z', '--no-renames', '--untracked-files=no'];
  const said = await git.run(['-C', projectDir, 'status', ...flags], { asUser: true });
  if (!said.ok) return said;
  const lines = said.value.stdout.toString('utf8').split('\0');
  return ok(lines.filter((line) => line !== '').map((line) => line.slice(3)));
}

async function diffOf(
  repository: CheckpointRepository,
  objects: string,
  from: string,
  to: string,
): Promise<
  Result<
    {
      readonly files: readonly ChangedPath[];
      readonly insertions: number;
      readonly deletions: number;
    },
    Failure
  >
> {
  const flags = ['-r', '-z', '--no-renames', '--no-ext-diff', '--no-textconv'];
  const options = reading(objects);
  const changed = await repository.changes(from, to, options);
  if (!changed.ok) return changed;
  const counted = await repository.git(['diff-tree', ...flags, '--numstat', from, to], options);
  if (!counted.ok) return counted;
  let [insertions, deletions] = [0, 0];
  for (const line of counted.value.stdout.toString('latin1').split('\0')) {
    const [added, removed] = line.split('\t');
    // Of a binary file git counts no lines.
    insertions += /^\d+$/.test(added ?? '') ? Number(added) : 0;
    deletions += /^\d+$/.test(removed ?? '') ? Number(removed) : 0;
  }
  const files = changed.value.map(({ path, change }) => ({ path: bytesToText(path), change }));
  return ok({ files, insertions, deletions });
}

export function conflictFailure(
  runId: string,
  conflicts: readonly string[],
): Result<never, Failure> {
  const message = `The result of run ${runId} does not merge by itself: ${listOf(conflicts)}.`;
  const hint = 'Apply it --as branch, and merge that branch by hand.';
  return refuse('conflicts', message, hint);
}

function branchMoved(branch: string): Result<never, Failure> {
  const message = `Branch ${branch} has moved since it was looked at.`;
  return refuse('branch_moved', message, 'Look again: ccdash apply RUN --dry-run');
}
