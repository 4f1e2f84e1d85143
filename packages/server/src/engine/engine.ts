/**
 * The local engine: one process that reads, decides, appends and performs.
 *
 * Owns: the state of every open run, the order of its commands, and which effects are under way. Does not own: what may
 * follow what (core), what lasts (the store), and work in the world (the performers beside this file).
 * 1. Commands of one run are decided one after the other; runs do not wait for each other.
 * 2. No effect starts before the events that ask for it are durable.
 * 3. An effect is under way at most once; when it has come to nothing it is asked for again, after a pause that grows.
 * 4. After a restart the same log asks for the same effects.
 */
import { decide, effectKey, effectsOf, err, evolve, foldRun, ok } from '@ccdash/core';
import type {
  Actor,
  Effect,
  Json,
  NewEvent,
  Refusal,
  Result,
  RunCommand,
  RunEvent,
  RunState,
  StoredEvent,
  StoreUnavailable,
} from '@ccdash/core';
import type { EngineDeps } from './deps.ts';

export const ENGINE_ACTOR: Actor = { kind: 'engine', id: 'local' };

export type CommandRefusal =
  | Refusal
  | StoreUnavailable
  /** What was agreed to is not what would happen now. */
  | { readonly type: 'SummaryMoved'; readonly runId: string }
  | { readonly type: 'Quarantined'; readonly runId: string; readonly detail: string };

/**
 * What became of an effect. `done`: it has led to a command. `held`: it lasts until the state no longer asks for it.
 * `again`: it came to nothing and is to be tried once more, after a pause.
 */
export type Performed = 'done' | 'held' | 'again';

export interface RunHandle {
  readonly runId: string;
  /** The state as the log has it now. */
  state(): RunState;
  /** Applies a command of the engine's own; waits out a store that refuses. */
  apply(command: RunCommand): Promise<Result<RunState, Refusal | { readonly type: 'Closed' }>>;
}

export type Performer = (
  run: RunHandle,
  effect: Exclude<Effect, { type: 'WakeAt' }>,
) => Promise<Performed>;

export interface Engine {
  /** Takes up every unfinished run of the log. Call once. */
  open(): void;
  /** `agreed`: looked at when the command's turn has come; when it does not hold, the command is refused. */
  command(
    runId: string,
    command: RunCommand,
    actor: Actor,
    agreed?: (state: RunState | null) => boolean,
  ): Promise<Result<RunState, CommandRefusal>>;
  state(runId: string): RunState | null;
  /** What bug made the engine leave the run alone; null when none did. */
  quarantineOf(runId: string): string | null;
  subscribe(listener: (event: StoredEvent) => void): () => void;
  /** Appends events that belong to no run. */
  appendGlobal(
    events: readonly NewEvent[],
  ): Promise<Result<readonly StoredEvent[], StoreUnavailable>>;
  /** Resolves when no command is being decided; effects under way are let go. */
  close(): Promise<void>;
}

interface Run {
  readonly id: string;
  state: RunState | null;
  /** The end of the line of commands. */
  tail: Promise<unknown>;
  readonly underWay: Map<string, 'running' | 'held'>;
  readonly timers: Map<string, () => void>;
  quarantine: string | null;
  pauseMs: number;
}

const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 30_000;
/** Last events of runs that want nothing more. */
const ENDS: ReadonlySet<string> = new Set(['RunEnded', 'RunCanceled']);
/** Events after which a head is signed at once: decisions, and the ends of runs. */
const SEALED: ReadonlySet<string> = new Set(['ApprovalDecided', 'RunEnded', 'RunCanceled']);

export function createEngine(deps: EngineDeps, perform: Performer): Engine {
  const { store, clock } = deps;
  const runs = new Map<string, Run>();
  const listeners = new Set<(event: StoredEvent) => void>();
  let closed = false;

  function load(runId: string): Run {
    let run = runs.get(runId);
    if (run !== undefined) return run;
    run = {
      id: runId,
      state: null,
      tail: Promise.resolve(),
      underWay: new Map(),
      timers: new Map(),
      quarantine: null,
      pauseMs: FIRST_PAUSE_MS,
    };
    try {
      run.state = foldRun(runId, decodedEvents(deps, runId));
    } catch (error) {
      quarantine(run, error);
      run.state = foldAsFarAsCan(runId);
    }
    if (run.state !== null || run.quarantine !== null) runs.set(runId, run);
    return run;
  }

  /** What people are shown of a run whose log cannot be followed to its end. */
  function foldAsFarAsCan(runId: string): RunState | null {
    let state: RunState | null = null;
    try {
      for (const event of decodedEvents(deps, runId)) state = evolve(runId, state, event);
    } catch {
      // Told by its quarantine.
    }
    return state;
  }

  function hasEnded(runId: string): boolean {
    try {
      return ENDS.has(store.lastOf(runId)?.type ?? '');
    } catch {
      // An event that cannot be read is met again, and named, when the run is loaded.
      return false;
    }
  }

  function quarantine(run: Run, error: unknown): CommandRefusal {
    const detail = error instanceof Error ? error.message : String(error);
    run.quarantine = detail;
    for (const cancel of run.timers.values()) cancel();
    run.timers.clear();
    deps.reportBug(run.id, error);
    return { type: 'Quarantined', runId: run.id, detail };
  }

  function inTurn<T>(run: Run, work: () => Promise<T>): Promise<T> {
    const turn = run.tail.then(work);
    // The line goes on after a bug; whoever asked for this turn gets the error.
    run.tail = turn.catch(() => undefined);
    return turn;
  }

  function isUnderOtherPolicy({ state }: Run): boolean {
    return state !== null && state.ended === null && state.policyDigest !== deps.policy.digest;
  }

  async function applyInTurn(
    run: Run,
    asked: RunCommand,
    actor: Actor,
  ): Promise<Result<RunState, CommandRefusal>> {
    if (run.quarantine !== null) {
      return err({ type: 'Quarantined', runId: run.id, detail: run.quarantine });
    }
    if (asked.type !== 'AdoptPolicy' && isUnderOtherPolicy(run)) {
      const { digest } = deps.policy;
      const adopted = await applyInTurn(
        run,
        { type: 'AdoptPolicy', policyDigest: digest },
        { kind: 'policy', id: digest },
      );
      // A run that is over keeps the policy that it had.
      if (!adopted.ok && adopted.error.type !== 'RunOver') return adopted;
    }
    const nowMs = clock.now();
    const context = { at: new Date(nowMs).toISOString(), nowMs, actor };
    let decided;
    try {
      decided = decide(run.id, run.state, asked, context);
    } catch (error) {
      return err(quarantine(run, error));
    }
    if (!decided.ok) return decided;
    const { events, state } = decided.value;
    if (events.length > 0) {
      deps.crashPoint?.('append-before', run.id);
      const appended = await store.append({
        runId: run.id,
        expectedSequence: run.state?.sequence ?? 0,
        events: events.map(toNewEvent),
        seal: events.some((event) => SEALED.has(event.type)),
      });
      if (!appended.ok) {
        if (appended.error.type === 'StoreUnavailable') return err(appended.error);
        // Somebody else has written this run: this engine no longer owns the state folder.
        return err(quarantine(run, new Error(`the log of ${run.id} has moved under this engine`)));
      }
      deps.crashPoint?.('append-after', run.id);
      run.state = state;
      runs.set(run.id, run);
      for (const event of appended.value) for (const listener of listeners) listener(event);
    }
    return ok(state);
  }

  async function command(
    runId: string,
    asked: RunCommand,
    actor: Actor,
    agreed?: (state: RunState | null) => boolean,
  ): Promise<Result<RunState, CommandRefusal>> {
    const run = load(runId);
    const result = await inTurn(run, async () =>
      agreed === undefined || agreed(run.state)
        ? applyInTurn(run, asked, actor)
        : err({ type: 'SummaryMoved', runId } as const),
    );
    pump(run);
    return result;
  }

  function handleOf(run: Run): RunHandle {
    return {
      runId: run.id,
      state: () => {
        if (run.state === null) throw new Error(`run ${run.id} has no state`);
        return run.state;
      },
      apply: async (asked) => {
        for (;;) {
          if (closed) return err({ type: 'Closed' });
          const result = await command(run.id, asked, ENGINE_ACTOR);
          if (result.ok) {
            run.pauseMs = FIRST_PAUSE_MS;
            return result;
          }
          if (result.error.type === 'Quarantined') return err({ type: 'Closed' });
          if (result.error.type === 'SummaryMoved') throw new Error('nobody agreed to anything');
          if (result.error.type !== 'StoreUnavailable') return err(result.error);
          await pause(run);
        }
      },
    };
  }

  function pause(run: Run): Promise<void> {
    const waitMs = run.pauseMs;
    run.pauseMs = Math.min(run.pauseMs * 2, LONGEST_PAUSE_MS);
    return new Promise((resolve) => {
      clock.wakeAt(clock.now() + waitMs, resolve);
    });
  }

  /** Starts what the state asks for and is not under way; forgets what it no longer asks for. */
  function pump(run: Run): void {
    if (closed || run.quarantine !== null || run.state === null) return;
    const effects = effectsOf(run.state, clock.now());
    const wanted = new Map(effects.map((effect) => [effectKey(effect), effect]));
    for (const [key, progress] of run.underWay) {
      if (progress === 'held' && !wanted.has(key)) run.underWay.delete(key);
    }
    for (const [key, cancel] of run.timers) {
      if (wanted.has(key)) continue;
      cancel();
      run.timers.delete(key);
    }
    for (const [key, effect] of wanted) {
      if (effect.type === 'WakeAt') wake(run, key, effect.atMs);
      else if (!run.underWay.has(key)) void start(run, key, effect);
    }
  }

  function wake(run: Run, key: string, atMs: number): void {
    if (run.timers.has(key)) return;
    const cancel = clock.wakeAt(atMs, () => {
      run.timers.delete(key);
      void command(run.id, { type: 'Tick' }, ENGINE_ACTOR);
    });
    run.timers.set(key, cancel);
  }

  async function start(
    run: Run,
    key: string,
    effect: Exclude<Effect, { type: 'WakeAt' }>,
  ): Promise<void> {
    run.underWay.set(key, 'running');
    try {
      const performed = await perform(handleOf(run), effect);
      if (closed) return;
      if (performed === 'held') {
        run.underWay.set(key, 'held');
      } else {
        if (performed === 'again') await pause(run);
        run.underWay.delete(key);
      }
    } catch (error) {
      quarantine(run, error);
      return;
    }
    pump(run);
  }

  return {
    open: () => {
      for (const runId of store.runIds()) {
        // A run that has ended wants nothing; it is folded when somebody asks for it.
        if (hasEnded(runId)) continue;
        const run = load(runId);
        // A command of any kind brings the run under the policy of this engine first.
        if (isUnderOtherPolicy(run)) void command(runId, { type: 'Tick' }, ENGINE_ACTOR);
        else pump(run);
      }
    },
    command,
    state: (runId) => load(runId).state,
    quarantineOf: (runId) => load(runId).quarantine,
    subscribe: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    appendGlobal: async (events) => {
      const appended = await store.append({ runId: null, expectedSequence: null, events });
      if (!appended.ok) {
        if (appended.error.type === 'StoreUnavailable') return err(appended.error);
        throw new Error('an append to no run cannot conflict');
      }
      for (const event of appended.value) for (const listener of listeners) listener(event);
      return appended;
    },
    close: async () => {
      closed = true;
      for (const run of runs.values()) {
        for (const cancel of run.timers.values()) cancel();
        run.timers.clear();
      }
      await Promise.all([...runs.values()].map((run) => run.tail));
    },
  };
}

function* decodedEvents(deps: EngineDeps, runId: string): Iterable<RunEvent> {
  for (const stored of deps.store.readRun(runId)) {
    const decoded = deps.decodeRunEvent(stored);
    if (!decoded.ok) throw new Error(decoded.error.message);
    yield decoded.value;
  }
}

function toNewEvent(event: RunEvent): NewEvent {
  // The data of an event is JSON by construction; its interfaces lack the index signature that Json has.
  return { ...event, data: event.data as unknown as Json };
}
