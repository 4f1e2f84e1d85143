import { describe, expect, test } from 'vitest';

import { testApproval, testCommand, testPlan, testReader } from '../testing/plan-fixtures.ts';
import {
  ANN,
  COMMANDS as C,
  EVENTS as E,
  FAILED_RETRYABLE,
  GONE,
  NEVER_STARTED,
  RITA,
  STOPPED,
  SUCCEEDED,
  TEST_AT,
  testEnd,
} from '../testing/run-fixtures.ts';
import { given } from '../testing/scenario.ts';
import { runStatus } from './status.ts';

const ONE = testPlan([testCommand('a')]);
const TWO = testPlan([testCommand('a'), testReader('b', { needs: ['a'] })]);
const RETRIED = testPlan([testCommand('a', { retry: { attempts: 3, backoffMs: 10 } })]);

describe('cancel', () => {
  const running = [E.begun(TWO), E.running('a')];

  test('[CA1] live attempts end first', () => {
    const when = given(running).when(C.cancel(), RITA);
    const state = when.thenEvents(E.cancelRequested());
    expect(state.cancelRequest).toEqual({ reason: 'enough', by: RITA });
    expect([runStatus(state), state.ended]).toEqual(['running', null]);
    const canceled = when.and().when(C.end('a', 1, STOPPED));
    const after = canceled.thenEvents(E.canceled('a', 1), E.runCanceled());
    expect(after.steps.get('a')?.attempts[0]?.status).toBe('canceled');
    canceled.and().when(C.tick()).thenEvents();
  });

  test('[CA1] [CA4] without a live attempt the run is canceled at once', () => {
    const plan = testPlan([testCommand('a'), testApproval('b'), testReader('c'), testReader('d')]);
    const approved = E.resolved('apr_c', 'approved', 'enough people have approved');
    const state = given(
      ...[E.begun(plan), E.done('a'), E.asked('b', { kind: 'gate' })],
      ...[E.asked('c', { approvalId: 'apr_c' }), approved],
      E.readied('c', { approvals: ['apr_c'] }),
    )
      .when(C.cancel(), RITA)
      .thenEvents(
        E.cancelRequested(),
        E.resolved('apr_1', 'withdrawn', 'the run is canceled'),
        E.runCanceled(),
      );
    expect([state.ended, state.endedAt, runStatus(state)]).toEqual([
      'canceled',
      TEST_AT,
      'canceled',
    ]);
    expect(
      [...state.steps.values()].map(({ status, waiting, granted }) => [status, waiting, granted]),
    ).toEqual([
      ['succeeded', null, []],
      ['canceled', null, []],
      ['canceled', null, []],
      ['canceled', null, []],
    ]);
  });

  test('[CA2] nothing more is begun', () => {
    const plan = testPlan([testCommand('a'), testReader('b'), testReader('c'), testApproval('d')]);
    const canceling = given(
      ...[E.begun(plan), E.running('a'), E.readied('b'), E.running('c'), E.interrupted('c', 1)],
      ...[E.asked('d', { kind: 'gate', expiresAtMs: 5 }), E.cancelRequested()],
    );
    const refusal = { type: 'RunOver', runId: 'run_1', status: 'canceling' };
    expect(canceling.when(C.start('b')).thenRefused('RunOver')).toEqual(refusal);
    canceling.when(C.evaluate('d')).thenRefused('RunOver');
    canceling.when(C.resume()).thenRefused('NothingToResume');
    canceling.when(C.resume('c')).thenRefused('NothingToResume');
    canceling.when(C.retry('c')).thenRefused('NothingToRetry');
    canceling.when(C.tick(), undefined, 10).thenEvents();
    const decision = canceling.when(C.approve('apr_1'), ANN, 1).thenRefused('ApprovalNotOpen');
    expect(decision.status).toBe('withdrawn');
    canceling.when(C.end('a', 1, GONE)).thenEvents(
      E.canceled('a', 1, {
        failure: { code: 'canceled', message: 'its host is gone', hint: null },
        exitCode: null,
      }),
      E.resolved('apr_1', 'withdrawn', 'the run is canceled'),
      E.runCanceled(),
    );
  });

  test('[CA2] a workspace that comes too late starts nothing', () => {
    const queued = given(E.created(ONE)).when(C.cancel(), RITA);
    queued.thenEvents(E.cancelRequested(), E.runCanceled());
    queued.and().when(C.startRun()).thenRefused('RunOver');
    queued.and().when(C.failStart()).thenRefused('RunOver');
    const failed = given(E.created(ONE)).when(C.failStart()).and().when(C.cancel(), RITA);
    failed.thenEvents(E.cancelRequested(), E.runCanceled());
    failed.and().when(C.retry()).thenRefused('NothingToRetry');
  });

  test('[CA3] a good end counts', () => {
    const state = given(running, E.cancelRequested())
      .when(C.end('a', 1, SUCCEEDED))
      .thenEvents(E.succeeded('a', 1), E.runCanceled());
    expect(state.steps.get('a')?.status).toBe('succeeded');
  });

  test('[CA3] a failure is not retried', () => {
    given(E.begun(RETRIED), E.running('a'), E.cancelRequested())
      .when(C.end('a', 1, FAILED_RETRYABLE))
      .thenEvents(E.canceled('a', 1, testEnd()), E.runCanceled());
  });

  test('[CA3] an attempt that never began is canceled with its step', () => {
    const state = given(running, E.cancelRequested())
      .when(C.end('a', 1, NEVER_STARTED))
      .thenEvents(E.neverStarted('a', 1), E.runCanceled());
    expect(state.steps.get('a')?.status).toBe('canceled');
  });

  test('[CA3] an attempt that is superseded meanwhile is waited for like any other', () => {
    const plan = testPlan([testReader('a'), testReader('b')]);
    const told = [E.begun(plan), E.running('a'), E.running('b'), E.invalidated('a')];
    const first = given(told, E.cancelRequested()).when(C.end('a', 1, STOPPED));
    first.thenEvents(E.superseded('a', 1));
    const state = first
      .and()
      .when(C.end('b', 1, STOPPED))
      .thenEvents(E.canceled('b', 1), E.runCanceled());
    expect(state.steps.get('a')?.status).toBe('canceled');
  });

  test('[CA4] a step waiting out its back-off waits no more', () => {
    const state = given(E.begun(RETRIED), E.running('a'), E.retrying('a', 1, 1010)).when(
      C.cancel(),
    );
    expect(state.state.steps.get('a')).toMatchObject({ status: 'canceled', notBeforeMs: null });
  });

  test('[CA5] a second request adds nothing; the first may come when the run has failed', () => {
    given(running, E.cancelRequested()).when(C.cancel()).thenEvents();
    given(running, E.failed('a', 1), E.ended('failed'))
      .when(C.cancel(), RITA)
      .thenEvents(E.cancelRequested(), E.runCanceled());
  });

  test('[CA5] [RS7] a run that is over is not canceled', () => {
    const succeeded = given(E.begun(ONE), E.done('a'), E.ended('succeeded'));
    expect(succeeded.when(C.cancel()).thenRefused('RunOver').status).toBe('succeeded');
    const canceled = given(E.begun(ONE), E.cancelRequested(), E.runCanceled());
    expect(canceled.when(C.cancel()).thenRefused('RunOver').status).toBe('canceled');
  });
});
