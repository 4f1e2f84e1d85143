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
  ANN,
  BOB,
  COMMANDS as C,
  EVENTS as E,
  FAILED,
  GONE,
  NEVER_STARTED,
  RITA,
  STOPPED,
  SUCCEEDED,
  gateRaised,
  testCommit,
  testFailure,
  testSuccess,
} from '../testing/run-fixtures.ts';
import { given } from '../testing/scenario.ts';
import { MAX_AUTOMATIC_RESUMES } from './decide.ts';
import { runStatus } from './status.ts';

const ONE = testPlan([testCommand('a')]);
const INTERRUPTED = [E.running('a'), E.interrupted('a', 1)];
const RESUMED = E.requeued('a', { cause: 'resume', mode: 'continue' });

describe('resume', () => {
  test('[RC1] an interrupted step continues from the attempt that was interrupted', () => {
    const resumed = given(E.begun(ONE), INTERRUPTED).when(C.resume(), RITA);
    const state = resumed.thenEvents(RESUMED);
    expect(state.steps.get('a')).toMatchObject({
      status: 'pending',
      next: 'continue',
      failure: null,
    });
    given(E.begun(ONE), INTERRUPTED, RESUMED, E.readied('a'))
      .when(C.start('a'))
      .thenEvents(E.attemptStarted('a', 2, { mode: 'continue', resumedFrom: 1 }));
  });

  test('[RC1] one that never began is not what it continues from', () => {
    const never = [E.readied('a'), E.attemptStarted('a', 2), E.neverStarted('a', 2)];
    given(E.begun(ONE), INTERRUPTED, RESUMED, never, E.readied('a'))
      .when(C.start('a'))
      .thenEvents(E.attemptStarted('a', 3, { mode: 'continue', resumedFrom: 1 }));
  });

  test('[RC1] all interrupted steps, or the one that is named', () => {
    const plan = testPlan([
      testReader('a'),
      testReader('b', { onInterrupt: 'retry' }),
      testReader('c'),
    ]);
    const both = given(
      ...[E.begun(plan), E.running('a'), E.running('b'), E.running('c'), E.interrupted('a', 1)],
      E.interrupted('b', 1),
    );
    const restored = E.requeued('b', { cause: 'resume', mode: 'restore' });
    both.when(C.resume(), RITA).thenEvents(RESUMED, restored);
    both.when(C.resume('b'), RITA).thenEvents(restored);
    const why = { type: 'ResumeRun', step: 'a', reason: 'the host is back' } as const;
    both
      .when(why)
      .thenEvents(
        E.requeued('a', { cause: 'resume', mode: 'continue', reason: 'the host is back' }),
      );
  });

  test('[RC1] a validation continues, as it has nothing to go back to', () => {
    const plan = testPlan([testValidation('a')]);
    given(E.begun(plan), INTERRUPTED).when(C.resume('a'), RITA).thenEvents(RESUMED);
  });

  test('[AG96] one that could not go on for a want outside is resumed like it, but nothing else that is blocked', () => {
    const blocked = E.blocked('a');
    given(E.begun(ONE), INTERRUPTED, RESUMED, blocked).when(C.resume(), RITA).thenEvents(RESUMED);
    given(E.begun(ONE), blocked).when(C.resume('a')).thenRefused('NothingToResume');
    const restored = E.requeued('a', { cause: 'retry', mode: 'restore' });
    given(E.begun(ONE), INTERRUPTED, restored, blocked)
      .when(C.resume())
      .thenRefused('NothingToResume');
  });

  test('[RC4] nothing is resumed that is not interrupted', () => {
    const run = given(E.begun(ONE), E.running('a'));
    const refusal = { type: 'NothingToResume', runId: 'run_1', status: 'running' };
    expect(run.when(C.resume()).thenRefused('NothingToResume')).toEqual(refusal);
    run.when(C.resume('a')).thenRefused('NothingToResume');
  });
});

describe('retry', () => {
  const plan = testPlan([
    testCommand('a'),
    testReader('b'),
    testReader('c'),
    testReader('d'),
    testReader('e'),
    testReader('f'),
  ]);
  const mixed = [
    ...[E.begun(plan), E.running('a'), E.failed('a', 1), E.denied('b'), E.blocked('c')],
    ...[E.asked('d'), E.running('e'), E.interrupted('e', 1), E.readied('f')],
  ];

  test('[RC2] what failed or waits for a repair is tried again, what is interrupted is not', () => {
    const state = given(mixed)
      .when(C.retry(), RITA)
      .thenEvents(E.requeued('a'), E.requeued('b'), E.requeued('c'));
    expect(state.steps.get('c')).toMatchObject({ status: 'pending', waiting: null, failure: null });
  });

  test('[RC2] a step that is named, interrupted ones too', () => {
    given(mixed).when(C.retry('c'), RITA).thenEvents(E.requeued('c'));
    given(mixed).when(C.retry('e'), RITA).thenEvents(E.requeued('e'));
    const why = { type: 'RetryRun', step: 'e', reason: 'try anew' } as const;
    given(mixed)
      .when(why)
      .thenEvents(E.requeued('e', { reason: 'try anew' }));
  });

  test('[RC2] it begins from the checkpoint', () => {
    given(E.begun(ONE), INTERRUPTED, E.requeued('a'), E.readied('a'))
      .when(C.start('a'))
      .thenEvents(E.attemptStarted('a', 2));
  });

  test.each(['d', 'f'])('[RC4] %s, which waits for people or a slot, is not', (step) => {
    const refusal = { type: 'NothingToRetry', runId: 'run_1', status: 'running', interrupted: [] };
    expect(given(mixed).when(C.retry(step)).thenRefused('NothingToRetry')).toEqual(refusal);
  });

  test('[RC4] nothing is retried where nothing failed', () => {
    const refusal = given(E.begun(ONE), INTERRUPTED).when(C.retry()).thenRefused('NothingToRetry');
    expect([refusal.status, refusal.interrupted]).toEqual(['blocked', ['a']]);
  });

  test('[RC3] tries and automatic resumes are given back, and a failed run goes on', () => {
    const twice = testPlan([
      testCommand('a', { retry: { attempts: 2, backoffMs: 1 }, onInterrupt: 'retry' }),
    ]);
    const spent = [
      ...[E.begun(twice), INTERRUPTED, E.requeued('a', { automatic: true }), E.readied('a')],
      ...[E.attemptStarted('a', 2), E.retrying('a', 2, 1001), E.attemptStarted('a', 3)],
      ...[E.failed('a', 3), E.ended('failed')],
    ];
    const before = given(spent);
    expect(before.state?.steps.get('a')).toMatchObject({ tries: 2, automaticResumes: 1 });
    const after = before.when(C.retry(), RITA);
    const state = after.thenEvents(E.requeued('a'));
    expect(state.steps.get('a')).toMatchObject({ tries: 0, automaticResumes: 0 });
    expect([state.ended, state.endedAt, runStatus(state)]).toEqual([null, null, 'running']);
    after.and().when(C.start('a')).thenRefused('StepNotReady');
  });
});

describe('going on without a person', () => {
  test.each([
    ['resume', 'continue'],
    ['retry', 'restore'],
  ] as const)('[RC5] onInterrupt: %s', (onInterrupt, mode) => {
    const plan = testPlan([testCommand('a', { onInterrupt })]);
    const by = { cause: onInterrupt, mode, reason: 'onInterrupt', automatic: true } as const;
    const state = given(E.begun(plan), E.running('a'))
      .when(C.end('a', 1, GONE))
      .thenEvents(E.interrupted('a', 1), E.requeued('a', by));
    expect(state.steps.get('a')?.automaticResumes).toBe(1);
  });

  test('[RC5] a validation always begins anew', () => {
    const by = { cause: 'retry', reason: 'onInterrupt', automatic: true } as const;
    given(E.begun(testPlan([testValidation('a')])), E.running('a'))
      .when(C.end('a', 1, GONE))
      .thenEvents(E.interrupted('a', 1), E.requeued('a', by));
  });

  test('[RC5] not more often than is allowed, until a person sets it going', () => {
    let run = given(E.begun(testPlan([testAgent('a', { onInterrupt: 'resume' })])));
    const interrupt = (attempt: number): void => {
      run = run.when(C.evaluate('a')).and().when(C.start('a')).and();
      run = run.when(C.end('a', attempt, GONE)).and();
    };
    for (let attempt = 1; attempt <= MAX_AUTOMATIC_RESUMES; attempt += 1) {
      interrupt(attempt);
      expect(run.state?.steps.get('a')?.status).toBe('pending');
    }
    interrupt(MAX_AUTOMATIC_RESUMES + 1);
    expect(run.state?.steps.get('a')?.status).toBe('interrupted');
    run = run.when(C.resume(), RITA).and();
    interrupt(MAX_AUTOMATIC_RESUMES + 2);
    expect(run.state?.steps.get('a')?.status).toBe('pending');
  });

  test('[RC5] a requeue for another reason is no resume', () => {
    const changed = { cause: 'subject_changed', automatic: true } as const;
    const { state } = given(E.begun(ONE), E.readied('a'), E.requeued('a', changed));
    expect(state?.steps.get('a')).toMatchObject({ automaticResumes: 0, tries: 0 });
  });
});

describe('a gate that sends work back', () => {
  const plan = testPlan([
    testCommand('build'),
    testReader('other'),
    testReader('check', { needs: ['build'] }),
    testApproval('review', { needs: ['check'], onReject: { restart: 'build', max: 1 } }),
    testCommand('side', { needs: ['build'] }),
    testReader('last', { needs: ['review'] }),
  ]);
  const reason = 'bob rejected it: not like this';
  const back = (step: string, gate = false) =>
    E.invalidated(step, { cause: 'build', reason, gate });
  const again = (step: string, mode: 'continue' | 'restore' = 'continue') =>
    E.requeued(step, { cause: 'invalidated', mode, automatic: true });
  const reviewed = [
    ...[E.begun(plan), E.done('build'), E.done('other'), E.done('check')],
    E.asked('review', { kind: 'gate' }),
  ];
  const decision = [
    E.decided('apr_1', BOB, { decision: 'reject', reason: 'not like this' }),
    E.resolved('apr_1', 'rejected', 'not like this'),
  ];

  test('[RC6] what depends on it runs again, and it is told why', () => {
    const state = given(reviewed)
      .when(C.reject('apr_1'), BOB)
      .thenEvents(
        ...[...decision, back('build'), back('check'), back('review', true)],
        ...[again('build'), again('check'), again('review')],
      );
    expect(state.steps.get('build')).toMatchObject({
      ...{ status: 'pending', outputs: null, feedback: [reason], rejections: 0, next: 'continue' },
    });
    expect(state.steps.get('review')).toMatchObject({ feedback: [], rejections: 1, waiting: null });
    expect(state.steps.get('other')?.status).toBe('succeeded');
  });

  test('[RC6] an approval that a step has yet to use is good for nothing any more', () => {
    const plan = testPlan([
      testCommand('a'),
      testCommand('risky', { needs: ['a'] }),
      testApproval('b', { needs: ['a'], onReject: { restart: 'a', max: 1 } }),
    ]);
    const state = given(
      ...[E.begun(plan), E.running('a')].flat(),
      ...[E.succeeded('a', 1), E.asked('risky', { approvalId: 'apr_2' })],
      E.decided('apr_2', BOB),
      E.resolved('apr_2', 'approved', 'enough people have approved'),
      E.readied('risky', { approvals: ['apr_2'] }),
      E.attemptStarted('risky', 1, { approvals: ['apr_2'] }),
      ...[E.neverStarted('risky', 1), E.asked('b', { kind: 'gate' })],
    ).when(C.reject('apr_1'), BOB).state;
    expect(state.steps.get('risky')?.status).toBe('pending');
    expect(state.approvals.get('apr_2')).toMatchObject({ status: 'stale', usedBy: null });
  });

  test('[RC6] it gets its tries back', () => {
    const twice = testPlan([
      testCommand('a', { retry: { attempts: 2, backoffMs: 1 } }),
      testApproval('b', { needs: ['a'], onReject: { restart: 'a', max: 1 } }),
    ]);
    const state = given(
      ...[E.begun(twice), E.running('a'), E.retrying('a', 1, 5), E.attemptStarted('a', 2)],
      ...[E.succeeded('a', 2), E.asked('b', { kind: 'gate' })],
    ).when(C.reject('apr_1'), BOB).state;
    expect(state.steps.get('a')?.tries).toBe(0);
  });

  test('[RC6] the reason is told until the step has succeeded', () => {
    const sent = given(reviewed).when(C.reject('apr_1'), BOB).and();
    const done = sent
      .when(C.evaluate('build'))
      .and()
      .when(C.start('build'))
      .and()
      .when(C.end('build', 2, SUCCEEDED)).state;
    expect(done.steps.get('build')?.feedback).toEqual([]);
  });

  test('[RC8] a step that had succeeded continues its session', () => {
    const sent = given(reviewed).when(C.reject('apr_1'), BOB).and();
    sent
      .when(C.evaluate('build'))
      .and()
      .when(C.start('build'))
      .thenEvents(E.attemptStarted('build', 2, { mode: 'continue', resumedFrom: 1 }));
  });

  test('[RC6] after so many times a rejection fails the gate', () => {
    const told = [
      ...[...reviewed, decision, back('build'), back('check'), back('review', true)],
      ...[again('build'), again('check'), again('review'), E.readied('build')],
      ...[E.attemptStarted('build', 2), E.succeeded('build', 2), E.readied('check')],
      ...[E.attemptStarted('check', 2), E.succeeded('check', 2)],
      E.asked('review', { kind: 'gate', approvalId: 'apr_2' }),
    ];
    given(told)
      .when(C.reject('apr_2'), BOB)
      .thenEvents(
        E.decided('apr_2', BOB, { decision: 'reject', reason: 'not like this' }),
        E.resolved('apr_2', 'rejected', 'not like this'),
        E.stepFailed('review', { code: 'rejected', message: reason, hint: null }),
      );
  });

  test('[RC6] a gate without it fails', () => {
    const plain = testPlan([testCommand('a'), testApproval('b', { needs: ['a'] })]);
    const { events } = given(E.begun(plain), E.done('a'), E.asked('b', { kind: 'gate' })).when(
      C.reject('apr_1'),
      BOB,
    );
    expect(events.map(({ type }) => type).slice(2)).toEqual(['StepFailed', 'RunEnded']);
  });

  test('[RC7] requests that are open, and approvals that are not used, fall', () => {
    const open = E.asked('side', { approvalId: 'apr_s' });
    given(reviewed, open)
      .when(C.reject('apr_1'), BOB)
      .thenEvents(
        ...[...decision, back('build'), back('check'), back('review', true)],
        E.resolved('apr_s', 'stale', 'build runs again'),
        ...[back('side'), again('build'), again('check'), again('review'), again('side')],
      );
    const unused = [
      ...[open, E.decided('apr_s', ANN), E.resolved('apr_s', 'approved', 'x')],
      E.readied('side', { approvals: ['apr_s'] }),
    ];
    const state = given(reviewed, unused).when(C.reject('apr_1'), BOB).state;
    expect(state.approvals.get('apr_s')).toMatchObject({
      status: 'stale',
      detail: 'build runs again',
    });
    expect(state.steps.get('side')?.granted).toEqual([]);
  });

  test('[RC7] a request that was decided stays as it was decided, and a step that failed runs again', () => {
    const asked = E.asked('side', { approvalId: 'apr_s' });
    const told = [
      asked,
      E.resolved('apr_s', 'rejected', 'no'),
      E.stepFailed('side', testFailure()),
    ];
    const state = given(reviewed, told).when(C.reject('apr_1'), BOB).state;
    expect(state.approvals.get('apr_s')).toMatchObject({ status: 'rejected', detail: 'no' });
    expect(state.steps.get('side')).toMatchObject({ status: 'pending', failure: null });
  });

  test('[RC7] approvals that were used, and gates that passed, stay as they are', () => {
    const two = testPlan([
      testCommand('a'),
      testApproval('b', { needs: ['a'] }),
      testApproval('c', { needs: ['b'], onReject: { restart: 'a', max: 1 } }),
    ]);
    const used = { approvals: ['apr_a'] };
    const state = given(
      ...[E.begun(two), E.asked('a', { approvalId: 'apr_a' }), E.decided('apr_a', ANN)],
      ...[
        E.resolved('apr_a', 'approved', 'x'),
        E.readied('a', used),
        E.attemptStarted('a', 1, used),
      ],
      ...[E.succeeded('a', 1), E.asked('b', { kind: 'gate', approvalId: 'apr_b' })],
      ...[E.decided('apr_b', ANN), E.resolved('apr_b', 'approved', 'x')],
      ...[E.gatePassed('b', { approvalId: 'apr_b' }), E.asked('c', { kind: 'gate' })],
    ).when(C.reject('apr_1'), BOB).state;
    expect([...state.approvals.values()].map(({ id, status }) => [id, status])).toEqual([
      ['apr_a', 'approved'],
      ['apr_b', 'approved'],
      ['apr_1', 'rejected'],
    ]);
  });

  test('[RC7] a live attempt is stopped first, and counts for nothing, however it ends', () => {
    const side = [E.running('side'), E.reported('side', 1, [gateRaised(1, 'g1')])];
    const tool = E.asked('side', { approvalId: 'apr_t', kind: 'tool', gateId: 'g1' });
    const live = given(reviewed, side, tool).when(C.reject('apr_1'), BOB);
    const state = live.thenEvents(
      ...[...decision, back('build'), back('check'), back('review', true)],
      E.resolved('apr_t', 'stale', 'build runs again'),
      ...[back('side'), again('build'), again('check'), again('review')],
    );
    expect(state.steps.get('side')).toMatchObject({ status: 'running', invalidated: true });
    const checkpoint = testCommit('9');
    const won = live
      .and()
      .when(C.end('side', 1, { outcome: 'succeeded', ...testSuccess(checkpoint) }));
    const ended = won.thenEvents(
      E.superseded('side', 1, {
        failure: { code: 'superseded', message: 'it ended well, too late to count', hint: null },
        ...{ exitCode: 0, setAside: checkpoint },
      }),
      again('side'),
    );
    expect(ended.checkpoint).toEqual(testCommit('0'));
    expect(ended.steps.get('side')).toMatchObject({
      ...{ status: 'pending', invalidated: false, outputs: null },
      attempts: [{ status: 'superseded', setAside: checkpoint }],
    });
    live
      .and()
      .when(C.end('side', 1, STOPPED))
      .thenEvents(E.superseded('side', 1), again('side'));
    const gone = {
      failure: { code: 'superseded', message: 'its host is gone', hint: null },
      exitCode: null,
    };
    live
      .and()
      .when(C.end('side', 1, GONE))
      .thenEvents(E.superseded('side', 1, gone), again('side'));
    const failed = { failure: testFailure() };
    live
      .and()
      .when(C.end('side', 1, FAILED))
      .thenEvents(E.superseded('side', 1, failed), again('side'));
  });

  test('[RC7] an attempt that never began gives its approvals back to nobody', () => {
    const approved = { approvals: ['apr_s'] };
    const side = [
      ...[E.asked('side', { approvalId: 'apr_s' }), E.decided('apr_s', ANN)],
      ...[E.resolved('apr_s', 'approved', 'x'), E.readied('side', approved)],
      E.attemptStarted('side', 1, approved),
    ];
    const live = given(reviewed, side).when(C.reject('apr_1'), BOB).and();
    const state = live
      .when(C.end('side', 1, NEVER_STARTED))
      .thenEvents(
        E.neverStarted('side', 1),
        E.resolved('apr_s', 'stale', 'a step it depends on runs again'),
      );
    expect(state.steps.get('side')).toMatchObject({ status: 'pending', invalidated: false });
  });

  test('[RC8] a step that was interrupted begins anew', () => {
    const side = [E.running('side'), E.interrupted('side', 1)];
    given(reviewed, side)
      .when(C.reject('apr_1'), BOB)
      .thenEvents(
        ...[...decision, back('build'), back('check'), back('review', true), back('side')],
        ...[again('build'), again('check'), again('review'), again('side', 'restore')],
      );
  });

  test('[RC8] so does one that was about to go on', () => {
    const side = [E.running('side'), E.interrupted('side', 1)];
    const resumed = E.requeued('side', { cause: 'resume', mode: 'continue' });
    const { events } = given(reviewed, side, resumed).when(C.reject('apr_1'), BOB);
    expect(events).toContainEqual(expect.objectContaining({ data: again('side', 'restore').data }));
  });

  test('[RC6] what was skipped is looked at again', () => {
    const skipping = testPlan([
      testCommand('a', { when: 'false' }),
      testReader('b', { needs: ['a'], when: 'true' }),
      testApproval('c', { needs: ['b'], onReject: { restart: 'a', max: 1 } }),
    ]);
    const state = given(
      E.begun(skipping),
      E.skipped('a'),
      E.done('b'),
      E.asked('c', { kind: 'gate' }),
    ).when(C.reject('apr_1'), BOB).state;
    expect(state.steps.get('a')).toMatchObject({ status: 'pending', skipped: null });
  });
});
