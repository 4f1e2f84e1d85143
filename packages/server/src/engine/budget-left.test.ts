import type { Budget, RunState, Usage } from '@ccdash/core';
import {
  COMMANDS,
  EVENTS,
  given,
  testAgent,
  testEnd,
  testFailure,
  testPlan,
} from '@ccdash/core/testing';
import { describe, expect, test } from 'vitest';
import { budgetLeft, exhaustion } from './budget-left.ts';

const FREE = { maxTokens: null, maxUsd: null, maxTurns: null, maxTimeMs: null };
const NONE: Budget = { usd: null, tokens: null, timeMs: null, turns: null };
const USED: Usage = { inputTokens: 900, outputTokens: 100, cachedTokens: 0, usd: 2 };

/** A run of two agents, of which the first has failed once. */
function afterOne(usage: Usage | null, step: Partial<Budget>, run: Partial<Budget>): RunState {
  const budget = { ...NONE, ...step };
  const agents = [testAgent('a', { budget }), testAgent('b')];
  const plan = testPlan(agents, { budget: { ...NONE, ...run }, onFailure: 'continue' });
  const end = { ...testEnd(testFailure()), usage };
  return given(EVENTS.created(plan), EVENTS.runStarted(), EVENTS.readied('a'))
    .when(COMMANDS.start('a'))
    .and()
    .when(COMMANDS.end('a', 1, { outcome: 'failed', retryable: false, ...end })).state;
}

describe('what is left of a budget', () => {
  test('[AG33] is what earlier attempts of the step have not used', () => {
    const state = afterOne(USED, { tokens: 1500, usd: 5 }, {});
    expect(budgetLeft(state, 'a')).toEqual({ ...FREE, maxTokens: 500, maxUsd: 3 });
    expect(budgetLeft(state, 'b')).toEqual(FREE);
  });

  test('[AG33] is never more than the run has left, and never less than nothing', () => {
    const state = afterOne(USED, { tokens: 5000 }, { tokens: 1200, usd: 1 });
    expect(budgetLeft(state, 'a')).toEqual({ ...FREE, maxTokens: 200, maxUsd: 0 });
    expect(budgetLeft(state, 'b')).toEqual({ ...FREE, maxTokens: 200, maxUsd: 0 });
  });

  test('[AG107] counts turns and time at work as well, over all attempts', () => {
    const used = { ...USED, turns: 3, timeMs: 60_000 };
    const state = afterOne(used, { turns: 5, timeMs: 90_000 }, {});
    expect(budgetLeft(state, 'a')).toEqual({ ...FREE, maxTurns: 2, maxTimeMs: 30_000 });
    expect(exhaustion(state, 'a')).toBeNull();
  });

  test('[AG107] lets nothing begin once it is used up, and says of what', () => {
    const used = { ...USED, turns: 5 };
    const state = afterOne(used, { turns: 5, usd: 2 }, {});
    expect(exhaustion(state, 'a')).toMatchObject({
      code: 'budget_exceeded',
      message: "a has no money and no turns left of its budget, or of the run's",
    });
    expect(exhaustion(state, 'b')).toBeNull();
  });

  test('[AG33] is whole where nobody knows what was used', () => {
    expect(budgetLeft(afterOne(null, { tokens: 7 }, {}), 'a').maxTokens).toBe(7);
  });
});
