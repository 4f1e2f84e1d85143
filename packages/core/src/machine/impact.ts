/**
 * What an action would do to a run, before it is done. Not a forecast: the command is decided on the state as it is, and
 * what differs afterwards is said in words. So what the summary says is what the action does.
 */
import { ok } from '../base/result.ts';
import type { Result } from '../base/result.ts';
import type { StepId } from '../plan/plan.ts';
import type { CommandContext, Refusal, RunCommand } from './commands.ts';
import { decide } from './decide.ts';
import type { Checkpoint, Usage } from './events.ts';
import { lastWorked, planStep } from './state.ts';
import type { AttemptState, RunState, StepState } from './state.ts';
import { runStatus } from './status.ts';
import type { RunStatus } from './status.ts';

export interface Impact {
  readonly status: { readonly before: RunStatus; readonly after: RunStatus };
  /** Done, and stays so. */
  readonly kept: readonly StepId[];
  /** Has begun before, and will begin again. */
  readonly again: readonly StepId[];
  /** Was done, and counts no more; part of `again`. */
  readonly stale: readonly StepId[];
  readonly skipped: readonly StepId[];
  /** Comes to an end first: a live attempt is stopped. */
  readonly stopped: readonly StepId[];
  readonly canceled: readonly StepId[];
  /** Requests that fall, open ones and approvals that nobody has used. */
  readonly approvals: readonly {
    readonly id: string;
    readonly step: StepId;
    readonly was: string;
  }[];
  /** Validations among `again`. */
  readonly validations: readonly StepId[];
  /** The workspace goes from one checkpoint back to another; null when it stays. */
  readonly rewinds: { readonly from: Checkpoint; readonly to: Checkpoint } | null;
  /** Half-done work that is set aside before the step begins anew. */
  readonly setsAside: readonly StepId[];
  readonly sessions: readonly {
    readonly step: StepId;
    readonly session: string;
    readonly way: 'continued' | 'begun anew';
  }[];
  readonly spent: Spent;
  /** What the steps that run again have cost an attempt so far: least and most; null: nobody knows. */
  readonly expected: { readonly usd: Range | null; readonly tokens: Range | null };
}

interface Spent {
  readonly tokens: number;
  readonly usd: number;
  readonly unknownCost: boolean;
}

interface Range {
  readonly least: number;
  readonly most: number;
}

/** Refused as the command would be. The state is left as it was. */
export function impactOf(
  state: RunState,
  command: RunCommand,
  context: CommandContext,
): Result<Impact, Refusal> {
  const decided = decide(state.runId, state, command, context);
  if (!decided.ok) return decided;
  const after = decided.value.state;
  const pairs = [...state.steps.values()].map((before) => {
    const now = after.steps.get(before.id) ?? before;
    return { before, now };
  });
  const named = (holds: (before: StepState, now: StepState) => boolean): readonly StepId[] =>
    pairs.filter(({ before, now }) => holds(before, now)).map(({ before }) => before.id);
  const again = named(runsAgain);
  const isAgain = new Set(again);
  const agents = again.filter((id) => planStep(state.created.plan, id).kind === 'agent');
  const from = state.checkpoint;
  const to = after.checkpoint;
  return ok({
    status: { before: runStatus(state), after: runStatus(after) },
    kept: named((before, now) => isDone(before) && isDone(now)),
    again,
    stale: named((before, now) => isDone(before) && !isDone(now)),
    skipped: named((before, now) => before.status !== 'skipped' && now.status === 'skipped'),
    stopped: named(
      (before, now) =>
        before.status === 'running' &&
        (now.status !== 'running' || now.invalidated || after.cancelRequest !== null),
    ),
    canceled: named((before, now) => before.status !== 'canceled' && now.status === 'canceled'),
    approvals: fallen(state, after),
    validations: again.filter((id) => planStep(state.created.plan, id).kind === 'validation'),
    rewinds: from !== null && to !== null && from.commit !== to.commit ? { from, to } : null,
    setsAside: named(
      (before, now) => isAgain.has(before.id) && before.status === 'interrupted' && !goesOn(now),
    ),
    sessions: agents.flatMap((id) => sessionOf(after.steps.get(id))),
    spent: spentOn(pairs.flatMap(({ before }) => attemptsOfAgent(state, before))),
    expected: expectedFor(
      pairs.filter(({ before }) => isAgain.has(before.id)).map(({ before }) => before),
      state,
    ),
  });
}

function isDone({ status }: StepState): boolean {
  return status === 'succeeded' || status === 'skipped';
}

function goesOn({ next }: StepState): boolean {
  return next === 'continue';
}

/** It was begun, has come to rest or is to be stopped, and is to begin once more. */
function runsAgain(before: StepState, now: StepState): boolean {
  if (before.status === 'pending' || now.status === 'canceled') return false;
  return (
    now.status === 'pending' || now.status === 'stale' || (now.invalidated && !before.invalidated)
  );
}

function fallen(before: RunState, after: RunState): Impact['approvals'] {
  return [...before.approvals.values()]
    .filter(({ status, usedBy, kind }) =>
      kind === 'start'
        ? usedBy === null && (status === 'open' || status === 'approved')
        : status === 'open',
    )
    .filter(({ id, status }) => after.approvals.get(id)?.status !== status)
    .map(({ id, step, status }) => ({ id, step, was: status }));
}

function sessionOf(step: StepState | undefined): Impact['sessions'] {
  const worked = step && lastWorked(step);
  const session = worked?.session?.session;
  if (step === undefined || session === undefined) return [];
  return [{ step: step.id, session, way: goesOn(step) ? 'continued' : 'begun anew' }];
}

function attemptsOfAgent(state: RunState, step: StepState): readonly AttemptState[] {
  if (planStep(state.created.plan, step.id).kind !== 'agent') return [];
  return step.attempts.filter(({ status }) => status !== 'never-started');
}

function spentOn(attempts: readonly AttemptState[]): Spent {
  const usd = attempts.map(({ usage }) => usage?.usd ?? null);
  return {
    tokens: attempts.reduce((sum, { usage }) => sum + tokensOf(usage), 0),
    usd: usd.reduce<number>((sum, each) => sum + (each ?? 0), 0),
    unknownCost: usd.includes(null),
  };
}

function tokensOf(usage: Usage | null): number {
  return (usage?.inputTokens ?? 0) + (usage?.outputTokens ?? 0);
}

/** The cheapest and the dearest attempt of each step, added up; one step that nobody knows makes the sum unknown. */
function expectedFor(steps: readonly StepState[], state: RunState): Impact['expected'] {
  const agents = steps.filter(({ id }) => planStep(state.created.plan, id).kind === 'agent');
  const sum = (of: (attempt: AttemptState) => number | null): Range | null => {
    let range: Range | null = { least: 0, most: 0 };
    for (const step of agents) {
      const known = attemptsOfAgent(state, step)
        .map(of)
        .filter((each) => each !== null);
      range =
        range === null || known.length === 0
          ? null
          : { least: range.least + Math.min(...known), most: range.most + Math.max(...known) };
    }
    return range;
  };
  return {
    usd: sum(({ usage }) => usage?.usd ?? null),
    tokens: sum(({ usage }) => (usage === null ? null : tokensOf(usage))),
  };
}
