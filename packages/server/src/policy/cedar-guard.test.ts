import { policySetTextToParts } from '@cedar-policy/cedar-wasm/nodejs';
import { err, ok } from '@ccdash/core';
import type { PolicyFacts } from '@ccdash/core';
import { expect, test } from 'vitest';

import { callCedar } from './cedar-guard.ts';
import { shippedPolicy } from './project-policy.ts';

const FACTS: PolicyFacts = {
  action: 'start',
  stepKind: 'validation',
  tools: [],
  runTools: [],
  writes: false,
  network: false,
  secrets: false,
  sandboxed: true,
  effects: ['reads'],
  risk: 'low',
  requester: 'ann',
  actor: { kind: 'person', id: 'ann', roles: ['operator'] },
  weakens: false,
  absolute: false,
  scope: { tools: [], write: [], network: 'none' },
};

// One test in a file of its own: what it breaks stays broken for the whole process.
test('[PO5] after the evaluator has broken down everything is denied, and the reason says what to do', () => {
  const policy = shippedPolicy();
  const plain = callCedar(() => {
    throw new TypeError('not a breakdown');
  });
  expect(plain).toEqual(err('the policy evaluator failed (TypeError: not a breakdown)'));
  expect(policy.evaluate(FACTS).verdict).toBe('allow');

  const nested = `permit (principal, action, resource) when { ${'('.repeat(20_000)}`;
  const closed = `${nested}true${')'.repeat(20_000)} };`;
  expect(callCedar(() => policySetTextToParts(closed)).ok).toBe(false);
  expect(callCedar(() => 1)).not.toEqual(ok(1));
  expect(policy.evaluate(FACTS)).toMatchObject({
    verdict: 'deny',
    why: [{ rule: 'policy-error', text: expect.stringContaining('restart') as string }],
  });
});
