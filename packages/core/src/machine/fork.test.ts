import { describe, expect, test } from 'vitest';

import {
  testAgent,
  testApproval,
  testCommand,
  testPlan,
  testReader,
} from '../testing/plan-fixtures.ts';
import {
  COMMANDS as C,
  EVENTS as E,
  RITA,
  TEST_RUN,
  testCommit,
  testContext,
  testToken,
} from '../testing/run-fixtures.ts';
import { given } from '../testing/scenario.ts';
import { decide } from './decide.ts';
import { runToView } from '../views/run-view.ts';
import { forkOf } from './fork.ts';
import { forkImpact } from './impact.ts';
import type { Fork } from './events.ts';
import type { RunState } from './state.ts';

const PLAN = testPlan([
  testAgent('build'),
  testReader('look', { needs: ['build'] }),
  testApproval('ship', { needs: ['look'] }),
  testCommand('send', { needs: ['ship'] }),
]);
const usage = { inputTokens: 100, outputTokens: 20, cachedTokens: 0, usd: 0.5 };
const at = (name: string) => ({ inputCheckpoint: testCommit(name) });
const ALL = [
  E.begun(PLAN),
  E.readied('build'),
  E.attemptStarted('build', 1, { session: testToken('s1') }),
  E.failed('build', 1, { usage }),
  E.requeued('build'),
  E.readied('build'),
  E.attemptStarted('build', 2, { session: testToken('s2') }),
  E.succeeded('build', 2, { checkpoint: testCommit('1'), usage, outputs: { n: '1' } }),
  E.readied('look'),
  E.attemptStarted('look', 1, at('1')),
  E.succeeded('look', 1, { checkpoint: testCommit('1') }),
  E.asked('ship', { kind: 'gate' }),
  E.decided('apr_1', RITA),
  E.resolved('apr_1', 'approved', 'enough people have approved'),
  E.gatePassed('ship'),
  E.readied('send'),
  E.attemptStarted('send', 1, at('1')),
];

function forked(state: RunState | null, step: string | null): Fork {
  const fork = state && forkOf(state, step, null);
  if (!fork?.ok) throw new Error(JSON.stringify(fork?.error));
  return fork.value;
}

function begin(fork: Fork): RunState {
  const context = testContext(RITA);
  const created = decide('run_2', null, C.create(PLAN, fork), context);
  if (!created.ok) throw new Error(created.error.type);
  const started = decide('run_2', created.value.state, C.startRun(), context);
  if (!started.ok) throw new Error(started.error.type);
  return started.value.state;
}

const statuses = (state: RunState): readonly string[] =>
  [...state.steps.values()].map(({ id, status }) => `${id} ${status}`);

describe('a fork', () => {
  test('[RC41] has what was done at its checkpoint, with outputs and the way back', () => {
    const { state } = given(...ALL);
    const fork = begin(forked(state, 'look'));
    expect(statuses(fork)).toEqual([
      ...['build succeeded', 'look succeeded', 'ship pending', 'send pending'],
    ]);
    expect([fork.checkpoint, fork.origin]).toEqual([testCommit('1'), testCommit('0')]);
    expect(fork.line).toMatchObject({ step: 'build', before: null });
    expect(fork.steps.get('build')).toMatchObject({
      outputs: { n: '1' },
      attempts: [{ number: 1, from: { runId: TEST_RUN, attempt: 2 }, usage: null }],
    });
    const back = decide('run_2', fork, C.restart('build'), testContext(RITA));
    expect(back.ok && back.value.state.checkpoint).toEqual(testCommit('0'));
  });

  test('[RC41] begins at the newest checkpoint when no step is named', () => {
    const { state } = given(...ALL, E.succeeded('send', 1, { checkpoint: testCommit('2') }));
    expect(statuses(begin(forked(state, null))).every((each) => each.endsWith('succeeded'))).toBe(
      true,
    );
  });

  test('[RC42] asks a gate again that nothing taken over stands on', () => {
    const open = given(...ALL).state;
    expect(statuses(begin(forked(open, 'look')))).toContain('ship pending');
    const sent = given(...ALL, E.succeeded('send', 1, { checkpoint: testCommit('2') })).state;
    expect(statuses(begin(forked(sent, 'send')))).toContain('ship succeeded');
  });

  test('[RC43] is the way on from a run that was canceled, and leaves that run alone', () => {
    const canceled = given(...ALL, E.cancelRequested(), E.canceled('send', 1), E.runCanceled());
    canceled.when(C.resume(), RITA).thenRefused('NothingToResume');
    const fork = begin(forked(canceled.state, null));
    expect(statuses(fork)).toEqual([
      ...['build succeeded', 'look succeeded', 'ship pending', 'send pending'],
    ]);
    expect(runToView(fork).forkedFrom).toMatchObject({ runId: TEST_RUN, at: null });
  });

  test('[RC43] is refused where there is no checkpoint', () => {
    const { state } = given(...ALL);
    for (const [step, type] of [
      ['send', 'NothingToFork'],
      ['nowhere', 'StepNotFound'],
    ] as const) {
      expect(forkOf(state!, step, null)).toMatchObject({ ok: false, error: { type } });
    }
    expect(forkOf(given(E.created(PLAN)).state!, null, null)).toMatchObject({ ok: false });
  });

  test('[RC44] has paid nothing yet, and says what it would pay again', () => {
    const { state } = given(...ALL);
    const fork = begin(forked(state, 'look'));
    expect(runToView(fork).usage).toEqual({ tokens: 0, usd: 0, unknownCost: false });
    const summary = forkImpact(state!, forked(state, 'look'));
    expect(summary).toMatchObject({
      ...{ kept: ['build', 'look'], again: ['ship', 'send'], stale: ['ship'], rewinds: null },
      spent: { tokens: 240, usd: 1 },
    });
  });
});
