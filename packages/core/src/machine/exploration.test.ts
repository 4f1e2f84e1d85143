/**
 * Every state that small plans can reach under everything the outside can send, and what must hold in each of them.
 * `CCDASH_EXPLORE_STATES` limits the states of each plan, as mutation testing does; a plan that was cut short is no proof.
 */
import { env, stdout } from 'node:process';
import { afterAll, describe, expect, test } from 'vitest';

import { exploreRuns } from '../testing/explore-runs.ts';
import type { Exploration } from '../testing/explore-runs.ts';
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
  ASK,
  DENY,
  FAILED,
  FAILED_RETRYABLE,
  GONE,
  NEVER_STARTED,
  TEST_AT,
  testCommit,
  testVerdict,
} from '../testing/run-fixtures.ts';
import { ALL_ENDS } from '../testing/run-moves.ts';
import type { Surroundings } from '../testing/run-moves.ts';
import type { Plan } from '../plan/plan.ts';
import { REFUSALS } from './commands.ts';
import type { Fork } from './events.ts';
import { STEP_TRANSITIONS } from './transitions.ts';

const isMutated = env['STRYKER_MUTATOR_WORKER'] !== undefined;
const MAX_STATES = Number(env['CCDASH_EXPLORE_STATES'] ?? (isMutated ? 60 : 100_000));
const isWhole = MAX_STATES === 100_000;

const PLAIN: Surroundings = {
  verdicts: [ALLOW],
  digests: ['digest-1'],
  ends: ALL_ENDS,
  gateCounts: [1],
  toolCalls: 0,
  blocks: false,
  pauses: false,
  applies: false,
  restarts: false,
};

interface Case {
  readonly name: string;
  readonly plan: Plan;
  readonly around: Surroundings;
}

const ASK_TWO = testVerdict('requires_approval', { count: 2 });
const ASK_ELSEWHERE = testVerdict('requires_approval', {}, 'policy-2');

const FORK: Fork = {
  ...{ runId: 'run_0', at: 'b', checkpoint: testCommit('b'), reason: null },
  line: [{ step: 'b', checkpoint: testCommit('b') }],
  steps: [
    {
      ...{ step: 'a', skipped: 'condition', skipReason: null, outputs: null },
      ...{ checkpoint: null, attempt: null },
    },
    {
      ...{ step: 'b', skipped: null, skipReason: null, outputs: {}, checkpoint: testCommit('b') },
      attempt: {
        ...{ from: { runId: 'run_0', attempt: 2 }, startedAt: TEST_AT, endedAt: TEST_AT },
        ...{ inputCheckpoint: testCommit('0'), exitCode: 0, output: null, checks: [] },
        artifacts: [],
      },
    },
  ],
};

const CASES: readonly Case[] = [
  {
    name: 'one command under every verdict',
    plan: testPlan([testCommand('a', { retry: { attempts: 2, backoffMs: 10 } })]),
    around: { ...PLAIN, verdicts: [ALLOW, ASK, ASK_TWO, DENY], blocks: true, applies: true },
  },
  {
    name: 'one command that changes while people decide',
    plan: testPlan([testCommand('a')]),
    around: {
      ...PLAIN,
      verdicts: [ASK],
      digests: ['digest-1', 'digest-2'],
      ends: ['succeeded', NEVER_STARTED],
    },
  },
  {
    name: 'one command under a policy that changes while people decide',
    plan: testPlan([testCommand('a')]),
    around: { ...PLAIN, verdicts: [ASK, ASK_ELSEWHERE], ends: ['succeeded', NEVER_STARTED] },
  },
  {
    name: 'a step that the policy denies, and admins who override that',
    plan: testPlan([testCommand('a')]),
    around: {
      ...PLAIN,
      verdicts: [ASK, DENY],
      ends: ['succeeded', NEVER_STARTED],
      overrides: [1, 2],
    },
  },
  {
    name: 'an agent whose tools need leave',
    plan: testPlan([testAgent('a')]),
    around: { ...PLAIN, verdicts: [ALLOW, ASK, DENY], toolCalls: 2 },
  },
  {
    name: 'an agent that waits at a gate while the run is paused',
    plan: testPlan([testAgent('a')]),
    around: { ...PLAIN, verdicts: [ALLOW, ASK], toolCalls: 1, pauses: true },
  },
  {
    name: 'an agent that people talk to, beside what depends on it',
    plan: testPlan([testAgent('a'), testReader('b', { needs: ['a'] })]),
    around: { ...PLAIN, ends: ALL_ENDS, messages: 2 },
  },
  {
    name: 'a chain that ends in a gate which sends work back',
    plan: testPlan([
      testCommand('build'),
      testValidation('check', { needs: ['build'] }),
      testApproval('review', { needs: ['check'], onReject: { restart: 'build', max: 1 } }),
    ]),
    around: {
      ...PLAIN,
      verdicts: [ALLOW, DENY],
      ends: ['succeeded', FAILED, GONE],
      gateCounts: [1, 2],
    },
  },
  {
    name: 'a gate that rests on a validation, beside a writer',
    plan: testPlan([
      testCommand('write'),
      testValidation('check'),
      testApproval('review', { needs: ['check'] }),
      testReader('next', { needs: ['check'] }),
    ]),
    around: { ...PLAIN, ends: ['succeeded', FAILED, NEVER_STARTED], escalates: true },
  },
  {
    name: 'a diamond of two writers and a reader',
    plan: testPlan([
      testCommand('a'),
      testCommand('b', { needs: ['a'], onInterrupt: 'resume' }),
      testReader('c', { needs: ['a'] }),
      testCommand('d', { needs: ['b', 'c'] }),
    ]),
    around: { ...PLAIN, ends: ['succeeded', FAILED, GONE] },
  },
  {
    name: 'two writers and a reader that people go back in',
    plan: testPlan([
      testCommand('a'),
      testReader('b', { needs: ['a'] }),
      testCommand('c', { needs: [] }),
    ]),
    around: { ...PLAIN, ends: ['succeeded', FAILED], restarts: true },
  },
  {
    name: 'two writers beside each other whose work is joined for a third',
    plan: testPlan([
      testCommand('a'),
      testCommand('b', { onInterrupt: 'resume', needs: [] }),
      testReader('c', { needs: ['a', 'b'] }),
    ]),
    around: { ...PLAIN, ends: ['succeeded', FAILED, GONE] },
  },
  {
    name: 'two writers beside each other that people go back in',
    plan: testPlan([testCommand('a'), testCommand('b', { needs: [] })]),
    around: { ...PLAIN, ends: ['succeeded', FAILED], restarts: true },
  },
  {
    name: 'a rejection while a writer and a reader work on what is sent back',
    plan: testPlan([
      testCommand('build'),
      testApproval('review', { needs: ['build'], onReject: { restart: 'build', max: 1 } }),
      testCommand('side', { needs: ['build'] }),
      testReader('look', { needs: ['build'], when: 'inputs.look' }),
    ]),
    around: { ...PLAIN, ends: ['succeeded'] },
  },
  {
    name: 'a rejection of work that others need leave for',
    plan: testPlan([
      testReader('build'),
      testApproval('review', { needs: ['build'], onReject: { restart: 'build', max: 1 } }),
      testCommand('side', { needs: ['build'] }),
    ]),
    around: { ...PLAIN, verdicts: [ASK], ends: ['succeeded', GONE, NEVER_STARTED] },
  },
  {
    name: 'a failure that stops the run',
    plan: testPlan(
      [
        testCommand('a', { retry: { attempts: 2, backoffMs: 10 } }),
        testApproval('b'),
        testReader('c', { needs: ['a', 'b'] }),
        testReader('d'),
      ],
      { onFailure: 'stop' },
    ),
    around: { ...PLAIN, ends: ['succeeded', FAILED, FAILED_RETRYABLE] },
  },
  {
    name: 'writers that are interrupted, one of which goes on by itself',
    plan: testPlan([
      testAgent('resumes', { onInterrupt: 'resume' }),
      testCommand('asks', { onInterrupt: 'ask' }),
    ]),
    around: { ...PLAIN, ends: ['succeeded', FAILED, GONE, NEVER_STARTED] },
  },
  {
    name: 'a command that is begun anew by itself when it is interrupted',
    plan: testPlan([testCommand('retries', { onInterrupt: 'retry' }), testValidation('checks')]),
    around: { ...PLAIN, ends: ['succeeded', FAILED, GONE, NEVER_STARTED], applies: true },
  },
  {
    name: 'conditions that are false',
    plan: testPlan([
      testCommand('a', { when: 'inputs.a' }),
      testReader('b', { needs: ['a'] }),
      testReader('c', { needs: ['a', 'b'], when: 'true' }),
      testApproval('d', { needs: ['b', 'c'], onReject: { restart: 'a', max: 1 } }),
    ]),
    around: { ...PLAIN, ends: ['succeeded', FAILED, GONE], blocks: true, pauses: true },
  },
  {
    name: 'steps that people skip, with leave',
    plan: testPlan([testCommand('a', { onInterrupt: 'ask' }), testApproval('b', { needs: ['a'] })]),
    around: {
      ...{ ...PLAIN, verdicts: [ALLOW, ASK, DENY], ends: ['succeeded', FAILED, GONE] },
      changes: 'skips',
    },
  },
  {
    name: 'a fork that takes over a step and a skip',
    plan: testPlan([
      testCommand('a', { when: 'inputs.a' }),
      testCommand('b', { needs: ['a'], when: 'true' }),
      testReader('c', { needs: ['b'] }),
    ]),
    around: { ...PLAIN, ends: ['succeeded', FAILED], forkedFrom: FORK },
  },
  {
    name: 'three steps of which one may live at a time',
    plan: testPlan([testCommand('a'), testReader('b'), testReader('c', { needs: ['a'] })], {
      concurrency: 1,
    }),
    around: { ...PLAIN, ends: ['succeeded', FAILED, GONE, NEVER_STARTED] },
  },
];

describe('every state of a small plan', { timeout: 60_000 }, () => {
  const found: Exploration[] = [];

  afterAll(() => {
    const sum = (of: (each: Exploration) => number): number =>
      found.reduce((total, each) => total + of(each), 0);
    stdout.write(
      `explored ${sum((each) => each.states)} states, ${sum((each) => each.edges)} edges\n`,
    );
  });

  test.each(CASES)('keeps the invariants: $name', ({ name, plan, around }) => {
    const exploration = exploreRuns(plan, around, MAX_STATES);
    found.push(exploration);
    stdout.write(`${name}: ${exploration.states} states, ${exploration.edges} edges\n`);
    expect(exploration.cut).toBe(!isWhole && exploration.states === MAX_STATES);
    if (isWhole)
      expect([...exploration.ends].sort()).toEqual(['canceled', 'failed', 'open', 'succeeded']);
  });

  test.runIf(isWhole)('[ST1] takes every row of the transition table, and no other', () => {
    const seen = new Set(found.flatMap(({ rows }) => [...rows]));
    const listed = STEP_TRANSITIONS.map(({ from, event }) => `${from} ${event}`);
    expect([...seen].filter((row) => !listed.includes(row) && !isNoTransition(row))).toEqual([]);
    expect(listed.filter((row) => !seen.has(row))).toEqual([]);
  });

  test.runIf(isWhole)('meets every refusal that a run can give', () => {
    const seen = new Set(found.flatMap(({ refusals }) => [...refusals]));
    const never = ['RunExists', 'RunNotFound', 'FormInvalid', 'NothingToFork'];
    expect(Object.keys(REFUSALS).filter((type) => !seen.has(type))).toEqual(never);
  });
});

/** Events of a step that leave its status alone, and steps that a canceled run keeps. */
function isNoTransition(row: string): boolean {
  return (
    row.endsWith(' AttemptReported') ||
    row.endsWith(' ToolDecided') ||
    row.endsWith(' RunRewound') ||
    row.endsWith(' WorkJoined') ||
    row.endsWith(' JoinConflicted') ||
    row.endsWith(' JoinSettled') ||
    // An override is asked for while the step stays as it is.
    row === 'blocked ApprovalRequested' ||
    // So is a skip.
    row === 'failed ApprovalRequested' ||
    row === 'interrupted ApprovalRequested' ||
    row.endsWith(' AgentTold') ||
    ['succeeded', 'skipped', 'canceled'].some((status) => row === `${status} RunCanceled`)
  );
}
