import { describe, expect, test } from 'vitest';

import { testAgent, testApproval, testCommand, testPlan } from '../testing/plan-fixtures.ts';
import {
  ANN,
  ANYBODY,
  ASK,
  BOB,
  COMMANDS as C,
  EVENTS as E,
  RITA,
  TEST_AT,
  TEST_ENGINE,
  gateRaised,
  testVerdict,
  toStart,
} from '../testing/run-fixtures.ts';
import { given } from '../testing/scenario.ts';
import type { Given } from '../testing/scenario.ts';
import type { Actor, ApprovalRequirement } from './events.ts';
import type { RunCommand } from './commands.ts';
import { effectsOf } from '../schedule/effects.ts';

const ONE = testPlan([testCommand('a')]);
const APPROVED = E.resolved('apr_1', 'approved', 'enough people have approved');
const rejected = (who = 'bob') => E.resolved('apr_1', 'rejected', who && 'not like this');

function asked(
  requires: Partial<ApprovalRequirement> = {},
  expiresAtMs: number | null = null,
): Given {
  return given(E.begun(ONE), E.asked('a', { requires: { ...ANYBODY, ...requires }, expiresAtMs }));
}

function gate(rest: Parameters<typeof testApproval>[1] = {}): Given {
  const plan = testPlan([testApproval('a', rest)]);
  return given(E.begun(plan), E.asked('a', { kind: 'gate' }));
}

const TOOL = [
  E.begun(testPlan([testAgent('a')])),
  E.running('a'),
  E.reported('a', 1, [gateRaised(1, 'g1')]),
  E.asked('a', { approvalId: 'apr_tool', kind: 'tool', gateId: 'g1' }),
];

describe('who decides', () => {
  const refused = (run: Given, actor: Actor, command: RunCommand = C.approve('apr_1')): string =>
    run.when(command, actor).thenRefused('NotAllowedToDecide').detail;

  test.each([
    TEST_ENGINE,
    { kind: 'agent', id: 'ann' },
    { kind: 'policy', id: 'policy-1' },
  ] as const)('[AP1] $kind does not', (actor) => {
    expect(refused(asked(), actor)).toBe('only a person decides');
    expect(refused(asked(), actor, C.reject('apr_1'))).toBe('only a person decides');
    expect(refused(asked({ people: ['ann'] }), actor)).toBe('only a person decides');
  });

  test('[AP2] anybody, where nobody is named', () => {
    asked()
      .when(C.approve('apr_1'), RITA)
      .thenEvents(
        E.decided('apr_1', RITA, { selfApproved: true }),
        APPROVED,
        E.readied('a', { verdict: ASK, approvals: ['apr_1'] }),
      );
  });

  test('[AP2] the people named, and those with one of the roles', () => {
    const run = asked({ people: ['ann'], roles: ['admin', 'approver'] });
    expect(run.when(C.approve('apr_1'), ANN).events).toHaveLength(3);
    expect(
      run.when(C.approve('apr_1', { roles: ['viewer', 'approver'] }), BOB).events,
    ).toHaveLength(3);
    const wanted = 'this needs ann or role admin or role approver';
    expect(refused(run, BOB)).toBe(wanted);
    expect(refused(run, BOB, C.approve('apr_1', { roles: ['viewer'] }))).toBe(wanted);
    expect(refused(asked({ people: ['ann'] }), BOB)).toBe('this needs ann');
    expect(refused(asked({ roles: ['admin'] }), BOB)).toBe('this needs role admin');
  });

  test('[AP2] not who asked for the run, where that is ruled out', () => {
    const run = asked({ excludeRequester: true });
    expect(run.when(C.approve('apr_1'), RITA).thenRefused('NotAllowedToDecide')).toEqual({
      ...{ type: 'NotAllowedToDecide', approvalId: 'apr_1', approver: 'rita' },
      detail: 'who asked for the run may not decide this',
    });
    expect(run.when(C.approve('apr_1'), ANN).events).toHaveLength(3);
  });

  test.each([
    ['session', 'session', true],
    ['session', 'reauth', false],
    ['session', 'passkey', false],
    ['reauth', 'reauth', true],
    ['reauth', 'passkey', false],
    ['passkey', 'reauth', true],
    ['passkey', 'passkey', true],
  ] as const)('[AP2] authenticated by %s where %s is needed: %s', (assurance, needed, may) => {
    const run = asked({ assurance: needed });
    const decision = C.approve('apr_1', { assurance });
    if (may) expect(run.when(decision, ANN).events).toHaveLength(3);
    else
      expect(refused(run, ANN, decision)).toBe(`this needs an approver authenticated by ${needed}`);
  });
});

describe('decisions', () => {
  test('[AP3] about something else than was asked are refused', () => {
    const refusal = { type: 'SubjectMoved', approvalId: 'apr_1', subjectDigest: 'digest-1' };
    const other = { subjectDigest: 'digest-2' };
    expect(asked().when(C.approve('apr_1', other), ANN).thenRefused('SubjectMoved')).toEqual(
      refusal,
    );
    asked().when(C.reject('apr_1', other), ANN).thenRefused('SubjectMoved');
  });

  test('[AP4] count once for each person', () => {
    const first = asked({ count: 2 }).when(C.approve('apr_1'), ANN);
    const state = first.thenEvents(E.decided('apr_1', ANN));
    expect(state.approvals.get('apr_1')?.status).toBe('open');
    expect(first.and().when(C.approve('apr_1'), ANN).thenRefused('AlreadyDecided')).toEqual({
      ...{ type: 'AlreadyDecided', approvalId: 'apr_1', approver: 'ann' },
    });
    first.and().when(C.reject('apr_1'), ANN).thenRefused('AlreadyDecided');
    const verdict = testVerdict('requires_approval', { count: 2 });
    first
      .and()
      .when(C.approve('apr_1'), BOB)
      .thenEvents(
        E.decided('apr_1', BOB),
        APPROVED,
        E.readied('a', { verdict, approvals: ['apr_1'] }),
      );
  });

  test('[AP4] only approvals count as approvals', () => {
    const told = E.decided('apr_1', BOB, { decision: 'reject', reason: 'no' });
    const requires = { ...ANYBODY, count: 2 };
    given(E.begun(ONE), E.asked('a', { requires }), told)
      .when(C.approve('apr_1'), ANN)
      .thenEvents(E.decided('apr_1', ANN));
  });

  test('[AP10] are kept whole', () => {
    const said = { roles: ['approver'], assurance: 'passkey', reason: 'looked at it' } as const;
    const state = asked({ count: 3 })
      .when(C.approve('apr_1', said), ANN)
      .and()
      .when(C.approve('apr_1'), RITA).state;
    const decision = { decision: 'approve', at: TEST_AT, subjectDigest: 'digest-1', form: {} };
    expect(state.approvals.get('apr_1')?.decisions).toEqual([
      { ...decision, ...said, approver: 'ann', selfApproved: false },
      {
        ...{ ...decision, approver: 'rita', reason: 'fine', roles: [], assurance: 'session' },
        selfApproved: true,
      },
    ]);
  });

  test('[AP11] come too late when the request is not open', () => {
    const decided = asked().when(C.approve('apr_1'), ANN).and();
    const refusal = { type: 'ApprovalNotOpen', approvalId: 'apr_1', status: 'approved' };
    expect(decided.when(C.reject('apr_1'), BOB).thenRefused('ApprovalNotOpen')).toEqual(refusal);
    const missing = asked().when(C.approve('apr_2'), ANN).thenRefused('ApprovalNotFound');
    expect(missing).toEqual({ type: 'ApprovalNotFound', approvalId: 'apr_2' });
  });
});

describe('approved', () => {
  test('[AP5] a gate succeeds, with its form as outputs', () => {
    const form = { version: '1.2', count: 3, loud: true };
    const fields = {
      version: { type: 'string', required: true },
      count: { type: 'number', required: false },
      loud: { type: 'boolean', required: false },
    } as const;
    const state = gate({ form: fields })
      .when(C.approve('apr_1', { form }), ANN)
      .thenEvents(
        E.decided('apr_1', ANN, { form }),
        APPROVED,
        E.gatePassed('a', { outputs: form }),
        E.ended('succeeded'),
      );
    expect(state.steps.get('a')).toMatchObject({
      ...{ status: 'succeeded', waiting: null, outputs: form, attempts: [] },
      checkpoint: { commit: 'commit-0' },
    });
  });

  test('[AP5] a tool call is allowed', () => {
    const state = given(TOOL)
      .when(C.approve('apr_tool'), ANN)
      .thenEvents(
        E.decided('apr_tool', ANN),
        E.resolved('apr_tool', 'approved', 'enough people have approved'),
        E.toolDecided('a', 'g1', 'allow'),
      );
    expect(state.steps.get('a')).toMatchObject({
      ...{ status: 'running', attempts: [{ gates: [{ status: 'decided', decision: 'allow' }] }] },
    });
  });

  test('[AP9] an approval is not good twice', () => {
    const used = [
      ...[E.begun(ONE), E.asked('a'), E.decided('apr_1', ANN), APPROVED],
      E.readied('a', { verdict: ASK, approvals: ['apr_1'] }),
      E.attemptStarted('a', 1, { verdict: ASK, approvals: ['apr_1'] }),
      ...[E.interrupted('a', 1), E.requeued('a')],
    ];
    given(used)
      .when(C.evaluate('a', toStart(ASK, 'digest-1', { approvalId: 'apr_2' })))
      .thenEvents(E.asked('a', { approvalId: 'apr_2' }));
  });

  const spared = [
    ...[E.begun(testPlan([testCommand('a'), testCommand('b')])), E.asked('a')],
    ...[E.decided('apr_1', ANN), APPROVED, E.readied('a', { verdict: ASK, approvals: ['apr_1'] })],
    E.attemptStarted('a', 1, { verdict: ASK, approvals: ['apr_1'] }),
    E.neverStarted('a', 1),
  ];

  test.each([
    ['another digest', toStart(ASK, 'digest-2', { approvalId: 'apr_2' }), 'a'],
    ['another step', toStart(ASK, 'digest-1', { approvalId: 'apr_2' }), 'b'],
    [
      'another policy',
      toStart(testVerdict('requires_approval', {}, 'policy-2'), 'digest-1', {
        approvalId: 'apr_2',
      }),
      'a',
    ],
    [
      'more people',
      toStart(testVerdict('requires_approval', { count: 2 }), 'digest-1', { approvalId: 'apr_2' }),
      'a',
    ],
  ])('[AP9] an approval is not good for %s', (_what, evaluation, step) => {
    const { events } = given(spared).when(C.evaluate(step, evaluation));
    expect(events.at(-1)?.type).toBe('ApprovalRequested');
  });

  test('[AP9] the approval of a tool call does not start its step', () => {
    const told = [...TOOL, E.decided('apr_tool', ANN), E.resolved('apr_tool', 'approved', 'x')];
    const again = [E.toolDecided('a', 'g1', 'allow'), E.interrupted('a', 1), E.requeued('a')];
    const { events } = given(told, again).when(C.evaluate('a', toStart(ASK)));
    expect(events.map(({ type }) => type)).toEqual(['ApprovalRequested']);
  });

  test('[AP9] one that was not used spares asking again', () => {
    given(spared)
      .when(C.evaluate('a', toStart(ASK, 'digest-1', { approvalId: 'apr_2' })))
      .thenEvents(E.readied('a', { verdict: ASK, approvals: ['apr_1'] }));
  });
});

describe('rejected', () => {
  const failure = { code: 'rejected', message: 'bob rejected it: not like this', hint: null };
  const said = { decision: 'reject', reason: 'not like this' } as const;

  test('[AP6] a step fails', () => {
    const state = asked({ count: 2 })
      .when(C.approve('apr_1'), ANN)
      .and()
      .when(C.reject('apr_1'), BOB)
      .thenEvents(
        E.decided('apr_1', BOB, said),
        rejected(),
        E.stepFailed('a', failure),
        E.ended('failed'),
      );
    expect(state.steps.get('a')).toMatchObject({ status: 'failed', waiting: null, failure });
    expect(state.approvals.get('apr_1')).toMatchObject({ status: 'rejected', detail: said.reason });
  });

  test('[AP6] a tool call is denied, and the agent goes on', () => {
    const state = given(TOOL)
      .when(C.reject('apr_tool'), BOB)
      .thenEvents(
        E.decided('apr_tool', BOB, said),
        E.resolved('apr_tool', 'rejected', said.reason),
        E.toolDecided('a', 'g1', 'deny', { reason: failure.message }),
      );
    expect(state.steps.get('a')?.status).toBe('running');
  });

  test.each(['', '  \n'])('[AP6] not without a reason (%j)', (reason) => {
    const refusal = { type: 'ReasonRequired', approvalId: 'apr_1' };
    const when = asked().when(C.reject('apr_1', { reason }), ANN);
    expect(when.thenRefused('ReasonRequired')).toEqual(refusal);
    expect(asked().when(C.approve('apr_1', { reason }), ANN).events).toHaveLength(3);
  });

  test('[AP6] a rejection needs no form', () => {
    const run = gate({ form: { version: { type: 'string', required: true } } });
    expect(run.when(C.reject('apr_1'), BOB).events).toHaveLength(4);
  });
});

describe('forms', () => {
  const form = {
    version: { type: 'string', required: true },
    count: { type: 'number', required: false },
  } as const;
  const problem = (values: Readonly<Record<string, string | number | boolean>>): string =>
    gate({ form })
      .when(C.approve('apr_1', { form: values }), ANN)
      .thenRefused('FormInvalid').detail;

  test('[AP7] are filled in as they ask', () => {
    expect(problem({})).toBe('version is required');
    expect(problem({ version: '' })).toBe('version is required');
    expect(problem({ version: 1 })).toBe('version must be a string');
    expect(problem({ version: '1', count: '2' })).toBe('count must be a number');
    expect(problem({ version: '1', extra: true })).toBe('there is no field extra');
    const optional = gate({ form }).when(
      C.approve('apr_1', { form: { version: '1', count: '' } }),
      ANN,
    );
    expect(optional.events).toHaveLength(4);
  });

  test('[AP7] belong to gates alone', () => {
    const filled = C.approve('apr_1', { form: { version: '1' } });
    expect(asked().when(filled, ANN).thenRefused('FormInvalid').approvalId).toBe('apr_1');
    const tool = C.approve('apr_tool', { form: { version: '1' } });
    given(TOOL).when(tool, ANN).thenRefused('FormInvalid');
    const kinds = testPlan([testApproval('a', { form })]);
    const start = given(E.begun(kinds), E.asked('a'));
    start.when(C.approve('apr_1', { form: { version: '1' } }), ANN).thenRefused('FormInvalid');
  });
});

describe('deadlines', () => {
  const failure = {
    code: 'expired',
    message: 'the approval request expired before enough people had decided',
    hint: 'retry the step to ask again',
  };
  const expired = (id: string) => E.resolved(id, 'expired', 'nobody decided in time');

  test('[AP8] no decision after the deadline, whether or not anybody has noticed it', () => {
    const run = asked({}, 1000);
    const late = run.when(C.approve('apr_1'), ANN, 1000).thenRefused('ApprovalNotOpen');
    expect(late.status).toBe('expired');
    expect(run.when(C.approve('apr_1'), ANN, 999).events).toHaveLength(3);
    const closed = asked({}, 1000).when(C.tick(), TEST_ENGINE, 1000).and();
    expect(closed.when(C.approve('apr_1'), ANN, 1).thenRefused('ApprovalNotOpen').status).toBe(
      'expired',
    );
  });

  test('[AP8] the step fails at the deadline, not before', () => {
    asked({}, 1000).when(C.tick(), TEST_ENGINE, 999).thenEvents();
    asked().when(C.tick(), TEST_ENGINE, 1e15).thenEvents();
    asked({}, 1000)
      .when(C.tick(), TEST_ENGINE, 1000)
      .thenEvents(expired('apr_1'), E.stepFailed('a', failure), E.ended('failed'));
  });

  test('[AP8] some approvals are not enough at the deadline', () => {
    asked({ count: 2 }, 1000)
      .when(C.approve('apr_1'), ANN, 1)
      .and()
      .when(C.tick(), TEST_ENGINE, 1000)
      .thenEvents(expired('apr_1'), E.stepFailed('a', failure), E.ended('failed'));
  });

  test('[AP8] a tool call is denied at the deadline', () => {
    const told = [
      ...TOOL.slice(0, 3),
      E.asked('a', { approvalId: 'apr_tool', kind: 'tool', gateId: 'g1', expiresAtMs: 5 }),
    ];
    given(told)
      .when(C.tick(), TEST_ENGINE, 5)
      .thenEvents(
        expired('apr_tool'),
        E.toolDecided('a', 'g1', 'deny', { reason: failure.message }),
      );
  });

  test('[AP8] what was decided in time does not expire', () => {
    asked({}, 1000)
      .when(C.approve('apr_1'), ANN, 1)
      .and()
      .when(C.tick(), TEST_ENGINE, 2000)
      .thenEvents();
  });

  test('[AP8] a gate that expires fails, even where a rejection would send work back', () => {
    const plan = testPlan([
      testCommand('a'),
      testApproval('b', { needs: ['a'], onReject: { restart: 'a', max: 1 } }),
    ]);
    given(E.begun(plan), E.done('a'), E.asked('b', { kind: 'gate', expiresAtMs: 5 }))
      .when(C.tick(), TEST_ENGINE, 5)
      .thenEvents(expired('apr_1'), E.stepFailed('b', failure), E.ended('failed'));
  });
});

describe('order', () => {
  const people = { people: ['ann', 'bob'], count: 2, inOrder: true };

  test('[AP30] people approve in the order in which they are named', () => {
    const run = asked(people);
    const refusal = run.when(C.approve('apr_1'), BOB).thenRefused('NotAllowedToDecide');
    expect(refusal.detail).toBe('ann comes first');
    const first = run.when(C.approve('apr_1'), ANN);
    first.thenEvents(E.decided('apr_1', ANN));
    expect(first.and().when(C.approve('apr_1'), BOB).events).toHaveLength(3);
  });

  test('[AP30] roles approve in the order in which they are named', () => {
    const run = asked({ roles: ['approver', 'admin'], count: 2, inOrder: true });
    const admin = C.approve('apr_1', { roles: ['admin'] });
    expect(run.when(admin, BOB).thenRefused('NotAllowedToDecide').detail).toBe(
      'somebody with the role approver comes first',
    );
    const first = run.when(C.approve('apr_1', { roles: ['approver'] }), ANN).and();
    expect(
      first.when(C.approve('apr_1', { roles: ['approver'] }), BOB).thenRefused('NotAllowedToDecide')
        .detail,
    ).toBe('somebody with the role admin comes first');
    expect(first.when(admin, BOB).events).toHaveLength(3);
  });

  test('[AP30] who comes later may reject at once, and where more are needed than named anybody goes on', () => {
    expect(asked(people).when(C.reject('apr_1'), BOB).events).toHaveLength(4);
    const roles = { roles: ['approver'], count: 2, inOrder: true };
    const first = asked(roles).when(C.approve('apr_1', { roles: ['approver'] }), ANN);
    expect(first.and().when(C.approve('apr_1', { roles: ['approver'] }), BOB).events).toHaveLength(
      3,
    );
  });
});

describe('escalation', () => {
  const escalation = { atMs: 500, roles: ['admin'], people: ['rita'] };
  const run = (expiresAtMs: number | null = 1000): Given =>
    given(
      E.begun(ONE),
      E.asked('a', { requires: { ...ANYBODY, people: ['ann'] }, expiresAtMs, escalation }),
    );

  test('[AP31] further people may decide from its moment on, and not before', () => {
    const early = run().when(C.approve('apr_1'), RITA, 499).thenRefused('NotAllowedToDecide');
    expect(early.detail).toBe('this needs ann');
    run().when(C.tick(), TEST_ENGINE, 499).thenEvents();
    const escalated = run().when(C.tick(), TEST_ENGINE, 500);
    escalated.thenEvents(E.escalated('apr_1', 1000));
    expect(escalated.and().when(C.approve('apr_1'), RITA, 600).events).toHaveLength(3);
    const admin = C.approve('apr_1', { roles: ['admin'] });
    expect(escalated.and().when(admin, BOB, 600).events).toHaveLength(3);
    expect(escalated.and().when(C.approve('apr_1'), ANN, 600).events).toHaveLength(3);
    expect(
      escalated.and().when(C.approve('apr_1'), BOB, 600).thenRefused('NotAllowedToDecide').detail,
    ).toBe('this needs ann or rita or role admin');
    expect(run().when(C.approve('apr_1'), RITA, 500).events).toHaveLength(3);
  });

  test('[AP31] it happens once, is woken for, and is followed by expiry, never by an approval', () => {
    const wakes = (given_: Given): readonly number[] =>
      effectsOf(given_.state!, 0).flatMap((effect) =>
        effect.type === 'WakeAt' ? [effect.atMs] : [],
      );
    expect(wakes(run())).toEqual([500]);
    const escalated = run().when(C.tick(), TEST_ENGINE, 500).and();
    expect(wakes(escalated)).toEqual([1000]);
    escalated.when(C.tick(), TEST_ENGINE, 999).thenEvents();
    const { events } = escalated.when(C.tick(), TEST_ENGINE, 1000);
    expect(events.map(({ type }) => type)).toEqual(['ApprovalResolved', 'StepFailed', 'RunEnded']);
  });

  test('[AP32] however late it comes, further people have the time that they were meant to have', () => {
    const late = run().when(C.tick(), TEST_ENGINE, 5000);
    late.thenEvents(E.escalated('apr_1', 5500));
    expect(late.and().when(C.approve('apr_1'), RITA, 5499).events).toHaveLength(3);
    late.and().when(C.approve('apr_1'), RITA, 5500).thenRefused('ApprovalNotOpen');
    expect(run().when(C.approve('apr_1'), ANN, 5000).events).toHaveLength(3);
    run(null).when(C.tick(), TEST_ENGINE, 5000).thenEvents(E.escalated('apr_1', null));
  });

  test('[AP31] who stands in for others need not wait for their turn', () => {
    const requires = { ...ANYBODY, people: ['ann', 'bob'], count: 2, inOrder: true };
    const ordered = given(E.begun(ONE), E.asked('a', { requires, expiresAtMs: 1000, escalation }));
    expect(ordered.when(C.approve('apr_1'), RITA, 600).events).toHaveLength(1);
  });

  test('[PA3] a pause moves it as well', () => {
    const goesOn = given(
      E.begun(ONE),
      E.asked('a', { expiresAtMs: 1000, escalation }),
      E.paused(100),
      E.unpaused(50),
    );
    expect(goesOn.state?.approvals.get('apr_1')).toMatchObject({
      ...{ expiresAtMs: 1050, escalation: { atMs: 550 } },
    });
  });
});
