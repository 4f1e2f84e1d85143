import { describe, expect, test } from 'vitest';

import type { RunEvent } from '../machine/events.ts';
import type { AttemptState } from '../machine/state.ts';
import type { RunFigures } from './metrics.ts';
import { figuresOf, metricsOf } from './metrics.ts';
import { testAgent, testApproval, testCommand, testPlan } from '../testing/plan-fixtures.ts';
import { ANN, ANYBODY, EVENTS as E, RITA } from '../testing/run-fixtures.ts';
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

describe('what a run counts', () => {
  const AGENTS = testPlan([testAgent('a'), testCommand('b')]);
  /** The same event, so many seconds after the first. */
  const after = (seconds: number, event: RunEvent): RunEvent => ({
    ...event,
    at: new Date(seconds * 1000).toISOString(),
  });
  const timed = (...told: readonly Told[]): RunFigures =>
    figuresOf(given(...told).state!, 3, (at) => Date.parse(at));
  const usage = { inputTokens: 100, outputTokens: 20, cachedTokens: 7, usd: 0.5 };

  test('[WB50] is orchestrated by more than one step, and of a feature by its launch', () => {
    expect(timed(E.begun(AGENTS))).toMatchObject({
      ...{ isOrchestrated: true, isOfFeature: false, status: 'running', bypasses: 3 },
    });
    expect(timed(E.begun(testPlan([testCommand('a')]))).isOrchestrated).toBe(false);
    const created = E.created(AGENTS) as Extract<RunEvent, { type: 'RunCreated' }>;
    const ofFeature = { ...created, data: { ...created.data, feature: 'limits' } };
    expect(timed(ofFeature).isOfFeature).toBe(true);
  });

  test('[WB50] recovers from the first break of a step to its next success, and again', () => {
    const story = [
      ...[E.begun(AGENTS), E.readied('a'), E.attemptStarted('a', 1)],
      after(10, E.interrupted('a', 1)),
      ...[E.requeued('a'), E.readied('a'), E.attemptStarted('a', 2)],
      after(14, E.failed('a', 2)),
      ...[E.requeued('a'), E.readied('a'), E.attemptStarted('a', 3)],
    ];
    expect(timed(...story).recoveriesMs).toEqual([]);
    const mended = [...story, after(25, E.succeeded('a', 3))];
    expect(timed(...mended).recoveriesMs).toEqual([15_000]);
    expect(timed(...mended, E.running('b'), after(30, E.succeeded('b', 1))).recoveriesMs).toEqual([
      15_000,
    ]);
    const simple = testPlan([testCommand('a')]);
    const alone = [E.begun(simple), ...mended.slice(1)];
    expect(timed(...alone).recoveriesMs).toEqual([]);
  });

  test('[WB50] several interruptions in a row are one; what never started is none', () => {
    const twice = [
      ...[E.begun(AGENTS), E.readied('a'), E.attemptStarted('a', 1), E.interrupted('a', 1)],
      ...[E.requeued('a'), E.readied('a'), E.attemptStarted('a', 2), E.interrupted('a', 2)],
      ...[E.requeued('a'), E.readied('a'), E.attemptStarted('a', 3)],
    ];
    expect(timed(...twice, E.succeeded('a', 3)).resumes).toEqual({
      ...{ succeeded: 1, failed: 0, open: 0 },
    });
    const whole = timed(E.begun(AGENTS), E.running('a'), E.succeeded('a', 1));
    expect(whole.resumes).toEqual({ succeeded: 0, failed: 0, open: 0 });
    // After its success, an interruption counts for itself.
    const state = given(...twice, E.succeeded('a', 3)).state!;
    const step = state.steps.get('a')!;
    const [first] = step.attempts;
    const endOf = (attempts: readonly AttemptState[]): RunFigures => {
      const steps = state.steps.fork();
      steps.set('a', { ...step, attempts });
      return figuresOf({ ...state, steps }, 0, () => 0);
    };
    expect(endOf([...step.attempts, first!]).resumes).toEqual({ succeeded: 1, failed: 0, open: 0 });
    const neverStarted = { ...first!, status: 'never-started' as const };
    expect(endOf([first!, neverStarted]).resumes.open).toBe(0);
    expect(endOf([neverStarted]).costs).toEqual([]);
  });

  test('[WB50] waits from the request to its last decision; what is open is counted apart', () => {
    const plan = testPlan([testApproval('ship')]);
    const asked = [
      E.begun(plan),
      after(5, E.asked('ship', { kind: 'gate', requires: { ...ANYBODY, count: 2 } })),
    ];
    const [first, second] = [after(7, E.decided('apr_1', RITA)), after(8, E.decided('apr_1', ANN))];
    expect(timed(...asked)).toMatchObject({ waitsMs: [], openApprovals: 1 });
    expect(timed(...asked, first)).toMatchObject({ waitsMs: [], openApprovals: 1 });
    const passed = [...asked, first, second, E.resolved('apr_1', 'approved', 'enough')];
    expect(timed(...passed)).toMatchObject({ waitsMs: [3000], openApprovals: 0 });
    const fallen = [...asked, E.stale('apr_1', ['plan'])];
    expect(timed(...fallen)).toMatchObject({ waitsMs: [], openApprovals: 0 });
  });

  test('[WB51] costs what its agents used; what has ended without a word costs nobody knows what', () => {
    const begun = [E.begun(AGENTS), E.readied('a'), E.attemptStarted('a', 1)];
    const of = { feature: null, adapter: 'scripted', model: null, attempts: 1 };
    expect(timed(...begun).costs).toEqual([{ ...of, tokens: 0, usd: 0, unknown: 0 }]);
    const ended = [...begun, E.succeeded('a', 1, { usage })];
    expect(timed(...ended, E.running('b'), E.succeeded('b', 1)).costs).toEqual([
      { ...of, tokens: 120, usd: 0.5, unknown: 0 },
    ]);
    expect(timed(...begun, E.failed('a', 1)).costs).toEqual([
      { ...of, tokens: 0, usd: 0, unknown: 1 },
    ]);
  });
});

test('[WB50] the window is by the launch, and every run in it counts once by its state', () => {
  const early = plain({ runId: 'early', createdMs: 10, bypasses: 5 });
  const late = plain({
    ...{ runId: 'late', createdMs: 20, bypasses: 1, recoveriesMs: [4000] },
    resumes: { succeeded: 9, failed: 1, open: 2 },
  });
  const failed = plain({ runId: 'failed', createdMs: 30, status: 'failed', bypasses: 1 });
  const told = metricsOf([early, late, { ...late, runId: 'other' }, failed], {
    ...{ fromMs: 20, toMs: 99 },
  });
  expect(told.window).toEqual({ fromMs: 20, toMs: 99 });
  expect(told.runs).toEqual({ total: 3, byStatus: { succeeded: 2, failed: 1 } });
  expect(told.bypasses).toMatchObject({ value: 3, runs: 3, target: 0 });
  expect(told.resume).toMatchObject({ value: 0.9, counted: 18, of: 20, open: 4, target: 0.9 });
  expect(told.recovery).toMatchObject({ count: 2, meanMs: 4000, medianMs: 4000 });
  expect(metricsOf([early], { fromMs: null, toMs: 99 }).runs.total).toBe(1);
});

test('[WB51] rows are dearest first, then by tokens, then by name', () => {
  const row = (feature: string | null, usd: number, tokens: number) => ({
    ...{ feature, adapter: 'a', model: null, attempts: 1, usd, tokens, unknown: 0 },
  });
  const names = (...costs: readonly ReturnType<typeof row>[]) =>
    metricsOf([plain({ costs })], WINDOW).cost.byFeature.map(({ name }) => name);
  expect(names(row('b', 1, 5), row('c', 2, 1), row('a', 1, 5), row('d', 1, 9))).toEqual([
    ...['c', 'd', 'a', 'b'],
  ]);
  expect(names(row('a', 1, 5), row(null, 1, 5))).toEqual([null, 'a']);
  expect(names(row(null, 1, 5), row('a', 1, 5))).toEqual([null, 'a']);
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
