import { describe, expect, test } from 'vitest';

import { testApproval, testCommand, testPlan, testReader } from '../testing/plan-fixtures.ts';
import {
  ALLOW,
  ANN,
  ASK,
  BOB,
  COMMANDS as C,
  DENY,
  EVENTS as E,
  FAILED,
  FAILED_RETRYABLE,
  GONE,
  RITA,
  SUCCEEDED,
  TEST_AT,
  TEST_NOW_MS,
  testCommit,
  testEvent,
  testFailure,
  testToken,
  testVerdict,
  toGate,
  toStart,
} from '../testing/run-fixtures.ts';
import { given, givenState } from '../testing/scenario.ts';
import { REFUSALS } from './commands.ts';
import { decide } from './decide.ts';
import { runStatus } from './status.ts';

const ONE = testPlan([testCommand('a')]);
const TWO = testPlan([testCommand('a'), testReader('b', { needs: ['a'] })]);
const RETRIED = testPlan([testCommand('a', { retry: { attempts: 3, backoffMs: 10 } })]);

describe('creation and start', () => {
  test('[DE5] a run begins with its creation', () => {
    const state = given().when(C.create(ONE), RITA).thenEvents(E.created(ONE));
    const created = { runId: 'run_1', requester: RITA, createdAt: TEST_AT, notCarried: [] };
    expect(state).toMatchObject(created);
    expect(runStatus(state)).toBe('queued');
  });

  test('[DE5] a run is created once, and takes nothing before that', () => {
    expect(given(E.created(ONE)).when(C.create(ONE)).thenRefused('RunExists').runId).toBe('run_1');
    expect(given().when(C.startRun()).thenRefused('RunNotFound').runId).toBe('run_1');
  });

  test('[RS4] the workspace is made once', () => {
    const state = given(E.created(ONE)).when(C.startRun()).thenEvents(E.runStarted());
    expect(state).toMatchObject({
      startedAt: TEST_AT,
      origin: testCommit('0'),
      checkpoint: testCommit('0'),
    });
    const again = givenState(state);
    expect(again.when(C.startRun()).thenRefused('RunOver').status).toBe('running');
    expect(again.when(C.failStart()).thenRefused('RunOver').status).toBe('running');
  });

  test('[RS4] no step is evaluated before the workspace stands', () => {
    const refusal = given(E.created(ONE)).when(C.evaluate('a')).thenRefused('StepNotReady');
    expect(refusal).toEqual({ type: 'StepNotReady', step: 'a', status: 'pending' });
  });

  test('[RS5] a workspace that cannot be made fails the run until it is retried', () => {
    const failed = given(E.created(ONE))
      .when(C.failStart())
      .thenEvents(testEvent('RunStartFailed', { failure: testFailure('no_commit') }));
    expect([runStatus(failed), failed.endedAt]).toEqual(['failed', TEST_AT]);
    expect(givenState(failed).when(C.startRun()).thenRefused('RunOver').status).toBe('failed');
    expect(givenState(failed).when(C.failStart()).thenRefused('RunOver').status).toBe('failed');
    const retried = givenState(failed)
      .when(C.retry(), RITA)
      .thenEvents(testEvent('RunRequeued', { reason: 'retry' }));
    expect([runStatus(retried), retried.endedAt]).toEqual(['queued', null]);
    givenState(retried).when(C.startRun()).thenEvents(E.runStarted());
  });

  test('[RS5] the retry of a step does not make the workspace again', () => {
    const failed = given(E.created(ONE)).when(C.failStart()).and();
    failed.when(C.retry('a')).thenRefused('NothingToRetry');
    const reasoned = failed.when({ type: 'RetryRun', step: null, reason: 'disk freed' });
    reasoned.thenEvents(testEvent('RunRequeued', { reason: 'disk freed' }));
  });

  test('[RS2] a plan without steps succeeds at once', () => {
    const plan = testPlan([]);
    given(E.created(plan)).when(C.tick()).thenEvents();
    given(E.created(plan)).when(C.startRun()).thenEvents(E.runStarted(), E.ended('succeeded'));
  });
});

describe('evaluation', () => {
  const begun = given(E.begun(TWO));

  test('[EV1] a step waits for what it needs', () => {
    begun.when(C.evaluate('b')).thenRefused('StepNotReady');
    given(E.begun(TWO), E.done('a')).when(C.evaluate('b')).thenEvents(E.readied('b'));
  });

  test('[EV1] only a pending step is evaluated', () => {
    const refusal = given(E.begun(TWO), E.readied('a')).when(C.evaluate('a'));
    expect(refusal.thenRefused('StepNotReady').status).toBe('ready');
  });

  test.each([
    C.evaluate('c'),
    C.start('c'),
    C.end('c', 1, FAILED),
    C.report('c', 1, []),
    C.decideGate('c', 1, 'g', ALLOW),
    C.resume('c'),
    C.retry('c'),
  ])('[DE1] a step that is not there is refused by $type', (command) => {
    const refusal = { type: 'StepNotFound', runId: 'run_1', step: 'c' };
    expect(begun.when(command).thenRefused('StepNotFound')).toEqual(refusal);
  });

  test('[EV2] allowed: ready, as evaluated', () => {
    const state = begun
      .when(C.evaluate('a', toStart(ALLOW, 'digest-9')))
      .thenEvents(E.readied('a', { subjectDigest: 'digest-9' }));
    const ready = { status: 'ready', verdict: ALLOW, subjectDigest: 'digest-9', granted: [] };
    expect(state.steps.get('a')).toMatchObject(ready);
  });

  test('[EV2] approval required: people are asked what exactly would run', () => {
    const verdict = testVerdict('requires_approval', { roles: ['approver'], count: 2 });
    const state = begun
      .when(C.evaluate('a', toStart(verdict, 'digest-9', { expiresAtMs: 5 })))
      .thenEvents(
        E.asked('a', { subjectDigest: 'digest-9', requires: verdict.requires, expiresAtMs: 5 }),
      );
    expect(state.steps.get('a')).toMatchObject({
      status: 'blocked',
      waiting: { reason: 'approval', approvalId: 'apr_1' },
      verdict,
    });
    expect(state.approvals.get('apr_1')).toEqual({
      ...{ id: 'apr_1', step: 'a', kind: 'start', status: 'open', subjectDigest: 'digest-9' },
      ...{ subject: { what: 'digest-9' }, why: verdict.why, policyDigest: 'policy-1' },
      ...{ requires: verdict.requires, risk: 'medium', requestedAt: TEST_AT, expiresAtMs: 5 },
      ...{ gateId: null, decisions: [], usedBy: null, detail: null, changed: [], review: null },
      ...{ escalation: null, escalated: false, askedAt: 'commit-0' },
    });
  });

  test('[EV2] denied: blocked, with the rules that deny it', () => {
    const state = begun.when(C.evaluate('a', toStart(DENY))).thenEvents(E.denied('a'));
    const denied = { status: 'blocked', waiting: { reason: 'policy_denied' }, verdict: DENY };
    expect(state.steps.get('a')).toMatchObject(denied);
  });

  test('[EV3] a false condition skips the step and those that need it, save for conditions of their own', () => {
    const plan = testPlan([
      testCommand('a', { when: 'false' }),
      testReader('b', { needs: ['a'] }),
      testReader('c', { needs: ['b'] }),
      testReader('d', { needs: ['c'], when: 'true' }),
      testReader('e'),
      testReader('f', { needs: ['a', 'e'] }),
    ]);
    const state = given(E.begun(plan))
      .when(C.evaluate('a', { outcome: 'condition-false' }))
      .thenEvents(E.skipped('a'), E.skipped('b'), E.skipped('c'));
    expect([...state.steps.values()].map((step) => step.status)).toEqual([
      'skipped',
      'skipped',
      'skipped',
      'pending',
      'pending',
      'pending',
    ]);
    given(E.begun(plan), E.skipped('a'), E.skipped('b'), E.skipped('c'), E.running('e'))
      .when(C.end('e', 1, SUCCEEDED))
      .thenEvents(E.succeeded('e', 1), E.skipped('f'));
  });

  test('[EV3] a run of which everything was skipped has succeeded', () => {
    const plan = testPlan([testCommand('a', { when: 'false' }), testReader('b', { needs: ['a'] })]);
    given(E.begun(plan))
      .when(C.evaluate('a', { outcome: 'condition-false' }))
      .thenEvents(E.skipped('a'), E.skipped('b'), E.ended('succeeded'));
  });

  test.each(['configuration', 'adapter_unavailable'] as const)('[EV4] %s blocks', (reason) => {
    const failure = testFailure('missing_output');
    const state = begun
      .when(C.evaluate('a', { outcome: 'blocked', reason, failure }))
      .thenEvents(testEvent('StepBlocked', { step: 'a', reason, failure }));
    expect(state.steps.get('a')).toMatchObject({ status: 'blocked', waiting: { reason }, failure });
  });

  test('[EV5] an approval step asks although the policy allows it', () => {
    const gated = given(E.begun(testPlan([testApproval('a')])));
    const requires = { people: ['ann'], count: 1 };
    const state = gated.when(C.evaluate('a', toGate(requires))).thenEvents(
      E.asked('a', {
        kind: 'gate',
        why: ALLOW.why,
        requires: { ...ASK.requires, people: ['ann'] },
      }),
    );
    expect(state.steps.get('a')).toMatchObject({ status: 'blocked' });
    gated.when(C.evaluate('a', toGate({}, { verdict: DENY }))).thenEvents(E.denied('a'));
  });

  test('[EV6] an evaluation for another kind of step throws', () => {
    expect(() => begun.when(C.evaluate('a', toGate()))).toThrow('step a was evaluated as a gate');
    const gated = given(E.begun(testPlan([testApproval('a')])));
    expect(() => gated.when(C.evaluate('a'))).toThrow('step a was evaluated as a start');
  });
});

describe('start', () => {
  const ready = given(E.begun(ONE), E.readied('a'));
  const asked = [E.begun(ONE), E.asked('a'), E.decided('apr_1', ANN)];
  const granted = [
    ...asked,
    E.resolved('apr_1', 'approved', 'enough people have approved'),
    E.readied('a', { verdict: ASK, approvals: ['apr_1'] }),
  ];

  test('[AT1] the attempt states what it starts with', () => {
    const session = testToken('s1');
    const state = ready
      .when(C.start('a', { session, sandbox: 'none', epoch: 9 }))
      .thenEvents(E.attemptStarted('a', 1, { session, sandbox: 'none', epoch: 9 }));
    expect(state.steps.get('a')).toMatchObject({
      status: 'running',
      attempts: [
        {
          ...{ number: 1, status: 'running', epoch: 9, startedAt: TEST_AT, endedAt: null },
          ...{ mode: 'fresh', sandbox: 'none', approvals: [], session, resumedFrom: null },
          ...{ inputCheckpoint: testCommit('0'), checks: [], artifacts: [], gates: [] },
        },
      ],
    });
  });

  test('[AT1] a step that runs is not started again', () => {
    const running = given(E.begun(ONE), E.running('a'));
    expect(running.when(C.start('a')).thenRefused('StepNotReady').status).toBe('running');
  });

  test('[AT1] the approvals it was given are used up by it', () => {
    const state = given(granted)
      .when(C.start('a', { verdict: ASK }))
      .thenEvents(E.attemptStarted('a', 1, { verdict: ASK, approvals: ['apr_1'] }));
    expect(state.approvals.get('apr_1')?.usedBy).toBe(1);
    expect(state.steps.get('a')).toMatchObject({ granted: [], verdict: ASK });
  });

  test('[AT1] approvals are used up even if the policy has come to allow the step', () => {
    given(granted)
      .when(C.start('a'))
      .thenEvents(E.attemptStarted('a', 1, { approvals: ['apr_1'] }));
  });

  const changed = {
    cause: 'subject_changed',
    reason: 'what would run has changed since it was evaluated',
    automatic: true,
  } as const;

  test('[EV7] another digest: pending again, and the approval is stale', () => {
    const state = given(granted)
      .when(C.start('a', { subjectDigest: 'digest-2', verdict: ASK }))
      .thenEvents(E.resolved('apr_1', 'stale', changed.reason), E.requeued('a', changed));
    expect(state.steps.get('a')).toMatchObject({ status: 'pending', granted: [], next: 'restore' });
  });

  test('[EV7] another workspace: pending again', () => {
    ready.when(C.start('a', { checkpoint: 'commit-9' })).thenEvents(E.requeued('a', changed));
  });

  test('[EV7] denied meanwhile: pending again', () => {
    ready.when(C.start('a', { verdict: DENY })).thenEvents(
      E.requeued('a', {
        cause: 'verdict_changed',
        reason: 'the policy now denies this step',
        automatic: true,
      }),
    );
  });

  const missing = {
    cause: 'approval_stale',
    reason: 'the policy asks for an approval that is not there',
    automatic: true,
  } as const;

  test('[EV7] an approval is asked for that nobody gave: pending again', () => {
    ready.when(C.start('a', { verdict: ASK })).thenEvents(E.requeued('a', missing));
  });

  test.each([
    ['another policy', testVerdict('requires_approval', {}, 'policy-2')],
    ['more people', testVerdict('requires_approval', { count: 2 })],
  ])('[EV7] the approval is not good for %s: pending again', (_what, verdict) => {
    given(granted)
      .when(C.start('a', { verdict }))
      .thenEvents(E.resolved('apr_1', 'stale', missing.reason), E.requeued('a', missing));
  });

  test('[EV7] an approval that exists but was not what made the step ready does not start it', () => {
    const unused = [
      ...granted,
      E.attemptStarted('a', 1, { verdict: ASK, approvals: ['apr_1'] }),
      E.neverStarted('a', 1),
      E.readied('a'),
    ];
    given(unused)
      .when(C.start('a', { verdict: ASK }))
      .thenEvents(E.requeued('a', missing));
  });

  test('[EV7] a step that was to continue still is', () => {
    const continued = [
      ...[E.begun(ONE), E.running('a'), E.interrupted('a', 1)].flat(),
      E.requeued('a', { cause: 'resume', mode: 'continue' }),
      E.readied('a'),
    ];
    given(continued)
      .when(C.start('a', { subjectDigest: 'digest-2' }))
      .thenEvents(E.requeued('a', { ...changed, mode: 'continue' }));
  });
});

describe('runs that are over', () => {
  test('[RS7] a run that succeeded takes no more commands', () => {
    const over = given(E.begun(TWO), E.done('a'), E.done('b'), E.ended('succeeded'));
    expect(over.when(C.evaluate('a')).thenRefused('RunOver').status).toBe('succeeded');
    over.when(C.start('a')).thenRefused('RunOver');
    over.when(C.retry()).thenRefused('NothingToRetry');
    over.when(C.resume()).thenRefused('NothingToResume');
    over.when(C.tick()).thenEvents();
  });

  test('[RS7] a run that failed goes on by a retry', () => {
    const failed = given(E.begun(ONE), E.running('a'), E.failed('a', 1), E.ended('failed'));
    failed.when(C.evaluate('a')).thenRefused('RunOver');
    failed.when(C.tick()).thenEvents();
    const state = failed.when(C.retry(), RITA).thenEvents(E.requeued('a'));
    expect([runStatus(state), state.endedAt]).toEqual(['running', null]);
  });

  test('[RS6] after a failure that stops the run, nothing begins, not even what was under way', () => {
    const steps = [testCommand('a'), testReader('b'), testReader('c'), testReader('d')];
    const happened = (onFailure: 'stop' | 'continue') =>
      given(
        E.begun(testPlan(steps, { onFailure })),
        ...[E.running('a'), E.readied('b'), E.running('c'), E.failed('a', 1)],
      );
    const stopping = happened('stop');
    stopping.when(C.start('b')).thenRefused('StepNotReady');
    stopping.when(C.evaluate('d')).thenRefused('StepNotReady');
    stopping.when(C.end('c', 1, SUCCEEDED)).thenEvents(E.succeeded('c', 1), E.ended('failed'));
    const going = happened('continue');
    going.when(C.start('b')).thenEvents(E.attemptStarted('b', 1));
    going.when(C.end('c', 1, SUCCEEDED)).thenEvents(E.succeeded('c', 1));
  });

  test('[RS2] a run whose steps can go no further has failed, and those that wait for them stay pending', () => {
    const state = given(E.begun(TWO), E.running('a'))
      .when(C.end('a', 1, FAILED))
      .thenEvents(E.failed('a', 1), E.ended('failed'));
    expect(state.steps.get('b')?.status).toBe('pending');
  });
});

describe('refusals', () => {
  test('[DE1] each has one sentence of its own', () => {
    const sentences = Object.values(REFUSALS);
    expect(sentences.filter((sentence) => !/^[A-Z][^.]+\.$/.test(sentence))).toEqual([]);
    expect(new Set(sentences).size).toBe(sentences.length);
  });
});

describe('decisions', () => {
  test('[ST2] what an attempt was when it ended it stays', () => {
    const failed = given(E.begun(RETRIED), E.running('a')).when(C.end('a', 1, FAILED_RETRYABLE));
    const before = failed.state.steps.get('a')?.attempts[0];
    const again = failed.and().when(C.start('a'), undefined, TEST_NOW_MS + 10);
    expect(again.state.steps.get('a')?.attempts).toEqual([
      before,
      expect.objectContaining({ number: 2, status: 'running' }),
    ]);
  });

  test('[DE1] a refusal leaves the run as it was, and an answer leaves its input alone', () => {
    const { state } = given(E.begun(TWO));
    const before = structuredClone({ ...state, steps: [...(state?.steps.values() ?? [])] });
    givenState(state).when(C.start('a')).thenRefused('StepNotReady');
    givenState(state).when(C.evaluate('a')).thenEvents(E.readied('a'));
    expect({ ...state, steps: [...(state?.steps.values() ?? [])] }).toEqual(before);
  });

  test('[DE3] events carry the time and the actor of the command', () => {
    const context = { at: '2026-05-05T05:05:05.000Z', nowMs: 5, actor: RITA };
    const { state } = given(E.begun(ONE));
    const decided = decide('run_1', state, C.cancel(), context);
    expect(decided.ok && decided.value.events.map(({ at, actor }) => [at, actor.id])).toEqual([
      [context.at, 'rita'],
      [context.at, 'engine'],
    ]);
  });
});

describe('what goes along with an event', () => {
  const gate = testPlan([testApproval('a')]);

  test('[AP31] a question of the plan says to whom it is handed on, where it is', () => {
    const escalation = { atMs: 700, roles: ['lead'], people: [] };
    given(E.begun(gate))
      .when(C.evaluate('a', toGate({}, { verdict: ASK, escalation })))
      .thenEvents(E.asked('a', { kind: 'gate', escalation }));
    given(E.begun(gate))
      .when(C.evaluate('a', toGate({}, { verdict: ASK })))
      .thenEvents(E.asked('a', { kind: 'gate' }));
  });

  test('[AP10] the proof that came with a decision', () => {
    const evidence = { kind: 'totp' } as never;
    const { events } = given(E.begun(gate), E.asked('a', { kind: 'gate' })).when(
      C.approve('apr_1', { evidence }),
      ANN,
    );
    expect(events[0]?.data).toMatchObject({ evidence });
    const none = given(E.begun(gate), E.asked('a', { kind: 'gate' })).when(C.approve('apr_1'), ANN);
    expect(Object.keys(none.events[0]?.data ?? {})).not.toContain('evidence');
  });

  test('[AT1] what an interrupted attempt had printed and used', () => {
    const output = { bytes: 3, sha256: 'x', redactions: 0 } as never;
    const usage = { inputTokens: 1, outputTokens: 2, usd: 0.5 } as never;
    const run = given(E.begun(testPlan([testCommand('a')])), E.running('a'));
    run
      .when(C.end('a', 1, { ...GONE, exitCode: 7, output, usage } as never))
      .thenEvents(E.interrupted('a', 1, 'its host is gone', { exitCode: 7, output, usage }));
    run.when(C.end('a', 1, GONE)).thenEvents(E.interrupted('a', 1));
  });

  test('[AP38] every name of those who may not decide any more', () => {
    const requires = { ...ASK.requires, count: 2 };
    const verdict = testVerdict('requires_approval', { count: 2 });
    const ready = given(
      ...[E.begun(testPlan([testCommand('a')])), E.asked('a', { requires })],
      ...[E.decided('apr_1', ANN), E.decided('apr_1', BOB)],
      E.resolved('apr_1', 'approved', 'enough people have approved'),
      E.readied('a', { verdict, approvals: ['apr_1'] }),
    );
    const { events } = ready.when(C.start('a', { verdict, revoked: ['ann', 'bob'] }));
    expect(events[0]).toMatchObject({ data: { detail: 'ann, bob may not decide any more' } });
  });

  test('[RC3] a retry of the whole run names what is tried again only by name', () => {
    const plan = testPlan([testCommand('a'), testReader('b'), testReader('c', { needs: ['a'] })]);
    const stopped = given(E.begun(plan), E.running('a'), E.interrupted('a', 1), E.done('b'));
    expect(stopped.when(C.retry(), RITA).thenRefused('NothingToRetry').interrupted).toEqual(['a']);
    expect(stopped.when(C.retry('b'), RITA).thenRefused('NothingToRetry').interrupted).toEqual([]);
    const canceled = given(E.begun(plan), E.running('a'), E.cancelRequested());
    expect(canceled.when(C.retry(), RITA).thenRefused('NothingToRetry').interrupted).toEqual([]);
  });

  test('[AP10] a form is that of the question, and of no other request', () => {
    const start = given(E.begun(testPlan([testCommand('a')])), E.asked('a'));
    const refusal = start.when(C.approve('apr_1', { form: { x: 'y' } }), ANN);
    expect(refusal.thenRefused('FormInvalid').detail).toBe('there is no field x');
    const inOrder = {
      requires: { ...ASK.requires, count: 2, roles: ['lead', 'qa'], inOrder: true },
    };
    const asked = given(E.begun(gate), E.asked('a', { kind: 'gate', ...inOrder }));
    const early = asked.when(C.approve('apr_1', { roles: ['qa'] }), ANN);
    expect(JSON.stringify(early.thenRefused('NotAllowedToDecide'))).toContain(
      'somebody with the role lead',
    );
    const either = { requires: { ...ASK.requires, roles: ['lead', 'qa'], people: ['bob'] } };
    const none = given(E.begun(gate), E.asked('a', { kind: 'gate', ...either })).when(
      C.approve('apr_1'),
      ANN,
    );
    expect(none.thenRefused('NotAllowedToDecide').detail).toContain(
      'this needs bob or role lead or role qa',
    );
  });
});

describe('each refusal', () => {
  test('[DE1] has a sentence of its own', () => {
    const sentences = Object.values(REFUSALS);
    expect(sentences.length).toBeGreaterThan(20);
    for (const sentence of sentences) expect(sentence).toMatch(/^[A-Z].*\.$/);
    expect(new Set(sentences).size).toBe(sentences.length);
  });
});
