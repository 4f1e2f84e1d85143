/**
 * Random histories with races: whoever sends what, in any order, with commands decided on an older state than they
 * meet. `CCDASH_SEED` repeats a run; `CCDASH_RACES` sets how many histories there are.
 */
import fc from 'fast-check';
import { env, stdout } from 'node:process';
import { describe, expect, test } from 'vitest';

import type { Plan } from '../plan/plan.ts';
import { takeMove } from '../testing/explore-runs.ts';
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
  COMMANDS,
  DENY,
  RITA,
  TEST_RUN,
  testContext,
  testVerdict,
} from '../testing/run-fixtures.ts';
import { stateViolations } from '../testing/run-invariants.ts';
import {
  ALL_ENDS,
  EARLY_MS,
  naturalMove,
  nextApprovalId,
  outsideMoves,
} from '../testing/run-moves.ts';
import type { Move, Surroundings } from '../testing/run-moves.ts';
import { stateToText } from '../testing/scenario.ts';
import { effectsOf } from '../schedule/effects.ts';
import { auditRun } from './audit.ts';
import { decide } from './decide.ts';
import type { RunEvent } from './events.ts';
import { evolve, foldRun } from './evolve.ts';
import type { RunState } from './state.ts';

const isMutated = env['STRYKER_MUTATOR_WORKER'] !== undefined;
const RUNS = Number(env['CCDASH_RACES'] ?? (isMutated ? 60 : 10_000));
const SEED = Number(env['CCDASH_SEED'] ?? 20_261_123);

const PLANS: readonly Plan[] = [
  testPlan([
    testAgent('build', { onInterrupt: 'resume', retry: { attempts: 2, backoffMs: 10 } }),
    testValidation('check', { needs: ['build'] }),
    testApproval('review', { needs: ['check'], onReject: { restart: 'build', max: 2 } }),
    testCommand('side', { needs: ['build'] }),
    testReader('publish', { needs: ['review'], when: 'true' }),
  ]),
  testPlan(
    [
      testCommand('a', { retry: { attempts: 2, backoffMs: 10 } }),
      testAgent('b', { onInterrupt: 'retry' }),
      testReader('c', { needs: ['a'], when: 'true' }),
      testApproval('d'),
      testCommand('e', { needs: ['c', 'd'] }),
    ],
    { onFailure: 'stop', concurrency: 2 },
  ),
  testPlan([
    testCommand('a'),
    testReader('b', { needs: ['a'] }),
    testCommand('c', { needs: ['a'], onInterrupt: 'resume' }),
    testApproval('d', { needs: ['b', 'c'], onReject: { restart: 'c', max: 1 } }),
  ]),
];

const AROUND: Surroundings = {
  verdicts: [ALLOW, ASK, testVerdict('requires_approval', { count: 2 }), DENY],
  digests: ['digest-1', 'digest-2'],
  ends: ALL_ENDS,
  gateCounts: [1, 2],
  toolCalls: 2,
  blocks: true,
  pauses: true,
  applies: true,
  restarts: true,
};

/** A turn: an engine that does its work, anybody with anything, or a command that is late by `lag` states. */
const TURN = fc.record({
  who: fc.constantFrom('engine', 'engine', 'engine', 'anybody', 'late'),
  pick: fc.noBias(fc.nat({ max: 9_999 })),
  lag: fc.integer({ min: 1, max: 4 }),
});

function moveOf(state: RunState, turn: { readonly who: string; readonly pick: number }): Move {
  const effects = effectsOf(state, EARLY_MS);
  const effect = effects[turn.pick % Math.max(1, effects.length)];
  if (turn.who === 'engine' && effect !== undefined) return naturalMove(state, effect);
  const moves = outsideMoves(state, AROUND);
  return moves[turn.pick % moves.length]!;
}

/** Ids of requests never come twice, not even in a command that is late. */
function withFreshId({ command, ...by }: Move, state: RunState): Move {
  const approvalId = nextApprovalId(state);
  if (command.type === 'DecideGate') return { ...by, command: { ...command, approvalId } };
  if (command.type !== 'EvaluateStep' || !('approvalId' in command.evaluation)) {
    return { ...by, command };
  }
  return { ...by, command: { ...command, evaluation: { ...command.evaluation, approvalId } } };
}

describe('races', () => {
  test('[DE2] [DE3] [SC5] keep the invariants, and the fold of the log equals the state kept along', () => {
    const found = { rows: new Set<string>(), refusals: new Set<string>() };
    let [commands, longest] = [0, 0];
    const history = fc.tuple(
      fc.constantFrom(...PLANS),
      fc.array(TURN, { minLength: 6, maxLength: 24, size: 'max' }),
    );
    const property = fc.property(history, ([plan, turns]) => {
      const first = decide(TEST_RUN, null, COMMANDS.create(plan), testContext(RITA));
      if (!first.ok) throw new Error(first.error.type);
      const log: RunEvent[] = [...first.value.events];
      const states: RunState[] = [first.value.state];
      for (const turn of turns) {
        const state = states.at(-1)!;
        const seen = turn.who === 'late' ? (states.at(-1 - turn.lag) ?? state) : state;
        const move = withFreshId(moveOf(seen, turn), state);
        commands += 1;
        const decided = takeMove(state, move, found);
        if (decided === null) continue;
        log.push(...decided.events);
        states.push(decided.state);
        expect(stateViolations(decided.state, EARLY_MS)).toEqual([]);
      }
      longest = Math.max(longest, log.length);
      expect(auditRun(TEST_RUN, log)).toEqual([]);
      let incremental: RunState | null = null;
      for (const event of log) incremental = evolve(TEST_RUN, incremental, event);
      const kept = stateToText(states.at(-1)!);
      expect(stateToText(incremental!)).toBe(kept);
      expect(stateToText(foldRun(TEST_RUN, JSON.parse(JSON.stringify(log)) as RunEvent[])!)).toBe(
        kept,
      );
    });
    fc.assert(property, { numRuns: RUNS, seed: SEED });
    stdout.write(`${RUNS} histories, ${commands} commands, longest log ${longest}; seed ${SEED}\n`);
  }, 60_000);
});
