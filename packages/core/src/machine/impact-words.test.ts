/** Each word of an impact, where it is said and where it is not. */
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
  COMMANDS as C,
  EVENTS as E,
  RITA,
  testCommit,
  testContext,
  testToken,
} from '../testing/run-fixtures.ts';
import { given } from '../testing/scenario.ts';
import type { Told } from '../testing/scenario.ts';
import type { RunCommand } from './commands.ts';
import { forkOf } from './fork.ts';
import { forkImpact, impactOf } from './impact.ts';
import type { Impact } from './impact.ts';

function impact(told: readonly Told[], command: RunCommand): Impact {
  const found = impactOf(given(...told).state!, command, testContext(RITA, 1000));
  if (!found.ok) throw new Error(JSON.stringify(found.error));
  return found.value;
}

function forked(told: readonly Told[], step: string | null): Impact {
  const { state } = given(...told);
  const fork = forkOf(state!, step, null);
  if (!fork.ok) throw new Error(JSON.stringify(fork.error));
  return forkImpact(state!, fork.value);
}

const cost = (usd: number) => ({
  usage: { inputTokens: usd * 100, outputTokens: usd * 10, cachedTokens: 0, usd },
});

describe('[IM1] of what is at work', () => {
  const PLAN = testPlan([
    testCommand('build'),
    testReader('look', { needs: ['build'] }),
    testReader('aside', { needs: [] }),
  ]);
  const AT_WORK = [
    E.begun(PLAN),
    E.done('build'),
    E.readied('look'),
    E.attemptStarted('look', 1, { inputCheckpoint: testCommit('1') }),
    E.running('aside'),
  ];

  test('a cancel stops all of it', () => {
    const { stopped, canceled, kept, status } = impact(AT_WORK, C.cancel());
    expect(stopped).toEqual(['look', 'aside']);
    expect([canceled, kept, status.before]).toEqual([[], ['build'], 'running']);
  });

  test('going back to what it was built on stops that alone', () => {
    const { stopped, again, stale, kept } = impact(AT_WORK, C.restart('build'));
    expect(stopped).toEqual(['look']);
    expect(again).toEqual(['build', 'look']);
    expect([stale, kept]).toEqual([['build'], []]);
  });

  test('a pause stops nothing, and takes the workspace nowhere', () => {
    const { stopped, again, rewinds } = impact(AT_WORK, C.pause());
    expect([stopped, again, rewinds]).toEqual([[], [], null]);
  });
});

describe('[IM1] of a step that is skipped', () => {
  const exit = { type: 'exit', step: 'unit', equals: 0 } as const;
  const schema = { type: 'schema', output: 'unit', schema: 's.json' } as const;
  const other = { type: 'exit', step: 'other', equals: 0 } as const;
  const FAILED = (checks: readonly object[], from: Readonly<Record<string, string>>) => {
    const plan = testPlan([
      testCommand('unit'),
      testCommand('other', { needs: [] }),
      testValidation('check', { needs: ['unit'], checks: checks as never }),
      testReader('read', {
        needs: ['unit'],
        env: { profile: 'minimal', set: {}, from },
      }),
    ]);
    return [E.begun(plan), E.done('other'), E.running('unit'), E.failed('unit', 1)];
  };
  const follows = (checks: readonly object[], from: Readonly<Record<string, string>>) =>
    impact(FAILED(checks, from), C.skip('unit')).follows;

  test('a validation that looks at it fails, also where it looks at another thing first', () => {
    for (const checks of [[exit], [schema], [other, exit]]) {
      expect(follows(checks, {})).toContainEqual({ step: 'check', how: 'fails' });
    }
    for (const checks of [[other], [{ ...schema, output: 'other' }], []]) {
      expect(follows(checks, {})).toContainEqual({ step: 'check', how: 'goes on' });
    }
  });

  test('one that reads an output of it is blocked, one that reads another of a longer name is not', () => {
    expect(follows([], { N: 'unit.n' })).toContainEqual({ step: 'read', how: 'blocks' });
    expect(follows([], { N: 'unit2.n' })).toContainEqual({ step: 'read', how: 'goes on' });
  });

  test('nothing follows an action that is no skip', () => {
    expect(impact(FAILED([exit], {}), C.retry('unit')).follows).toEqual([]);
  });

  test('half-done work is set aside', () => {
    const plan = testPlan([testCommand('unit')]);
    const cut = [E.begun(plan), E.running('unit'), E.interrupted('unit', 1)];
    const { setsAside, skipped } = impact(cut, C.skip('unit'));
    expect([setsAside, skipped]).toEqual([['unit'], ['unit']]);
  });
});

describe('[IM1] what falls', () => {
  const PLAN = testPlan([testCommand('a'), testCommand('b', { needs: ['a'] })]);

  test('is what was asked or approved and not used yet, by what it was', () => {
    const asked = [E.begun(PLAN), E.done('a'), E.asked('b')];
    expect(impact(asked, C.restart('a')).approvals).toEqual([
      { id: 'apr_1', step: 'b', was: 'open' },
    ]);
    const granted = [
      ...[...asked, E.decided('apr_1', RITA), E.resolved('apr_1', 'approved', 'enough')],
      E.readied('b', { approvals: ['apr_1'] }),
    ];
    expect(impact(granted, C.restart('a')).approvals).toEqual([
      { id: 'apr_1', step: 'b', was: 'approved' },
    ]);
  });

  test('is nothing that was used, was rejected, or stays as it is', () => {
    const used = [
      ...[E.begun(PLAN), E.asked('a'), E.decided('apr_1', RITA)],
      ...[E.resolved('apr_1', 'approved', 'enough'), E.readied('a', { approvals: ['apr_1'] })],
      E.attemptStarted('a', 1, { approvals: ['apr_1'] }),
      E.succeeded('a', 1, { checkpoint: testCommit('1') }),
    ];
    expect(impact(used, C.restart('a')).approvals).toEqual([]);
    const asked = [E.begun(PLAN), E.done('a'), E.asked('b')];
    expect(impact(asked, C.pause()).approvals).toEqual([]);
  });
});

describe('[IM1] what it costs', () => {
  const PLAN = testPlan([testAgent('a'), testCommand('b', { needs: ['a'] }), testAgent('c')]);
  const TWICE = [
    ...[E.begun(PLAN), E.readied('a'), E.attemptStarted('a', 1, { session: testToken('s1') })],
    ...[E.failed('a', 1, cost(1)), E.requeued('a'), E.readied('a')],
    E.attemptStarted('a', 2, { session: testToken('s2') }),
    ...[E.succeeded('a', 2, { checkpoint: testCommit('1'), ...cost(3) })],
    ...[E.readied('b'), E.attemptStarted('b', 1, { inputCheckpoint: testCommit('1') })],
    E.failed('b', 1),
  ];

  test('is from the cheapest to the dearest attempt of the agents that run again', () => {
    const { expected, spent, sessions } = impact(TWICE, C.restart('a'));
    expect(expected).toEqual({ usd: { least: 1, most: 3 }, tokens: { least: 110, most: 330 } });
    expect(spent).toEqual({ tokens: 440, usd: 4, unknownCost: false });
    expect(sessions).toEqual([{ step: 'a', session: 's2', way: 'begun anew' }]);
  });

  test('is nothing where no agent runs again, whatever others have cost', () => {
    const { expected, sessions } = impact(TWICE, C.retry('b'));
    expect(expected).toEqual({ usd: { least: 0, most: 0 }, tokens: { least: 0, most: 0 } });
    expect(sessions).toEqual([]);
  });

  test('is unknown as soon as one that runs again told nothing', () => {
    const both = testPlan([testAgent('a'), testAgent('c', { needs: ['a'] })]);
    const told = [
      ...[E.begun(both), E.running('a'), E.succeeded('a', 1, { checkpoint: testCommit('1') })],
      ...[E.readied('c'), E.attemptStarted('c', 1, { inputCheckpoint: testCommit('1') })],
      E.succeeded('c', 1, { checkpoint: testCommit('2'), ...cost(2) }),
    ];
    expect(impact(told, C.restart('a')).expected).toEqual({ usd: null, tokens: null });
  });

  test('counts no attempt that never started', () => {
    const told = [
      ...[E.begun(PLAN), E.running('a'), E.neverStarted('a', 1)],
      ...[E.readied('a'), E.attemptStarted('a', 2), E.failed('a', 2, cost(2))],
    ];
    const { spent, expected } = impact(told, C.retry('a'));
    expect(spent).toEqual({ tokens: 220, usd: 2, unknownCost: false });
    expect(expected.usd).toEqual({ least: 2, most: 2 });
  });
});

describe('[IM1] [RC41] of a fork', () => {
  const PLAN = testPlan([
    testAgent('build'),
    testValidation('check', { needs: ['build'] }),
    testApproval('ship', { needs: ['check'] }),
    testCommand('send', { needs: ['ship'] }),
  ]);
  const at = (name: string) => ({ inputCheckpoint: testCommit(name) });
  const TOLD = [
    ...[E.begun(PLAN), E.readied('build')],
    E.attemptStarted('build', 1, { session: testToken('s1') }),
    E.succeeded('build', 1, { checkpoint: testCommit('1'), ...cost(2) }),
    ...[E.readied('check'), E.attemptStarted('check', 1, at('1'))],
    E.succeeded('check', 1, { checkpoint: testCommit('1') }),
    E.asked('ship', { kind: 'gate' }),
  ];
  const NOTHING = {
    ...{ skipped: [], stopped: [], canceled: [], approvals: [], removed: [], follows: [] },
    ...{ asks: [], plan: null, setsAside: [], sessions: [] },
  };
  const spent = { tokens: 220, usd: 2, unknownCost: false };
  const none = { least: 0, most: 0 };

  test('at the newest checkpoint keeps what is done and does nothing again', () => {
    expect(forked(TOLD, null)).toEqual({
      ...NOTHING,
      ...{ status: { before: 'blocked', after: 'queued' }, kept: ['build', 'check'] },
      ...{ again: [], stale: [], validations: [], rewinds: null, spent },
      expected: { usd: none, tokens: none },
    });
  });

  test('of a run that failed begins the failed step there again', () => {
    const plan = testPlan([testAgent('a'), testValidation('v', { needs: ['a'] })]);
    const told = [
      ...[E.begun(plan), E.readied('a'), E.attemptStarted('a', 1, { session: testToken('s1') })],
      ...[E.failed('a', 1, cost(2)), E.ended('failed')],
    ];
    expect(forked(told, null)).toMatchObject({
      ...{ kept: [], again: ['a'], stale: [], validations: [] },
      sessions: [{ step: 'a', session: 's1', way: 'begun anew' }],
      expected: { usd: { least: 2, most: 2 } },
    });
  });
});
