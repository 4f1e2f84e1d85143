import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readCondition } from './condition-syntax.ts';

function referencesOf(expression: string): readonly string[] {
  const reading = readCondition(expression);
  if (!reading.ok) throw new Error(reading.fault.detail);
  return reading.references.map((reference) =>
    reference.kind === 'input'
      ? `inputs.${reference.name}`
      : `${reference.step}:${reference.field}:${reference.key ?? ''}`,
  );
}

describe('readCondition', () => {
  it.each([
    ["inputs.branch == 'main'", ['inputs.branch']],
    ["inputs['a'] && !inputs.b", ['inputs.a', 'inputs.b']],
    ["steps.a.status == 'failed'", ['a:status:']],
    ["steps['my-step'].outputs.x == 1", ['my-step:outputs:x']],
    ['has(steps.a.outputs.x.y)', ['a:outputs:x']],
    ["'x' in steps['my-step'].outputs", ['my-step:outputs:']],
    ['steps.a.outputs.list.exists(v, v == inputs.b)', ['a:outputs:list', 'inputs.b']],
    ['steps.a.outputs.list[0].size() > 1', ['a:outputs:list']],
    ["inputs.a in ['x', 'y'] ? true : inputs.b > 2.5", ['inputs.a', 'inputs.b']],
  ])('[PL17] names what %s reads', (expression, references) => {
    expect(referencesOf(expression)).toEqual(references);
  });

  it.each([
    ['1 +', 3],
    ['nope == 1', 0],
    ['inputs == 1', 0],
    ['true && steps.a', 8],
    ["steps[inputs.a].status == 'x'", 0],
    ["'a'.matches('(a+)+$')", 0],
    ['now() > 1', 0],
    ["has(steps['a'].outputs.x)", 4],
    ['[1].map(a, [2].map(b, a)).size() > 0', 11],
    ["'a' + 'b'", 0],
    ["'a' + 1 == 'a1'", 0],
    ['steps.my-step.status == 1', 0],
  ])('[PL17] refuses %s at offset %i', (expression, start) => {
    expect(readCondition(expression)).toMatchObject({ ok: false, fault: { start } });
  });

  it('[PL17] refuses what is too large', () => {
    expect(readCondition(Array(400).fill('true').join(' && ')).ok).toBe(false);
    expect(readCondition(`${'('.repeat(200)}true${')'.repeat(200)}`).ok).toBe(false);
    expect(readCondition(`${'!'.repeat(2000)}true`).ok).toBe(false);
  });

  it('[PL17] never throws', () => {
    const part = fc.constantFrom(
      ...[
        'inputs',
        'steps',
        '.a',
        '["b"]',
        '.status',
        '(',
        ')',
        '[',
        ']',
        '{',
        '}',
        '==',
        '&&',
        '?',
        ':',
      ],
      ...[
        'has',
        '.all',
        '.map(',
        'x,',
        '1',
        '1u',
        '"s',
        "'t'",
        'b"x"',
        'null',
        '!',
        '-',
        '.',
        ',',
        'in',
        ' ',
      ],
    );
    const expression = fc.oneof(
      fc.string(),
      fc.array(part).map((parts) => parts.join('')),
    );
    fc.assert(
      fc.property(expression, (text) => {
        readCondition(text);
      }),
      { seed: 11, numRuns: 1500 },
    );
  });
});
