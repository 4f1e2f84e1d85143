/** The clone in which a run works, and the checkpoint repository beside it. */
import type { Result } from '../base/result.ts';
import type { Checkpoint, Failure } from '../machine/events.ts';

export interface WorkspaceSource {
  readonly projectDir: string;
  readonly baseCommit: string;
}

export interface ChangedPath {
  /** Relative to the workspace, `/` between segments. */
  readonly path: string;
  readonly change: 'added' | 'modified' | 'deleted' | 'type-changed';
}

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
  /** Absolute path of the run's work tree. */
  pathOf(runId: string): string;
  /** Project object folders that the clone borrows from; a sandbox mounts them read-only. */
  objectPathsOf(runId: string): readonly string[];
  /** Commits the work tree as it is, as child of `parent`; the same tree as the parent's gives the parent back. */
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
  /** Unified diff between two checkpoints, cut off at `maxBytes`. */
  diff(
    runId: string,
    from: Checkpoint,
    to: Checkpoint,
    maxBytes: number,
  ): Promise<Result<{ readonly text: string; readonly truncated: boolean }, Failure>>;
  /** Sets the work tree back to `target`. What differed is first kept under a ref; null when nothing differed. */
  restore(
    runId: string,
    target: Checkpoint,
    keepAs: string,
  ): Promise<Result<Checkpoint | null, Failure>>;
  /** Bytes of a file in the work tree; refuses links that lead out and anything but regular files. */
  readFile(runId: string, path: string, maxBytes: number): Promise<Result<Uint8Array, Failure>>;
  /** Paths of regular files that match `.gitignore` globs, sorted. */
  match(runId: string, globs: readonly string[]): Promise<readonly string[]>;
  /** Copies untracked project paths in; refuses paths that leave the project. */
  carryOver(
    runId: string,
    projectDir: string,
    paths: readonly string[],
  ): Promise<Result<void, Failure>>;
}
