/** The log: append only, one writer, the only truth. */
import type { Json } from '../base/json.ts';
import type { Result } from '../base/result.ts';
import type { Actor } from '../machine/events.ts';

export interface NewEvent {
  readonly type: string;
  /** ISO 8601 UTC. */
  readonly at: string;
  readonly actor: Actor;
  readonly data: Json;
}

export interface StoredEvent extends NewEvent {
  /** 0-based, dense over the whole log. */
  readonly position: number;
  /** null for plan, policy, people and engine events. */
  readonly runId: string | null;
  /** 0-based, dense within the run; null with runId null. */
  readonly sequence: number | null;
}

export interface Append {
  readonly runId: string | null;
  /** How many events the run has, as the caller knows it; null with runId null. */
  readonly expectedSequence: number | null;
  readonly events: readonly NewEvent[];
  /** Sign a head over the tree once this is in it (decisions, run ends). */
  readonly seal?: boolean;
}

export interface VersionConflict {
  readonly type: 'VersionConflict';
  readonly runId: string;
  readonly expectedSequence: number;
  readonly actualSequence: number;
}

/** The disk refused (full, I/O error). Nothing of the append is in the log; the store stays usable or says so again. */
export interface StoreUnavailable {
  readonly type: 'StoreUnavailable';
  readonly detail: string;
}

export interface EventStore {
  /**
   * Durable when it resolves: all events of the append are in the log, in order, or none is.
   * Appends of different callers that meet are committed in one transaction.
   * Errors: VersionConflict when the run has moved; StoreUnavailable when the disk refuses.
   */
  append(
    append: Append,
  ): Promise<Result<readonly StoredEvent[], VersionConflict | StoreUnavailable>>;
  /** Events of one run, oldest first, from `fromSequence` on. */
  readRun(runId: string, fromSequence?: number): Iterable<StoredEvent>;
  /** The newest event of a run; null when it has none. */
  lastOf(runId: string): StoredEvent | null;
  /** Events that belong to no run (plans, people, engine), oldest first. */
  readGlobal(): Iterable<StoredEvent>;
  /** Events of the whole log, oldest first, from `fromPosition` on, at most `limit`. */
  readAll(fromPosition: number, limit: number): readonly StoredEvent[];
  /** Ids of all runs, oldest first. */
  runIds(): readonly string[];
  /** Events in the log. */
  size(): number;
  close(): void;
}
