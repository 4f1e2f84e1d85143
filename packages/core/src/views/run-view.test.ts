import { describe, expect, test } from 'vitest';

import type { RunState } from '../machine/state.ts';
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
  ANYBODY,
  ASK,
  BOB,
  COMMANDS as C,
  DENY,
  EVENTS as E,
  RITA,
  TEST_AT,
  testCommit,
  testEnd,
  testEvent,
  testFailure,
  testToken,
  toStart,
} from '../testing/run-fixtures.ts';
import { given } from '../testing/scenario.ts';
import type { Told } from '../testing/scenario.ts';
import { approvalToView, runToView } from './run-view.ts';
import type { StepView } from './run-view.ts';

function after(...told: readonly Told[]): RunState {
  const { state } = given(...told);
  if (state === null) throw new Error('nothing has happened');
  return state;
}

const PLAN = testPlan([testCommand('a', { risk: 'high' }), testReader('b', { needs: ['a'] })]);

describe('the view of a run', () => {
  test('[VW1] holds all of it', () => {
    const artifact = { name: 'report', sha256: 'f00', bytes: 3, mediaType: 'text/plain' };
    const output = { bytes: 5, sha256: 'beef', tail: ['done'] };
    const check = { check: 'exit', pass: true, evidence: '0' };
    const good = { checkpoint: testCommit('1'), outputs: { version: '2' } };
    const state = after(
      E.created(PLAN),
      testEvent('RunStarted', { checkpoint: testCommit('0'), notCarried: ['uncommitted work'] }),
      E.readied('a'),
      E.attemptStarted('a', 1, { session: testToken('s1') }),
      E.succeeded('a', 1, { ...good, output, checks: [check], artifacts: [artifact] }),
    );
    expect(runToView(state)).toEqual({
      id: 'run_1',
      removed: [],
      forkedFrom: null,
      plan: { id: 'plan_1', name: 'test', revision: 1, digest: 'plan-digest' },
      ...{
        feature: null,
        status: 'running',
        blocked: [],
        quarantine: null,
        canceling: false,
        failure: null,
      },
      ...{ paused: null, conflict: null, applying: null, applied: [] },
      ...{ inputs: {}, baseCommit: 'base', checkpoint: testCommit('1') },
      ...{ notCarried: ['uncommitted work'], requestedBy: RITA },
      ...{ createdAt: TEST_AT, startedAt: TEST_AT, endedAt: null },
      usage: { tokens: 0, usd: 0, unknownCost: false },
      overrides: [],
      steps: [
        {
          ...{ id: 'a', kind: 'command', needs: [], status: 'succeeded', reason: null },
          ...{ hint: null, risk: 'medium', verdict: 'allow', why: ALLOW.why },
          subjectDigest: 'digest-1',
          attempts: [
            {
              ...{ number: 1, status: 'succeeded', startedAt: TEST_AT, endedAt: TEST_AT },
              ...{
                exitCode: 0,
                resumedFrom: null,
                lane: false,
                from: null,
                sandbox: 'bubblewrap',
                usage: null,
              },
              ...{ failure: null, output, checks: [check], session: testToken('s1') },
              ...{ versions: null, model: null },
              ...{ checkpoint: testCommit('1'), setAside: null, toolCalls: 0 },
            },
          ],
          ...{ outputs: { version: '2' }, artifacts: [artifact], messages: [] },
        },
        {
          ...{ id: 'b', kind: 'command', needs: ['a'], status: 'pending', reason: null },
          ...{
            hint: null,
            risk: null,
            verdict: null,
            subjectDigest: null,
            why: [],
            attempts: [],
            outputs: null,
          },
          artifacts: [],
          messages: [],
        },
      ],
    });
    expect(JSON.parse(JSON.stringify(runToView(state)))).toEqual(runToView(state));
  });

  test('[VW1] says while it is being canceled', () => {
    const told = [E.begun(PLAN), E.running('a'), E.cancelRequested()];
    expect(runToView(after(told)).canceling).toBe(true);
    expect(runToView(after(told, E.canceled('a', 1), E.runCanceled()))).toMatchObject({
      ...{ canceling: false, status: 'canceled', endedAt: TEST_AT },
    });
  });

  test('[VW1] says why its workspace could not be made, and lists what it waits for', () => {
    const failure = testFailure('no_commit');
    const failed = after(E.created(PLAN), testEvent('RunStartFailed', { failure }));
    expect(runToView(failed)).toMatchObject({ status: 'failed', failure });
    expect(runToView(after(E.begun(PLAN), E.asked('a')))).toMatchObject({
      status: 'blocked',
      blocked: [{ reason: 'approval', step: 'a', approval: 'apr_1' }],
    });
  });

  test('[VW1] a step has the risk its plan states until it has been evaluated', () => {
    expect(runToView(after(E.begun(PLAN))).steps[0]?.risk).toBe('high');
  });
});

describe('usage', () => {
  const plan = testPlan([testAgent('a'), testAgent('b'), testCommand('c'), testValidation('d')]);
  const usage = (told: readonly Told[]) => runToView(after(E.begun(plan), ...told)).usage;
  const spent = (inputTokens: number | null, outputTokens: number | null, usd: number | null) => ({
    usage: { inputTokens, outputTokens, cachedTokens: 9, usd },
  });

  test('[VW2] is the sum over all attempts of agents', () => {
    const told = [
      ...[
        E.running('a'),
        E.failed('a', 1, { ...testEnd(), ...spent(10, 2, 0.25) }),
        E.requeued('a'),
      ],
      ...[E.readied('a'), E.attemptStarted('a', 2), E.succeeded('a', 2, spent(100, 20, 0.5))],
      ...[E.running('b'), E.succeeded('b', 1, spent(1, 1, 1)), E.done('c'), E.done('d')],
    ];
    expect(usage(told)).toEqual({ tokens: 134, usd: 1.75, unknownCost: false });
  });

  test('[VW2] is a lower bound while some of it is not known', () => {
    expect(usage([E.running('a')])).toEqual({ tokens: 0, usd: 0, unknownCost: true });
    const known = [E.running('a'), E.succeeded('a', 1, spent(5, null, null))];
    expect(usage(known)).toEqual({ tokens: 5, usd: 0, unknownCost: true });
    const later = [E.running('a'), E.succeeded('a', 1, spent(null, 4, 2)), E.running('b')];
    expect(usage(later)).toEqual({ tokens: 4, usd: 2, unknownCost: true });
  });

  test('[VW2] of an attempt that never began is nothing', () => {
    expect(usage([E.running('a'), E.neverStarted('a', 1)])).toEqual({
      ...{ tokens: 0, usd: 0, unknownCost: false },
    });
  });
});

describe('the reason of a step', () => {
  const plan = testPlan([
    testCommand('a'),
    testApproval('b'),
    testReader('c', { needs: ['a'], when: 'false' }),
  ]);
  const step = (id: string, ...told: readonly Told[]): StepView => {
    const { steps } = runToView(after(E.begun(plan), ...told));
    return steps.find((each) => each.id === id)!;
  };

  test('[VW3] its failure, with what to do', () => {
    const failed = step('a', E.running('a'), E.failed('a', 1));
    expect(failed).toMatchObject({
      ...{ reason: 'it ended with exit_code', hint: 'look at its output' },
    });
  });

  test('[VW3] none while the retry runs', () => {
    const told = [E.running('a'), E.retrying('a', 1, 5)];
    expect(step('a', told).reason).toBe('it ended with exit_code');
    expect(step('a', told, E.attemptStarted('a', 2)).reason).toBeNull();
  });

  test('[VW3] a request, with the rules that ask for it and how to decide it', () => {
    const asked = E.asked('a', { why: [...ASK.why, ...DENY.why] });
    expect(step('a', asked)).toMatchObject({
      ...{ status: 'blocked', verdict: 'requires_approval', risk: 'medium' },
      why: [...ASK.why, ...DENY.why],
      reason: 'waits for approval: the rule says requires_approval; the rule says deny',
      hint: 'ccdash approve apr_1 --reason …',
    });
    expect(step('a', E.asked('a', { why: [] })).reason).toBe('waits for approval');
    const gate = E.asked('b', { kind: 'gate', why: [] });
    expect(step('b', gate).reason).toBe('waits for a decision');
    expect(step('b', E.asked('b', { kind: 'gate' })).reason).toBe(
      'waits for a decision: the rule says requires_approval',
    );
  });

  test('[VW3] the rules that deny it', () => {
    const verdict = { ...DENY, why: [...DENY.why, ...ASK.why] };
    const denied = testEvent('StepDenied', { step: 'a', subjectDigest: 'digest-1', verdict });
    expect(step('a', denied)).toMatchObject({
      ...{ verdict: 'deny', hint: 'ccdash override run_1 a --reason …' },
      reason: 'the rule says deny; the rule says requires_approval',
    });
  });

  test('[VW3] a false condition', () => {
    const skipped = step('c', E.done('a'), E.skipped('c'));
    expect(skipped).toMatchObject({ reason: 'its condition is false', hint: null });
  });

  test('[VW3] nothing to say', () => {
    expect(step('a', E.readied('a'))).toMatchObject({ reason: null, hint: null });
  });
});

describe('the view of a request', () => {
  test('[VW4] holds all of it', () => {
    const requires = { ...ANYBODY, count: 2, roles: ['approver'] };
    const state = after(
      E.begun(PLAN),
      E.asked('a', { requires, expiresAtMs: 99 }),
      E.decided('apr_1', ANN, { roles: ['approver'] }),
      E.resolved('apr_1', 'expired', 'nobody decided in time'),
    );
    expect(approvalToView('run_1', state.approvals.get('apr_1')!)).toEqual({
      ...{ id: 'apr_1', runId: 'run_1', stepId: 'a', kind: 'start' },
      ...{ subjectDigest: 'digest-1', subject: { what: 'digest-1' }, why: ASK.why, requires },
      ...{ risk: 'medium', status: 'expired', detail: 'nobody decided in time' },
      ...{ requestedAt: TEST_AT, expiresAtMs: 99, escalation: null, changed: [] },
      ...{ usedBy: null, review: null },
      decisions: [
        {
          ...{ approver: 'ann', decision: 'approve', reason: 'fine', at: TEST_AT },
          ...{ roles: ['approver'], assurance: 'session', subjectDigest: 'digest-1' },
          ...{ selfApproved: false, form: {} },
        },
      ],
    });
  });
});

describe('what is shown of decisions', () => {
  const DENIED = [E.begun(testPlan([testCommand('a')])), E.denied('a')];
  const overridden = given(DENIED).when(C.override('a'), ANN);

  test('[VW1] overrides that were granted, with who, why and what they lifted', () => {
    const granted = {
      ...{ approval: 'apr_o', step: 'a', by: ['ann'], rules: ['rule-deny'] },
      ...{ reason: 'the approvers are all away today', usedBy: null, review: null },
    };
    expect(runToView(overridden.state).overrides).toEqual([granted]);
    const reviewed = overridden.and().when(C.review('apr_o'), BOB).state;
    expect(runToView(reviewed).overrides[0]?.review).toMatchObject({ by: 'bob' });
    const open = given(DENIED).when(C.override('a', { count: 2 }), ANN).state;
    expect(runToView(open).overrides).toEqual([]);
    const approved = given(
      ...[E.begun(testPlan([testCommand('a')])), E.asked('a'), E.decided('apr_1', ANN)],
      E.resolved('apr_1', 'approved', 'enough people have approved'),
    ).state;
    expect(approved && runToView(approved).overrides).toEqual([]);
  });

  test('[VW1] the way out of a denial, where there is one', () => {
    const hintOf = (absolute: readonly boolean[]): string | null | undefined => {
      const why = absolute.map((isAbsolute, i) => ({
        ...{ rule: `r${i}`, text: `rule ${i}` },
        ...(isAbsolute ? { absolute: true as const } : {}),
      }));
      const { state } = given(E.begun(testPlan([testCommand('a')]))).when(
        C.evaluate('a', toStart({ ...DENY, why })),
      );
      return runToView(state).steps[0]?.hint;
    };
    expect(hintOf([false])).toBe('ccdash override run_1 a --reason …');
    expect(hintOf([false, true])).toBeNull();
    expect(hintOf([true])).toBeNull();
  });

  test('[VW1] to whom a request is handed on, and whether it was', () => {
    const escalation = { atMs: 500, roles: ['lead'], people: [], expiresAtMs: null };
    const asked = E.asked('a', { kind: 'gate', escalation });
    const plan = testPlan([testApproval('a')]);
    const viewOf = (...told: readonly Told[]) =>
      approvalToView('run_1', given(E.begun(plan), asked, ...told).state!.approvals.get('apr_1')!)
        .escalation;
    expect(viewOf()).toEqual({ ...escalation, done: false });
    expect(viewOf(E.escalated('apr_1', null))).toEqual({ ...escalation, done: true });
  });

  test('[VW1] a bug that stopped the run', () => {
    expect(runToView(overridden.state, 'a bug')).toMatchObject({
      ...{ status: 'blocked', quarantine: 'a bug' },
    });
  });
});
