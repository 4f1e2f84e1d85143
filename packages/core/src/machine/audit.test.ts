import { describe, expect, test } from 'vitest';

import { testAgent, testApproval, testCommand, testPlan } from '../testing/plan-fixtures.ts';
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
  TEST_RUN,
  gateRaised,
  testVerdict,
  toStart,
} from '../testing/run-fixtures.ts';
import { given } from '../testing/scenario.ts';
import { auditRun } from './audit.ts';
import type { ApprovalRequirement, RunEvent } from './events.ts';

const ONE = testPlan([testCommand('a')]);
const APPROVED = E.resolved('apr_1', 'approved', 'enough people have approved');
const READY = E.readied('a', { verdict: ASK, approvals: ['apr_1'] });
const START = E.attemptStarted('a', 1, { verdict: ASK, approvals: ['apr_1'] });
const GOOD = [...E.begun(ONE), E.asked('a'), E.decided('apr_1', ANN), APPROVED, READY, START];

/** The first finding. */
function found(events: readonly RunEvent[]): readonly [number, string, string] | null {
  const [first] = auditRun(TEST_RUN, events);
  return first === undefined ? null : [first.sequence, first.kind, first.detail];
}

describe('the replay of a run', () => {
  test('[AU1] finds nothing in what the decider decides', () => {
    expect(auditRun(TEST_RUN, GOOD)).toEqual([]);
    const overridden = given(E.begun(ONE), E.denied('a'));
    const asked = overridden.when(C.override('a'), ANN);
    const ready = asked.and().when(C.evaluate('a', toStart(DENY)));
    const { events } = ready.and().when(C.start('a', { verdict: DENY }));
    const log = [...E.begun(ONE), E.denied('a'), ...asked.events, ...ready.events, ...events];
    expect(auditRun(TEST_RUN, log)).toEqual([]);
  });

  test('[AU2] names the start that nobody approved', () => {
    const ready = E.readied('a', { verdict: ASK });
    const start = E.attemptStarted('a', 1, { verdict: ASK });
    expect(found([...E.begun(ONE), ready, start])).toEqual([
      ...[3, 'bypass', 'a started: nobody has approved it'],
    ]);
  });

  const without = (skipped: RunEvent): readonly RunEvent[] => GOOD.filter((one) => one !== skipped);
  test.each([
    ['a missing decision', GOOD.filter(({ type }) => type !== 'ApprovalDecided'), 'needs 1 people'],
    ['a missing resolution', without(APPROVED), 'is open, not approved'],
    [
      'an agent as approver',
      GOOD.map((one) =>
        one.type === 'ApprovalDecided'
          ? { ...one, actor: { kind: 'agent', id: 'x' } as const }
          : one,
      ),
      'not a person (agent)',
    ],
    [
      'another digest',
      GOOD.map((one) =>
        one.type === 'AttemptStarted'
          ? E.attemptStarted('a', 1, { ...one.data, subjectDigest: 'digest-2' })
          : one,
      ),
      'something else than what started',
    ],
    [
      'another policy',
      GOOD.map((one) =>
        one.type === 'AttemptStarted'
          ? E.attemptStarted('a', 1, {
              ...one.data,
              verdict: testVerdict('requires_approval', {}, 'p2'),
            })
          : one,
      ),
      'under another policy',
    ],
    [
      'more people than decided',
      GOOD.map((one) =>
        one.type === 'AttemptStarted'
          ? E.attemptStarted('a', 1, {
              ...one.data,
              verdict: testVerdict('requires_approval', { count: 2 }),
            })
          : one,
      ),
      'needs more people',
    ],
    [
      'a denial',
      GOOD.map((one) =>
        one.type === 'AttemptStarted'
          ? E.attemptStarted('a', 1, { ...one.data, verdict: DENY })
          : one,
      ),
      'the policy denies it',
    ],
  ])('[AU2] names a start with %s', (_what, events, detail) => {
    expect(found(events)?.[1]).toBe('bypass');
    expect(
      auditRun(TEST_RUN, events)
        .map((one) => one.detail)
        .join(' '),
    ).toContain(detail);
  });

  test('[AU2] names an approval that is used twice, and one of the requester where that is ruled out', () => {
    const twice = [...GOOD, E.interrupted('a', 1), E.requeued('a'), READY];
    const again = E.attemptStarted('a', 2, { verdict: ASK, approvals: ['apr_1'] });
    expect(found([...twice, again])?.[2]).toBe('a started: apr_1 was used before');
    const requires = { ...ASK.requires, excludeRequester: true };
    const own = [...E.begun(ONE), E.asked('a', { requires }), E.decided('apr_1', RITA), APPROVED];
    expect(found([...own, READY, START])?.[2]).toBe('rita decided apr_1: their own request');
  });

  test('[AU2] names a decision by who may not, twice, too late, or too weakly known', () => {
    const ask = (requires: object): readonly RunEvent[] => [
      ...E.begun(ONE),
      E.asked('a', { requires: { ...ASK.requires, ...requires } }),
    ];
    const by = E.decided('apr_1', BOB);
    expect(found([...ask({ people: ['ann'] }), by])?.[2]).toContain('without a role or name');
    expect(found([...ask({ count: 3 }), by, by])?.[2]).toContain('a second time');
    expect(found([...ask({ assurance: 'passkey' }), by])?.[2]).toContain('by session only');
    expect(found([...ask({}), APPROVED, by])?.[2]).toContain('though it was approved');
  });

  test('[AU2] names a gate that opened without its decision', () => {
    const plan = testPlan([testApproval('a')]);
    const gate = [...E.begun(plan), E.asked('a', { kind: 'gate' })];
    expect(found([...gate, E.gatePassed('a')])?.[2]).toBe('apr_1 is open, not approved');
    expect(found([...gate, E.gatePassed('a', { approvalId: 'apr_9' })])?.[2]).toBe(
      'a passed unasked',
    );
  });

  test('[AU3] ends at an event that cannot follow, and says why', () => {
    expect(found([...E.begun(ONE), E.succeeded('a', 1)])?.slice(0, 2)).toEqual([2, 'illegal']);
    expect(found([E.runStarted()])?.[1]).toBe('illegal');
    expect(found([...GOOD, E.gatePassed('a')])?.[1]).toBe('bypass');
  });
});

describe('the replay of decisions', () => {
  const asks = (over: Parameters<typeof E.asked>[1] = {}): readonly RunEvent[] => [
    ...E.begun(ONE),
    E.asked('a', over),
  ];
  const needs = (requires: Partial<ApprovalRequirement>): readonly RunEvent[] =>
    asks({ requires: { ...ANYBODY, ...requires } });
  const ok = (events: readonly RunEvent[]): void => {
    expect(found(events)).toBeNull();
  };

  test('[AU2] names what was never asked, and a decision about something else', () => {
    expect(found([...asks(), E.decided('apr_9', ANN)])?.[2]).toBe(
      'apr_9 was decided and never asked',
    );
    const other = E.decided('apr_1', ANN, { subjectDigest: 'digest-2' });
    expect(found([...asks(), other])?.[2]).toBe(
      'ann decided apr_1: about something else than was asked',
    );
  });

  test('[AU2] takes each assurance for what it is', () => {
    const order = ['session', 'reauth', 'passkey'] as const;
    for (const [asked, assurance] of order.entries()) {
      for (const [given_, had] of order.entries()) {
        const events = [...needs({ assurance }), E.decided('apr_1', ANN, { assurance: had })];
        if (given_ >= asked) ok(events);
        else expect(found(events)?.[2]).toBe(`ann decided apr_1: authenticated by ${had} only`);
      }
    }
  });

  test('[AU2] lets two people decide, anybody where nobody is named, and who asked where that is allowed', () => {
    ok([...needs({ count: 2 }), E.decided('apr_1', ANN), E.decided('apr_1', BOB)]);
    ok([...needs({}), E.decided('apr_1', RITA)]);
    ok([...needs({ excludeRequester: true }), E.decided('apr_1', ANN)]);
    ok([...needs({ people: ['ann'] }), E.decided('apr_1', ANN)]);
    ok([...needs({ roles: ['lead'] }), E.decided('apr_1', ANN, { roles: ['lead'] })]);
    expect(found([...needs({ roles: ['lead'] }), E.decided('apr_1', ANN)])?.[2]).toBe(
      'ann decided apr_1: without a role or name that may',
    );
  });

  test('[AU2] lets those decide to whom a request was handed on', () => {
    const escalation = { afterMs: 1, atMs: 500, roles: ['lead'], people: [], expiresAtMs: null };
    const open = asks({ requires: { ...ANYBODY, people: ['bob'] }, escalation });
    ok([...open, E.decided('apr_1', ANN, { roles: ['lead'] })]);
    ok([...open, E.escalated('apr_1', null), E.decided('apr_1', ANN, { roles: ['lead'] })]);
    ok([...open, E.escalated('apr_1', null), E.decided('apr_1', BOB)]);
    expect(found([...open, E.decided('apr_1', ANN)])?.[2]).toContain('without a role or name');
  });
});

describe('the replay of starts', () => {
  const approvedBy = (...people: readonly RunEvent[]): readonly RunEvent[] => people;
  const start = (over: Parameters<typeof E.attemptStarted>[2] = {}): RunEvent =>
    E.attemptStarted('a', 1, { verdict: ASK, approvals: ['apr_1'], ...over });
  const story = (
    asked: Parameters<typeof E.asked>[1],
    people: readonly RunEvent[],
    begin = start(),
  ): readonly RunEvent[] => [
    ...[...E.begun(ONE), E.asked('a', asked), ...people, APPROVED],
    ...[READY, begin],
  ];

  test('[AU2] counts people, not words, and not who asked where that is ruled out', () => {
    const two = { requires: { ...ANYBODY, count: 2 } };
    const verdict = testVerdict('requires_approval', { count: 2 });
    const begin = start({ verdict });
    const both = approvedBy(E.decided('apr_1', ANN), E.decided('apr_1', BOB));
    expect(found(story(two, both, begin))).toBeNull();
    const rejected = approvedBy(
      E.decided('apr_1', ANN),
      E.decided('apr_1', BOB, { decision: 'reject' }),
    );
    expect(found(story({}, rejected))?.[2]).toBe('a started: apr_1 was rejected');
    expect(found(story(two, approvedBy(E.decided('apr_1', ANN)), begin))?.[2]).toBe(
      'a started: apr_1 needs 2 people, and 1 have approved',
    );
    const own = { requires: { ...ANYBODY, excludeRequester: true } };
    const details = auditRun(TEST_RUN, story(own, approvedBy(E.decided('apr_1', RITA)))).map(
      ({ detail }) => detail,
    );
    expect(details).toEqual([
      'rita decided apr_1: their own request',
      'a started: apr_1 needs 1 people, and 0 have approved',
    ]);
    expect(found(story({}, approvedBy(E.decided('apr_1', RITA))))).toBeNull();
  });

  test('[AU2] holds a start to the time of its approval', () => {
    const toMs = (at: string): number => Date.parse(at);
    const atMs = toMs(TEST_AT);
    const at = (expiresAtMs: number | null, read: typeof toMs | null): readonly string[] =>
      auditRun(TEST_RUN, story({ expiresAtMs }, [E.decided('apr_1', ANN)]), read).map(
        ({ detail }) => detail,
      );
    expect(at(atMs, toMs)).toEqual(['a started: the time of apr_1 was up']);
    expect(at(atMs + 1, toMs)).toEqual([]);
    expect(at(null, toMs)).toEqual([]);
    expect(at(atMs, null)).toEqual([]);
  });

  test('[AU2] takes an approval of this step, of a start, and of nothing else', () => {
    const two = testPlan([testCommand('a'), testCommand('b')]);
    const other = [...E.begun(two), E.asked('b'), E.decided('apr_1', ANN), APPROVED];
    expect(found([...other, READY, start()])?.[2]).toBe('a started: approved was another step');
    expect(found([...E.begun(ONE), E.readied('a'), start({ approvals: ['apr_9'] })])?.[2]).toBe(
      'a started: approved was another step',
    );
    const gate = story({ kind: 'gate' }, [E.decided('apr_1', ANN)]);
    expect(found(gate)?.[2]).toBe('a started: no approval of a start');
    expect(found(story({}, [E.decided('apr_1', ANN)], start({ verdict: DENY })))?.[2]).toBe(
      'a started: the policy denies it',
    );
  });

  test('[AU2] holds an override to the rules it lists, to what it lifts, and to no absolute one', () => {
    const ask = (over: object = {}): readonly RunEvent[] => [
      ...[...E.begun(ONE), E.denied('a')],
      E.asked('a', {
        ...{ approvalId: 'apr_o', kind: 'override', why: DENY.why, subjectDigest: 'digest-o' },
        subject: { start: 'digest-1' },
        ...over,
      }),
      E.decided('apr_o', ANN, { subjectDigest: 'digest-o' }),
      E.resolved('apr_o', 'approved', 'enough people have approved'),
      E.requeued('a', { cause: 'override' }),
      E.readied('a', { verdict: DENY, approvals: ['apr_o'] }),
    ];
    const begin = (verdict = DENY): RunEvent =>
      E.attemptStarted('a', 1, { verdict, approvals: ['apr_o'] });
    expect(found([...ask(), begin()])).toBeNull();
    const absolute = { rule: 'scope', text: 'outside', absolute: true as const };
    const more = { ...DENY, why: [...DENY.why, absolute] };
    expect(found([...ask({ why: more.why }), begin(more)])?.[2]).toBe(
      'a started: over the absolute rule scope',
    );
    const another = { ...DENY, why: [...DENY.why, { rule: 'z', text: 'another rule' }] };
    expect(found([...ask(), begin(another)])?.[2]).toBe('a started: z is not in its override');
    expect(found([...ask({ subject: { start: 'digest-2' } }), begin()])?.[2]).toBe(
      'a started: overridden was something else',
    );
    const soft = testVerdict('requires_approval', { count: 2 });
    expect(found([...ask({ why: soft.why }), begin(soft)])).toBeNull();
  });
});

describe('the replay of what agents asked', () => {
  const plan = testPlan([testAgent('a'), testAgent('b')]);
  const at = [
    ...[...E.begun(plan), ...E.running('a')],
    E.reported('a', 1, [gateRaised(1, 'g1'), gateRaised(2, 'g2')]),
  ];
  const asked = E.asked('a', { approvalId: 'apr_tool', kind: 'tool', gateId: 'g1' });
  const approved = [
    E.decided('apr_tool', ANN),
    E.resolved('apr_tool', 'approved', 'enough people have approved'),
  ];

  test('[AU2] lets pass what the policy allowed, what a person allowed, and every refusal', () => {
    const free = { approvalId: null, verdict: ALLOW };
    expect(found([...at, E.toolDecided('a', 'g1', 'allow', free)])).toBeNull();
    expect(found([...at, asked, ...approved, E.toolDecided('a', 'g1', 'allow')])).toBeNull();
    expect(found([...at, E.toolDecided('a', 'g1', 'deny', { approvalId: null })])).toBeNull();
  });

  test('[AU2] names a tool that nobody allowed, or somebody who was asked about another', () => {
    const none = { approvalId: null };
    for (const verdict of [null, ASK, DENY]) {
      expect(found([...at, E.toolDecided('a', 'g1', 'allow', { ...none, verdict })])?.[2]).toBe(
        'a tool of a was allowed by nobody',
      );
    }
    const elsewhere = 'a tool of a was allowed by an approval of something else';
    expect(found([...at, asked, ...approved, E.toolDecided('a', 'g2', 'allow')])?.[2]).toBe(
      elsewhere,
    );
    const unknown = E.toolDecided('a', 'g1', 'allow', { approvalId: 'apr_9' });
    expect(found([...at, unknown])?.[2]).toBe(elsewhere);
    const gate = [...at, E.asked('b', { kind: 'start', approvalId: 'apr_tool' })];
    expect(found([...gate, ...approved, E.toolDecided('a', 'g1', 'allow')])?.[2]).toBe(elsewhere);
    expect(found([...at, asked, E.toolDecided('a', 'g1', 'allow')])?.[2]).toBe(
      'apr_tool is open, not approved',
    );
  });

  test('[AU2] names a gate that another step was asked about', () => {
    const gates = testPlan([testApproval('a'), testApproval('b')]);
    const events = [
      ...[...E.begun(gates), E.asked('b', { kind: 'gate' }), E.decided('apr_1', ANN), APPROVED],
      E.gatePassed('a'),
    ];
    expect(found(events)?.[2]).toBe('a passed unasked');
  });
});
