/** The clone in which a run works, and the checkpoint repository beside it. */
import type { Result } from '../base/result.ts';
import type { ApplyMode, Checkpoint, Failure } from '../machine/events.ts';

export interface WorkspaceSource {
  readonly projectDir: string;
  readonly baseCommit: string;
  /** A run whose checkpoints it takes over, with what that run carried over from the project. */
  readonly forkedFrom?: string;
}

export interface ChangedPath {
  /** Relative to the workspace, `/` between segments. */
  readonly path: string;
  readonly change: 'added' | 'modified' | 'deleted' | 'type-changed';
}

export interface ApplyTarget {
  readonly projectDir: string;
  /** Where the run began, and what it has made of it. */
  readonly base: Checkpoint;
  readonly result: Checkpoint;
  readonly mode: ApplyMode;
  /** Null: the branch `ccdash/<run>`, or for squash and merge the one that is checked out. */
  readonly branch: string | null;
}

/** What applying a result would do to the project, as it is now. */
export interface ApplyPreview {
  /** The branch that is made or moved. */
  readonly branch: string;
  /** Where it is now; null when it is new. */
  readonly from: string | null;
  /** What it will hold. With conflicts: nothing that can be applied. */
  readonly tree: string;
  readonly files: readonly ChangedPath[];
  readonly insertions: number;
  readonly deletions: number;
  /** Paths changed on both sides that do not merge by themselves. */
  readonly conflicts: readonly string[];
  /** The branch is checked out, so its files change too. */
  readonly isCheckedOut: boolean;
  /** Tracked paths of that checkout with changes that are not committed. */
  readonly dirty: readonly string[];
}

export interface ApplyOrder extends ApplyTarget {
  readonly branch: string;
  /** From the preview that was agreed to. */
  readonly from: string | null;
  readonly tree: string;
  readonly message: string;
  /** Time of the commit, ISO 8601: the same order makes the same commit. */
  readonly at: string;
}

/** Joins `work`, made in a lane, onto the newest checkpoint of the run. */
export interface JoinOrder {
  readonly onto: Checkpoint;
  readonly work: Checkpoint;
  readonly label: string;
  /** What settles a conflict: one of the sides, or what is in the workspace now. Null: nothing yet. */
  readonly take: 'onto' | 'work' | 'workspace' | null;
}

export type Joined =
  | { readonly joined: true; readonly checkpoint: Checkpoint; readonly files: readonly string[] }
  | { readonly joined: false; readonly files: readonly string[] };

/**
 * Besides its own workspace a run may have lanes, one for a step that writes beside another: `laneOf(run, step)` stands
 * for the id of a run then.
 */
export interface Workspaces {
  /** HEAD of the project and what a clone of it will not carry. Errors: Failure `not_a_repository`, `no_commit`. */
  inspect(
    projectDir: string,
  ): Promise<
    Result<{ readonly baseCommit: string; readonly notCarried: readonly string[] }, Failure>
  >;
  /** Makes the run's workspace, or finds it made; safe to repeat after a crash at any point. */
  create(
    runId: string,
    source: WorkspaceSource,
  ): Promise<Result<{ readonly checkpoint: Checkpoint }, Failure>>;
  /** Makes the lane of a step with the files of `target`, or finds it made. */
  openLane(runId: string, step: string, target: Checkpoint): Promise<Result<void, Failure>>;
  /** Keeps the files as they are for lanes to begin with. Nothing may be at work in the workspace. */
  keepSeed(runId: string): Promise<Result<void, Failure>>;
  /**
   * Sets the run's workspace to what comes of both; safe to repeat. Not joined: `files` are in conflict, and lie in the
   * workspace with both sides in them.
   */
  join(runId: string, order: JoinOrder): Promise<Result<Joined, Failure>>;
  /** Absolute path of the run's work tree. */
  pathOf(runId: string): string;
  /** Project object folders that the clone borrows from; a sandbox mounts them read-only. */
  objectPathsOf(runId: string): readonly string[];
  /**
   * Commits the work tree as it is, as child of `parent`; the same tree as the parent's, with the same HEAD of the clone,
   * gives the parent back.
   */
  checkpoint(
    runId: string,
    parent: Checkpoint,
    label: string,
  ): Promise<Result<Checkpoint, Failure>>;
  /** Paths that differ between two checkpoints, sorted. */
  changes(
    runId: string,
    from: Checkpoint,
    to: Checkpoint,
  ): Promise<Result<readonly ChangedPath[], Failure>>;
  /** The work tree as it is at this moment, as the id of a tree; `parent` is the checkpoint it came from. */
  treeNow(runId: string, parent: Checkpoint): Promise<Result<string, Failure>>;
  /** Unified diff between two checkpoints, cut off at `maxBytes`. */
  diff(
    runId: string,
    from: Checkpoint,
    to: Checkpoint,
    maxBytes: number,
  ): Promise<Result<{ readonly text: string; readonly truncated: boolean }, Failure>>;
  /**
   * Sets the work tree back to `target`, and the clone's HEAD to where it was then. What differed is first kept under a
   * ref, and so are commits that the clone's branch has had since; null when no file differed.
   */
  restore(
    runId: string,
    target: Checkpoint,
    keepAs: string,
  ): Promise<Result<Checkpoint | null, Failure>>;
  /**
   * Looks at what applying a result would do; changes nothing.
   * Errors: Failure `nothing_to_apply`, `no_branch`, `invalid_branch`, `branch_exists`, `branch_in_use`, and those of git.
   */
  previewApply(runId: string, target: ApplyTarget): Promise<Result<ApplyPreview, Failure>>;
  /**
   * Brings a result into the project; safe to repeat. The commit that the branch is on then.
   * Errors: as previewApply, and Failure `branch_moved`, `conflicts`, `no_identity`, `checkout_refused`.
   */
  applyResult(runId: string, order: ApplyOrder): Promise<Result<string, Failure>>;
  /** The whole difference between two checkpoints as a patch that `git apply` takes, binary files included. */
  patch(runId: string, from: Checkpoint, to: Checkpoint): Promise<Result<Uint8Array, Failure>>;
  /** Bytes of a file in the work tree; refuses links that lead out and anything but regular files. */
  readFile(runId: string, path: string, maxBytes: number): Promise<Result<Uint8Array, Failure>>;
  /**
   * Makes sure that an attempt can begin in the work tree as it is: that it is there, and that its own repository can be
   * used. One that a step has ruined is made again, and what was there is kept aside.
   */
  ready(runId: string, keepAs: string): Promise<Result<void, Failure>>;
  /** Makes the work tree again from `target` when it alone has gone; else does nothing. */
  rebuild(runId: string, target: Checkpoint, projectDir: string): Promise<Result<void, Failure>>;
  /** Paths of files and links that match `.gitignore` globs, sorted. */
  match(runId: string, globs: readonly string[]): Promise<Result<readonly string[], Failure>>;
  /** Copies untracked project paths in; refuses paths that leave the project. */
  carryOver(
    runId: string,
    projectDir: string,
    paths: readonly string[],
  ): Promise<Result<void, Failure>>;
}
