import { describe, expect, test } from 'vitest';

import { effectsOf } from '../schedule/effects.ts';
import { testAgent, testCommand, testPlan } from '../testing/plan-fixtures.ts';
import {
  ANN,
  ASK,
  COMMANDS as C,
  DENY,
  EVENTS as E,
  GONE,
  gateRaised,
  toStart,
} from '../testing/run-fixtures.ts';
import { given } from '../testing/scenario.ts';
import type { Given } from '../testing/scenario.ts';
import type { RunCommand } from './commands.ts';
import type { RunState } from './state.ts';

const ONE = testPlan([testCommand('a')]);
const AGENT = testPlan([testAgent('a')]);
const ADOPT: RunCommand = { type: 'AdoptPolicy', policyDigest: 'policy-2' };

function typesOf(from: Given): readonly string[] {
  return from.when(ADOPT).events.map(({ type }) => type);
}

function wanted(state: RunState): readonly string[] {
  return effectsOf(state, 0).map(({ type }) => type);
}

describe('another policy', () => {
  test('[PO22] makes an open request stale, and asks anew', () => {
    const asked = given(E.begun(ONE))
      .when(C.evaluate('a', toStart(ASK)))
      .and();
    expect(typesOf(asked)).toEqual(['PolicyChanged', 'ApprovalResolved', 'StepRequeued']);
    const { state } = asked.when(ADOPT);
    expect(state.approvals.get('apr_1')).toMatchObject({ status: 'stale', changed: ['policy'] });
    expect(state.policyDigest).toBe('policy-2');
    expect(wanted(state)).toEqual(['EvaluateStep']);
    asked.when(ADOPT).and().when(C.approve('apr_1'), ANN).thenRefused('ApprovalNotOpen');
  });

  test('[PO22] makes an approval that nobody has used stale', () => {
    const granted = given(E.begun(ONE))
      .when(C.evaluate('a', toStart(ASK)))
      .and()
      .when(C.approve('apr_1'), ANN)
      .and();
    const { state } = granted.when(ADOPT);
    expect(state.approvals.get('apr_1')?.status).toBe('stale');
    expect(state.steps.get('a')?.status).toBe('pending');
  });

  test('[PO22] judges anew what the old one has denied or allowed', () => {
    const denied = given(E.begun(ONE))
      .when(C.evaluate('a', toStart(DENY)))
      .and();
    expect(typesOf(denied)).toEqual(['PolicyChanged', 'StepRequeued']);
    const ready = given(E.begun(ONE), E.readied('a'));
    expect(typesOf(ready)).toEqual(['PolicyChanged', 'StepRequeued']);
    expect(wanted(ready.when(ADOPT).state)).toEqual(['EvaluateStep']);
  });

  test('[PO22] lets go on what runs, and judges the tool call anew that people were asked about', () => {
    const asked = given(E.begun(AGENT), E.running('a'))
      .when(C.report('a', 1, [gateRaised(1, 'g1')]))
      .and()
      .when(C.decideGate('a', 1, 'g1', ASK))
      .and();
    const { state } = asked.when(ADOPT);
    expect(state.steps.get('a')?.status).toBe('running');
    expect(wanted(state)).toEqual(['SuperviseAttempt', 'EvaluateGate']);
    expect([...state.approvals.values()].map(({ status }) => status)).toEqual(['stale']);
    asked
      .when(ADOPT)
      .and()
      .when(C.end('a', 1, GONE));
  });

  test('[PO22] that is the same changes nothing, and one that comes too late is refused', () => {
    given(E.begun(ONE))
      .when({ ...ADOPT, policyDigest: given(E.begun(ONE)).state?.policyDigest ?? '' })
      .thenEvents();
    given(E.begun(ONE), E.runCanceled()).when(ADOPT).thenRefused('RunOver');
  });
});

describe('what another policy leaves alone', () => {
  const two = testPlan([testCommand('a'), testCommand('b')]);
  const used = [
    ...[E.begun(two), E.asked('a'), E.decided('apr_1', ANN)],
    E.resolved('apr_1', 'approved', 'enough people have approved'),
    E.readied('a', { verdict: ASK, approvals: ['apr_1'] }),
  ];

  test('[PO22] an approval that was used, an override, and what is at work', () => {
    const working = given(used, E.attemptStarted('a', 1, { verdict: ASK, approvals: ['apr_1'] }));
    expect(typesOf(working)).toEqual(['PolicyChanged']);
    const refused = given(
      ...[E.begun(two), E.asked('a'), E.resolved('apr_1', 'withdrawn', 'not needed')],
      E.requeued('a'),
    );
    expect(typesOf(refused)).toEqual(['PolicyChanged']);
    const overridden = given(E.begun(two), E.denied('a')).when(C.override('a'), ANN).and();
    expect(typesOf(overridden)).toEqual(['PolicyChanged']);
  });

  test('[PO22] what cannot start for another reason, and what waits out a back-off', () => {
    expect(typesOf(given(E.begun(two), E.blocked('a')))).toEqual(['PolicyChanged']);
    const backOff = given(E.begun(two), E.running('a'), E.retrying('a', 1, 5000));
    expect(typesOf(backOff)).toEqual(['PolicyChanged']);
    expect(typesOf(given(E.begun(two), E.running('a'), E.interrupted('a', 1)))).toEqual([
      'PolicyChanged',
    ]);
  });

  test('[PO22] says of each step that it waits again, and why', () => {
    const { events } = given(used).when(ADOPT);
    expect(events.at(-1)).toMatchObject({
      type: 'StepRequeued',
      data: {
        ...{ step: 'a', cause: 'verdict_changed', mode: 'restore', automatic: true },
        reason: 'the policy has changed',
      },
    });
  });

  test('[PO22] a tool call that was answered stays so; one that people were asked about is judged again', () => {
    const raised = E.reported('a', 1, [gateRaised(1, 'g1'), gateRaised(2, 'g2')]);
    const answered = E.toolDecided('a', 'g1', 'allow', { approvalId: null });
    const asked = E.asked('a', { approvalId: 'apr_tool', kind: 'tool', gateId: 'g2' });
    const { state } = given(E.begun(AGENT), E.running('a'), raised, answered, asked).when(ADOPT);
    const gates = state.steps.get('a')?.attempts[0]?.gates.map(({ status }) => status);
    expect(gates).toEqual(['decided', 'raised']);
  });
});
