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
  STOPPED,
  SUCCEEDED,
  TEST_AT,
  TEST_EPOCH,
  TEST_NOW_MS,
  gateAnswered,
  gateRaised,
  testCommit,
  testEnd,
  testFailure,
  testSuccess,
  testToken,
  toStart,
} from '../testing/run-fixtures.ts';
import { given, givenState } from '../testing/scenario.ts';
import type { Given } from '../testing/scenario.ts';
import { runStatus } from './status.ts';

const ONE = testPlan([testCommand('a')]);
const RETRIED = testPlan([testCommand('a', { retry: { attempts: 3, backoffMs: 10 } })]);
const AGENT = testPlan([testAgent('a')]);

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

  test('[AT3] facts that repeat or go back within one report are dropped', () => {
    const facts = [2, 1, 2, 3].map((seq) => gateRaised(seq, `g${seq}`));
    running
      .when(C.report('a', 1, facts))
      .thenEvents(E.reported('a', 1, [gateRaised(2, 'g2'), gateRaised(3, 'g3')]));
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
        { seq: 8, ...message, checkpoint: null },
      ]),
    ).state;
    expect(state.steps.get('a')?.attempts[0]).toMatchObject({
      ...{ session: testToken('s1', 'm2'), usage, toolCalls: 1, reportedSeq: 8, gates: [] },
    });
    const early = { seq: 1, ...message, checkpoint: 'm0' };
    const first = running.when(C.report('a', 1, [early])).state;
    expect(first.steps.get('a')?.attempts[0]?.session).toBeNull();
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

  test('[AT9] each call has its own answer', () => {
    const two = [E.begun(AGENT), E.running('a')];
    const both = E.reported('a', 1, [gateRaised(1, 'g1'), gateRaised(2, 'g2')]);
    const decided = given(two, both)
      .when(C.decideGate('a', 1, 'g2', ALLOW))
      .and();
    const statuses = (run: Given) =>
      run.state?.steps.get('a')?.attempts[0]?.gates.map(({ status }) => status);
    expect(statuses(decided)).toEqual(['raised', 'decided']);
    const answered = decided.when(C.report('a', 1, [gateAnswered(3, 'g2')])).and();
    expect(statuses(answered)).toEqual(['raised', 'answered']);
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

  test('[CH2] a clock that is set back makes a back-off no longer than the plan says', () => {
    const waits = given(E.begun(RETRIED), E.running('a'))
      .when(C.end('a', 1, FAILED_RETRYABLE))
      .and();
    const within = TEST_NOW_MS + 1;
    waits.when(C.start('a'), undefined, within).thenRefused('StepNotReady');
    waits
      .when(C.start('a'), undefined, TEST_NOW_MS - 3_600_000)
      .thenEvents(E.attemptStarted('a', 2));
  });

  test('[AT5] an agent is retried like a command', () => {
    const agent = testAgent('a', { retry: { attempts: 2, backoffMs: 10 } });
    const state = given(E.begun(testPlan([agent])), E.running('a'))
      .when(C.end('a', 1, FAILED_RETRYABLE))
      .thenEvents(E.retrying('a', 1, TEST_NOW_MS + 10));
    expect(state.steps.get('a')?.next).toBe('restore');
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
    ['its host is gone', GONE, 'its host is gone', {}],
    ['it stopped unasked', STOPPED, 'it ended with stopped', { exitCode: 1 }],
  ])('[AT6] [EN26] %s: interrupted, with what is known', (_what, end, detail, known) => {
    const state = given(E.begun(ONE), E.running('a'))
      .when(C.end('a', 1, end))
      .thenEvents(E.interrupted('a', 1, detail, known));
    const failure = { code: 'interrupted', message: detail, hint: null };
    const attempts = [{ exitCode: null, ...known }];
    expect(state.steps.get('a')).toMatchObject({
      ...{ status: 'interrupted', failure, tries: 0, attempts },
    });
    expect(runStatus(state)).toBe('blocked');
  });

  test('[AT7] never begun, and to run anew: what an attempt before it left is given up too', () => {
    const plan = testPlan([testCommand('a'), testCommand('b', { needs: ['a'] })], {
      concurrency: 1,
    });
    const again = { cause: 'resume', mode: 'continue' } as const;
    const state = given(
      ...[E.begun(plan), E.done('a'), E.running('b'), E.interrupted('b', 1)],
      ...[E.requeued('b', again), E.readied('b')],
      E.attemptStarted('b', 2, { mode: 'continue', resumedFrom: 1 }),
    )
      .when(C.restart('a'))
      .and()
      .when(C.end('b', 2, NEVER_STARTED))
      .and().state;
    // Else it held the workspace for ever, which the step that it needs has to have first.
    expect(state?.steps.get('b')).toMatchObject({ status: 'pending', next: 'restore' });
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
      .thenEvents(
        E.stale('apr_1', ['what']),
        E.asked('a', { approvalId: 'apr_2', subjectDigest: 'digest-2' }),
      );
  });
});
