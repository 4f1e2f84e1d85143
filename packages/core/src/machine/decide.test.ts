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
  FAILED,
  FAILED_RETRYABLE,
  GONE,
  NEVER_STARTED,
  RITA,
  STOPPED,
  SUCCEEDED,
  TEST_AT,
  TEST_EPOCH,
  TEST_NOW_MS,
  gateAnswered,
  gateRaised,
  testCommit,
  testEnd,
  testEvent,
  testFailure,
  testSuccess,
  testToken,
  testVerdict,
  toGate,
  toStart,
} from '../testing/run-fixtures.ts';
import { given, givenState } from '../testing/scenario.ts';
import { decide } from './decide.ts';
import { runStatus } from './status.ts';

const ONE = testPlan([testCommand('a')]);
const TWO = testPlan([testCommand('a'), testReader('b', { needs: ['a'] })]);
const RETRIED = testPlan([testCommand('a', { retry: { attempts: 3, backoffMs: 10 } })]);
const AGENT = testPlan([testAgent('a')]);

describe('creation and start', () => {
  test('[DE5] a run begins with its creation', () => {
    const state = given().when(C.create(ONE), RITA).thenEvents(E.created(ONE));
    expect(state).toMatchObject({ runId: 'run_1', requester: RITA, createdAt: TEST_AT });
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
      ...{ gateId: null, decisions: [], usedBy: null, detail: null },
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
          inputCheckpoint: testCommit('0'),
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

describe('what a live attempt reports', () => {
  const running = given(E.begun(AGENT), E.running('a'));
  const other = TEST_EPOCH + 1;

  test.each([
    ['an end of another epoch', C.end('a', 1, SUCCEEDED, other)],
    ['an end of another attempt', C.end('a', 2, SUCCEEDED)],
    ['a report of another epoch', C.report('a', 1, [gateRaised(1, 'g1')], other)],
    ['a question of another epoch', C.decideGate('a', 1, 'g1', ALLOW, { epoch: other })],
  ])('[AT2] %s is fenced', (_what, command) => {
    const attempt = 'attempt' in command ? command.attempt : 0;
    const refusal = { type: 'AttemptFenced', step: 'a', attempt };
    expect(running.when(command).thenRefused('AttemptFenced')).toEqual(refusal);
  });

  test('[AT2] an end that comes twice is fenced the second time', () => {
    const ended = running.when(C.end('a', 1, GONE)).and();
    ended.when(C.end('a', 1, GONE)).thenRefused('AttemptFenced');
    ended.when(C.report('a', 1, [gateRaised(1, 'g1')])).thenRefused('AttemptFenced');
  });

  test('[AT3] facts are recorded once', () => {
    const first = running.when(C.report('a', 1, [gateRaised(1, 'g1'), gateRaised(2, 'g2')]));
    first.thenEvents(E.reported('a', 1, [gateRaised(1, 'g1'), gateRaised(2, 'g2')]));
    expect(first.events[0]?.actor).toEqual({ kind: 'agent', id: 'a#1' });
    first
      .and()
      .when(C.report('a', 1, [gateRaised(2, 'g2'), gateRaised(3, 'g3')]))
      .thenEvents(E.reported('a', 1, [gateRaised(3, 'g3')]));
    first
      .and()
      .when(C.report('a', 1, [gateRaised(2, 'g2')]))
      .thenEvents();
    running.when(C.report('a', 1, [])).thenEvents();
  });

  test('[AT8] what its facts say of it', () => {
    const at = TEST_AT;
    const usage = { inputTokens: 3, outputTokens: 4, cachedTokens: null, usd: 0.5 };
    const message = { type: 'message', text: 'hello', agentPath: [], at } as const;
    const call = { callId: 'c', tool: 'exec', name: 'Bash', title: 'make', agentPath: [] };
    const state = running.when(
      C.report('a', 1, [
        { seq: 1, type: 'message', text: 'too early', checkpoint: 'm0', agentPath: [], at },
        { seq: 2, type: 'session', token: testToken('s1', 'm1'), model: null, at },
        { seq: 3, ...message, checkpoint: null },
        { seq: 4, type: 'tool-started', ...call, input: null, at },
        { seq: 5, type: 'usage', usage, at },
        { seq: 6, ...message, checkpoint: 'm2' },
        { seq: 7, type: 'notice', level: 'info', text: 'slow', at },
      ]),
    ).state;
    expect(state.steps.get('a')?.attempts[0]).toMatchObject({
      ...{ session: testToken('s1', 'm2'), usage, toolCalls: 1, reportedSeq: 7, gates: [] },
    });
    const ended = givenState(state).when(C.end('a', 1, FAILED)).state;
    expect(ended.steps.get('a')?.attempts[0]?.usage).toEqual(usage);
    const better = { ...usage, usd: 0.7 };
    const worse = { outcome: 'failed', retryable: false, ...testEnd(), usage: better } as const;
    const told = givenState(state).when(C.end('a', 1, worse));
    expect(told.state.steps.get('a')?.attempts[0]?.usage).toEqual(better);
    const won = givenState(state).when(C.end('a', 1, { ...testSuccess(), outcome: 'succeeded' }));
    expect(won.state.steps.get('a')?.attempts[0]?.usage).toEqual(usage);
    const success = { ...testSuccess(), outcome: 'succeeded', usage: better } as const;
    const known = givenState(state).when(C.end('a', 1, success));
    expect(known.state.steps.get('a')?.attempts[0]?.usage).toEqual(better);
  });
});

describe('tool calls', () => {
  const raised = [E.begun(AGENT), E.running('a'), E.reported('a', 1, [gateRaised(1, 'g1')])];
  const putToPeople = E.asked('a', {
    ...{ approvalId: 'apr_tool', kind: 'tool', subjectDigest: 'digest-tool', gateId: 'g1' },
  });
  const withdrawn = (detail: string) => E.resolved('apr_tool', 'withdrawn', detail);

  test.each([
    ['allow', ALLOW],
    ['deny', DENY],
  ] as const)('[AT9] the policy answers %s', (decision, verdict) => {
    const when = given(raised).when(C.decideGate('a', 1, 'g1', verdict));
    const reason = `the rule says ${decision}`;
    const state = when.thenEvents(
      E.toolDecided('a', 'g1', decision, { reason, verdict, approvalId: null }),
    );
    expect(when.events[0]?.actor).toEqual({ kind: 'policy', id: 'policy-1' });
    expect(state.steps.get('a')).toMatchObject({
      status: 'running',
      attempts: [{ gates: [{ gateId: 'g1', status: 'decided', decision, reason }] }],
    });
    given(raised, when.events)
      .when(C.decideGate('a', 1, 'g1', ALLOW))
      .thenRefused('GateNotOpen');
  });

  test('[AT9] every rule that decided is given as the reason', () => {
    const why = [...ALLOW.why, ...DENY.why];
    const when = given(raised).when(C.decideGate('a', 1, 'g1', { ...DENY, why }));
    expect(when.events[0]?.data).toMatchObject({
      reason: 'the rule says allow; the rule says deny',
    });
  });

  test('[AT9] people are asked while the step runs on', () => {
    const state = given(raised)
      .when(C.decideGate('a', 1, 'g1', ASK))
      .thenEvents(putToPeople);
    expect(state.steps.get('a')).toMatchObject({
      ...{ status: 'running', waiting: null, attempts: [{ gates: [{ status: 'asked' }] }] },
    });
    givenState(state)
      .when(C.decideGate('a', 1, 'g1', ASK))
      .thenRefused('GateNotOpen');
  });

  test('[AT10] a call that does not wait is not decided', () => {
    const refusal = { type: 'GateNotOpen', step: 'a', gateId: 'g2' };
    const when = given(raised).when(C.decideGate('a', 1, 'g2', ALLOW));
    expect(when.thenRefused('GateNotOpen')).toEqual(refusal);
  });

  test('[AT10] a call of an attempt that is to stop is not decided', () => {
    given(raised, E.cancelRequested())
      .when(C.decideGate('a', 1, 'g1', ASK))
      .thenRefused('GateNotOpen');
    given(raised, E.invalidated('a'))
      .when(C.decideGate('a', 1, 'g1', ALLOW))
      .thenRefused('GateNotOpen');
  });

  test('[AT10] a call that was answered otherwise is no longer put to people', () => {
    given(raised, E.reported('a', 1, [gateRaised(2, 'g2')]), putToPeople)
      .when(C.report('a', 1, [gateAnswered(3, 'g2')]))
      .thenEvents(E.reported('a', 1, [gateAnswered(3, 'g2')]));
    const state = given(raised, putToPeople)
      .when(C.report('a', 1, [gateAnswered(2, 'g1', 'deny')]))
      .thenEvents(
        E.reported('a', 1, [gateAnswered(2, 'g1', 'deny')]),
        withdrawn('the tool call was answered without a decision'),
      );
    expect(state.steps.get('a')?.attempts[0]?.gates[0]?.status).toBe('answered');
  });

  test('[AT10] the end of the attempt withdraws its questions, and no other request', () => {
    const plan = testPlan([testAgent('a'), testApproval('b'), testAgent('c')]);
    const others = [
      E.asked('b', { kind: 'gate', approvalId: 'apr_b' }),
      ...E.running('c'),
      E.reported('c', 1, [gateRaised(1, 'g1')]),
      E.asked('c', { kind: 'tool', approvalId: 'apr_c', gateId: 'g1' }),
    ];
    given(E.begun(plan), E.running('a'), raised.slice(-1), putToPeople, others)
      .when(C.end('a', 1, FAILED))
      .thenEvents(withdrawn('the attempt that asked has ended'), E.failed('a', 1));
  });
});

describe('ends of attempts', () => {
  test('[AT4] a good end, with which the run has succeeded', () => {
    const checkpoint = testCommit('1');
    const said = { checkpoint, outputs: { version: '2' }, exitCode: 0 };
    const state = given(E.begun(ONE), E.running('a'))
      .when(C.end('a', 1, { outcome: 'succeeded', ...testSuccess(), ...said }))
      .thenEvents(E.succeeded('a', 1, said), E.ended('succeeded'));
    const attempt = { status: 'succeeded', endedAt: TEST_AT, checkpoint, exitCode: 0 };
    expect(state).toMatchObject({ ended: 'succeeded', endedAt: TEST_AT, checkpoint });
    expect(state.steps.get('a')).toMatchObject({
      ...{ status: 'succeeded', outputs: said.outputs, checkpoint, failure: null, tries: 0 },
      attempts: [attempt],
    });
  });

  test('[AT4] what only reads does not put the run back to an older checkpoint', () => {
    const plan = testPlan([testCommand('a'), testReader('b'), testValidation('c'), testAgent('d')]);
    const moved = [
      ...[E.begun(plan), E.running('a'), E.running('b'), E.running('c')].flat(),
      E.succeeded('a', 1, { checkpoint: testCommit('1') }),
    ];
    const state = given(moved)
      .when(C.end('b', 1, SUCCEEDED))
      .and()
      .when(C.end('c', 1, SUCCEEDED));
    expect(state.state.checkpoint).toEqual(testCommit('1'));
    expect(state.state.steps.get('b')?.checkpoint).toEqual(testCommit('0'));
  });

  test('[AT5] a bad end that may be retried waits longer each time, and not for ever', () => {
    let run = given(E.begun(RETRIED), E.running('a'));
    run = run.when(C.end('a', 1, FAILED_RETRYABLE)).and();
    expect(run.state?.steps.get('a')).toMatchObject({
      ...{ status: 'ready', notBeforeMs: TEST_NOW_MS + 10, tries: 1, failure: testFailure() },
      attempts: [{ status: 'failed', failure: testFailure(), exitCode: 1 }],
    });
    run = run.when(C.start('a'), undefined, TEST_NOW_MS + 10).and();
    expect(run.state?.steps.get('a')).toMatchObject({ notBeforeMs: null, failure: null });
    run.when(C.end('a', 2, FAILED_RETRYABLE)).thenEvents(E.retrying('a', 2, TEST_NOW_MS + 20));
    run = run.when(C.end('a', 2, FAILED_RETRYABLE)).and();
    run = run.when(C.start('a'), undefined, TEST_NOW_MS + 20).and();
    run.when(C.end('a', 3, FAILED_RETRYABLE)).thenEvents(E.failed('a', 3), E.ended('failed'));
  });

  test('[AT5] a bad end that may not be retried fails the step', () => {
    const state = given(E.begun(RETRIED), E.running('a'))
      .when(C.end('a', 1, FAILED))
      .thenEvents(E.failed('a', 1), E.ended('failed'));
    expect(state.steps.get('a')).toMatchObject({ status: 'failed', failure: testFailure() });
  });

  test('[AT5] a validation is not retried by itself', () => {
    given(E.begun(testPlan([testValidation('a')])), E.running('a'))
      .when(C.end('a', 1, FAILED_RETRYABLE))
      .thenEvents(E.failed('a', 1), E.ended('failed'));
  });

  test('[AT5] the retry of an attempt that went on with interrupted work begins from the checkpoint', () => {
    const continued = [
      ...[E.begun(RETRIED), E.running('a'), E.interrupted('a', 1)].flat(),
      E.requeued('a', { cause: 'resume', mode: 'continue' }),
      ...[E.readied('a'), E.attemptStarted('a', 2, { mode: 'continue', resumedFrom: 1 })],
    ];
    const retrying = given(continued)
      .when(C.end('a', 2, FAILED_RETRYABLE))
      .and();
    retrying.when(C.start('a'), undefined, TEST_NOW_MS + 10).thenEvents(E.attemptStarted('a', 3));
  });

  test.each([
    ['its host is gone', GONE, 'its host is gone'],
    ['it stopped unasked', STOPPED, 'it ended with stopped'],
  ])('[AT6] %s: interrupted', (_what, end, detail) => {
    const state = given(E.begun(ONE), E.running('a'))
      .when(C.end('a', 1, end))
      .thenEvents(E.interrupted('a', 1, detail));
    const failure = { code: 'interrupted', message: detail, hint: null };
    expect(state.steps.get('a')).toMatchObject({ status: 'interrupted', failure, tries: 0 });
    expect(runStatus(state)).toBe('blocked');
  });

  test('[AT7] never begun: its approvals start the next attempt', () => {
    const used = [
      ...[E.begun(ONE), E.asked('a'), E.decided('apr_1', ANN)].flat(),
      E.resolved('apr_1', 'approved', 'enough people have approved'),
      E.readied('a', { verdict: ASK, approvals: ['apr_1'] }),
      E.attemptStarted('a', 1, { verdict: ASK, approvals: ['apr_1'] }),
    ];
    const never = given(used).when(C.end('a', 1, NEVER_STARTED));
    const state = never.thenEvents(E.neverStarted('a', 1));
    expect(state.approvals.get('apr_1')?.usedBy).toBeNull();
    expect(state.steps.get('a')).toMatchObject({
      ...{ status: 'pending', failure: null, attempts: [{ status: 'never-started' }] },
    });
    never
      .and()
      .when(C.evaluate('a', toStart(ASK, 'digest-1', { approvalId: 'apr_2' })))
      .thenEvents(E.readied('a', { verdict: ASK, approvals: ['apr_1'] }));
    never
      .and()
      .when(C.evaluate('a', toStart(ASK, 'digest-2', { approvalId: 'apr_2' })))
      .thenEvents(E.asked('a', { approvalId: 'apr_2', subjectDigest: 'digest-2' }));
  });
});

describe('cancel', () => {
  const running = [E.begun(TWO), E.running('a')];

  test('[CA1] live attempts end first', () => {
    const when = given(running).when(C.cancel(), RITA);
    const state = when.thenEvents(E.cancelRequested());
    expect(state.cancelRequest).toEqual({ reason: 'enough', by: RITA });
    expect([runStatus(state), state.ended]).toEqual(['running', null]);
    when
      .and()
      .when(C.end('a', 1, STOPPED))
      .thenEvents(E.canceled('a', 1), E.runCanceled());
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
