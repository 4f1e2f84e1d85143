import { describe, expect, test } from 'vitest';

import {
  testAgent,
  testApproval,
  testCommand,
  testPlan,
  testReader,
} from '../testing/plan-fixtures.ts';
import {
  COMMANDS as C,
  EVENTS as E,
  gateRaised,
  testEvent,
  testFailure,
} from '../testing/run-fixtures.ts';
import { given } from '../testing/scenario.ts';
import type { Told } from '../testing/scenario.ts';
import type { RunState } from './state.ts';
import { blockedReasons, runStatus, workspaceHolder } from './status.ts';

const TWO = testPlan([testCommand('a'), testReader('b', { needs: ['a'] })]);
const STOPS = testPlan([testCommand('a'), testReader('b')], { onFailure: 'stop' });

function after(...told: readonly Told[]): RunState {
  const { state } = given(...told);
  if (state === null) throw new Error('nothing has happened');
  return state;
}

describe('runStatus', () => {
  const failedStart = testEvent('RunStartFailed', { failure: testFailure() });
  test.each([
    ['queued', [E.created(TWO)]],
    ['failed', [E.created(TWO), failedStart]],
    ['canceled', [E.created(TWO), failedStart, E.cancelRequested(), E.runCanceled()]],
    ['canceled', [E.created(TWO), E.cancelRequested(), E.runCanceled()]],
    ['running', [E.begun(TWO)]],
    ['running', [E.begun(TWO), E.readied('a')]],
    ['running', [E.begun(TWO), E.running('a')]],
    ['running', [E.begun(TWO), E.running('a'), E.retrying('a', 1, 5000)]],
    ['running', [E.begun(STOPS), E.running('a'), E.running('b'), E.failed('a', 1)]],
    ['running', [E.begun(TWO), E.done('a'), E.invalidated('a')]],
    ['blocked', [E.begun(TWO), E.asked('a')]],
    ['blocked', [E.begun(TWO), E.denied('a')]],
    ['blocked', [E.begun(TWO), E.blocked('a')]],
    ['blocked', [E.begun(TWO), E.running('a'), E.interrupted('a', 1)]],
    ['failed', [E.begun(TWO), E.running('a'), E.failed('a', 1)]],
    ['failed', [E.begun(STOPS), E.running('a'), E.failed('a', 1)]],
    ['failed', [E.begun(STOPS), E.running('a'), E.readied('b'), E.failed('a', 1)]],
    ['failed', [E.begun(TWO), E.running('a'), E.failed('a', 1), E.ended('failed')]],
    ['failed', [E.begun(TWO), E.ended('failed')]],
    ['running', [E.begun(STOPS), E.readied('a')]],
    ['succeeded', [E.begun(TWO), E.done('a'), E.done('b')]],
    ['succeeded', [E.begun(TWO), E.done('a'), E.skipped('b'), E.ended('succeeded')]],
  ] as const)('[RS1] %s: %#', (status, told) => {
    expect(runStatus(after(...told))).toBe(status);
  });

  test('[RS1] a run in which something moves is running, whatever else waits', () => {
    const plan = testPlan([testCommand('a'), testApproval('b')]);
    expect(runStatus(after(E.begun(plan), E.running('a'), E.asked('b', { kind: 'gate' })))).toBe(
      'running',
    );
  });

  test('[RS1] a writer that waits for an interrupted one does not move, a reader does', () => {
    const steps = [testCommand('a'), testCommand('b'), testReader('c', { needs: ['b'] })];
    const plan = testPlan(steps, { concurrency: 1 });
    const held = [E.running('a'), E.interrupted('a', 1), E.readied('b')];
    expect(runStatus(after(E.begun(plan), held))).toBe('blocked');
    const reads = testPlan([testCommand('a'), testReader('b')]);
    expect(runStatus(after(E.begun(reads), held))).toBe('running');
  });

  test('[RS1] a writer that is to go on moves, though it holds the workspace itself', () => {
    const resumed = E.requeued('a', { cause: 'resume', mode: 'continue' });
    const told = [E.running('a'), E.interrupted('a', 1), resumed, E.readied('a')];
    expect(runStatus(after(E.begun(TWO), told))).toBe('running');
  });
});

describe('blockedReasons', () => {
  test('[RS3] every reason, in plan order, then questions about tools', () => {
    const plan = testPlan([
      testAgent('a'),
      testCommand('b'),
      testCommand('c'),
      testApproval('d'),
      testReader('e'),
    ]);
    const state = after(
      ...[E.begun(plan), E.running('a'), E.reported('a', 1, [gateRaised(1, 'g1')])],
      E.asked('a', { kind: 'tool', approvalId: 'apr_a', gateId: 'g1' }),
      ...[E.asked('d', { kind: 'gate', approvalId: 'apr_d' }), E.blocked('c'), E.denied('b')],
      ...[E.running('e'), E.interrupted('e', 1)],
    );
    expect(blockedReasons(state)).toEqual([
      { reason: 'policy_denied', step: 'b', approval: null },
      { reason: 'configuration', step: 'c', approval: null },
      { reason: 'approval', step: 'd', approval: 'apr_d' },
      { reason: 'interrupted', step: 'e', approval: null },
      { reason: 'approval', step: 'a', approval: 'apr_a' },
    ]);
    expect(runStatus(state)).toBe('running');
  });

  test('[RS3] a question that is answered is no reason', () => {
    const plan = testPlan([testAgent('a')]);
    const told = [
      ...[E.begun(plan), E.running('a'), E.reported('a', 1, [gateRaised(1, 'g1')])],
      E.asked('a', { kind: 'tool', approvalId: 'apr_a', gateId: 'g1' }),
      E.resolved('apr_a', 'approved', 'x'),
    ];
    expect(blockedReasons(after(told))).toEqual([]);
  });

  test('[RS3] none once the run has ended', () => {
    const told = [E.begun(TWO), E.denied('a')];
    expect(blockedReasons(after(told, E.ended('failed')))).toEqual([]);
  });
});

describe('workspaceHolder', () => {
  const steps = [testReader('r'), testCommand('a'), testCommand('b')];
  const plan = testPlan(steps, { concurrency: 1 });
  const interrupted = [E.begun(plan), E.running('a'), E.interrupted('a', 1)];
  const resumed = E.requeued('a', { cause: 'resume', mode: 'continue' });
  const holder = (...told: readonly Told[]) => workspaceHolder(after(...told))?.id;

  test('[SC2] nobody, while no writer has begun', () => {
    expect(holder(E.begun(plan), E.running('r'))).toBeUndefined();
    expect(holder(E.begun(plan), E.readied('a'), E.asked('b'))).toBeUndefined();
    expect(holder(E.begun(plan), E.done('a'))).toBeUndefined();
  });

  test('[SC2] a writer from its start until what it left is gone on with', () => {
    expect(holder(E.begun(plan), E.running('a'))).toBe('a');
    expect(holder(interrupted)).toBe('a');
    expect(holder(interrupted, resumed)).toBe('a');
    expect(holder(interrupted, resumed, E.readied('a'))).toBe('a');
    expect(holder(interrupted, resumed, E.asked('a'))).toBe('a');
    const never = [E.readied('a'), E.attemptStarted('a', 2), E.neverStarted('a', 2)];
    expect(holder(interrupted, resumed, never)).toBe('a');
    const failed = [E.readied('a'), E.attemptStarted('a', 2), E.failed('a', 2)];
    expect(holder(interrupted, resumed, failed)).toBeUndefined();
  });

  test('[SC2] not one that is to begin anew', () => {
    expect(holder(interrupted, E.requeued('a'))).toBeUndefined();
    const back = E.requeued('a', { cause: 'invalidated', mode: 'continue' });
    expect(holder(E.begun(plan), E.done('a'), E.invalidated('a'), back)).toBeUndefined();
  });

  test('[SC2] until then no other writer starts, though readers do', () => {
    const run = given(interrupted, resumed, E.readied('b'), E.readied('r'));
    expect(run.when(C.start('b')).thenRefused('SlotTaken')).toEqual({
      type: 'SlotTaken',
      step: 'b',
    });
    run.when(C.start('r')).thenEvents(E.attemptStarted('r', 1));
    const on = given(interrupted, resumed, E.readied('b'), E.readied('a'));
    on.when(C.start('a')).thenEvents(
      E.attemptStarted('a', 2, { mode: 'continue', resumedFrom: 1 }),
    );
  });
});
