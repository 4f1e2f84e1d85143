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
  NEVER_STARTED,
  RITA,
  TEST_ENGINE,
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
