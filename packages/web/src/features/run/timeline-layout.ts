/**
 * Where the bars of a run's timeline stand. Work is told apart from waiting for people; a time in which nothing worked
 * is folded to a narrow strip, since a night of waiting would squeeze an hour of work to a line.
 */
import type { ApprovalView, RunView } from '@ccdash/api/client';

export interface Bar {
  readonly kind: 'work' | 'wait';
  /** Of work; null for waiting. */
  readonly attempt: number | null;
  readonly status: string;
  readonly fromMs: number;
  /** Null while it goes on. */
  readonly toMs: number | null;
  /** Parts of the whole width, 0 to 1. */
  readonly left: number;
  readonly width: number;
}

export interface Lane {
  readonly step: string;
  readonly bars: readonly Bar[];
}

export interface Fold {
  readonly fromMs: number;
  readonly toMs: number;
  readonly left: number;
  readonly width: number;
}

export interface Timeline {
  readonly fromMs: number;
  readonly toMs: number;
  readonly isLive: boolean;
  readonly lanes: readonly Lane[];
  readonly folds: readonly Fold[];
  readonly ticks: readonly { readonly atMs: number; readonly left: number }[];
}

interface Span extends Omit<Bar, 'left' | 'width'> {
  readonly step: string;
}

/** Idle times shorter than this part of the work are drawn as they are. */
const FOLDED_FROM = 0.1;
/** So much of the width has a fold. */
const FOLD_WIDTH = 0.03;
const SHORTEST_FOLD_MS = 5000;
const TICKS = 6;

export function layOutTimeline(
  run: Pick<RunView, 'createdAt' | 'endedAt' | 'steps'>,
  approvals: readonly Pick<ApprovalView, 'stepId' | 'requestedAt' | 'status' | 'decisions'>[],
  nowMs: number,
): Timeline {
  const spans = [...workOf(run), ...waitsOf(approvals)];
  const fromMs = Math.min(Date.parse(run.createdAt), ...spans.map((span) => span.fromMs));
  const isLive = run.endedAt === null;
  const endMs = run.endedAt === null ? nowMs : Date.parse(run.endedAt);
  const toMs = Math.max(fromMs + 1, endMs, ...spans.map((span) => span.toMs ?? endMs));
  const scale = foldedScale(fromMs, toMs, spans, endMs);
  const lanes = run.steps.map(({ id }) => ({
    step: id,
    bars: spans
      .filter(({ step }) => step === id)
      .map(({ step: _step, ...span }) => {
        const left = scale.at(span.fromMs);
        return { ...span, left, width: scale.at(span.toMs ?? endMs) - left };
      }),
  }));
  const folds = scale.folds.map(([from, to]) => {
    const left = scale.at(from);
    return { fromMs: from, toMs: to, left, width: scale.at(to) - left };
  });
  return { fromMs, toMs, isLive, lanes, folds, ticks: scale.ticks() };
}

function workOf({ steps }: Pick<RunView, 'steps'>): readonly Span[] {
  return steps.flatMap(({ id, attempts }) =>
    attempts.map(({ number, status, startedAt, endedAt }) => ({
      ...{ step: id, kind: 'work' as const, attempt: number, status },
      fromMs: Date.parse(startedAt),
      toMs: endedAt === null ? null : Date.parse(endedAt),
    })),
  );
}

function waitsOf(
  approvals: readonly Pick<ApprovalView, 'stepId' | 'requestedAt' | 'status' | 'decisions'>[],
): readonly Span[] {
  return approvals.flatMap(({ stepId, requestedAt, status, decisions }) => {
    const decided = decisions.at(-1)?.at;
    // What ended without a decision does not say when.
    if (status !== 'open' && decided === undefined) return [];
    const toMs = status === 'open' || decided === undefined ? null : Date.parse(decided);
    const at = { fromMs: Date.parse(requestedAt), toMs };
    return [{ step: stepId, kind: 'wait' as const, attempt: null, status, ...at }];
  });
}

/** Goes evenly through the times of work, and fast through the long ones without. */
function foldedScale(
  fromMs: number,
  toMs: number,
  spans: readonly Span[],
  endMs: number,
): {
  at(ms: number): number;
  readonly folds: readonly (readonly [number, number])[];
  ticks(): Timeline['ticks'];
} {
  const idle = idleTimes(fromMs, toMs, spans, endMs);
  const idleMs = (times: readonly (readonly [number, number])[]): number =>
    times.reduce((sum, [from, to]) => sum + to - from, 0);
  const workMs = toMs - fromMs - idleMs(idle);
  const least = Math.max(SHORTEST_FOLD_MS, workMs * FOLDED_FROM);
  const folds = workMs > 0 ? idle.filter(([from, to]) => to - from > least) : [];
  const foldWidth = folds.length === 0 ? 0 : Math.min(FOLD_WIDTH, 0.4 / folds.length);
  const evenMs = toMs - fromMs - idleMs(folds);
  const perMs = (1 - folds.length * foldWidth) / Math.max(1, evenMs);

  function at(ms: number): number {
    const until = Math.min(Math.max(ms, fromMs), toMs);
    let left = (until - fromMs) * perMs;
    for (const [from, to] of folds) {
      if (until <= from) break;
      const inside = Math.min(until, to) - from;
      left += (inside / (to - from)) * foldWidth - inside * perMs;
    }
    return Math.min(1, Math.max(0, left));
  }

  /** At even places, as the time is that stands there; none within a fold. */
  function ticks(): Timeline['ticks'] {
    const evenTimes = Array.from({ length: TICKS }, (_, i) => (i / TICKS) * evenMs);
    return evenTimes.map((even) => {
      let ms = fromMs + even;
      for (const [from, to] of folds) if (ms >= from) ms += to - from;
      return { atMs: Math.round(ms), left: at(ms) };
    });
  }

  return { at, folds, ticks };
}

function idleTimes(
  fromMs: number,
  toMs: number,
  spans: readonly Span[],
  endMs: number,
): readonly (readonly [number, number])[] {
  const work = spans
    .filter(({ kind }) => kind === 'work')
    .map((span): readonly [number, number] => [span.fromMs, span.toMs ?? endMs])
    .sort(([a], [b]) => a - b);
  const idle: (readonly [number, number])[] = [];
  let busyUntil = fromMs;
  for (const [from, to] of work) {
    if (from > busyUntil) idle.push([busyUntil, from]);
    busyUntil = Math.max(busyUntil, to);
  }
  if (toMs > busyUntil) idle.push([busyUntil, toMs]);
  return idle;
}
