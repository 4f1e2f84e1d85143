import { describe, expect, test } from 'vitest';

import { testApproval, testCommand, testPlan } from '../testing/plan-fixtures.ts';
import {
  ANN,
  ASK,
  BOB,
  COMMANDS as C,
  DENY,
  EVENTS as E,
  RITA,
  TEST_RUN,
  testVerdict,
  toStart,
} from '../testing/run-fixtures.ts';
import { given } from '../testing/scenario.ts';
import { auditRun } from './audit.ts';
import type { RunEvent } from './events.ts';

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
