import { describe, expect, test } from 'vitest';

import { effectsOf } from '../schedule/effects.ts';
import { testApproval, testCommand, testPlan, testReader } from '../testing/plan-fixtures.ts';
import { COMMANDS as C, EVENTS as E, RITA, STOPPED, testCommit } from '../testing/run-fixtures.ts';
import { given } from '../testing/scenario.ts';
import type { RunEvent } from './events.ts';
import { runStatus } from './status.ts';

const CHAIN = testPlan([
  testCommand('a'),
  testCommand('b', { needs: ['a'] }),
  testReader('look', { needs: ['a'] }),
  testCommand('c', { needs: ['b'] }),
]);
const AT = (name: string) => ({ inputCheckpoint: testCommit(name) });

/** `step` has run from one checkpoint to the next. */
function made(step: string, from: string, to: string): readonly RunEvent[] {
  return [
    E.readied(step),
    E.attemptStarted(step, 1, AT(from)),
    E.succeeded(step, 1, { checkpoint: testCommit(to) }),
  ];
}

const ALL = [E.begun(CHAIN), made('a', '0', '1'), made('b', '1', '2')];
const again = (step: string, cause: string): RunEvent =>
  E.invalidated(step, { cause, reason: 'look again', anew: true });
const anew = (step: string): RunEvent =>
  E.requeued(step, { cause: 'invalidated', mode: 'restore', automatic: true });

describe('a restart', () => {
  test('[RC20] runs a step and what was built on it again, from what the step found', () => {
    const failed = [...made('c', '2', '3').slice(0, 2), E.failed('c', 1), E.ended('failed')];
    const state = given(...ALL, failed)
      .when(C.restart('b'), RITA)
      .thenEvents(
        ...[again('b', 'b'), again('c', 'b'), E.rewound('b', testCommit('1'))],
        ...[anew('b'), anew('c')],
      );
    expect([runStatus(state), state.checkpoint]).toEqual(['running', testCommit('1')]);
    expect(effectsOf(state, 0)).toEqual([
      { type: 'EvaluateStep', step: 'b' },
      { type: 'EvaluateStep', step: 'look' },
    ]);
    expect(state.steps.get('b')?.feedback).toEqual([]);
    expect(state.steps.get('b')?.attempts).toHaveLength(1);
  });

  test('[RC21] takes along writers that built on the workspace without needing the step', () => {
    const plan = testPlan([
      testCommand('a'),
      testCommand('b', { needs: [] }),
      testReader('c', { needs: ['b'] }),
    ]);
    const beside = [E.begun(plan), made('a', '0', '1'), made('b', '1', '2'), made('c', '2', '2')];
    given(...beside, E.ended('failed'))
      .when(C.restart('a'), RITA)
      .thenEvents(
        ...[again('a', 'a'), again('b', 'a'), again('c', 'a'), E.rewound('a', testCommit('0'))],
        ...[anew('a'), anew('b'), anew('c')],
      );
  });

  test('[RC21] leaves what came before, and readers beside, as they are', () => {
    const state = given(...ALL, made('look', '2', '2')).when(C.restart('b'), RITA).state;
    expect([...state.steps.values()].map(({ status }) => status)).toEqual([
      'succeeded',
      'pending',
      'succeeded',
      'pending',
    ]);
  });

  test('[RC22] stops what runs first, and then begins', () => {
    const running = [E.readied('c'), E.attemptStarted('c', 1, AT('2'))];
    const state = given(...ALL, running)
      .when(C.restart('a'), RITA)
      .and();
    expect(effectsOf(state.state!, 0).map(({ type }) => type)).toContain('StopAttempt');
    state.when(C.start('a')).thenRefused('StepNotReady');
    const stopped = state.when(C.end('c', 1, STOPPED)).state;
    expect(stopped.steps.get('c')?.status).toBe('pending');
    expect(stopped.steps.get('c')?.attempts[0]).toMatchObject({ status: 'superseded' });
  });

  test('[RC23] of a gate asks again, without taking any work back', () => {
    const plan = testPlan([
      testCommand('a'),
      testApproval('gate', { needs: ['a'] }),
      testReader('b', { needs: ['gate'] }),
    ]);
    const asked = E.asked('gate', { kind: 'gate' });
    const approved = [
      asked,
      E.resolved('apr_1', 'approved', 'enough people have approved'),
      E.gatePassed('gate'),
    ];
    const failed = [E.readied('b'), E.attemptStarted('b', 1, AT('1')), E.failed('b', 1)];
    given(E.begun(plan), made('a', '0', '1'), approved, failed, E.ended('failed'))
      .when(C.restart('gate'), RITA)
      .thenEvents(again('gate', 'gate'), again('b', 'gate'), anew('gate'), anew('b'));
  });

  test('[RC20] of an interrupted step goes back to what it found, and sets its half-done work aside', () => {
    const cut = [E.readied('c'), E.attemptStarted('c', 1, AT('2')), E.interrupted('c', 1)];
    given(...ALL, cut)
      .when(C.restart('c'), RITA)
      .thenEvents(again('c', 'c'), anew('c'));
  });

  test('[RC20] of a step that waits to be gone on with goes back to what it found', () => {
    const waits = [
      ...[E.readied('b'), E.attemptStarted('b', 1, AT('1')), E.interrupted('b', 1)],
      E.requeued('b', { cause: 'resume', mode: 'continue' }),
    ];
    const chain = [E.begun(CHAIN), made('a', '0', '1')];
    const state = given(...chain, waits).when(C.restart('b'), RITA).state;
    expect([state.checkpoint, state.steps.get('b')?.next]).toEqual([testCommit('1'), 'restore']);
    // Gone on with from the start: it has begun, though no attempt of it lives.
    given(...chain, waits)
      .when(C.restart('a'), RITA)
      .thenEvents(
        ...[again('a', 'a'), again('b', 'a'), E.rewound('a', testCommit('0'))],
        ...[anew('a'), anew('b')],
      );
  });

  test('[RC20] of a skipped step runs it where the workspace is now', () => {
    const plan = testPlan([testCommand('a'), testReader('b', { needs: ['a'], when: 'inputs.x' })]);
    given(E.begun(plan), made('a', '0', '1'), E.skipped('b'), E.ended('failed'))
      .when(C.restart('b'), RITA)
      .thenEvents(again('b', 'b'), anew('b'));
  });

  test('[RC21] takes along a writer beside it that is at work, and no reader', () => {
    const plan = testPlan([
      testCommand('a'),
      testCommand('w', { needs: [] }),
      testReader('r', { needs: [] }),
    ]);
    const begun = [E.begun(plan), made('a', '0', '1')];
    const writer = [E.readied('w'), E.attemptStarted('w', 1, AT('1'))];
    const reader = [E.readied('r'), E.attemptStarted('r', 1, AT('1'))];
    const told = given(...begun, writer, reader).when(C.restart('a'), RITA).events;
    const taken = told.flatMap(({ type, data }) => (type === 'StepInvalidated' ? [data.step] : []));
    expect(taken).toEqual(['a', 'w']);
  });

  test('[RC20] says of approvals that fall which step runs again, and of no reason what happened', () => {
    const asked = [E.begun(CHAIN), made('a', '0', '1'), E.asked('b')];
    const { events } = given(...asked).when({ type: 'RestartFrom', step: 'a', reason: null }, RITA);
    const fallen = events.find(({ type }) => type === 'ApprovalResolved');
    expect(fallen).toMatchObject({ data: { approvalId: 'apr_1', detail: 'a runs again' } });
    expect(events).toContainEqual(
      expect.objectContaining({
        type: 'StepInvalidated',
        data: { step: 'a', cause: 'a', reason: 'a is run again', gate: false, anew: true },
      }),
    );
  });

  test('[RC24] is refused where nothing has begun, and where the run is over', () => {
    given(...ALL)
      .when(C.restart('c'), RITA)
      .thenRefused('NothingToRestart');
    given(...ALL)
      .when(C.restart('nowhere'), RITA)
      .thenRefused('StepNotFound');
    const one = testPlan([testCommand('a')]);
    given(E.begun(one), made('a', '0', '1'), E.ended('succeeded'))
      .when(C.restart('a'), RITA)
      .thenRefused('RunOver');
    given(...ALL)
      .when(C.cancel(), RITA)
      .and()
      .when(C.restart('a'), RITA)
      .thenRefused('RunOver');
    const stopping = [E.readied('c'), E.attemptStarted('c', 1, AT('2')), E.cancelRequested()];
    given(...ALL, stopping)
      .when(C.restart('a'), RITA)
      .thenRefused('RunOver');
  });
});
