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
