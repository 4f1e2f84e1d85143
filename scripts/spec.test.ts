/** The specification and the tests name the same rules, and its table is the code's. */

import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { STEP_TRANSITIONS } from '@ccdash/core';
import { describe, expect, test } from 'vitest';

import { repository } from './setup.mjs';

const spec = readFileSync(join(repository, 'packages/core/SPEC.md'), 'utf8');

/** Rules that a table of the specification begins a row with. */
const rules = [...spec.matchAll(/^\| ([A-Z]{2}\d+) +\|/gm)].map(([, rule]) => rule ?? '');

/** Files that cite each rule: in the title of a test, or as the `rule` of a conformance case. */
function citations(): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, string[]>();
  const files = globSync('packages/**/*.ts', {
    cwd: repository,
    exclude: (path) => /(^|\/)(node_modules|dist)$/.test(path),
  });
  for (const file of files) {
    const isTest = file.endsWith('.test.ts');
    const isCase = file.endsWith('-cases.ts');
    if (!isTest && !isCase) continue;
    const text = readFileSync(join(repository, file), 'utf8');
    for (const [, inTitle, inCase] of text.matchAll(/\[([A-Z]{2}\d+)\]|\brule: '([A-Z]{2}\d+)'/g)) {
      const rule = inTitle ?? inCase ?? '';
      found.set(rule, [...(found.get(rule) ?? []), file]);
    }
  }
  return found;
}

describe('SPEC.md', () => {
  const cited = citations();

  // Numbers that were given up stay unused: a rule is never renumbered.
  test('numbers each rule once', () => {
    expect(rules.filter((rule, index) => rules.indexOf(rule) !== index)).toEqual([]);
  });

  test('has a test for each of its rules', () => {
    expect(rules.filter((rule) => !cited.has(rule))).toEqual([]);
  });

  test('has each rule that a test cites', () => {
    const unknown = [...cited].filter(([rule]) => !rules.includes(rule));
    expect(unknown.map(([rule, files]) => `${rule} in ${files[0] ?? ''}`)).toEqual([]);
  });

  test('shows the transition table of the code', () => {
    const rows = STEP_TRANSITIONS.map(({ from, event, to }) => ['', from, event, to, '']);
    const shown = /<!-- transitions:[^>]*-->\n([\s\S]*?)<!-- \/transitions -->/.exec(spec)?.[1];
    const cells = (line: string): string[] => line.replaceAll('`', '').split(/ *\| */);
    expect(shown?.trim().split('\n').slice(2).map(cells)).toEqual(rows);
  });
});
