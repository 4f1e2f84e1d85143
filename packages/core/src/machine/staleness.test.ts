import { describe, expect, test } from 'vitest';

import type { JsonObject } from '../base/json.ts';
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
  BOB,
  COMMANDS as C,
  EVENTS as E,
  FAILED_RETRYABLE,
  RITA,
  TEST_ENGINE,
  gateRaised,
  testCommit,
  testContext,
  testFailure,
  testVerdict,
  toGate,
  toStart,
} from '../testing/run-fixtures.ts';
import { given } from '../testing/scenario.ts';
import type { Given } from '../testing/scenario.ts';
import { effectsOf } from '../schedule/effects.ts';
import { decide } from './decide.ts';
import type { RunEvent } from './events.ts';
import { changedFields } from './staleness.ts';
import type { RunState } from './state.ts';

const ONE = testPlan([testCommand('a')]);
const APPROVED = E.resolved('apr_1', 'approved', 'enough people have approved');
const READY = [
  ...[E.begun(ONE), E.asked('a'), E.decided('apr_1', ANN), APPROVED],
  E.readied('a', { verdict: ASK, approvals: ['apr_1'] }),
];

describe('what was rejected', () => {
  const again = { code: 'rejected', hint: 'change what it would run, then retry the step' };
  const message = 'bob has rejected exactly this: not like this';
  const rejected = [
    ...[E.begun(ONE), E.asked('a')],
    E.decided('apr_1', BOB, { decision: 'reject', reason: 'not like this' }),
    E.resolved('apr_1', 'rejected', 'not like this'),
    E.stepFailed('a', { code: 'rejected', message: 'bob rejected it: not like this', hint: null }),
    ...[E.ended('failed'), E.requeued('a')],
  ];

  test('[AP33] is not asked again, and fails its step at once', () => {
    const state = given(rejected)
      .when(C.evaluate('a', toStart(ASK, 'digest-1', { approvalId: 'apr_2' })))
      .thenEvents(E.stepFailed('a', { ...again, message }), E.ended('failed'));
    expect(state.steps.get('a')).toMatchObject({ status: 'failed', waiting: null });
  });

  test('[AP33] may be asked once anything of it has changed', () => {
    given(rejected)
      .when(C.evaluate('a', toStart(ASK, 'digest-2', { approvalId: 'apr_2' })))
      .thenEvents(E.asked('a', { approvalId: 'apr_2', subjectDigest: 'digest-2' }));
  });

  test('[AP33] is not asked again as a gate', () => {
    const plan = testPlan([testApproval('a')]);
    const gate = [E.begun(plan), E.asked('a', { kind: 'gate' }), ...rejected.slice(2)];
    given(gate)
      .when(C.evaluate('a', toGate({}, { approvalId: 'apr_2' })))
      .thenEvents(E.stepFailed('a', { ...again, message }), E.ended('failed'));
  });
});

describe('what has changed', () => {
  const subject: JsonObject = {
    ...{ v: 1, kind: 'start', run: 'run_1', step: 'a', plan: 'sha256:p', workspace: 'commit-0' },
    ...{ policy: 'policy-1', scope: { tools: ['exec'], write: ['src/**'], network: 'none' } },
    ...{ sandbox: 'bubblewrap', program: { argv: ['npm', 'test'] }, cwd: '.', copy: [] },
    ...{ exitCodes: [0], env: { profile: 'minimal', set: {}, from: 'sha256:e' }, secrets: ['T'] },
    ...{ timeoutMs: 1000, adapter: null, prompt: 'do it', model: null },
  };
  const asked = given(E.begun(ONE), E.asked('a', { subject }), E.decided('apr_1', ANN), [
    APPROVED,
    E.readied('a', { verdict: ASK, approvals: ['apr_1'] }),
  ]);

  test.each(Object.keys(subject))('[AP34] %s refuses the start and is named', (field) => {
    for (const other of ['another', null, ['x'], { x: 1 }, undefined]) {
      const { [field]: _, ...rest } = subject;
      const now = (other === undefined ? rest : { ...rest, [field]: other }) as JsonObject;
      if (JSON.stringify(now[field]) === JSON.stringify(subject[field])) continue;
      const state = asked
        .when(C.start('a', { verdict: ASK, subject: now, subjectDigest: 'digest-2' }))
        .thenEvents(
          E.stale('apr_1', [field]),
          E.requeued('a', {
            ...{ cause: 'subject_changed', automatic: true },
            reason: 'what would run has changed since it was evaluated',
          }),
        );
      expect(state.approvals.get('apr_1')).toMatchObject({ status: 'stale', changed: [field] });
    }
  });

  test('[AP34] several fields are named, sorted, also deep inside of them', () => {
    const scope = { tools: ['exec'], write: ['src/**', 'test/**'], network: 'none' };
    const start = {
      verdict: ASK,
      subject: { ...subject, scope, cwd: 'x' },
      subjectDigest: 'other',
    };
    const { events } = asked.when(C.start('a', start));
    expect(events[0]).toMatchObject({ data: { changed: ['cwd', 'scope'] } });
  });

  test('[AP34] an approval that was not used becomes stale when something else is evaluated', () => {
    const spared = [
      ...READY,
      E.attemptStarted('a', 1, { verdict: ASK, approvals: ['apr_1'] }),
      E.neverStarted('a', 1),
    ];
    const other = toStart(ASK, 'digest-2', { approvalId: 'apr_2' });
    given(spared)
      .when(C.evaluate('a', other))
      .thenEvents(
        E.stale('apr_1', ['what']),
        E.asked('a', { approvalId: 'apr_2', subjectDigest: 'digest-2' }),
      );
    const policy = testVerdict('requires_approval', {}, 'policy-2');
    const { events } = given(spared).when(
      C.evaluate('a', toStart(policy, 'digest-1', { approvalId: 'apr_2' })),
    );
    expect(events[0]).toMatchObject({ data: { approvalId: 'apr_1', changed: ['policy'] } });
  });

  test('[AP37] an approval that was not used in time starts nothing', () => {
    const late = given(
      ...[E.begun(ONE), E.asked('a', { expiresAtMs: 500 }), E.decided('apr_1', ANN), APPROVED],
      E.readied('a', { verdict: ASK, approvals: ['apr_1'] }),
    );
    late
      .when(C.start('a', { verdict: ASK }), TEST_ENGINE, 499)
      .thenEvents(E.attemptStarted('a', 1, { verdict: ASK, approvals: ['apr_1'] }));
    const reason = 'it was approved, and not used before its time was up';
    late
      .when(C.start('a', { verdict: ASK }), TEST_ENGINE, 500)
      .thenEvents(
        E.resolved('apr_1', 'stale', reason),
        E.requeued('a', { cause: 'approval_stale', automatic: true, reason }),
      );
  });
});

describe('people who may not decide any more', () => {
  test('[AP38] start nothing', () => {
    const reason = 'ann may not decide any more';
    given(READY)
      .when(C.start('a', { verdict: ASK, revoked: ['ann'] }))
      .thenEvents(
        E.resolved('apr_1', 'stale', reason),
        E.requeued('a', { cause: 'approval_stale', automatic: true, reason }),
      );
    expect(given(READY).when(C.start('a', { verdict: ASK, revoked: ['bob'] })).events).toHaveLength(
      1,
    );
  });

  test('[AP38] do not count beside others', () => {
    const requires = { ...ASK.requires, count: 2 };
    const run = given(E.begun(ONE), E.asked('a', { requires }), E.decided('apr_1', ANN));
    const first = run.when(C.approve('apr_1', { revoked: ['ann'] }), BOB);
    expect(first.thenEvents(E.decided('apr_1', BOB)).approvals.get('apr_1')?.status).toBe('open');
    expect(first.and().when(C.approve('apr_1', { revoked: ['ann'] }), RITA).events).toHaveLength(3);
  });
});

describe('a workspace that a step has changed', () => {
  const plan = testPlan([
    testCommand('write'),
    testValidation('check'),
    testApproval('review', { needs: ['check'] }),
    testReader('look'),
  ]);
  const commit = testCommit('write');
  const fresh = (given_: Given): RunState =>
    given_.when(C.end('write', 1, { outcome: 'succeeded', ...success })).state;
  const success = {
    ...{ exitCode: 0, checkpoint: commit, outputs: {}, output: null, usage: null },
    ...{ checks: [], artifacts: [], changedPaths: 1 },
  };

  test('[AP35] makes what people were asked before stale, and asks anew', () => {
    const open = given(
      ...[E.begun(plan), E.done('check'), E.asked('review', { kind: 'gate' }), E.running('write')],
      E.asked('look', { approvalId: 'apr_2' }),
    );
    const state = fresh(open);
    for (const id of ['apr_1', 'apr_2']) {
      expect(state.approvals.get(id)).toMatchObject({ status: 'stale', changed: ['workspace'] });
    }
    expect(state.steps.get('review')?.status).toBe('pending');
    expect(state.steps.get('look')?.status).toBe('pending');
  });

  test('[AP35] leaves questions about tools alone', () => {
    const state = fresh(given(E.begun(plan), E.running('write'), E.running('look')));
    expect([...state.approvals.values()]).toEqual([]);
  });

  test('[AP36] makes the validations that a gate rests on look again before it opens', () => {
    const moved = [E.begun(plan), E.done('check'), E.running('write')];
    const evaluate = C.evaluate('review', toGate({}, { verdict: ASK }));
    const run = given(...moved, E.succeeded('write', 1, { checkpoint: commit }));
    const reason = 'the workspace has changed since it looked';
    const again = run
      .when(evaluate)
      .thenEvents(
        E.invalidated('check', { cause: 'check', reason }),
        E.requeued('check', { cause: 'invalidated', mode: 'continue', automatic: true }),
      );
    expect(again.steps.get('review')?.status).toBe('pending');
    expect(again.approvals.size).toBe(0);
    const looked = [
      E.readied('check'),
      E.attemptStarted('check', 2, { inputCheckpoint: commit }),
      E.succeeded('check', 2, { checkpoint: commit }),
    ];
    given(
      ...[...moved, E.succeeded('write', 1, { checkpoint: commit })],
      ...[E.invalidated('check', { cause: 'check', reason })],
      ...[E.requeued('check', { cause: 'invalidated', mode: 'continue', automatic: true }), looked],
    )
      .when(evaluate)
      .thenEvents(E.asked('review', { kind: 'gate' }));
  });

  test('[AP36] makes those look again that a start rests on when people are asked about it', () => {
    const start = testPlan([
      testCommand('write'),
      testValidation('check'),
      testReader('ship', { needs: ['check'] }),
    ]);
    const told = [E.begun(start), E.done('check'), E.running('write')];
    const run = given(...told, E.succeeded('write', 1, { checkpoint: commit }));
    expect(run.when(C.evaluate('ship', toStart(ASK))).events[0]?.type).toBe('StepInvalidated');
    run.when(C.evaluate('ship', toStart(ALLOW))).thenEvents(E.readied('ship'));
  });

  test('[AP36] lets what built on it before stay, and holds what was about to begin', () => {
    const wide = testPlan([
      testValidation('check'),
      testCommand('write', { needs: ['check'] }),
      testReader('next', { needs: ['check'] }),
      testApproval('review', { needs: ['check', 'write'] }),
    ]);
    const told = [E.begun(wide), E.done('check'), E.running('write'), E.readied('next')];
    const state = given(...told, E.succeeded('write', 1, { checkpoint: commit })).when(
      C.evaluate('review', toGate()),
    ).state;
    const statuses = ['check', 'write', 'next', 'review'].map((id) => state.steps.get(id)?.status);
    expect(statuses).toEqual(['pending', 'succeeded', 'pending', 'pending']);
  });

  test('[AP40] lets what is at work end, but try again only once they have looked', () => {
    const plan = testPlan([
      testValidation('check'),
      testCommand('write', { needs: ['check'] }),
      testReader('next', { needs: ['check'], retry: { attempts: 2, backoffMs: 10 } }),
      testApproval('review', { needs: ['check', 'write'] }),
    ]);
    const told = [E.begun(plan), E.done('check'), E.running('write'), E.running('next')];
    const { state } = given(...told, E.succeeded('write', 1, { checkpoint: commit })).when(
      C.evaluate('review', toGate()),
    );
    const ended = decide('run_1', state, C.end('next', 1, FAILED_RETRYABLE), testContext(ANN));
    expect(ended).toMatchObject({
      ok: true,
      value: {
        events: [
          { type: 'AttemptRetrying' },
          { type: 'StepRequeued', data: { step: 'next', cause: 'invalidated', automatic: true } },
        ],
      },
    });
    if (!ended.ok) return;
    const next = effectsOf(ended.value.state, 1_000_000).filter(
      (effect) => 'step' in effect && effect.step === 'next',
    );
    expect(next).toEqual([]);
  });
});

describe('what was rejected, and what only looks like it', () => {
  const no = E.decided('apr_1', BOB, { decision: 'reject', reason: 'not like this' });
  const rejected = (asked: Parameters<typeof E.asked>[1], step = 'a'): readonly RunEvent[] => [
    E.asked(step, asked),
    no,
    E.resolved('apr_1', 'rejected', 'not like this'),
  ];
  const two = testPlan([testAgent('a'), testCommand('b')]);
  const evaluate = C.evaluate('a', toStart(ASK, 'digest-1', { approvalId: 'apr_2' }));

  test('[AP33] a rejection of another step, of a tool or of an override is none of this start', () => {
    given(E.begun(two), rejected({}, 'b'), E.requeued('b'))
      .when(evaluate)
      .thenEvents(E.asked('a', { approvalId: 'apr_2' }));
    given(...[E.begun(two), E.denied('a'), rejected({ kind: 'override' }), E.requeued('a')])
      .when(evaluate)
      .thenEvents(E.asked('a', { approvalId: 'apr_2' }));
    const raised = E.reported('a', 1, [gateRaised(1, 'g1')]);
    given(
      ...[E.begun(two), E.running('a'), raised, rejected({ kind: 'tool', gateId: 'g1' })],
      ...[E.interrupted('a', 1), E.requeued('a')],
    )
      .when(evaluate)
      .thenEvents(E.asked('a', { approvalId: 'apr_2' }));
  });

  test('[AP33] names who rejected it, also where others had approved', () => {
    const asked = E.asked('a', { requires: { ...ASK.requires, count: 2 } });
    const failed = E.stepFailed('a', testFailure('rejected'));
    const { events } = given(
      ...[E.begun(two), asked, E.decided('apr_1', ANN), no],
      ...[E.resolved('apr_1', 'rejected', 'not like this'), failed, E.requeued('a')],
    ).when(evaluate);
    expect(events[0]).toMatchObject({
      data: { failure: { message: 'bob has rejected exactly this: not like this' } },
    });
  });

  test('[AP34] says all that has changed', () => {
    const subject = { a: 1, b: [1, { x: null }], c: { d: 'x' }, e: null };
    const same: JsonObject = { e: null, c: { d: 'x' }, b: [1, { x: null }], a: 1 };
    expect(changedFields(subject, same)).toEqual([]);
    const others: readonly (readonly [JsonObject, readonly string[]])[] = [
      [{ ...subject, a: '1' }, ['a']],
      [{ ...subject, b: { 0: 1, 1: { x: null } } }, ['b']],
      [{ ...subject, b: [1, { x: 0 }] }, ['b']],
      [{ ...subject, b: [1] }, ['b']],
      [{ ...subject, c: 'x' }, ['c']],
      [{ ...subject, c: {} }, ['c']],
      [{ ...subject, c: null, a: null }, ['a', 'c']],
      [{ ...subject, e: {} }, ['e']],
      [{ a: 1, b: [1, { x: null }], c: { d: 'x' } }, ['e']],
      [{ ...subject, f: false, d: 0 }, ['d', 'f']],
    ];
    for (const [after, changed] of others) {
      expect(changedFields(subject, after)).toEqual(changed);
      expect(changedFields(after, subject)).toEqual(changed);
    }
    const asked = given(E.begun(ONE), E.asked('a', { subject }), E.decided('apr_1', ANN), [
      APPROVED,
      E.readied('a', { verdict: ASK, approvals: ['apr_1'] }),
    ]);
    const start = { verdict: ASK, subject: { ...subject, a: 2, c: {} }, subjectDigest: 'other' };
    expect(asked.when(C.start('a', start)).events[0]).toMatchObject({
      data: { detail: 'it has changed since it was asked: a, c' },
    });
  });

  test('[AP34] says "subject" where only the digest tells that it has changed', () => {
    const spared = [
      ...[...READY, E.attemptStarted('a', 1, { verdict: ASK, approvals: ['apr_1'] })],
      E.neverStarted('a', 1),
    ];
    const subject = { what: 'digest-1' };
    const other = toStart(ASK, 'digest-2', { approvalId: 'apr_2', subject });
    const { events } = given(spared).when(C.evaluate('a', other));
    expect(events[0]).toMatchObject({ data: { approvalId: 'apr_1', changed: ['subject'] } });
  });

  test('[AP34] leaves alone what was used, is of another step, or is no approval of a start', () => {
    const used = given(
      ...[READY, E.attemptStarted('a', 1, { verdict: ASK, approvals: ['apr_1'] })],
      ...[E.interrupted('a', 1), E.requeued('a')],
    );
    used
      .when(C.evaluate('a', toStart(ASK, 'digest-2', { approvalId: 'apr_2' })))
      .thenEvents(E.asked('a', { approvalId: 'apr_2', subjectDigest: 'digest-2' }));
    const wide = testPlan([testReader('a'), testReader('b')]);
    const beside = given(
      ...[E.begun(wide), E.asked('b'), E.decided('apr_1', ANN), APPROVED],
      E.readied('b', { verdict: ASK, approvals: ['apr_1'] }),
    );
    beside
      .when(C.evaluate('a', toStart(ASK, 'digest-2', { approvalId: 'apr_2' })))
      .thenEvents(E.asked('a', { approvalId: 'apr_2', subjectDigest: 'digest-2' }));
  });
});

describe('requests that a workspace has passed by', () => {
  const plan = testPlan([testCommand('write'), testAgent('talk', { writes: false } as never)]);
  const commit = testCommit('write');
  const end = C.end('write', 1, {
    ...{ outcome: 'succeeded', exitCode: 0, checkpoint: commit, outputs: {}, output: null },
    ...{ usage: null, checks: [], artifacts: [], changedPaths: 1 },
  });

  test('[AP35] are asked anew for that reason, and those about tools and overrides are not', () => {
    const wide = testPlan([testCommand('write'), testReader('look'), testReader('late')]);
    const { events } = given(
      ...[E.begun(wide), E.running('write'), E.asked('look'), E.denied('late')],
      E.asked('late', { approvalId: 'apr_o', kind: 'override' }),
    ).when(end);
    expect(events).toContainEqual(
      expect.objectContaining({
        type: 'StepRequeued',
        data: {
          ...{ step: 'look', cause: 'subject_changed', mode: 'restore', automatic: true },
          reason: 'the workspace has changed since people were asked',
        },
      }),
    );
    const stale = events.filter(
      ({ type, data }) => type === 'ApprovalResolved' && 'changed' in data,
    );
    expect(stale.map(({ data }) => 'approvalId' in data && data.approvalId)).toEqual(['apr_1']);
    const raised = E.reported('talk', 1, [gateRaised(1, 'g1')]);
    const state = given(
      ...[E.begun(plan), E.running('write'), E.running('talk'), raised],
      E.asked('talk', { kind: 'tool', gateId: 'g1', approvalId: 'apr_tool' }),
    ).when(end).state;
    expect(state.approvals.get('apr_tool')?.status).toBe('open');
  });

  test('[AP36] says why those that were about to begin wait again', () => {
    const wide = testPlan([
      ...[testValidation('check'), testCommand('write', { needs: ['check'] })],
      testReader('next', { needs: ['check'] }),
      testApproval('review', { needs: ['check', 'write'] }),
    ]);
    const { events } = given(
      ...[E.begun(wide), E.done('check'), E.running('write')],
      ...[E.asked('next'), E.decided('apr_1', ANN), APPROVED],
      E.readied('next', { verdict: ASK, approvals: ['apr_1'] }),
      E.succeeded('write', 1, { checkpoint: commit }),
    ).when(C.evaluate('review', toGate({}, { approvalId: 'apr_2' })));
    expect(events.slice(0, 2).map(({ type, data }) => [type, data])).toEqual([
      ['ApprovalResolved', { approvalId: 'apr_1', status: 'stale', detail: 'check runs again' }],
      [
        'StepRequeued',
        {
          ...{ step: 'next', cause: 'invalidated', mode: 'restore', automatic: true },
          reason: 'check runs again',
        },
      ],
    ]);
  });

  test('[AP36] lets a gate open that rests on a step which wrote, and on checks not yet there', () => {
    const wide = testPlan([
      ...[testCommand('first'), testCommand('write', { needs: ['first'] })],
      testApproval('review', { needs: ['first', 'write'] }),
    ]);
    given(
      ...[E.begun(wide), E.done('first'), E.running('write')],
      E.succeeded('write', 1, { checkpoint: commit }),
    )
      .when(C.evaluate('review', toGate({}, { verdict: ASK })))
      .thenEvents(E.asked('review', { kind: 'gate' }));
    const skipped = testPlan([
      ...[testValidation('check'), testCommand('write')],
      testApproval('review', { needs: ['check', 'write'] }),
    ]);
    given(
      ...[E.begun(skipped), E.skipped('check'), E.running('write')],
      E.succeeded('write', 1, { checkpoint: commit }),
    )
      .when(C.evaluate('review', toGate({}, { verdict: ASK })))
      .thenEvents(E.asked('review', { kind: 'gate' }));
  });
});
