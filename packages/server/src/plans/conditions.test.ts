import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { evaluateCondition } from './conditions.ts';
import type { ConditionFacts } from './conditions.ts';

const facts: ConditionFacts = {
  inputs: { branch: 'main', count: 3, dry: false },
  steps: {
    unit: { status: 'succeeded', outputs: { failed: 0, names: ['a', 'b'], deep: { x: 'y' } } },
    'lint-all': { status: 'skipped', outputs: {} },
  },
};

describe('evaluateCondition', () => {
  it.each([
    ["inputs.branch == 'main'", true],
    ["inputs.branch == 'main' && inputs.dry", false],
    ['inputs.count >= 3 && inputs.count < 4', true],
    ['inputs.count == 3', true],
    ["steps.unit.status == 'succeeded'", true],
    ["steps['lint-all'].status == 'failed'", false],
    ['steps.unit.outputs.failed == 0', true],
    ["steps.unit.outputs.deep.x == 'y'", true],
    ["steps.unit.outputs.names.exists(n, n == 'b')", true],
    ["'c' in steps.unit.outputs.names", false],
    ['has(steps.unit.outputs.x) && steps.unit.outputs.x == 1', false],
    ["'x' in steps['lint-all'].outputs && steps['lint-all'].outputs.x == 1", false],
    ['true', true],
  ])('[PL18] %s is %s', (expression, value) => {
    expect(evaluateCondition(expression, facts)).toEqual({ ok: true, value });
  });

  it.each([
    ["steps['lint-all'].outputs.x == 1", 'steps.lint-all.outputs.x'],
    ['inputs.tag == 1', 'inputs.tag'],
    ["steps.gone.status == 'failed'", 'steps.gone.status'],
    ['inputs.constructor == 1', 'inputs.constructor'],
    ['steps.unit.outputs.toString == 1', 'steps.unit.outputs.toString'],
  ])('[PL18] %s fails and names %s', (expression, missing) => {
    const result = evaluateCondition(expression, facts);
    expect(result).toMatchObject({ ok: false, error: { code: 'configuration' } });
    expect(result.ok ? '' : result.error.message).toContain(
      `reads ${missing}, which does not exist`,
    );
    expect(result.ok ? '' : result.error.message).toContain(JSON.stringify(expression));
  });

  it.each([
    ['a comparison of two types', 'inputs.branch > inputs.count'],
    ['a value that is no answer', 'inputs.branch'],
    ['a missing value further down', "steps.unit.outputs.deep.z == 'y'"],
    ['a syntax error', 'inputs.branch =='],
    ['a pattern', "inputs.branch.matches('a')"],
  ])('[PL18] %s is a failure of the configuration', (_title, expression) => {
    expect(evaluateCondition(expression, facts)).toMatchObject({
      ok: false,
      error: { code: 'configuration' },
    });
  });

  it('[PL18] never throws, whatever the facts', () => {
    const value = fc.jsonValue() as fc.Arbitrary<never>;
    const expression = fc.constantFrom(
      'inputs.a == steps.b.outputs.c',
      'steps.b.outputs.c.all(x, x > 1)',
      'steps.b.outputs.c + steps.b.outputs.d > 1',
      'steps.b.outputs.c[0].d in steps.b.outputs.d',
      'size(steps.b.outputs.c) > 0 || int(steps.b.outputs.d) == 1',
      "has(steps.b.outputs.c.d) ? steps.b.outputs.c.d : string(inputs.a) == ''",
    );
    fc.assert(
      fc.property(expression, value, value, value, (text, a, c, d) => {
        const steps = { b: { status: 'succeeded' as const, outputs: { c, d } } };
        const result = evaluateCondition(text, { inputs: { a }, steps });
        if (result.ok) expect(result.value).toBeTypeOf('boolean');
        else expect(result.error.code).toBe('configuration');
      }),
      { seed: 3, numRuns: 800 },
    );
  });
});
