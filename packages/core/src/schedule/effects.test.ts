import { describe, expect, test } from 'vitest';

import type { RunState } from '../machine/state.ts';
import {
  testAgent,
  testApproval,
  testCommand,
  testPlan,
  testReader,
} from '../testing/plan-fixtures.ts';
import {
  ALLOW,
  COMMANDS as C,
  DENY,
  EVENTS as E,
  gateAnswered,
  gateRaised,
  testEvent,
  testFailure,
} from '../testing/run-fixtures.ts';
import { given } from '../testing/scenario.ts';
import type { Told } from '../testing/scenario.ts';
import { effectKey, effectsOf, hasSlot } from './effects.ts';
import type { Effect } from './effects.ts';

const PLAN = testPlan([
  testCommand('a'),
  testCommand('b'),
  testReader('c'),
  testReader('d', { needs: ['a'] }),
]);

function after(...told: readonly Told[]): RunState {
  const { state } = given(...told);
  if (state === null) throw new Error('nothing has happened');
  return state;
}

function effects(nowMs: number, ...told: readonly Told[]): readonly string[] {
  return effectsOf(after(...told), nowMs).map(effectKey);
}

describe('effectsOf', () => {
  test('[SC4] a workspace, unless it could not be made or the run is canceled', () => {
    expect(effectsOf(after(E.created(PLAN)), 0)).toEqual([{ type: 'PrepareWorkspace' }]);
    const failed = testEvent('RunStartFailed', { failure: testFailure() });
    expect(effects(0, E.created(PLAN), failed)).toEqual([]);
    expect(effects(0, E.created(PLAN), E.cancelRequested())).toEqual([]);
  });

  test('[SC4] evaluations, of steps that have all they need', () => {
    expect(effectsOf(after(E.begun(PLAN)), 0)).toEqual([
      { type: 'EvaluateStep', step: 'a' },
      { type: 'EvaluateStep', step: 'b' },
      { type: 'EvaluateStep', step: 'c' },
    ]);
    expect(effects(0, E.begun(PLAN), E.done('a'))).toContain('EvaluateStep d');
  });

  test('[SC4] starts, of steps that are ready', () => {
    const told = [E.begun(PLAN), E.readied('a'), E.readied('c')];
    const { steps } = after(told);
    expect(effectsOf(after(told), 0)).toEqual([
      { type: 'StartStep', step: 'a' },
      { type: 'EvaluateStep', step: 'b' },
      { type: 'StartStep', step: 'c' },
    ]);
    expect(steps.get('a')?.notBeforeMs).toBeNull();
  });

  test('[SC4] live attempts are watched', () => {
    const told = [E.begun(PLAN), E.running('a'), E.failed('a', 1), E.requeued('a'), E.readied('a')];
    expect(effectsOf(after(told, E.attemptStarted('a', 2)), 0)[0]).toEqual({
      type: 'SuperviseAttempt',
      step: 'a',
      attempt: 2,
    });
  });

  test('[SC4] an attempt of a run that is being canceled is watched and stopped, and nothing else begins', () => {
    const told = [E.begun(PLAN), E.running('a'), E.readied('c'), E.cancelRequested()];
    expect(effectsOf(after(told), 0)).toEqual([
      { type: 'SuperviseAttempt', step: 'a', attempt: 1 },
      { type: 'StopAttempt', step: 'a', attempt: 1, reason: 'the run is canceled' },
    ]);
  });

  test('[SC4] so is one that stands on what runs again', () => {
    const told = [E.begun(PLAN), E.done('a'), E.running('d'), E.invalidated('d', { cause: 'a' })];
    const reason = 'a step it depends on runs again';
    expect(effectsOf(after(told), 0)).toContainEqual({
      type: 'StopAttempt',
      step: 'd',
      attempt: 1,
      reason,
    });
  });

  test('[SC4] nothing begins after a failure that stops the run, what runs is watched on', () => {
    const plan = { ...PLAN, onFailure: 'stop' } as const;
    const told = [E.begun(plan), E.running('a'), E.running('c'), E.readied('b')];
    expect(effects(0, told, E.failed('a', 1))).toEqual(['SuperviseAttempt c 1']);
  });

  test('[SC4] nothing once the run has ended', () => {
    const plan = testPlan([testCommand('a')]);
    expect(effects(0, E.begun(plan), E.done('a'), E.ended('succeeded'))).toEqual([]);
    expect(effects(0, E.begun(plan), E.cancelRequested(), E.runCanceled())).toEqual([]);
    expect(effects(0, E.begun(plan), E.running('a'), E.failed('a', 1), E.ended('failed'))).toEqual(
      [],
    );
  });

  test('[SC4] a plan that a failure would stop is not stopped without one', () => {
    const plan = { ...PLAN, onFailure: 'stop' } as const;
    expect(effects(0, E.begun(plan), E.readied('a'))).toContain('StartStep a');
  });

  const AGENT = [E.begun(testPlan([testAgent('a')])), E.running('a')];
  const RAISED = [...AGENT, E.reported('a', 1, [gateRaised(1, 'g1')])];

  test('[AT9] tool calls are decided, and answered until the agent has the answer', () => {
    const decided = (decision: 'allow' | 'deny') => E.toolDecided('a', 'g1', decision);
    expect(effectsOf(after(RAISED), 0).slice(1)).toEqual([
      { type: 'EvaluateGate', step: 'a', attempt: 1, gateId: 'g1' },
    ]);
    const asked = E.asked('a', { kind: 'tool', gateId: 'g1' });
    expect(effects(0, RAISED, asked)).toEqual(['SuperviseAttempt a 1']);
    const answer: Effect = {
      ...{ type: 'AnswerGate', step: 'a', attempt: 1, gateId: 'g1' },
      ...{ decision: 'deny', reason: 'approved' },
    };
    expect(effectsOf(after(RAISED, decided('deny')), 0).slice(1)).toEqual([answer]);
    expect(effectsOf(after(RAISED, decided('allow')), 0).slice(1)).toEqual([
      { ...answer, decision: 'allow' },
    ]);
    const answered = E.reported('a', 1, [gateAnswered(2, 'g1', 'deny')]);
    expect(effects(0, RAISED, decided('deny'), answered)).toEqual(['SuperviseAttempt a 1']);
  });

  test('[AT10] the tool calls of an attempt that is to stop stay closed', () => {
    const cancel = effects(0, RAISED, E.cancelRequested());
    expect(cancel).toEqual(['SuperviseAttempt a 1', 'StopAttempt a 1']);
    const back = effects(0, RAISED, E.invalidated('a'));
    expect(back).toEqual(['SuperviseAttempt a 1', 'StopAttempt a 1']);
  });

  test('[SC3] a wake-up for the end of a back-off, then the start', () => {
    const told = [E.begun(PLAN), E.running('c'), E.retrying('c', 1, 50)];
    expect(effectsOf(after(told), 49)).toContainEqual({ type: 'WakeAt', atMs: 50 });
    expect(effects(49, told)).not.toContain('StartStep c');
    expect(effects(50, told)).toContain('StartStep c');
    expect(effects(50, told)).not.toContain('WakeAt 50');
    given(told).when(C.start('c'), undefined, 49).thenRefused('StepNotReady');
    given(told).when(C.start('c'), undefined, 50).thenEvents(E.attemptStarted('c', 2));
  });

  test('[SC3] a wake-up for the deadline of an open request, until the run is being canceled', () => {
    const plan = testPlan([testApproval('a'), testApproval('b'), testReader('c')]);
    const told = [
      ...[E.begun(plan), E.running('c'), E.asked('a', { kind: 'gate', expiresAtMs: 70 })],
      E.asked('b', { kind: 'gate', approvalId: 'apr_2' }),
    ];
    expect(effects(0, told)).toEqual(['SuperviseAttempt c 1', 'WakeAt 70']);
    expect(effects(99, told)).toEqual(['SuperviseAttempt c 1', 'WakeAt 70']);
    const decided = E.resolved('apr_1', 'approved', 'x');
    expect(effects(0, told, decided)).toEqual(['SuperviseAttempt c 1']);
    expect(effects(0, told, E.cancelRequested())).toEqual([
      'SuperviseAttempt c 1',
      'StopAttempt c 1',
    ]);
  });

  test('[SC4] the same state wants the same, in plan order', () => {
    const state = after(E.begun(PLAN), E.running('c'), E.readied('a'));
    expect(effectsOf(state, 0)).toEqual(effectsOf(state, 0));
    expect(effectsOf(state, 0).map(effectKey)).toEqual([
      'StartStep a',
      'EvaluateStep b',
      'SuperviseAttempt c 1',
    ]);
  });
});

describe('effectKey', () => {
  test.each([
    [{ type: 'PrepareWorkspace' }, 'PrepareWorkspace'],
    [{ type: 'EvaluateStep', step: 'a' }, 'EvaluateStep a'],
    [{ type: 'StartStep', step: 'a' }, 'StartStep a'],
    [{ type: 'SuperviseAttempt', step: 'a', attempt: 2 }, 'SuperviseAttempt a 2'],
    [{ type: 'StopAttempt', step: 'a', attempt: 2, reason: 'x' }, 'StopAttempt a 2'],
    [{ type: 'EvaluateGate', step: 'a', attempt: 2, gateId: 'g' }, 'EvaluateGate a 2 g'],
    [
      { type: 'AnswerGate', step: 'a', attempt: 2, gateId: 'g', decision: 'allow', reason: 'x' },
      'AnswerGate a 2 g',
    ],
    [{ type: 'WakeAt', atMs: 5 }, 'WakeAt 5'],
  ] as const)('[SC4] names %o', (effect, key) => {
    expect(effectKey(effect)).toBe(key);
  });
});

describe('slots', () => {
  test('[SC1] no more attempts than the plan allows', () => {
    const plan = { ...PLAN, concurrency: 1 };
    const told = [E.begun(plan), E.running('c'), E.readied('a'), E.readied('b')];
    expect(effects(0, told)).toEqual(['SuperviseAttempt c 1']);
    given(told).when(C.start('a')).thenRefused('SlotTaken');
    const free = [E.begun(plan), E.readied('a'), E.readied('c')];
    expect(effects(0, free)).toEqual(['StartStep a', 'EvaluateStep b']);
  });

  test('[SC2] one writer at a time in the workspace of the run, beside any number of readers', () => {
    const told = [E.begun(PLAN), E.readied('a'), E.readied('b'), E.readied('c')];
    expect(effects(0, told)).toEqual(['StartStep a', 'StartStep c']);
    const mixed = testPlan([testReader('c'), testCommand('a')]);
    expect(effects(0, E.begun(mixed), E.readied('c'), E.readied('a'))).toEqual([
      'StartStep c',
      'StartStep a',
    ]);
    const running = [E.begun(PLAN), E.readied('b'), E.running('a'), E.readied('c')];
    expect(effects(0, running)).toEqual(['SuperviseAttempt a 1', 'StartStep b', 'StartStep c']);
    given(running)
      .when(C.start('b'))
      .thenEvents(E.attemptStarted('b', 1, { lane: true }));
    const alone = [E.begun({ ...PLAN, concurrency: 1 }), E.running('a'), E.interrupted('a', 1)];
    const state = after(alone, E.readied('b'), E.readied('c'));
    expect(['b', 'c'].map((id) => hasSlot(state, state.steps.get(id)!))).toEqual([false, true]);
  });

  test('[SC2] a failed or denied step leaves the workspace to others', () => {
    const told = [E.begun(PLAN), E.running('a'), E.failed('a', 1), E.readied('b')];
    given(told)
      .when(C.start('b', { verdict: ALLOW }))
      .thenEvents(E.attemptStarted('b', 1));
    given(told)
      .when(C.start('b', { verdict: DENY }))
      .thenEvents(
        E.requeued('b', {
          ...{ cause: 'verdict_changed', automatic: true },
          reason: 'the policy now denies this step',
        }),
      );
  });
});
