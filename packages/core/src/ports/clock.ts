export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Calls back once, not before `atMs` since the epoch. Returns how to call it off. */
  wakeAt(atMs: number, callback: () => void): () => void;
}

export interface Ids {
  /** A fresh id, sortable by time: `run_…`, `apr_…`. */
  next(prefix: 'run' | 'apr' | 'plan'): string;
  /** A fresh UUID v4, for agent sessions. */
  uuid(): string;
}
