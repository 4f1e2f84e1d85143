/**
 * People approve, the world changes, engines die and begin anew, and steps start, in every order that a scheduler can
 * find. `CCDASH_SEED` repeats a run; `CCDASH_RACES` sets how many orders are tried.
 */
import fc from 'fast-check';
import { env, stdout } from 'node:process';
import { expect, test } from 'vitest';

import { testCommand, testPlan } from '../testing/plan-fixtures.ts';
import {
  ANN,
  BOB,
  COMMANDS as C,
  RITA,
  TEST_ENGINE,
  TEST_RUN,
  testContext,
  testVerdict,
  toStart,
} from '../testing/run-fixtures.ts';
import { eventViolations } from '../testing/run-invariants.ts';
import { nextApprovalId } from '../testing/run-moves.ts';
import type { RunCommand } from './commands.ts';
import { decide } from './decide.ts';
import type { Actor, RunEvent } from './events.ts';
import { evolve, foldRun } from './evolve.ts';
import type { RunState } from './state.ts';

const isMutated = env['STRYKER_MUTATOR_WORKER'] !== undefined;
const RUNS = Number(env['CCDASH_RACES'] ?? (isMutated ? 60 : 10_000));
const SEED = Number(env['CCDASH_SEED'] ?? 20_261_123);
const VERDICT = testVerdict('requires_approval', { count: 2 });

test('[AP39] in no order of approve, change, restart and start does anything start without its decisions', async () => {
  const counts = { started: 0, refused: 0, changedBetween: 0 };
  const property = fc.asyncProperty(fc.scheduler(), async (scheduler) => {
    const log: RunEvent[] = [];
    let state: RunState | null = null;
    /** What would run now: anybody may change it at any time, but for a launch under way. */
    let world = 1;
    const send = (command: RunCommand, actor: Actor = TEST_ENGINE): RunState | null => {
      const decided = decide(TEST_RUN, state, command, testContext(actor));
      if (!decided.ok) return null;
      let before = state;
      for (const event of decided.value.events) {
        if (before !== null) expect(eventViolations(before, event)).toEqual([]);
        before = evolve(TEST_RUN, before, event);
      }
      log.push(...decided.value.events);
      return (state = decided.value.state);
    };
    send(C.create(testPlan([testCommand('a')])), RITA);
    send(C.startRun());
    const pause = (what: string): Promise<unknown> => scheduler.schedule(Promise.resolve(), what);
    const digest = (): string => `digest-${String(world)}`;

    const engine = async (name: string): Promise<void> => {
      for (let turn = 0; turn < 4; turn += 1) {
        const step = state!.steps.get('a')!;
        const seen = digest();
        const subject = { what: seen };
        await pause(`${name} has prepared ${seen}`);
        if (step.status === 'pending') {
          const slot = { approvalId: nextApprovalId(state!) };
          send(C.evaluate('a', toStart(VERDICT, seen, slot)));
        } else if (step.status === 'ready') {
          const before = log.length;
          send(C.start('a', { verdict: VERDICT, subjectDigest: seen, subject }));
          const started = log.slice(before).find(({ type }) => type === 'AttemptStarted');
          if (started?.type === 'AttemptStarted') {
            // What is launched is what was prepared: it must be what people approved.
            expect(started.data.subjectDigest).toBe(seen);
            counts.started += 1;
            if (seen !== digest()) counts.changedBetween += 1;
          } else counts.refused += 1;
        }
        await pause(`${name} goes on`);
      }
    };
    const person = async (who: Actor): Promise<void> => {
      for (let turn = 0; turn < 3; turn += 1) {
        const open = [...state!.approvals.values()].find(({ status }) => status === 'open');
        await pause(`${who.id} reads`);
        if (open !== undefined) {
          send(C.approve(open.id, { subjectDigest: open.subjectDigest }), who);
        }
      }
    };
    const changer = async (): Promise<void> => {
      for (let turn = 0; turn < 2; turn += 1) {
        await pause('it changes');
        world += 1;
      }
    };
    const restarter = async (): Promise<void> => {
      await pause('the engine begins anew');
      state = foldRun(TEST_RUN, JSON.parse(JSON.stringify(log)) as RunEvent[]);
      await engine('the next engine');
    };
    const everybody = [engine('the engine'), person(ANN), person(BOB), changer(), restarter()];
    await scheduler.waitFor(Promise.all(everybody));
    const starts = log.filter(({ type }) => type === 'AttemptStarted');
    expect(starts.length).toBeLessThan(2);
  });
  await fc.assert(property, { numRuns: RUNS, seed: SEED });
  stdout.write(`${String(RUNS)} orders: ${JSON.stringify(counts)}; seed ${String(SEED)}\n`);
  expect(counts.started).toBeGreaterThan(0);
  expect(counts.refused).toBeGreaterThan(0);
}, 120_000);
