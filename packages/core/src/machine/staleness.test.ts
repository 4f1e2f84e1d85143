import { describe, expect, test } from 'vitest';

import type { JsonObject } from '../base/json.ts';
import {
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
  RITA,
  TEST_ENGINE,
  testCommit,
  testVerdict,
  toGate,
  toStart,
} from '../testing/run-fixtures.ts';
import { given } from '../testing/scenario.ts';
import type { Given } from '../testing/scenario.ts';
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
});
