/** The product's own success figures, each with its definition, folded from the states of runs. */
import { planStep } from '../machine/state.ts';
import type { AttemptState, RunState, StepState } from '../machine/state.ts';
import { runStatus } from '../machine/status.ts';
import type { RunStatus } from '../machine/status.ts';

/** What counts for one run; sums of these are the figures. */
export interface RunFigures {
  readonly runId: string;
  readonly createdMs: number;
  readonly status: RunStatus;
  /** It was launched for a feature. */
  readonly isOfFeature: boolean;
  /** Its plan has more than one step. */
  readonly isOrchestrated: boolean;
  /** Interrupted steps that somebody or the plan set going again: whether each came to its success. */
  readonly resumes: { readonly succeeded: number; readonly failed: number; readonly open: number };
  /** Of a plan of several steps: from a step's failure or interruption to its next success. */
  readonly recoveriesMs: readonly number[];
  /** From each request to its last decision. */
  readonly waitsMs: readonly number[];
  readonly openApprovals: number;
  readonly costs: readonly RunCost[];
  /** As an audit of its events found. */
  readonly bypasses: number;
}

export interface RunCost extends Cost {
  readonly feature: string | null;
  readonly adapter: string;
  readonly model: string | null;
}

export interface Cost {
  readonly attempts: number;
  readonly tokens: number;
  readonly usd: number;
  /** Attempts whose cost nobody knows: `usd` is a lower bound. */
  readonly unknown: number;
}

/** A part of a whole. `value` is null while the whole is empty. */
export interface Share {
  readonly value: number | null;
  readonly of: number;
  readonly counted: number;
  readonly target: number;
  readonly definition: string;
}

export interface Spread {
  readonly count: number;
  readonly meanMs: number | null;
  readonly medianMs: number | null;
  readonly definition: string;
}

export interface CostRow extends Cost {
  /** Null: runs without a feature, models that did not say their name. */
  readonly name: string | null;
}

export interface MetricsView {
  /** Runs that were launched in it count, by their states now. `fromMs` null: from the beginning. */
  readonly window: { readonly fromMs: number | null; readonly toMs: number };
  readonly runs: {
    readonly total: number;
    readonly byStatus: Readonly<Partial<Record<RunStatus, number>>>;
  };
  readonly orchestration: Share;
  readonly resume: Share & { readonly open: number };
  readonly bypasses: {
    readonly value: number;
    readonly runs: number;
    readonly target: number;
    readonly definition: string;
  };
  readonly recovery: Spread;
  readonly approvals: Spread & { readonly open: number };
  readonly cost: {
    readonly total: Cost;
    readonly byFeature: readonly CostRow[];
    readonly byAdapter: readonly CostRow[];
    readonly byModel: readonly CostRow[];
  };
}

/** `bypasses`: as an audit of its events found. `toMs` reads the times of events. */
export function figuresOf(
  state: RunState,
  bypasses: number,
  toMs: (at: string) => number,
): RunFigures {
  const { plan, feature } = state.created;
  const steps = [...state.steps.values()];
  const isOrchestrated = plan.steps.length > 1;
  const resumes = steps.flatMap((step) => resumesOf(step));
  const count = (end: Resume): number => resumes.filter((one) => one === end).length;
  const approvals = [...state.approvals.values()];
  return {
    runId: state.runId,
    createdMs: toMs(state.createdAt),
    status: runStatus(state),
    isOfFeature: feature !== null,
    isOrchestrated,
    resumes: { succeeded: count('succeeded'), failed: count('failed'), open: count('open') },
    recoveriesMs: isOrchestrated ? steps.flatMap((step) => recoveriesOf(step, toMs)) : [],
    waitsMs: approvals.flatMap(({ status, requestedAt, decisions }) => {
      const last = status === 'open' ? undefined : decisions.at(-1);
      return last === undefined ? [] : [toMs(last.at) - toMs(requestedAt)];
    }),
    openApprovals: approvals.filter(({ status }) => status === 'open').length,
    costs: steps.flatMap((step) => costsOf(state, step, feature)),
    bypasses,
  };
}

type Resume = 'succeeded' | 'failed' | 'open';

/** One for each interruption that was followed by another attempt; several in a row are one. */
function resumesOf({ attempts }: StepState): readonly Resume[] {
  const ends: Resume[] = [];
  let isInterrupted = false;
  let isResumed = false;
  for (const { status } of attempts) {
    if (status === 'never-started') continue;
    if (isInterrupted) isResumed = true;
    if (status === 'interrupted') {
      isInterrupted = true;
    } else if (isInterrupted && status !== 'running') {
      ends.push(status === 'succeeded' ? 'succeeded' : 'failed');
      isInterrupted = false;
      isResumed = false;
    }
  }
  return isInterrupted && isResumed ? [...ends, 'open'] : ends;
}

function recoveriesOf({ attempts }: StepState, toMs: (at: string) => number): readonly number[] {
  const times: number[] = [];
  let brokenAtMs: number | null = null;
  for (const { status, endedAt } of attempts) {
    if (endedAt === null) continue;
    if (status === 'failed' || status === 'interrupted') brokenAtMs ??= toMs(endedAt);
    if (status === 'succeeded' && brokenAtMs !== null) {
      times.push(toMs(endedAt) - brokenAtMs);
      brokenAtMs = null;
    }
  }
  return times;
}

function costsOf(state: RunState, step: StepState, feature: string | null): readonly RunCost[] {
  const planned = planStep(state.created.plan, step.id);
  if (planned.kind !== 'agent') return [];
  const { adapter } = planned;
  return step.attempts
    .filter(({ status }) => status !== 'never-started')
    .map((attempt) => ({ feature, adapter, model: attempt.model, ...costOf(attempt) }));
}

function costOf({ usage, status }: AttemptState): Cost {
  const usd = usage?.usd ?? null;
  const tokens = (usage?.inputTokens ?? 0) + (usage?.outputTokens ?? 0);
  return {
    attempts: 1,
    tokens,
    usd: usd ?? 0,
    unknown: usd === null && status !== 'running' ? 1 : 0,
  };
}

const DEFINITIONS = {
  orchestration:
    'Of the runs that were launched for a feature, those whose plan has more than one step.',
  resume:
    'Of the interrupted steps that were set going again and have ended since, those that succeeded. Several interruptions in a row are one.',
  bypasses:
    'Things that happened without the decisions they needed, by a replay of the log of every run that trusts nobody who wrote it.',
  recovery:
    'In plans of several steps: from the end of an attempt that failed or was interrupted to the next success of its step. The same faults with a restart by hand are measured by the bench.',
  approvals: 'From a request to its last decision, of requests that people have decided.',
} as const;

/** The figures of those runs that were launched in the window. */
export function metricsOf(runs: readonly RunFigures[], window: MetricsView['window']): MetricsView {
  const figures = runs.filter(({ createdMs }) => createdMs >= (window.fromMs ?? 0));
  const ofFeature = figures.filter(({ isOfFeature }) => isOfFeature);
  const byStatus: Partial<Record<RunStatus, number>> = {};
  for (const { status } of figures) byStatus[status] = (byStatus[status] ?? 0) + 1;
  const sum = (numberOf: (one: RunFigures) => number): number =>
    figures.reduce((total, one) => total + numberOf(one), 0);
  const succeeded = sum(({ resumes }) => resumes.succeeded);
  const ended = succeeded + sum(({ resumes }) => resumes.failed);
  const costs = figures.flatMap((one) => one.costs);
  return {
    window,
    runs: { total: figures.length, byStatus },
    orchestration: {
      ...shareOf(ofFeature.filter(({ isOrchestrated }) => isOrchestrated).length, ofFeature.length),
      target: 0.3,
      definition: DEFINITIONS.orchestration,
    },
    resume: {
      ...shareOf(succeeded, ended),
      target: 0.9,
      open: sum(({ resumes }) => resumes.open),
      definition: DEFINITIONS.resume,
    },
    bypasses: {
      value: sum((one) => one.bypasses),
      runs: figures.length,
      target: 0,
      definition: DEFINITIONS.bypasses,
    },
    recovery: spreadOf(
      figures.flatMap(({ recoveriesMs }) => recoveriesMs),
      DEFINITIONS.recovery,
    ),
    approvals: {
      ...spreadOf(
        figures.flatMap(({ waitsMs }) => waitsMs),
        DEFINITIONS.approvals,
      ),
      open: sum(({ openApprovals }) => openApprovals),
    },
    cost: {
      total: addUp(costs),
      byFeature: rowsOf(costs, ({ feature }) => feature),
      byAdapter: rowsOf(costs, ({ adapter }) => adapter),
      byModel: rowsOf(costs, ({ model }) => model),
    },
  };
}

function shareOf(counted: number, of: number): Pick<Share, 'value' | 'of' | 'counted'> {
  return { value: of === 0 ? null : counted / of, of, counted };
}

function spreadOf(timesMs: readonly number[], definition: string): Spread {
  const count = timesMs.length;
  const sorted = timesMs.toSorted((a, b) => a - b);
  const [low, high] = [sorted[Math.floor((count - 1) / 2)], sorted[Math.floor(count / 2)]];
  return {
    count,
    meanMs: count === 0 ? null : sorted.reduce((total, ms) => total + ms, 0) / count,
    medianMs: low === undefined || high === undefined ? null : (low + high) / 2,
    definition,
  };
}

/** Dearest first, then by name. */
function rowsOf(
  costs: readonly RunCost[],
  nameOf: (cost: RunCost) => string | null,
): readonly CostRow[] {
  const byName = new Map<string | null, RunCost[]>();
  for (const cost of costs) {
    const name = nameOf(cost);
    byName.set(name, [...(byName.get(name) ?? []), cost]);
  }
  return [...byName]
    .map(([name, own]) => ({ name, ...addUp(own) }))
    .sort((a, b) => b.usd - a.usd || b.tokens - a.tokens || compare(a.name, b.name));
}

function addUp(costs: readonly Cost[]): Cost {
  const total = { attempts: 0, tokens: 0, usd: 0, unknown: 0 };
  for (const cost of costs) {
    total.attempts += cost.attempts;
    total.tokens += cost.tokens;
    total.usd += cost.usd;
    total.unknown += cost.unknown;
  }
  return total;
}

function compare(a: string | null, b: string | null): number {
  return (a ?? '') < (b ?? '') ? -1 : 1;
}
