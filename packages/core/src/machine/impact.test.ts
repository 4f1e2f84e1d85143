import fc from 'fast-check';
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
  ASK,
  COMMANDS as C,
  EVENTS as E,
  RITA,
  TEST_RUN,
  testCommit,
  testContext,
  testToken,
} from '../testing/run-fixtures.ts';
import { ALL_ENDS, outsideMoves, naturalMove } from '../testing/run-moves.ts';
import type { Surroundings } from '../testing/run-moves.ts';
import { given } from '../testing/scenario.ts';
import { effectsOf } from '../schedule/effects.ts';
import type { RunCommand } from './commands.ts';
import { decide } from './decide.ts';
import { impactOf } from './impact.ts';
import type { Impact } from './impact.ts';
import type { RunState } from './state.ts';
import { runStatus } from './status.ts';

const CONTEXT = testContext(RITA, 1000);

function impact(state: RunState | null, command: RunCommand): Impact {
  const found = state && impactOf(state, command, CONTEXT);
  if (!found?.ok) throw new Error(JSON.stringify(found?.error));
  return found.value;
}

const AGENT = testPlan([
  testAgent('build'),
  testValidation('check', { needs: ['build'] }),
  testApproval('ship', { needs: ['check'] }),
]);
const usage = { inputTokens: 100, outputTokens: 20, cachedTokens: 0, usd: 0.5 };
const BUILT = [
  E.begun(AGENT),
  E.readied('build'),
  E.attemptStarted('build', 1, { session: testToken('s1') }),
  E.succeeded('build', 1, { checkpoint: testCommit('1'), usage }),
  E.readied('check'),
  E.attemptStarted('check', 1, { inputCheckpoint: testCommit('1') }),
  E.succeeded('check', 1, { checkpoint: testCommit('1') }),
  E.asked('ship', { kind: 'gate' }),
];

describe('an impact', () => {
  test('[IM1] names what runs again, what falls, what goes back, and what it cost', () => {
    expect(impact(given(...BUILT).state, C.restart('build'))).toEqual({
      status: { before: 'blocked', after: 'running' },
      kept: [],
      again: ['build', 'check', 'ship'],
      stale: ['build', 'check'],
      skipped: [],
      stopped: [],
      canceled: [],
      removed: [],
      follows: [],
      asks: [],
      plan: null,
      approvals: [{ id: 'apr_1', step: 'ship', was: 'open' }],
      validations: ['check'],
      rewinds: { from: testCommit('1'), to: testCommit('0') },
      setsAside: [],
      sessions: [{ step: 'build', session: 's1', way: 'begun anew' }],
      spent: { tokens: 120, usd: 0.5, unknownCost: false },
      expected: { usd: { least: 0.5, most: 0.5 }, tokens: { least: 120, most: 120 } },
    });
  });

  test('[IM1] tells a session that goes on from one that begins anew, and work that is set aside', () => {
    const plan = testPlan([testAgent('build')]);
    const cut = given(
      E.begun(plan),
      E.readied('build'),
      E.attemptStarted('build', 1, { session: testToken('s1') }),
      E.interrupted('build', 1),
    ).state;
    const session = { step: 'build', session: 's1' };
    const goesOn = impact(cut, C.resume());
    expect([goesOn.sessions, goesOn.setsAside]).toEqual([[{ ...session, way: 'continued' }], []]);
    const anew = impact(cut, C.retry('build'));
    expect([anew.sessions, anew.setsAside]).toEqual([
      [{ ...session, way: 'begun anew' }],
      ['build'],
    ]);
    // What an attempt cost that told nothing is not zero.
    expect(anew.expected).toEqual({ usd: null, tokens: null });
    expect(anew.spent.unknownCost).toBe(true);
  });

  test('[IM1] of a cancel names what ends', () => {
    const { canceled, approvals, kept, status } = impact(given(...BUILT).state, C.cancel());
    expect([canceled, approvals.map(({ id }) => id), kept]).toEqual([
      ['ship'],
      ['apr_1'],
      ['build', 'check'],
    ]);
    expect(status.after).toBe('canceled');
  });

  test('[IM2] is refused as the action would be, and changes nothing', () => {
    const { state } = given(...BUILT);
    const before = JSON.stringify([...(state?.steps.values() ?? [])]);
    expect(impactOf(state!, C.resume(), CONTEXT)).toMatchObject({
      ok: false,
      error: { type: 'NothingToResume' },
    });
    impact(state, C.restart('build'));
    expect(JSON.stringify([...(state?.steps.values() ?? [])])).toBe(before);
  });
});

const PLANS = [
  AGENT,
  testPlan([
    testCommand('a', { retry: { attempts: 2, backoffMs: 10 } }),
    testReader('b', { needs: ['a'], when: 'inputs.b' }),
    testAgent('c', { needs: ['a'], onInterrupt: 'resume' }),
    testApproval('d', { needs: ['b', 'c'], onReject: { restart: 'a', max: 1 } }),
  ]),
  testPlan([testCommand('a'), testCommand('b', { needs: [] }), testReader('c', { needs: ['b'] })]),
];
const AROUND: Surroundings = {
  ...{ verdicts: [ALLOW, ASK], digests: ['digest-1'], ends: ALL_ENDS, gateCounts: [1] },
  ...{ toolCalls: 1, blocks: true, pauses: true, applies: false, restarts: true, changes: 'all' },
};
const CONTROLS: ReadonlySet<RunCommand['type']> = new Set<RunCommand['type']>([
  ...(['CancelRun', 'PauseRun', 'ResumeRun', 'RetryRun', 'RestartFrom', 'ChangeRun'] as const),
]);

test('[IM2] what the summary says is what then happens, over generated histories', () => {
  let looked = 0;
  let changed = 0;
  const turns = fc.array(
    fc.record({ natural: fc.boolean(), pick: fc.noBias(fc.nat({ max: 9_999 })) }),
    { minLength: 5, maxLength: 40 },
  );
  const property = fc.property(fc.constantFrom(...PLANS), turns, (plan, steps) => {
    const created = decide(TEST_RUN, null, C.create(plan), CONTEXT);
    if (!created.ok) throw new Error(created.error.type);
    let { state } = created.value;
    for (const { natural, pick } of steps) {
      const effects = effectsOf(state, 1000).filter(({ type }) => !type.includes('old'));
      const effect = effects[pick % Math.max(1, effects.length)];
      const moves = outsideMoves(state, AROUND);
      const move =
        natural && effect !== undefined ? naturalMove(state, effect) : moves[pick % moves.length]!;
      const { command } = move;
      const context = testContext(move.actor, move.nowMs);
      const said = CONTROLS.has(command.type) ? impactOf(state, command, context) : null;
      const done = decide(TEST_RUN, state, command, context);
      if (said !== null) {
        looked += 1;
        expect(said.ok).toBe(done.ok);
        if (said.ok && done.ok) {
          const after = agreedTo(state, done.value.state, said.value);
          if (after !== null) expectToHaveHappened(said.value, state, after);
          if (command.type === 'ChangeRun') changed += 1;
        }
      }
      if (done.ok) ({ state } = done.value);
    }
  });
  fc.assert(property, { numRuns: 1500, seed: Number(process.env['CCDASH_SEED'] ?? 20_261_123) });
  expect(looked).toBeGreaterThan(1000);
  expect(changed).toBeGreaterThan(1000);
}, 60_000);

/** The run once everybody who was asked has agreed; null when nobody else could be asked. */
function agreedTo(before: RunState, asked: RunState, said: Impact): RunState | null {
  const opened = [...asked.approvals.values()].filter(({ id }) => !before.approvals.has(id));
  const wanted = opened.filter(({ kind }) => kind === 'skip' || kind === 'replan');
  expect(said.asks.map(({ step }) => step)).toEqual(wanted.map(({ step }) => step));
  let state = asked;
  for (const { id, requires } of wanted) {
    for (const name of ['ann', 'bob', 'cid'].slice(0, requires.count)) {
      const person = testContext({ kind: 'person', id: name }, 1000);
      const roles = [...requires.roles];
      const done = decide(TEST_RUN, state, C.approve(id, { roles }), person);
      if (!done.ok) throw new Error(JSON.stringify(done.error));
      ({ state } = done.value);
    }
  }
  return state;
}

/** Looks at the two states alone, not at how the summary was made. */
function expectToHaveHappened(said: Impact, before: RunState, after: RunState): void {
  expect(said.status).toEqual({ before: runStatus(before), after: runStatus(after) });
  const gone = [...before.steps.values()].filter(({ id }) => !after.steps.has(id));
  expect(said.removed).toEqual(gone.map(({ id }) => id));
  for (const [id, step] of after.steps) {
    const was = before.steps.get(id);
    // It is in the new plan alone, or comes back to it.
    if (was === undefined) continue;
    const wasSkipped = was.status === 'skipped';
    expect(said.skipped.includes(id)).toBe(step.status === 'skipped' && !wasSkipped);
    const wasDone = was.status === 'succeeded' || was.status === 'skipped';
    const isDone = step.status === 'succeeded' || step.status === 'skipped';
    expect(said.kept.includes(id)).toBe(wasDone && isDone);
    expect(said.stale.includes(id)).toBe(wasDone && !isDone);
    const isStopped = step.status === 'running' && step.invalidated && !was.invalidated;
    const isBack = step.status === 'pending' && was.status !== 'pending';
    expect(said.again.includes(id)).toBe(isBack || isStopped);
    expect(said.canceled.includes(id)).toBe(
      step.status === 'canceled' && was.status !== 'canceled',
    );
    // Nobody's decision is taken back unsaid.
    expect(step.attempts.length).toBe(was.attempts.length);
  }
  for (const [id, approval] of before.approvals) {
    const falls =
      after.approvals.get(id)?.status !== approval.status && approval.status !== 'rejected';
    expect(said.approvals.some((each) => each.id === id)).toBe(falls);
  }
  const moved = before.checkpoint?.commit !== after.checkpoint?.commit;
  expect(said.rewinds !== null).toBe(moved && before.checkpoint !== null);
}
