import { describe, expect, test } from 'vitest';

import {
  testAgent,
  testApproval,
  testCommand,
  testPlan,
  testReader,
  testValidation,
} from '../testing/plan-fixtures.ts';
import {
  ALLOW,
  ANN,
  ASK,
  BOB,
  COMMANDS as C,
  DENY,
  EVENTS as E,
  RITA,
  testCommit,
  testContext,
  testEvent,
  testFailure,
} from '../testing/run-fixtures.ts';
import { given } from '../testing/scenario.ts';
import type { Told } from '../testing/scenario.ts';
import type { RunEvent } from './events.ts';
import type { RunCommand } from './commands.ts';
import { auditRun } from './audit.ts';
import { impactOf } from './impact.ts';
import type { Impact } from './impact.ts';
import { weakenedIn } from './plan-diff.ts';
import type { RunState } from './state.ts';
import { blockedReasons, runStatus } from './status.ts';

const PLAN = testPlan([
  testCommand('build'),
  testReader('look', { needs: ['build'] }),
  testApproval('ship', { needs: ['look'] }),
]);
const FAILS = [E.begun(PLAN), E.running('build'), E.failed('build', 1), E.ended('failed')];

function impact(state: RunState, command: RunCommand): Impact {
  const found = impactOf(state, command, testContext(RITA, 1000));
  if (!found.ok) throw new Error(JSON.stringify(found.error));
  return found.value;
}

const statuses = (state: RunState): readonly string[] =>
  [...state.steps.values()].map(({ id, status }) => `${id} ${status}`);

describe('a skip', () => {
  test('[RC25] of a failed step lets its dependents begin, and opens the run again', () => {
    const { state, events } = given(...FAILS).when(C.skip('build'), RITA);
    expect(events.map(({ type }) => type)).toEqual(['ChangeAsked', 'StepSkipped']);
    expect(statuses(state)).toEqual(['build skipped', 'look pending', 'ship pending']);
    expect([runStatus(state), state.steps.get('build')?.skipReason]).toEqual(['running', 'flaky']);
  });

  test('[RC25] does not pass on, as one by a condition does', () => {
    const { state } = given(...FAILS).when(C.skip('build'), RITA);
    expect(state.steps.get('look')?.status).toBe('pending');
  });

  test('[RC25] is refused of steps that have not stopped, in runs that are over, and to agents', () => {
    given(E.begun(PLAN), E.running('build'))
      .when(C.skip('build'), RITA)
      .thenRefused('StepNotReady');
    given(...FAILS)
      .when(C.skip('nowhere'), RITA)
      .thenRefused('StepNotFound');
    given(...FAILS, E.cancelRequested(), E.runCanceled())
      .when(C.skip('build'), RITA)
      .thenRefused('RunOver');
    given(...FAILS)
      .when(C.skip('build'), { kind: 'agent', id: 'zoe' })
      .thenRefused('ChangeDenied');
  });

  test('[RC26] waits for the people whom the policy names; a rejection leaves all as it was', () => {
    given(...FAILS)
      .when(C.skip('build', { verdict: DENY }), RITA)
      .thenRefused('ChangeDenied');
    const asked = given(...FAILS).when(C.skip('build', { verdict: ASK }), RITA);
    expect([runStatus(asked.state), blockedReasons(asked.state)]).toEqual([
      'blocked',
      [{ reason: 'approval', step: 'build', approval: 'apr_s' }],
    ]);
    const { state } = asked.and().when(C.approve('apr_s'), ANN);
    expect(statuses(state)[0]).toBe('build skipped');
    const no = asked.and().when(C.reject('apr_s'), ANN).state;
    expect([statuses(no)[0], runStatus(no), no.change]).toEqual(['build failed', 'failed', null]);
  });

  test('[RC26] of a question of the plan needs those who could answer it, whatever the policy says', () => {
    const plan = testPlan([
      testApproval('ship', {
        by: { roles: ['approver'], people: [], count: 2, excludeRequester: false },
      }),
    ]);
    const asked = given(E.begun(plan), E.asked('ship', { kind: 'gate' })).when(
      C.skip('ship', { verdict: ALLOW }),
      RITA,
    );
    expect(statuses(asked.state)).toEqual(['ship blocked']);
    asked
      .and()
      .when(C.approve('apr_s', { roles: ['operator'] }), ANN)
      .thenRefused('NotAllowedToDecide');
    const one = asked.and().when(C.approve('apr_s', { roles: ['approver'] }), ANN);
    expect(statuses(one.state)).toEqual(['ship blocked']);
    const two = one.and().when(C.approve('apr_s', { roles: ['approver'] }), BOB).state;
    expect([statuses(two), runStatus(two)]).toEqual([['ship skipped'], 'succeeded']);
    expect(two.approvals.get('apr_1')?.status).toBe('stale');
  });

  test('[RC27] is not done when the step has moved on since people were asked', () => {
    const asked = given(...FAILS).when(C.skip('build', { verdict: ASK }), RITA);
    const { state } = asked.and().when(C.retry('build'), RITA);
    expect([state.change, state.approvals.get('apr_s')?.status]).toEqual([null, 'stale']);
    given(...FAILS)
      .when(C.skip('build', { verdict: ASK }), RITA)
      .and()
      .when(C.skip('build', { verdict: ASK, approvalId: 'apr_t' }), RITA)
      .and()
      .when(C.approve('apr_s'), ANN)
      .thenRefused('ApprovalNotOpen');
  });

  test('[IM3] says who is asked, and what becomes of those that need the step', () => {
    const plan = testPlan([
      testCommand('build'),
      testCommand('pack', {
        needs: ['build'],
        env: { profile: 'minimal', set: {}, from: { NAME: 'build.name' } },
      }),
      testValidation('check', {
        needs: ['build'],
        checks: [{ type: 'exit', step: 'build', equals: 0 }],
      }),
      testReader('look', { needs: ['build'] }),
    ]);
    const { state } = given(E.begun(plan), E.running('build'), E.failed('build', 1));
    const said = impact(state!, C.skip('build', { verdict: ASK }));
    expect(said.skipped).toEqual(['build']);
    expect(said.asks).toEqual([{ step: 'build', requires: ASK.requires }]);
    expect(said.follows).toEqual([
      { step: 'pack', how: 'blocks' },
      { step: 'check', how: 'fails' },
      { step: 'look', how: 'goes on' },
    ]);
  });
});

const BUILT = [
  E.begun(PLAN),
  E.running('build'),
  E.succeeded('build', 1, { checkpoint: testCommit('1') }),
];
const LOOKED = [
  ...BUILT,
  E.readied('look'),
  E.attemptStarted('look', 1, { inputCheckpoint: testCommit('1') }),
  E.succeeded('look', 1, { checkpoint: testCommit('1') }),
  E.asked('ship', { kind: 'gate' }),
];
const [build, look, ship] = [
  testCommand('build'),
  testReader('look', { needs: ['build'] }),
  testApproval('ship', { needs: ['look'] }),
];

describe('a replan', () => {
  test('[RC28] keeps what is done where the step is as it was, and asks about the rest anew', () => {
    const more = testPlan([
      build,
      look,
      testCommand('test', { needs: ['look'] }),
      { ...ship, needs: ['test'] },
    ]);
    const { state } = given(...LOOKED).when(C.replan(more), RITA);
    expect(statuses(state)).toEqual([
      'build succeeded',
      'look succeeded',
      'test pending',
      'ship pending',
    ]);
    expect([state.created.revision, state.approvals.get('apr_1')?.status]).toEqual([2, 'stale']);
    expect(state.checkpoint).toEqual(testCommit('1'));
  });

  test('[RC29] runs a changed step again, with what was built on it, from where it began', () => {
    const other = testPlan([{ ...build, risk: 'high' }, look, ship]);
    const { state } = given(...LOOKED).when(C.replan(other), RITA);
    expect(statuses(state)).toEqual(['build pending', 'look pending', 'ship pending']);
    expect(state.checkpoint).toEqual(testCommit('0'));
    expect(state.steps.get('build')?.attempts).toHaveLength(1);
    const reader = testPlan([build, { ...look, risk: 'high' }, ship]);
    const kept = given(...LOOKED).when(C.replan(reader), RITA).state;
    expect([statuses(kept), kept.checkpoint]).toEqual([
      ['build succeeded', 'look pending', 'ship pending'],
      testCommit('1'),
    ]);
  });

  test('[RC29] stops what is at work on something that is otherwise', () => {
    const at = given(E.begun(PLAN), E.running('build'));
    const other = testPlan([{ ...build, risk: 'high' }, look, ship]);
    const { state } = at.when(C.replan(other), RITA);
    expect(state.steps.get('build')).toMatchObject({ status: 'running', invalidated: true });
    at.when(C.replan(testPlan([testReader('look')])), RITA).thenRefused('PlanUnfit');
  });

  test('[RC30] keeps the attempts of a step that leaves the plan, and counts on when it comes back', () => {
    const without = testPlan([testReader('look'), testApproval('ship', { needs: ['look'] })]);
    const gone = given(...BUILT).when(C.replan(without, { verdict: ALLOW }), RITA);
    const { state } = gone;
    expect([statuses(state), state.checkpoint]).toEqual([
      ['look pending', 'ship pending'],
      testCommit('0'),
    ]);
    expect(state.retired.map(({ step }) => step.attempts.length)).toEqual([1]);
    const back = gone.and();
    const again = back.when(C.replan(PLAN, { approvalId: 'apr_q' }), RITA).state;
    expect([again.steps.get('build')?.attempts.length, again.retired]).toEqual([1, []]);
    const other = testPlan([testAgent('build'), look, ship]);
    given(...BUILT)
      .when(C.replan(other), RITA)
      .thenRefused('PlanUnfit');
  });

  test('[RC31] that changes a gate needs those who could decide it, and the policy', () => {
    const approver = { roles: ['approver'], people: [], count: 1, excludeRequester: false };
    const gated = testPlan([build, testApproval('ship', { by: approver })]);
    const open = testPlan([build]);
    const asked = given(E.begun(gated)).when(C.replan(open, { verdict: ASK }), RITA);
    expect([...asked.state.approvals.keys()]).toEqual(['apr_p', 'apr_p-2']);
    const one = asked.and().when(C.approve('apr_p'), ANN);
    expect(one.state.created.revision).toBe(1);
    one.and().when(C.approve('apr_p-2'), BOB).thenRefused('NotAllowedToDecide');
    const done = one.and().when(C.approve('apr_p-2', { roles: ['approver'] }), BOB);
    expect(done.state.created.revision).toBe(2);
  });

  test('[RC31] that puts a step before its gate, or a gate before what it is about, changes the gate', () => {
    const before = testPlan([
      build,
      testApproval('ship'),
      testCommand('send', { needs: ['ship'] }),
    ]);
    const apart = testPlan([
      build,
      testApproval('ship'),
      testCommand('send', { needs: ['build'] }),
    ]);
    expect(weakenedIn(before, apart)).toEqual(['ship']);
    const late = testPlan([build, testApproval('ship', { needs: ['build'] })]);
    expect(weakenedIn(late, testPlan([build, testApproval('ship', { needs: [] })]))).toEqual([
      'ship',
    ]);
    const between = testPlan([
      build,
      testCommand('test', { needs: ['build'] }),
      testApproval('ship', { needs: ['test'] }),
    ]);
    expect(weakenedIn(late, between)).toEqual([]);
  });

  test('[RC32] lets an interrupted step go on with what it has when it is named', () => {
    const plan = testPlan([testAgent('write')]);
    const cut = given(E.begun(plan), E.running('write'), E.interrupted('write', 1));
    const richer = testPlan([
      testAgent('write', { budget: { usd: 9, tokens: null, timeMs: null, turns: null } }),
    ]);
    const { state } = cut.when(C.replan(richer, { goOn: 'write' }), RITA);
    expect(state.steps.get('write')).toMatchObject({ status: 'pending', next: 'continue' });
    const anew = cut.when(C.replan(richer), RITA).state;
    expect(anew.steps.get('write')).toMatchObject({ status: 'pending', next: 'restore' });
    given(...BUILT)
      .when(C.replan(richer, { goOn: 'build' }), RITA)
      .thenRefused('PlanUnfit');
  });

  test('[RC33] falls when another step begins again or the policy changes before all have agreed', () => {
    const other = testPlan([{ ...build, risk: 'high' }, look, ship]);
    const asked = given(...LOOKED).when(C.replan(other, { verdict: ASK }), RITA);
    const moved = asked.and().when(C.restart('build'), RITA).state;
    expect([moved.change, moved.approvals.get('apr_p')?.status]).toEqual([null, 'stale']);
    const policy = asked.and().when({ type: 'AdoptPolicy', policyDigest: 'policy-2' }, RITA).state;
    expect([policy.change, policy.approvals.get('apr_p')?.status]).toEqual([null, 'stale']);
  });

  test('[IM4] shows the plans step by step', () => {
    const other = testPlan([
      { ...build, risk: 'high' },
      ship,
      testCommand('more', { needs: ['ship'] }),
    ]);
    const { state } = given(...LOOKED);
    const said = impact(state!, C.replan(other));
    expect(said.plan?.steps.map(({ step, change }) => `${change} ${step}`)).toEqual([
      'changed build',
      'added more',
      'removed look',
    ]);
    expect(said.plan?.steps[0]?.fields).toEqual([{ name: 'risk', before: null, after: 'high' }]);
    expect([said.removed, said.again, said.stale]).toEqual([
      ['look'],
      ['build', 'ship'],
      ['build'],
    ]);
    expect(said.rewinds).toEqual({ from: testCommit('1'), to: testCommit('0') });
  });
});

describe('the audit', () => {
  const story = (...told: readonly Told[]): readonly string[] => {
    const all = (each: Told): readonly RunEvent[] => ('type' in each ? [each] : each.flatMap(all));
    return auditRun('run_1', told.flatMap(all)).map(({ detail }) => detail);
  };
  const asks = (verdict: typeof ALLOW) =>
    testEvent(
      'ChangeAsked',
      {
        ...{
          change: { type: 'skip', step: 'build' },
          verdict,
          weakened: [],
          seen: [],
          reason: null,
        },
      },
      RITA,
    );
  const skipped = testEvent(
    'StepSkipped',
    { step: 'build', cause: 'decision', approvals: [] },
    RITA,
  );

  test('[RC34] finds a skip and a replan that nobody asked for, or nobody agreed to', () => {
    expect(story(...FAILS, skipped)).toEqual(['the run was changed, and nobody had asked for it']);
    expect(story(...FAILS, asks(ALLOW), skipped)).toEqual([]);
    expect(story(...FAILS, asks(ASK), skipped)).toEqual(['skip: nobody has approved it']);
    expect(story(...FAILS, asks(DENY), skipped)).toEqual(['skip: the policy denies it']);
    const gate = testPlan([testApproval('build')]);
    const failed = [E.begun(gate), E.stepFailed('build', testFailure('rejected'))];
    expect(story(...failed, asks(ALLOW), skipped)).toEqual([
      'skip: those who could decide build were not asked',
    ]);
  });
});
