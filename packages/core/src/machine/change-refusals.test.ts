/** What a change is refused for, in words; who is asked about it; and what it leaves as it is. */
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
  COMMANDS as C,
  DENY,
  EVENTS as E,
  RITA,
  testCommit,
} from '../testing/run-fixtures.ts';
import { given } from '../testing/scenario.ts';
import type { Told } from '../testing/scenario.ts';
import type { RunCommand } from './commands.ts';

const PLAN = testPlan([
  testCommand('build'),
  testReader('look', { needs: ['build'] }),
  testApproval('ship', { needs: ['look'] }),
]);
const [, LOOK, SHIP] = PLAN.steps;
/** Gates stay, so that nobody is asked. */
const OTHER = testPlan([testCommand('build', { risk: 'high' }), LOOK!, SHIP!]);
const FAILED = [E.begun(PLAN), E.running('build'), E.failed('build', 1), E.ended('failed')];

describe('a change is refused', () => {
  const detail = (told: readonly Told[], command: RunCommand, type: string): string => {
    const refusal = given(...told)
      .when(command, RITA)
      .thenRefused(type as never) as { readonly detail: string };
    return refusal.detail;
  };

  test('[RC26] to all but people, and where the policy denies it, by its rules', () => {
    const agent = { kind: 'agent', id: 'zoe' } as const;
    expect(
      given(...FAILED)
        .when(C.skip('build'), agent)
        .thenRefused('ChangeDenied'),
    ).toMatchObject({ action: 'skip', detail: 'only a person does this' });
    const why = [
      { rule: 'one', text: 'No.' },
      { rule: 'two', text: 'Never.' },
    ];
    const verdict = { ...DENY, why };
    expect(detail(FAILED, C.skip('build', { verdict }), 'ChangeDenied')).toBe(
      'No. (one) Never. (two)',
    );
  });

  test('[RC25] in a run that has ended well, and in one that has not begun', () => {
    const one = testPlan([testCommand('build')]);
    const well = [E.begun(one), E.running('build'), E.succeeded('build', 1), E.ended('succeeded')];
    given(...well)
      .when(C.replan(OTHER), RITA)
      .thenRefused('RunOver');
    given(...FAILED, E.cancelRequested())
      .when(C.replan(OTHER), RITA)
      .thenRefused('RunOver');
    expect(detail([E.created(PLAN)], C.replan(OTHER), 'PlanUnfit')).toBe('it has not begun yet');
  });

  test('[RC28] to the plan that the run follows', () => {
    const told = given(...FAILED).when(C.replan(OTHER), RITA);
    const again = told.and().when(C.replan(OTHER, { approvalId: 'apr_q' }), RITA);
    expect(again.thenRefused('PlanUnfit')).toMatchObject({
      detail: 'it is the plan that the run follows already',
    });
  });

  test('[RC30] to a plan that takes a step away from under its work, or its name', () => {
    const without = testPlan([testReader('look'), SHIP!]);
    expect(detail([E.begun(PLAN), E.running('build')], C.replan(without), 'PlanUnfit')).toBe(
      'build is at work and not in it: let it end first',
    );
    const named = testPlan([testAgent('build'), LOOK!, SHIP!]);
    expect(detail(FAILED, C.replan(named), 'PlanUnfit')).toBe(
      'build has begun as command: give the agent another name',
    );
    // What has not begun may become anything.
    expect(given(E.begun(PLAN)).when(C.replan(named), RITA).state.created.revision).toBe(2);
  });

  test('[RC30] to a plan that gives the name of a step that has left to another kind', () => {
    const left = given(...FAILED).when(C.replan(testPlan([testReader('look'), SHIP!])), RITA);
    const named = C.replan(testPlan([testReader('look'), testAgent('build'), SHIP!]), {
      approvalId: 'apr_q',
    });
    expect(left.and().when(named, RITA).thenRefused('PlanUnfit')).toMatchObject({
      detail: 'build was a command before: give it another name',
    });
  });

  test('[RC32] when the step to go on with has nothing to go on with', () => {
    for (const goOn of ['build', 'nowhere']) {
      expect(detail(FAILED, C.replan(OTHER, { goOn }), 'PlanUnfit')).toBe(
        `${goOn} has nothing to go on with`,
      );
    }
  });
});

describe('a change asks', () => {
  test('[RC26] of a validation the policy alone, of a question those who could answer it, and says why', () => {
    const plan = testPlan([testValidation('check'), testApproval('ship', { needs: ['check'] })]);
    const failed = [E.begun(plan), E.running('check'), E.failed('check', 1)];
    const skipped = given(...failed).when(C.skip('check', { verdict: ALLOW }), RITA);
    expect(skipped.events[0]).toMatchObject({ type: 'ChangeAsked', data: { weakened: ['check'] } });
    expect(skipped.state.steps.get('check')?.status).toBe('skipped');
    const command = given(...FAILED).when(C.skip('build'), RITA);
    expect(command.events[0]).toMatchObject({ data: { weakened: [] } });
    const waits = [E.begun(testPlan([testApproval('ship')])), E.asked('ship', { kind: 'gate' })];
    const asked = given(...waits).when(C.skip('ship', { verdict: ALLOW }), RITA);
    expect(asked.events.find(({ type }) => type === 'ApprovalRequested')).toMatchObject({
      data: { step: 'ship', why: [{ rule: 'plan', text: 'It is not asked as planned.' }] },
    });
  });

  test('[RC31] about the first step that is otherwise', () => {
    const later = testPlan([
      testCommand('build'),
      testReader('look', { needs: ['build'], risk: 'high' }),
      testApproval('ship', { needs: ['look'] }),
    ]);
    const asked = given(...FAILED).when(C.replan(later, { verdict: ASK }), RITA);
    expect(asked.events.find(({ type }) => type === 'ApprovalRequested')).toMatchObject({
      data: { step: 'look', kind: 'replan' },
    });
  });

  test('[RC27] anew when another is asked for: what was asked before is stale, and says so', () => {
    const first = given(...FAILED).when(C.skip('build', { verdict: ASK }), RITA);
    const second = first.and().when(C.skip('build', { verdict: ASK, approvalId: 'apr_t' }), RITA);
    expect(second.events[0]).toMatchObject({
      type: 'ApprovalResolved',
      data: { approvalId: 'apr_s', status: 'stale', detail: 'another change is asked for' },
    });
    const moved = first.and().when(C.retry('build'), RITA);
    expect(moved.events.find(({ type }) => type === 'ApprovalResolved')).toMatchObject({
      data: { approvalId: 'apr_s', detail: 'the run has moved on since it was asked' },
    });
  });

  test('[RC26] and is done with its reason and those who agreed once they have', () => {
    const asked = given(...FAILED).when(C.skip('build', { verdict: ASK }), RITA);
    const { events } = asked.and().when(C.approve('apr_s'), ANN);
    expect(events.find(({ type }) => type === 'StepSkipped')).toMatchObject({
      data: { step: 'build', cause: 'decision', reason: 'flaky', approvals: ['apr_s'] },
    });
  });
});

describe('a replan', () => {
  const DONE = [
    E.begun(PLAN),
    E.running('build'),
    E.succeeded('build', 1, { checkpoint: testCommit('1') }),
  ];

  test('[RC28] names the revision where nobody gave a reason, and goes nowhere back without need', () => {
    const more = testPlan([...PLAN.steps, testCommand('more', { needs: ['ship'] })]);
    const told = [...DONE, E.asked('look')];
    const { events } = given(...told).when(C.replan(more, { reason: null }), RITA);
    expect(events.map(({ type }) => type)).toEqual([
      ...['ChangeAsked', 'ApprovalResolved', 'StepRequeued', 'PlanReplaced'],
    ]);
    expect(events[1]).toMatchObject({ data: { detail: 'the plan has changed' } });
    expect(events[2]).toMatchObject({
      data: { step: 'look', cause: 'replan', reason: 'the plan has a new revision, 2' },
    });
    expect(events[3]).toMatchObject({ data: { planId: 'plan_1', revision: 2, approvals: [] } });
  });

  test('[RC28] leaves what waits out a back-off to its time', () => {
    const retried = testPlan([testCommand('build', { retry: { attempts: 3, backoffMs: 1000 } })]);
    const waits = [E.begun(retried), E.running('build'), E.retrying('build', 1, 5000)];
    const more = testPlan([...retried.steps, testReader('look', { needs: ['build'] })]);
    const { state, events } = given(...waits).when(C.replan(more), RITA);
    expect(events.map(({ type }) => type)).toEqual(['ChangeAsked', 'PlanReplaced']);
    expect(state.steps.get('build')).toMatchObject({ status: 'ready', notBeforeMs: 5000 });
  });

  test('[RC29] takes along a writer at work when the workspace goes back, and no reader beside it', () => {
    const wide = testPlan([
      testCommand('build'),
      testCommand('write', { needs: [] }),
      testReader('read', { needs: [] }),
    ]);
    const told = [
      ...[E.begun(wide), E.running('build')],
      E.succeeded('build', 1, { checkpoint: testCommit('1') }),
      ...[E.readied('write'), E.attemptStarted('write', 1, { inputCheckpoint: testCommit('1') })],
      ...[E.readied('read'), E.attemptStarted('read', 1, { inputCheckpoint: testCommit('1') })],
    ];
    const [, write, read] = wide.steps;
    const other = testPlan([testCommand('build', { risk: 'high' }), write!, read!]);
    const { events } = given(...told).when(C.replan(other), RITA);
    const again = events.flatMap(({ type, data }) =>
      type === 'StepInvalidated' ? [data.step] : [],
    );
    expect(again).toEqual(['build', 'write']);
    expect(events).toContainEqual(
      expect.objectContaining({
        type: 'RunRewound',
        data: { step: 'build', checkpoint: testCommit('0') },
      }),
    );
  });
});
