import { describe, expect, test } from 'vitest';

import { effectsOf } from '../schedule/effects.ts';
import { testApproval, testCommand, testPlan } from '../testing/plan-fixtures.ts';
import {
  ALLOW,
  ANN,
  BOB,
  COMMANDS as C,
  DENY,
  EVENTS as E,
  GONE,
  NEVER_STARTED,
  RITA,
  TEST_ENGINE,
  testCommit,
  testSuccess,
  testVerdict,
  toStart,
} from '../testing/run-fixtures.ts';
import { given } from '../testing/scenario.ts';
import type { Given } from '../testing/scenario.ts';
import type { RunEvent } from './events.ts';
import { MAX_OVERRIDE_MS } from './override.ts';

const ONE = testPlan([testCommand('a')]);
const DENIED = [E.begun(ONE), E.denied('a')];
const denied = given(DENIED);
const types = (events: readonly RunEvent[]): readonly string[] => events.map(({ type }) => type);

/** Granted by one admin; evaluated again it is ready. */
function granted(): Given {
  return denied
    .when(C.override('a'), ANN)
    .and()
    .when(C.evaluate('a', toStart(DENY)))
    .and();
}

describe('an override', () => {
  test('[OV1] of a denied step lists what it lifts, and lets it start once', () => {
    const asked = denied.when(C.override('a'), ANN);
    expect(types(asked.events)).toEqual([
      ...['ApprovalRequested', 'ApprovalDecided', 'ApprovalResolved', 'StepRequeued'],
    ]);
    const override = asked.state.approvals.get('apr_o');
    expect(override).toMatchObject({ kind: 'override', status: 'approved', why: DENY.why });
    const ready = asked.and().when(C.evaluate('a', toStart(DENY)));
    ready.thenEvents(E.readied('a', { verdict: DENY, approvals: ['apr_o'] }));
    const started = ready.and().when(C.start('a', { verdict: DENY }));
    const state = started.thenEvents(
      E.attemptStarted('a', 1, { verdict: DENY, approvals: ['apr_o'] }),
    );
    expect(state.approvals.get('apr_o')?.usedBy).toBe(1);
    const again = given(
      [...DENIED, ...asked.events, ...ready.events, ...started.events],
      [E.interrupted('a', 1), E.requeued('a')],
    );
    again.when(C.evaluate('a', toStart(DENY))).thenEvents(E.denied('a'));
  });

  test('[OV1] that never began to be used is good again', () => {
    const used = granted()
      .when(C.start('a', { verdict: DENY }))
      .and();
    const back = used.when(C.end('a', 1, NEVER_STARTED)).and();
    back
      .when(C.evaluate('a', toStart(DENY)))
      .thenEvents(E.readied('a', { verdict: DENY, approvals: ['apr_o'] }));
  });

  test('[OV2] is of an admin, who is a person, with a reason of 20 characters', () => {
    const refused = (command = C.override('a'), actor = ANN): string => {
      return denied.when(command, actor).thenRefused('NotOverridable').detail;
    };
    expect(refused(C.override('a', { roles: ['approver', 'operator'] }))).toBe('ann is no admin');
    expect(refused(C.override('a'), TEST_ENGINE)).toBe('only a person overrides');
    expect(refused(C.override('a'), { kind: 'agent', id: 'a#1' })).toBe('only a person overrides');
    for (const reason of ['', 'because', ' '.repeat(40), `${'x'.repeat(19)}   `]) {
      denied.when(C.override('a', { reason }), ANN).thenRefused('ReasonTooShort');
    }
    expect(denied.when(C.override('a', { reason: 'x'.repeat(20) }), ANN).events).toHaveLength(4);
  });

  test('[OV3] takes a second admin where it is asked for', () => {
    const first = denied.when(C.override('a', { count: 2 }), ANN);
    expect(types(first.events)).toEqual(['ApprovalRequested', 'ApprovalDecided']);
    expect(first.state.steps.get('a')?.status).toBe('blocked');
    const said = { subjectDigest: 'digest-o', roles: ['admin'] };
    first.and().when(C.approve('apr_o', said), ANN).thenRefused('AlreadyDecided');
    const approver = { ...said, roles: ['approver'] };
    first.and().when(C.approve('apr_o', approver), BOB).thenRefused('NotAllowedToDecide');
    const second = first.and().when(C.approve('apr_o', said), BOB);
    expect(types(second.events)).toEqual(['ApprovalDecided', 'ApprovalResolved', 'StepRequeued']);
    const no = first.and().when(C.reject('apr_o', said), BOB);
    expect(types(no.events)).toEqual(['ApprovalDecided', 'ApprovalResolved']);
    expect(no.state.steps.get('a')).toMatchObject({
      ...{ status: 'blocked', waiting: { reason: 'policy_denied' } },
    });
  });

  test('[OV4] lifts no rule that is absolute', () => {
    const absolute = {
      ...DENY,
      why: [{ rule: 'scope', text: 'outside', absolute: true as const }],
    };
    const held = denied
      .when(C.retry('a'), RITA)
      .and()
      .when(C.evaluate('a', toStart(absolute)));
    const refusal = held.and().when(C.override('a'), ANN).thenRefused('NotOverridable');
    expect(refusal.detail).toBe('no override lifts scope (outside)');
  });

  test('[OV4] lifts only the rules that it lists', () => {
    const asked = denied.when(C.override('a'), ANN).and();
    const more = { ...DENY, why: [...DENY.why, { rule: 'z', text: 'another rule' }] };
    const held = asked.when(C.evaluate('a', toStart(more)));
    expect(types(held.events)).toEqual(['StepDenied']);
    const ready = asked.when(C.evaluate('a', toStart(DENY))).and();
    expect(types(ready.when(C.start('a', { verdict: more })).events)).not.toContain(
      'AttemptStarted',
    );
  });

  test('[OV4] is for one digest under one policy', () => {
    const asked = denied.when(C.override('a'), ANN).and();
    expect(types(asked.when(C.evaluate('a', toStart(DENY, 'digest-2'))).events)).toEqual([
      'StepDenied',
    ]);
    const elsewhere = testVerdict('deny', {}, 'policy-2');
    expect(types(asked.when(C.evaluate('a', toStart(elsewhere))).events)).toEqual(['StepDenied']);
    const moved = denied.when(C.override('a', { startDigest: 'digest-9' }), ANN);
    expect(moved.thenRefused('SubjectMoved').subjectDigest).toBe('digest-1');
    const changed = granted().when(C.start('a', { verdict: DENY, subjectDigest: 'digest-2' }));
    expect(types(changed.events)).not.toContain('AttemptStarted');
  });

  test('[OV5] is good for 15 minutes at most, and is woken for', () => {
    const far = denied.when(C.override('a', { expiresAtMs: 1e15 }), ANN, 1000);
    const at = 1000 + MAX_OVERRIDE_MS;
    expect(far.state.approvals.get('apr_o')?.expiresAtMs).toBe(at);
    expect(effectsOf(far.state, 1000)).toContainEqual({ type: 'WakeAt', atMs: at });
    const ready = far
      .and()
      .when(C.evaluate('a', toStart(DENY)), TEST_ENGINE, at - 1)
      .and();
    const late = ready.when(C.start('a', { verdict: DENY }), TEST_ENGINE, at);
    expect(types(late.events)).not.toContain('AttemptStarted');
    expect(types(far.and().when(C.evaluate('a', toStart(DENY)), TEST_ENGINE, at).events)).toEqual([
      'StepDenied',
    ]);
    const unused = far.and().when(C.tick(), TEST_ENGINE, at);
    unused.thenEvents(E.resolved('apr_o', 'expired', 'it was granted, and not used in time'));
  });

  test('[OV6] stands in for approvers who cannot be had; their request is withdrawn', () => {
    const waits = given(E.begun(ONE), E.asked('a'));
    const { events } = waits.when(C.override('a'), ANN);
    expect(events.map(({ type, data }) => [type, 'status' in data ? data.status : null])).toEqual([
      ...[
        ['ApprovalRequested', null],
        ['ApprovalDecided', null],
        ['ApprovalResolved', 'approved'],
      ],
      ...[
        ['ApprovalResolved', 'withdrawn'],
        ['StepRequeued', null],
      ],
    ]);
  });

  test('[OV6] answers no question of the plan, no rejection, and nothing that is not blocked', () => {
    const plan = testPlan([testApproval('a')]);
    const gate = given(E.begun(plan), E.asked('a', { kind: 'gate' }));
    expect(gate.when(C.override('a'), ANN).thenRefused('NotOverridable').detail).toContain(
      'a question of the plan',
    );
    const rejected = given(E.begun(ONE), E.asked('a')).when(C.reject('apr_1'), BOB).and();
    rejected.when(C.override('a'), ANN).thenRefused('RunOver');
    given(E.begun(ONE)).when(C.override('a'), ANN).thenRefused('NotOverridable');
    const twice = denied.when(C.override('a', { count: 2 }), ANN).and();
    twice.when(C.override('a', { count: 2 }), BOB).thenRefused('NotOverridable');
  });

  test('[OV6] that is still asked for is withdrawn once nothing denies the step', () => {
    const open = denied.when(C.override('a', { count: 2 }), ANN).and();
    const { events } = open.when(C.retry('a'), RITA);
    expect(types(events)).toEqual(['StepRequeued', 'ApprovalResolved']);
    expect(
      open
        .when(C.retry('a'), RITA)
        .and()
        .when(C.evaluate('a', toStart(ALLOW))).events,
    ).toHaveLength(1);
  });

  test('[OV7] is marked until somebody records that they have looked at it', () => {
    const used = granted()
      .when(C.start('a', { verdict: DENY }))
      .and();
    const review = { by: 'bob', note: 'it was right' };
    const reviewed = used.when(C.review('apr_o'), BOB);
    expect(reviewed.state.approvals.get('apr_o')?.review).toMatchObject(review);
    reviewed.and().when(C.review('apr_o'), RITA).thenRefused('NotAllowedToDecide');
    used.when(C.review('apr_o'), { kind: 'agent', id: 'a#1' }).thenRefused('NotAllowedToDecide');
    used.when(C.review('apr_x'), BOB).thenRefused('ApprovalNotFound');
    expect(used.when(C.review('apr_o'), ANN).events).toHaveLength(1);
    const two = denied.when(C.override('a', { count: 2 }), ANN).and();
    const second = two.when(
      C.approve('apr_o', { subjectDigest: 'digest-o', roles: ['admin'] }),
      BOB,
    );
    second.and().when(C.review('apr_o'), ANN).thenRefused('NotAllowedToDecide');
    second.and().when(C.review('apr_o'), BOB).thenRefused('NotAllowedToDecide');
    expect(second.and().when(C.review('apr_o'), RITA).events).toHaveLength(1);
  });
});

describe('what an override says', () => {
  const request = (over: object = {}): RunEvent =>
    E.asked('a', {
      ...{ approvalId: 'apr_o', kind: 'override', subjectDigest: 'digest-o', why: DENY.why },
      ...{ subject: { kind: 'override', start: 'digest-1' }, expiresAtMs: 2000 },
      requires: { ...DENY.requires, roles: ['admin'] },
      ...over,
    });
  const said = (over: object = {}): RunEvent =>
    E.decided('apr_o', ANN, {
      ...{ subjectDigest: 'digest-o', roles: ['admin'] },
      ...{ reason: 'the approvers are all away today', ...over },
    });
  const GRANTED = E.resolved('apr_o', 'approved', 'enough people have approved');
  const again = E.requeued('a', { cause: 'override', reason: 'apr_o' });

  test('[OV1] is all of it in the log', () => {
    denied.when(C.override('a'), ANN).thenEvents(request(), said(), GRANTED, again);
    const evidence = { kind: 'totp' } as never;
    denied
      .when(C.override('a', { evidence }), RITA)
      .thenEvents(request(), said({ selfApproved: true, evidence }), GRANTED, again);
    expect(MAX_OVERRIDE_MS).toBe(900_000);
  });

  test('[OV1] makes an earlier one of the same step stale that nobody used, and no other', () => {
    const two = testPlan([testCommand('a'), testCommand('b')]);
    const other = {
      ...{ approvalId: 'apr_b', subjectDigest: 'digest-o' },
    };
    const run = given(E.begun(two), E.denied('a'), E.denied('b'))
      .when(C.override('b', other), ANN)
      .and()
      .when(C.override('a'), ANN)
      .and()
      .when(C.evaluate('a', toStart(DENY, 'digest-2')))
      .and();
    const next = { approvalId: 'apr_p', startDigest: 'digest-2' };
    const { events, state } = run.when(C.override('a', next), ANN);
    expect(events[0]).toMatchObject({
      type: 'ApprovalResolved',
      data: { approvalId: 'apr_o', status: 'stale', detail: 'another override is asked for' },
    });
    expect(types(events)).toHaveLength(5);
    expect(state.approvals.get('apr_b')?.status).toBe('approved');
    const used = granted()
      .when(C.start('a', { verdict: DENY }))
      .and()
      .when(C.end('a', 1, GONE))
      .and()
      .when(C.resume('a'), RITA)
      .and()
      .when(C.evaluate('a', toStart(DENY)))
      .and();
    const later = used.when(C.override('a', { approvalId: 'apr_p' }), ANN);
    expect(types(later.events)).toEqual([
      ...['ApprovalRequested', 'ApprovalDecided', 'ApprovalResolved', 'StepRequeued'],
    ]);
  });

  test('[OV4] names each absolute rule, and each reason why nothing is to be lifted', () => {
    const why = [
      { rule: 'scope', text: 'outside', absolute: true as const },
      { rule: 'soft', text: 'may be lifted' },
      { rule: 'secret', text: 'a key', absolute: true as const },
    ];
    const held = given(E.begun(ONE)).when(C.evaluate('a', toStart({ ...DENY, why })));
    expect(held.and().when(C.override('a'), ANN).thenRefused('NotOverridable').detail).toBe(
      'no override lifts scope (outside), secret (a key)',
    );
    const detailOf = (run: Given): string =>
      run.when(C.override('a', { approvalId: 'apr_x' }), ANN).thenRefused('NotOverridable').detail;
    expect(detailOf(given(E.begun(ONE)))).toBe('it is pending, and nothing denies it');
    expect(detailOf(given(E.begun(ONE), E.blocked('a')))).toBe(
      'it is blocked, and nothing denies it',
    );
    expect(detailOf(denied.when(C.override('a', { count: 2 }), ANN).and())).toBe(
      'an override of it is asked for already: apr_o',
    );
    const two = testPlan([testCommand('a'), testCommand('b')]);
    const beside = given(E.begun(two), E.denied('a'), E.denied('b')).when(
      C.override('b', { approvalId: 'apr_b', count: 2 }),
      ANN,
    );
    expect(beside.and().when(C.override('a'), ANN).events).toHaveLength(4);
  });

  test('[OV6] lifts what denies a step of the plan that asks, and withdraws by name', () => {
    const gate = given(E.begun(testPlan([testApproval('a')])), E.denied('a'));
    expect(types(gate.when(C.override('a'), ANN).events)).toContain('StepRequeued');
    const waits = given(E.begun(ONE), E.asked('a'));
    waits
      .when(C.override('a'), ANN)
      .thenEvents(
        request({ why: waits.state!.steps.get('a')!.verdict!.why }),
        said(),
        GRANTED,
        E.resolved('apr_1', 'withdrawn', 'overridden by apr_o'),
        again,
      );
  });

  test('[OV3] does not count an admin who may not decide any more', () => {
    const run = denied.when(C.override('a'), ANN).and();
    const ready = run.when(C.evaluate('a', toStart(DENY))).and();
    const start = C.start('a', { verdict: DENY, revoked: ['ann'] });
    expect(types(ready.when(start).events)).not.toContain('AttemptStarted');
  });

  test('[OV4] of one step lets no other start', () => {
    const two = testPlan([testCommand('a'), testCommand('b')]);
    const run = given(E.begun(two), E.denied('a')).when(C.override('a'), ANN).and();
    run.when(C.evaluate('b', toStart(DENY))).thenEvents(E.denied('b'));
    const plain = given(
      ...[E.begun(ONE), E.asked('a'), E.decided('apr_1', ANN)],
      ...[E.resolved('apr_1', 'approved', 'enough people have approved'), E.requeued('a')],
    );
    plain.when(C.evaluate('a', toStart(DENY))).thenEvents(E.denied('a'));
  });

  test('[OV6] falls when the workspace moves on under it', () => {
    const two = testPlan([testCommand('a'), testCommand('b')]);
    const open = given(E.begun(two), E.running('b'), E.denied('a'))
      .when(C.override('a', { count: 2 }), ANN)
      .and();
    const moved = open.when(
      C.end('b', 1, { outcome: 'succeeded', ...testSuccess(testCommit('b')) }),
    );
    expect(moved.events).toContainEqual(
      expect.objectContaining({
        type: 'ApprovalResolved',
        data: {
          ...{ approvalId: 'apr_o', status: 'withdrawn' },
          detail: 'what it would lift is not there any more',
        },
      }),
    );
  });

  test('[OV5] does not run out while the run is held, and only when it was granted', () => {
    const run = denied.when(C.override('a'), ANN).and();
    const paused = run.when(C.pause(), RITA).and();
    expect(paused.when(C.tick(), TEST_ENGINE, 1e9).events).toEqual([]);
    const open = denied.when(C.override('a', { count: 2 }), ANN).and();
    const { events } = open.when(C.tick(), TEST_ENGINE, 1e9);
    expect(JSON.stringify(events)).not.toContain('it was granted, and not used in time');
    expect(run.when(C.tick(), TEST_ENGINE, 1999).events).toEqual([]);
    expect(run.when(C.tick(), TEST_ENGINE, 2000).events).toHaveLength(1);
  });

  test('[OV7] says why a review is none', () => {
    const used = granted()
      .when(C.start('a', { verdict: DENY }))
      .and();
    const agent = used.when(C.review('apr_o'), { kind: 'agent', id: 'a#1' });
    expect(agent.thenRefused('NotAllowedToDecide').detail).toBe('only a person reviews');
    const twice = used.when(C.review('apr_o'), BOB).and().when(C.review('apr_o'), RITA);
    expect(twice.thenRefused('NotAllowedToDecide').detail).toBe('bob has reviewed it already');
    const second = denied
      .when(C.override('a', { count: 2 }), ANN)
      .and()
      .when(C.approve('apr_o', { subjectDigest: 'digest-o', roles: ['admin'] }), BOB);
    expect(second.and().when(C.review('apr_o'), ANN).thenRefused('NotAllowedToDecide').detail).toBe(
      'who overrides does not review it',
    );
    given(E.begun(ONE), E.asked('a')).when(C.review('apr_1'), BOB).thenRefused('ApprovalNotFound');
  });
});
