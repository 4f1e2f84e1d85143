/**
 * What an action would do to a run, before it is done. Not a forecast: the command is decided on the state as it is, and
 * what differs afterwards is said in words. So what the summary says is what the action does.
 */
import { err, ok } from '../base/result.ts';
import type { Result } from '../base/result.ts';
import type { StepId } from '../plan/plan.ts';
import type { CommandContext, Refusal, RunCommand } from './commands.ts';
import { changeAsks, foreseeChange } from './change.ts';
import { decide } from './decide.ts';
import { newDraft } from './draft.ts';
import type { ApprovalRequirement, Checkpoint, Fork, Usage } from './events.ts';
import { diffPlans } from './plan-diff.ts';
import type { PlanDiff } from './plan-diff.ts';
import { settle } from './settle.ts';
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
  /** Steps that the plan has not any more; what they did stays to be looked at. */
  readonly removed: readonly StepId[];
  /** Of a step that is skipped: those that need it, and whether they can do without. */
  readonly follows: readonly {
    readonly step: StepId;
    readonly how: 'goes on' | 'blocks' | 'fails';
  }[];
  /** Who has to agree before it is done. */
  readonly asks: readonly { readonly step: StepId; readonly requires: ApprovalRequirement }[];
  /** In what the new plan differs; null when the plan stays. */
  readonly plan: PlanDiff | null;
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
  const outcome = outcomeOf(state, command, context);
  if (!outcome.ok) return outcome;
  const after = outcome.value;
  const pairs = [...state.steps.values()].flatMap((before) => {
    const now = after.steps.get(before.id);
    return now === undefined ? [] : [{ before, now }];
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
    removed: [...state.steps.values()].filter(({ id }) => !after.steps.has(id)).map(({ id }) => id),
    follows: followingOf(state, command),
    asks: asksOf(state, command),
    plan:
      command.type === 'ChangeRun' && command.change.type === 'replan'
        ? diffPlans(state.created.plan, command.change.plan)
        : null,
    setsAside: named(
      (before, now) =>
        before.status === 'interrupted' &&
        (now.status === 'skipped' || (isAgain.has(before.id) && !goesOn(now))),
    ),
    sessions: agents.flatMap((id) => sessionOf(after.steps.get(id))),
    spent: spentOn(pairs.flatMap(({ before }) => attemptsOfAgent(state, before))),
    expected: expectedFor(
      pairs.filter(({ before }) => isAgain.has(before.id)).map(({ before }) => before),
      state,
    ),
  });
}

/** For a change that people are asked about: as if they had agreed. */
function outcomeOf(
  state: RunState,
  command: RunCommand,
  context: CommandContext,
): Result<RunState, Refusal> {
  if (command.type !== 'ChangeRun') {
    const decided = decide(state.runId, state, command, context);
    return decided.ok ? ok(decided.value.state) : decided;
  }
  const draft = newDraft(state, context);
  const refusal = foreseeChange(draft, command);
  if (refusal !== null) return err(refusal);
  settle(draft);
  return ok(draft.state);
}

function asksOf(state: RunState, command: RunCommand): Impact['asks'] {
  if (command.type !== 'ChangeRun') return [];
  const { change, verdict } = command;
  return changeAsks(state, change, verdict).map(({ step, requires }) => ({ step, requires }));
}

/** What becomes of those that need a step which is skipped. */
function followingOf(state: RunState, command: RunCommand): Impact['follows'] {
  if (command.type !== 'ChangeRun' || command.change.type !== 'skip') return [];
  const { step: skipped } = command.change;
  return state.created.plan.steps.flatMap((step): Impact['follows'] => {
    const looks =
      step.kind === 'validation' &&
      step.checks.some(
        (check) =>
          (check.type === 'exit' && check.step === skipped) ||
          (check.type === 'schema' && check.output === skipped),
      );
    if (looks) return [{ step: step.id, how: 'fails' }];
    const reads =
      'env' in step && Object.values(step.env.from).some((from) => from.startsWith(`${skipped}.`));
    if (reads) return [{ step: step.id, how: 'blocks' }];
    return step.needs.includes(skipped) ? [{ step: step.id, how: 'goes on' }] : [];
  });
}

function isDone({ status }: Pick<StepState, 'status'>): boolean {
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

/** Of a fork, as of an action: `carried` stays done in the new run, all else that has begun begins there again. */
export function forkImpact(state: RunState, { checkpoint, steps }: Fork): Impact {
  const carried = new Set(steps.map(({ step }) => step));
  const { plan } = state.created;
  const all = [...state.steps.values()];
  const left = all.filter((step) => !carried.has(step.id) && step.status !== 'pending');
  const again = left.filter(({ attempts, status }) => attempts.length > 0 || isDone({ status }));
  const from = state.checkpoint;
  return {
    status: { before: runStatus(state), after: 'queued' },
    kept: all.filter(({ id }) => carried.has(id)).map(({ id }) => id),
    again: again.map(({ id }) => id),
    stale: again.filter(isDone).map(({ id }) => id),
    ...{ skipped: [], stopped: [], canceled: [], approvals: [], removed: [], follows: [] },
    ...{ asks: [], plan: null, setsAside: [] },
    validations: again.map(({ id }) => id).filter((id) => planStep(plan, id).kind === 'validation'),
    rewinds: from === null || from.commit === checkpoint.commit ? null : { from, to: checkpoint },
    sessions: again.flatMap((step) =>
      sessionOf(step).map((each) => ({ ...each, way: 'begun anew' as const })),
    ),
    spent: spentOn(all.flatMap((step) => attemptsOfAgent(state, step))),
    expected: expectedFor(again, state),
  };
}

function attemptsOfAgent(state: RunState, step: StepState): readonly AttemptState[] {
  if (planStep(state.created.plan, step.id).kind !== 'agent') return [];
  return step.attempts.filter(({ status, from }) => status !== 'never-started' && from === null);
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
