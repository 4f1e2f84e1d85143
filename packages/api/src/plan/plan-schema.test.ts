import { readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { canonicalPlanJson } from './canonical-json.ts';
import { parsePlan } from './parse-plan.ts';
import { planJsonSchema } from './plan-schema.ts';

const contract = readFileSync(new URL('fixtures/every-field.yaml', import.meta.url), 'utf8');

describe('planJsonSchema', () => {
  const validate = new Ajv2020({ strict: false }).compile(planJsonSchema());

  it('[PL14] accepts a plan with every field, as the parser does', () => {
    expect(parsePlan(contract, { file: 'f' })).toMatchObject({ ok: true, warnings: [] });
    validate(parse(contract));
    expect(validate.errors ?? []).toEqual([]);
  });

  it.each([
    ['an unknown field', { stepz: [] }],
    ['another version', { version: 2 }],
    ['a number as a duration', { budget: { time: 90 } }],
    ['a bad duration', { budget: { time: '5 minutes' } }],
    ['a bad step id', { steps: [{ id: 'A', run: 'x' }] }],
    ['a step without a kind', { steps: [{ id: 'a' }] }],
    ['a step of two kinds', { steps: [{ id: 'a', run: 'x', approve: '?' }] }],
    ['no steps', { steps: [] }],
  ])('[PL14] refuses %s, as the parser does', (_title, change) => {
    const plan = { ...(parse(contract) as object), ...change };
    expect(validate(plan)).toBe(false);
    expect(parsePlan(JSON.stringify(plan), { file: 'f' }).ok).toBe(false);
  });

  it('[PL14] says which draft it is, and describes fields for editors', () => {
    const schema = planJsonSchema();
    expect(schema['$schema']).toBe('https://json-schema.org/draft/2020-12/schema');
    expect(JSON.stringify(schema)).toContain('A CEL condition');
  });
});

describe('canonicalPlanJson', () => {
  const textOf = (text: string): string => {
    const reading = parsePlan(text, { file: 'f' });
    if (!reading.ok) throw new Error(JSON.stringify(reading.problems));
    return canonicalPlanJson(reading.plan);
  };

  it('[PL15] is the same for files that mean the same', () => {
    const one = textOf('version: 1\nname: x\nsteps: [{ id: a, run: "y" }]\n');
    const two = textOf(
      '# why\nsteps:\n- run: y\n  id: a\n  timeout: \n'.replace('  timeout: \n', '') +
        "name: 'x'\nversion: 1\n",
    );
    expect(two).toBe(one);
    expect(textOf(JSON.stringify(parse(contract)))).toBe(textOf(contract));
  });

  it('[PL15] differs where the meaning differs', () => {
    const base = 'version: 1\nname: x\nsteps: [{ id: a, run: y';
    const texts = ['', ', timeout: 1s', ', risk: high', ', exitCodes: [1]', ', when: "true"'];
    const all = texts.map((extra) => textOf(`${base}${extra} }]\n`));
    expect(new Set(all).size).toBe(texts.length);
  });
});
