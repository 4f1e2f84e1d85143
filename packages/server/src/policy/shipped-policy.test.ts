import type { PolicyFacts, PolicyVerdict } from '@ccdash/core';
import { beforeAll, describe, expect, test } from 'vitest';

import { shippedPolicy } from './project-policy.ts';

const IN_SCOPE = ['read', 'exec'];
const STEP_TOOLS = [...IN_SCOPE, 'fetch'];
const RUN_TOOLS = [...IN_SCOPE, 'edit'];

type Part = Partial<Omit<PolicyFacts, 'scope'>> & {
  readonly scope?: Partial<PolicyFacts['scope']>;
};

/** Each fact, or pair of facts that belong together, from harmless to worst. */
const DIMENSIONS = {
  stepKind: [{ stepKind: 'approval' }, { stepKind: 'validation' }, { stepKind: 'agent' }],
  tools: [{ tools: ['read'] }, { tools: ['exec'] }, { tools: ['edit'] }, { tools: ['fetch'] }],
  writes: [
    { writes: false, scope: { write: [] } },
    { writes: false, scope: { write: ['src/**'] } },
    { writes: true, scope: { write: ['src/**'] } },
    { writes: true, scope: { write: [] } },
  ],
  network: [
    { network: false, scope: { network: 'none' } },
    { network: false, scope: { network: { hosts: ['git.example.com'] } } },
    { network: true, scope: { network: { hosts: ['git.example.com'] } } },
    { network: true, scope: { network: 'none' } },
  ],
  secrets: [{ secrets: false }, { secrets: true }],
  sandboxed: [{ sandboxed: true }, { sandboxed: false }],
  risk: [{ risk: 'low' }, { risk: 'medium' }, { risk: 'high' }, { risk: 'critical' }],
} as const satisfies Record<string, readonly Part[]>;

interface Case {
  readonly facts: PolicyFacts;
  readonly verdict: PolicyVerdict;
}

const caseByKey = new Map<string, Case>();

beforeAll(() => {
  const dimensions: (readonly Part[])[] = Object.values(DIMENSIONS);
  const policy = shippedPolicy();
  for (const action of ['start', 'tool'] as const) {
    let levels: readonly (readonly number[])[] = [[]];
    for (const dimension of dimensions) {
      levels = levels.flatMap((chosen) => dimension.map((_, level) => [...chosen, level]));
    }
    for (const chosen of levels) {
      const parts = chosen.map((level, index) => dimensions[index]![level]!);
      const facts = factsOf(action, parts);
      if (action === 'tool' && facts.stepKind !== 'agent') continue;
      caseByKey.set(`${action} ${chosen.join()}`, {
        facts,
        verdict: policy.evaluate(facts),
      });
    }
  }
}, 60_000);

describe('the shipped policy, over every combination of facts', () => {
  test('[PO1] each verdict names its rules in words, sorted, and the policy that gave it', () => {
    expect(caseByKey.size).toBe((3 + 1) * 4 * 4 * 4 * 2 * 2 * 4);
    for (const { verdict } of caseByKey.values()) {
      expect(verdict.why.length).toBeGreaterThan(0);
      expect(verdict.why.every(({ text }) => text.length > 10)).toBe(true);
      const ids = verdict.why.map(({ rule }) => rule);
      expect(ids).toEqual([...ids].sort());
      expect(ids.some((id) => id.startsWith('policy-'))).toBe(false);
      expect(verdict.policyDigest).toBe(shippedPolicy().digest);
    }
  });

  test('[PO2] a start is allowed exactly when nothing in it is worth asking about', () => {
    for (const { facts, verdict } of casesOf('start')) {
      const inScope = facts.tools.every((tool) => IN_SCOPE.includes(tool));
      const program = facts.stepKind === 'agent';
      const covered =
        !program ||
        ((!facts.network || facts.scope.network !== 'none') &&
          (!facts.writes || facts.scope.write.length > 0));
      const harmless =
        (facts.risk === 'low' || facts.risk === 'medium') &&
        (!program ||
          (facts.sandboxed && !facts.network && facts.scope.network === 'none' && !facts.secrets));
      const expected = !inScope || !covered ? 'deny' : harmless ? 'allow' : 'requires_approval';
      expect(verdict.verdict, JSON.stringify(facts)).toBe(expected);
    }
  });

  test('[PO2] a tool use is allowed within its scope, and asks outside the sandbox or at critical risk', () => {
    for (const { facts, verdict } of casesOf('tool')) {
      const inScope = facts.tools.every((tool) => IN_SCOPE.includes(tool));
      const covered =
        (!facts.network || facts.scope.network !== 'none') &&
        (!facts.writes || facts.scope.write.length > 0);
      const calm = facts.tools.includes('read') || (facts.sandboxed && facts.risk !== 'critical');
      const expected = !inScope || !covered ? 'deny' : calm ? 'allow' : 'requires_approval';
      expect(verdict.verdict, JSON.stringify(facts)).toBe(expected);
    }
  });

  test('[PO8] the risk is the higher of what the plan states and what the facts amount to', () => {
    const order = ['low', 'medium', 'high', 'critical'];
    for (const { facts, verdict } of caseByKey.values()) {
      const program = facts.stepKind === 'agent';
      const found = !program
        ? 'low'
        : !facts.sandboxed
          ? 'high'
          : facts.network || facts.secrets
            ? 'medium'
            : 'low';
      const highest = Math.max(order.indexOf(facts.risk), order.indexOf(found));
      expect(verdict.risk).toBe(order[highest]);
    }
  });

  test('[PO13] a step that starts no program is judged by its tools and stated risk alone', () => {
    const harmless = factsOf('start', [{ stepKind: 'validation' }]);
    const bare = { ...harmless, sandboxed: false, network: true, secrets: true, writes: true };
    expect(shippedPolicy().evaluate(bare)).toEqual(shippedPolicy().evaluate(harmless));
    expect(shippedPolicy().evaluate({ ...bare, stepKind: 'command' }).verdict).toBe('deny');
  });

  test('a command is judged like the start of an agent', () => {
    for (const { facts, verdict } of casesOf('start')) {
      if (facts.stepKind !== 'agent') continue;
      expect(shippedPolicy().evaluate({ ...facts, stepKind: 'command' })).toEqual(verdict);
    }
  });
});

function casesOf(action: PolicyFacts['action']): readonly Case[] {
  return [...caseByKey.values()].filter(({ facts }) => facts.action === action);
}

function factsOf(action: PolicyFacts['action'], parts: readonly Part[]): PolicyFacts {
  const harmless: PolicyFacts = {
    action,
    stepKind: 'agent',
    tools: ['read'],
    runTools: RUN_TOOLS,
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
    scope: { tools: STEP_TOOLS, write: [], network: 'none' },
  };
  return parts.reduce<PolicyFacts>(
    (facts, { scope, ...part }) => ({ ...facts, ...part, scope: { ...facts.scope, ...scope } }),
    harmless,
  );
}
