import { describe, expect, test } from 'vitest';

import type { RunFigures } from './metrics.ts';
import { figuresOf, metricsOf } from './metrics.ts';
import { testCommand, testPlan } from '../testing/plan-fixtures.ts';
import { EVENTS as E } from '../testing/run-fixtures.ts';
import { given } from '../testing/scenario.ts';
import type { Told } from '../testing/scenario.ts';

const WINDOW = { fromMs: null, toMs: 0 };

function figures(...told: readonly Told[]): RunFigures {
  const { state } = given(...told);
  if (state === null) throw new Error('nothing has happened');
  // The times of fixtures are all the same: each reading is a second later.
  let nowMs = 0;
  return figuresOf(state, 0, () => (nowMs += 1000));
}

function plain(over: Partial<RunFigures>): RunFigures {
  return {
    ...{ runId: 'run', createdMs: 0, status: 'succeeded', isOfFeature: true, isOrchestrated: true },
    ...{ resumes: { succeeded: 0, failed: 0, open: 0 }, recoveriesMs: [], waitsMs: [] },
    ...{ openApprovals: 0, costs: [], bypasses: 0 },
    ...over,
  };
}

describe('shares', () => {
  test('[WB50] orchestration is the share of plans of several steps among runs for a feature', () => {
    const { orchestration } = metricsOf(
      [
        plain({}),
        plain({ isOrchestrated: false }),
        plain({ isOrchestrated: false }),
        plain({ isOfFeature: false }),
      ],
      WINDOW,
    );
    expect(orchestration).toMatchObject({ counted: 1, of: 3, target: 0.3 });
    expect(orchestration.value).toBeCloseTo(1 / 3);
  });

  test('[WB50] of nothing there is no share, and no time', () => {
    const metrics = metricsOf([], WINDOW);
    expect(metrics.orchestration.value).toBeNull();
    expect(metrics.resume.value).toBeNull();
    expect(metrics.recovery).toMatchObject({ count: 0, meanMs: null, medianMs: null });
  });
});

describe('resumes', () => {
  const plan = testPlan([testCommand('a'), testCommand('b')]);
  const interrupted = [
    E.created(plan),
    E.runStarted(),
    E.readied('a'),
    E.attemptStarted('a', 1),
    E.interrupted('a', 1),
  ];

  test('[WB50] an interruption counts once it was gone on with, by how that ended', () => {
    expect(figures(...interrupted).resumes).toEqual({ succeeded: 0, failed: 0, open: 0 });
    const again = [...interrupted, E.requeued('a'), E.readied('a'), E.attemptStarted('a', 2)];
    expect(figures(...again).resumes).toEqual({ succeeded: 0, failed: 0, open: 1 });
    const done = figures(...again, E.succeeded('a', 2));
    expect(done.resumes).toEqual({ succeeded: 1, failed: 0, open: 0 });
    expect(done.recoveriesMs).toHaveLength(1);
    expect(figures(...again, E.failed('a', 2)).resumes).toEqual({
      succeeded: 0,
      failed: 1,
      open: 0,
    });
  });
});

test('[WB51] cost is told by feature, adapter and model, and what nobody knows is said', () => {
  const cost = { attempts: 1, tokens: 100, usd: 0.5, unknown: 0 };
  const { cost: told } = metricsOf(
    [
      plain({ costs: [{ feature: 'f', adapter: 'claude', model: 'm', ...cost }] }),
      plain({
        costs: [
          { feature: 'f', adapter: 'codex', model: null, ...cost, usd: 0, unknown: 1 },
          { feature: null, adapter: 'claude', model: 'm', ...cost },
        ],
      }),
    ],
    WINDOW,
  );
  expect(told.total).toEqual({ attempts: 3, tokens: 300, usd: 1, unknown: 1 });
  expect(told.byAdapter).toEqual([
    { name: 'claude', attempts: 2, tokens: 200, usd: 1, unknown: 0 },
    { name: 'codex', attempts: 1, tokens: 100, usd: 0, unknown: 1 },
  ]);
  expect(told.byFeature.map(({ name }) => name)).toEqual(['f', null]);
  expect(told.byModel.map(({ name }) => name)).toEqual(['m', null]);
});

test('[WB50] the middle of waits is the middle of the two in the middle', () => {
  const { approvals } = metricsOf(
    [plain({ waitsMs: [1000, 9000] }), plain({ waitsMs: [3000, 2000], openApprovals: 2 })],
    WINDOW,
  );
  expect(approvals).toMatchObject({ count: 4, medianMs: 2500, meanMs: 3750, open: 2 });
});
