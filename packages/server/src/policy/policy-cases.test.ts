import { describe, expect, test } from 'vitest';

import { readAsset } from '../base/assets.ts';
import { readPolicyCases, runPolicyCases } from './policy-cases.ts';
import type { PolicyCaseResult } from './policy-cases.ts';
import { shippedPolicy } from './project-policy.ts';

const FILE = '.ccdash/policy/cases.yaml';

/** Enough of a classifier for these. */
const classify = (program: object) => ({
  effects: JSON.stringify(program).includes('push')
    ? (['publishes'] as const)
    : (['reads'] as const),
  because: [],
  programs: [],
  classifier: 1,
});

function run(text: string): readonly PolicyCaseResult[] {
  const cases = readPolicyCases({ file: FILE, text }, classify);
  if (!cases.ok) throw new Error(JSON.stringify(cases.error));
  return runPolicyCases(shippedPolicy(), cases.value);
}

describe('a table of cases', () => {
  test('[PO20] passes where the policy says what it expects, and tells what is not so', () => {
    const results = run(`cases:
  - { command: ls, expect: allow }
  - { name: pushing, argv: [git, push], expect: requires_approval, rules: [ask-publishes], count: 1, approvers: [approver], assurance: session }
  - command: git push
    expect: allow
    rules: [permit-in-scope]
    count: 2
`);
    expect(results.map(({ name, line, pass }) => [name, line, pass])).toEqual([
      ['ls', 2, true],
      ['pushing', 3, true],
      ['git push', 4, false],
    ]);
    expect(results[2]?.differences).toEqual([
      'the verdict is requires_approval, not allow',
      'decided by ask-publishes, not by permit-in-scope',
      'the number of approvals is 1, not 2',
    ]);
  });

  test('[PO20] can be about everything that is done with a run', () => {
    const results = run(`cases:
  - { action: apply, expect: requires_approval }
  - { action: skip, weakens: true, expect: requires_approval, rules: [ask-skip-gate] }
  - { action: approve, by: agent, roles: [], expect: deny }
  - { action: override, roles: [admin], expect: allow }
  - { action: override, roles: [admin], absolute: true, expect: deny }
  - { kind: agent, hosts: [example.com], expect: requires_approval, rules: [ask-network] }
  - { kind: agent, sandboxed: false, secrets: true, risk: high, expect: requires_approval }
`);
    expect(results.filter(({ pass }) => !pass)).toEqual([]);
  });

  test.each([
    ['nothing', '', 1, 1],
    ['no YAML', 'cases: [', 1, 9],
    ['an unknown field', 'cases:\n  - { comand: ls, expect: allow }', 2, 7],
    ['an unknown verdict', 'cases:\n  - command: ls\n    expect: yes', 3, 5],
    ['an unknown action', 'cases:\n  - { action: sing, expect: allow }', 2, 7],
    ['no verdict', 'cases:\n  - command: ls', 2, 5],
    ['no command', 'cases:\n  - expect: allow', 2, 5],
    ['two commands', 'cases:\n  - { command: ls, argv: [ls], expect: allow }', 2, 5],
    ['a command of an apply', 'cases:\n  - { action: apply, command: ls, expect: allow }', 2, 5],
    ['an alias', 'cases:\n  - &a { command: ls, expect: allow }\n  - *a', 3, 5],
    ['a key twice', 'cases:\n  - command: ls\n    command: ls\n    expect: allow', 3, 5],
  ])('[PO20] with a mistake is refused at its line: %s', (_, text, line, column) => {
    const cases = readPolicyCases({ file: FILE, text }, classify);
    const [problem] = cases.ok ? [] : cases.error;
    expect(problem).toMatchObject({ file: FILE, line, column });
  });
});

test('[PO20] the cases that init writes have no mistake', () => {
  const text = readAsset('policy/cases.yaml');
  const cases = readPolicyCases({ file: FILE, text }, classify);
  expect(cases.ok && cases.value.length).toBe(15);
});
