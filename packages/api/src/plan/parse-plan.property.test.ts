import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalPlanJson } from './canonical-json.ts';
import { parsePlan } from './parse-plan.ts';
import { planToText } from './plan-text.ts';

const examples = ['01-first-plan', '02-agent', '03-parallel', '04-release'].map((name) =>
  readFileSync(new URL(`../../../../examples/${name}.yaml`, import.meta.url), 'utf8'),
);
const SEED = 20_261_123;

/** Everything that holds of every reading, whatever the text. */
function expectSoundReading(text: string): void {
  const reading = parsePlan(text, { file: 'f' });
  const problems = reading.ok ? reading.warnings : reading.problems;
  if (reading.ok) {
    const { plan } = reading;
    canonicalPlanJson(plan);
    planToText(plan);
    const ids = plan.steps.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    for (const step of plan.steps) for (const id of step.needs) expect(ids).toContain(id);
  } else {
    expect(problems.length).toBeGreaterThan(0);
    expect(problems.every(({ severity }) => severity === 'error')).toBe(true);
  }
  const lines = text.replace(/^\ufeff/, '').split('\n');
  for (const { at, detail, hint } of problems) {
    const line = lines[at.line - 1];
    expect(line).toBeDefined();
    expect(at.column).toBeGreaterThanOrEqual(1);
    expect(at.column).toBeLessThanOrEqual((line ?? '').length + 1);
    expect(detail).toMatch(/\.$/);
    expect(hint).not.toBe('');
  }
}

/** Texts that mean something in a plan, or are about to break it. */
const fragment = fc.oneof(
  fc.constantFrom(
    ...[
      '\n',
      '\t',
      '  ',
      '- ',
      ': ',
      '{',
      '}',
      '[',
      ']',
      '"',
      "'",
      '|',
      '>',
      '#',
      '&a ',
      '*a',
      '!t ',
    ],
    ...[
      '? ',
      '---\n',
      '...\n',
      '%YAML 1.1\n',
      '<<: ',
      '__proto__: ',
      '\ufeff',
      '\r\n',
      '\0',
      '\u202e',
    ],
    ...[
      '{{ a.b }}',
      '{{',
      'null',
      '.inf',
      '.nan',
      '-0',
      '1e999',
      '0x1F',
      'true',
      '~',
      '99999999999999999999',
    ],
    ...[
      'needs: [count]',
      'id: count',
      'run: x',
      'approve: x',
      'when: steps',
      'setup:',
      'steps:',
      '**',
      '..',
    ],
  ),
  fc.string({ unit: 'binary', maxLength: 6 }),
);

const mutated = fc
  .tuple(
    fc.constantFrom(...examples),
    fc.array(fc.tuple(fc.nat(), fc.nat(40), fragment), { minLength: 1, maxLength: 4 }),
  )
  .map(([text, edits]) =>
    edits.reduce((current, [place, removed, added]) => {
      const start = place % (current.length + 1);
      return current.slice(0, start) + added + current.slice(start + removed);
    }, text),
  );

/** One line less, twice, or somewhere else. */
const shuffled = fc
  .tuple(fc.constantFrom(...examples), fc.nat(), fc.nat(), fc.nat(2))
  .map(([text, from, to, kind]) => {
    const lines = text.split('\n');
    const [line = ''] = lines.splice(from % lines.length, kind === 1 ? 0 : 1);
    if (kind > 0)
      lines.splice(to % lines.length, 0, kind === 1 ? (lines[from % lines.length] ?? '') : line);
    return lines.join('\n');
  });

describe('parsePlan, on any text', () => {
  it('[PL1] reads mutated plans without throwing, and places every problem inside the file', () => {
    fc.assert(fc.property(mutated, expectSoundReading), { seed: SEED, numRuns: 600 });
  });

  it('[PL1] reads plans whose lines were moved, doubled or removed', () => {
    fc.assert(fc.property(shuffled, expectSoundReading), { seed: SEED, numRuns: 300 });
  });

  it('[PL1] reads any data in the place of a plan', () => {
    const data = fc.json({ maxDepth: 6 });
    const keys = fc.constantFrom('steps', 'setup', 'inputs', 'scope', 'context', 'budget', 'name');
    const plan = fc
      .tuple(keys, data)
      .map(([key, value]) => `version: 1\nname: x\n${key}: ${value}\n`);
    const step = fc
      .tuple(
        fc.constantFrom('run', 'agent', 'validate', 'approve', 'argv'),
        fc.constantFrom('needs', 'when', 'env', 'show', 'by', 'scope', 'onReject', 'prompt', 'x'),
        data,
        data,
      )
      .map(
        ([kind, key, one, two]) =>
          `version: 1\nname: x\nsteps: [{ "id": a, "${kind}": ${one}, "${key}": ${two} }]\n`,
      );
    fc.assert(fc.property(fc.oneof(data, plan, step), expectSoundReading), {
      seed: SEED,
      numRuns: 600,
    });
  });

  it('[PL1] reads any text', () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.array(fragment).map((parts) => parts.join('')),
    );
    fc.assert(fc.property(text, expectSoundReading), { seed: SEED, numRuns: 500 });
  });
});
