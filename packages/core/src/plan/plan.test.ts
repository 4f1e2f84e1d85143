import { describe, expect, test } from 'vitest';

import {
  testAgent,
  testApproval,
  testCommand,
  testPlan,
  testReader,
  testValidation,
} from '../testing/plan-fixtures.ts';
import { RISK_CLASSES, SETUP_STEP_ID, dependentsOf, isWriter, stepById } from './plan.ts';

describe('dependentsOf', () => {
  const plan = testPlan([
    testReader('late', { needs: ['mid'] }),
    testCommand('first'),
    testReader('mid', { needs: ['first', 'aside'] }),
    testReader('aside'),
  ]);

  test('[RC6] all that need a step, directly or not, in plan order', () => {
    expect(dependentsOf(plan, 'first')).toEqual(['late', 'mid']);
    expect(dependentsOf(plan, 'mid')).toEqual(['late']);
    expect(dependentsOf(plan, 'late')).toEqual([]);
  });
});

describe('isWriter', () => {
  const nothing = { tools: ['edit'], write: [], network: 'none' } as const;
  const something = { tools: [], write: ['src/**'], network: 'none' } as const;

  test('[SC2] a command or an agent whose scope lets it write', () => {
    expect(isWriter(testCommand('a'))).toBe(true);
    expect(isWriter(testAgent('a'))).toBe(true);
    expect(isWriter(testCommand('a', { scope: nothing }))).toBe(false);
    expect(isWriter(testAgent('a', { scope: nothing }))).toBe(false);
    expect(isWriter(testValidation('a', { scope: something }))).toBe(false);
    expect(isWriter(testApproval('a', { scope: something }))).toBe(false);
  });
});

describe('words of plans', () => {
  test('risk rises from low to critical, and the id of the setup step is kept for it', () => {
    expect(RISK_CLASSES).toEqual(['low', 'medium', 'high', 'critical']);
    expect(SETUP_STEP_ID).toBe('setup');
  });
});

describe('stepById', () => {
  test('holds every step, and is made once for a plan', () => {
    const plan = testPlan([testCommand('b'), testCommand('a')]);
    expect([...stepById(plan).keys()]).toEqual(['b', 'a']);
    expect(stepById(plan).get('a')).toBe(plan.steps[1]);
    expect(stepById(plan)).toBe(stepById(plan));
  });
});
