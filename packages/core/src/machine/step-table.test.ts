import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { testPlan, testReader } from '../testing/plan-fixtures.ts';
import { EVENTS as E } from '../testing/run-fixtures.ts';
import { given } from '../testing/scenario.ts';
import { newStepState } from './state.ts';
import { StepTable } from './step-table.ts';
import { STEP_STATUSES } from './transitions.ts';
import type { StepStatus } from './transitions.ts';

const COUNT = 130;
const LONG = testPlan(
  Array.from({ length: COUNT }, (_, i) =>
    testReader(`s${i}`, { needs: i === 0 ? [] : [`s${i - 1}`] }),
  ),
);

describe('a table of many steps', () => {
  test('[SC6] finds each of them, in plan order', () => {
    const table = StepTable.of(LONG, newStepState);
    expect(table.size).toBe(COUNT);
    expect([...table.values()].map((step) => step.id)).toEqual(LONG.steps.map((step) => step.id));
    expect([...table].map(([id]) => id)).toEqual(LONG.steps.map((step) => step.id));
    for (const id of ['s0', 's63', 's64', 's129']) expect(table.get(id)?.id).toBe(id);
    expect(table.get('s130')).toBeUndefined();
    expect([table.has('s129'), table.has('s130')]).toEqual([true, false]);
    expect(() => table.set('s130', newStepState('s130'))).toThrow('no step s130');
  });

  test('[SC6] knows which can move, and how many have which status', () => {
    const told = Array.from({ length: 70 }, (_, i) => E.done(`s${i}`));
    const { state } = given(E.begun(LONG), told);
    expect(state?.steps.activeSteps().map((step) => step.id)).toEqual(['s70']);
    expect([state?.steps.count('succeeded'), state?.steps.count('pending')]).toEqual([70, 60]);
    expect(['s70', 's71'].map((id) => state?.steps.isEligible(id))).toEqual([true, false]);
  });

  test('[SC6] lists those that can move in plan order, however they came to', () => {
    const wide = testPlan(['a', 'b', 'c'].map((id) => testReader(id)));
    const { state } = given(E.begun(wide), E.done('a'), E.invalidated('a'));
    expect(state?.steps.activeSteps().map((step) => step.id)).toEqual(['a', 'b', 'c']);
  });

  test('[DE1] a fork and its origin do not see each other', () => {
    const table = StepTable.of(LONG, newStepState);
    const fork = table.fork();
    fork.set('s0', { ...newStepState('s0'), status: 'succeeded' });
    table.set('s0', { ...newStepState('s0'), status: 'failed' });
    const seen = [table, fork].map((each) => [
      each.get('s0')?.status,
      each.count('succeeded'),
      each.activeSteps().map((step) => step.id),
    ]);
    expect(seen).toEqual([
      ['failed', 0, []],
      ['succeeded', 1, ['s1']],
    ]);
  });

  test('[SC6] whatever is set and forked, each table is what one made from scratch would be', () => {
    const plan = testPlan([
      ...['a', 'b', 'c'].map((id) => testReader(id)),
      testReader('d', { needs: ['a', 'b'] }),
      testReader('e', { needs: ['d'] }),
      testReader('f', { needs: ['c', 'e'] }),
    ]);
    const turn = fc.record({
      table: fc.nat(),
      forks: fc.boolean(),
      step: fc.constantFrom(...plan.steps.map(({ id }) => id)),
      status: fc.constantFrom<StepStatus>(...STEP_STATUSES),
    });
    const told = (table: StepTable) => ({
      steps: [...table.values()].map(({ id, status }) => [id, status]),
      active: table.activeSteps().map(({ id }) => id),
      counts: STEP_STATUSES.map((status) => table.count(status)),
      eligible: plan.steps.map(({ id }) => table.isEligible(id)),
    });
    const property = fc.property(fc.array(turn, { maxLength: 30 }), (turns) => {
      const first = new Map<string, StepStatus>();
      const all = [{ table: StepTable.of(plan, newStepState), statuses: first }];
      for (const { table: at, forks, step, status } of turns) {
        const from = all[at % all.length]!;
        const to = forks ? { table: from.table.fork(), statuses: new Map(from.statuses) } : from;
        if (forks) all.push(to);
        to.table.set(step, { ...newStepState(step), status });
        to.statuses.set(step, status);
      }
      for (const { table, statuses } of all) {
        const scratch = StepTable.of(plan, (id) => ({
          ...newStepState(id),
          status: statuses.get(id) ?? 'pending',
        }));
        expect(told(table)).toEqual(told(scratch));
      }
    });
    fc.assert(property, { numRuns: 500, seed: 20_261_123 });
  });
});

describe('a table that is not what somebody thinks', () => {
  test('[DE1] a fork that was never changed does not see what its origin does next', () => {
    const table = StepTable.of(LONG, newStepState);
    table.set('s0', { ...newStepState('s0'), status: 'running' });
    const fork = table.fork();
    table.set('s0', { ...newStepState('s0'), status: 'succeeded' });
    expect(fork.get('s0')?.status).toBe('running');
    expect(fork.count('running')).toBe(1);
  });

  test('[SC6] holds as many chunks as it needs, and knows no step beyond them', () => {
    const full = testPlan(Array.from({ length: 128 }, (_, i) => testReader(`s${i}`)));
    expect(StepTable.of(full, newStepState).chunks.map((chunk) => chunk.length)).toEqual([64, 64]);
    expect(StepTable.of(full, newStepState).isEligible('s128')).toBe(true);
  });

  test('[SC6] a step that was begun before counts as one that can move, whatever it needs', () => {
    const state = given(
      ...[E.begun(LONG), E.done('s0'), E.done('s1'), E.invalidated('s0')],
      E.requeued('s0', { cause: 'invalidated' }),
    ).state;
    expect(state?.steps.get('s1')?.status).toBe('succeeded');
    const again = given(
      ...[E.begun(LONG), E.done('s0'), E.done('s1'), E.invalidated('s1')],
      E.requeued('s1', { cause: 'invalidated' }),
      E.invalidated('s0'),
    ).state;
    expect(again?.steps.activeSteps().map((step) => step.id)).toEqual(['s0', 's1']);
  });

  test.each(['failed', 'succeeded', 'skipped', 'canceled'] as const)(
    '[SC6] a step that is %s cannot move, though it has begun and all it needs is there',
    (status) => {
      const plan = testPlan([testReader('a')]);
      const begun = given(E.begun(plan), E.running('a')).state;
      const table = begun?.steps.fork();
      const step = table?.get('a');
      if (table === undefined || step === undefined) throw new Error('a is not there');
      table.set('a', { ...step, status });
      expect(table.activeSteps()).toEqual([]);
    },
  );
});
