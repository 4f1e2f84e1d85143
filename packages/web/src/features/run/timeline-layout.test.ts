import type { ApprovalView, RunView } from '@ccdash/api/client';
import { expect, test } from 'vitest';
import { layOutTimeline } from './timeline-layout.ts';

const T0 = Date.parse('2026-01-01T00:00:00.000Z');
const at = (seconds: number): string => new Date(T0 + seconds * 1000).toISOString();

/** Steps by their attempts, each with the seconds it began and ended at. */
function runOf(
  steps: Readonly<Record<string, readonly (readonly [number, number | null])[]>>,
  endedAt: number | null,
): Pick<RunView, 'createdAt' | 'endedAt' | 'steps'> {
  return {
    createdAt: at(0),
    endedAt: endedAt === null ? null : at(endedAt),
    steps: Object.entries(steps).map(([id, attempts]) => ({
      id,
      attempts: attempts.map(([from, to], i) => ({
        number: i + 1,
        status: to === null ? 'running' : 'succeeded',
        startedAt: at(from),
        endedAt: to === null ? null : at(to),
      })),
    })) as unknown as RunView['steps'],
  };
}

function waitOf(from: number, to: number | null): ApprovalView {
  const decisions = to === null ? [] : [{ at: at(to) }];
  const status = to === null ? 'open' : 'approved';
  return { stepId: 'b', requestedAt: at(from), status, decisions } as unknown as ApprovalView;
}

test('[WB3] each attempt has a bar of its own, as long as it took', () => {
  const run = runOf(
    {
      a: [
        [0, 10],
        [10, 30],
      ],
      b: [[30, 40]],
    },
    40,
  );
  const { lanes, folds } = layOutTimeline(run, [], T0);
  expect(folds).toEqual([]);
  expect(lanes[0]?.bars.map(({ attempt, left, width }) => [attempt, left, width])).toEqual([
    [1, 0, 0.25],
    [2, 0.25, 0.5],
  ]);
  expect(lanes[1]?.bars[0]?.left).toBeCloseTo(0.75);
});

test('[WB3] waiting for people is a bar of another kind, until the decision', () => {
  const run = runOf({ a: [[0, 10]], b: [[14, 20]] }, 20);
  const { lanes } = layOutTimeline(run, [waitOf(10, 14)], T0);
  expect(lanes[1]?.bars.map(({ kind, toMs }) => [kind, toMs])).toEqual([
    ['work', T0 + 20_000],
    ['wait', T0 + 14_000],
  ]);
});

test('[WB3] a night in which nothing worked is folded, and the work keeps its proportions', () => {
  const run = runOf({ a: [[0, 10]], b: [[40_010, 40_020]] }, 40_020);
  const { lanes, folds } = layOutTimeline(run, [waitOf(10, 40_010)], T0);
  expect(folds).toHaveLength(1);
  expect(folds[0]?.width).toBeLessThan(0.05);
  const [a, b] = [lanes[0]?.bars[0], lanes[1]?.bars[0]];
  expect(a?.width).toBeGreaterThan(0.4);
  expect(b?.width).toBeCloseTo(a?.width ?? 0);
});

test('[WB3] the edge of a run that goes on is now, and nothing stands outside of the drawing', () => {
  const run = runOf(
    {
      a: [
        [0, 4],
        [5, null],
      ],
      b: [],
    },
    null,
  );
  const timeline = layOutTimeline(run, [waitOf(2, null)], T0 + 10_000);
  expect(timeline.isLive).toBe(true);
  expect(timeline.toMs).toBe(T0 + 10_000);
  for (const { left, width } of timeline.lanes.flatMap(({ bars }) => bars)) {
    expect(left).toBeGreaterThanOrEqual(0);
    expect(left + width).toBeLessThanOrEqual(1.000001);
  }
});

test('[WB3] ticks tell times of work: none lies within a fold', () => {
  const run = runOf({ a: [[0, 100]], b: [[90_000, 90_100]] }, 90_100);
  const { ticks, folds } = layOutTimeline(run, [], T0);
  const [fold] = folds;
  for (const { atMs } of ticks) {
    expect(atMs > (fold?.fromMs ?? 0) && atMs < (fold?.toMs ?? 0)).toBe(false);
  }
});

test('[WB3] a run of which nothing has begun is drawn as well', () => {
  const { lanes, folds } = layOutTimeline(runOf({ a: [] }, null), [], T0);
  expect(lanes).toEqual([{ step: 'a', bars: [] }]);
  expect(folds).toEqual([]);
});
