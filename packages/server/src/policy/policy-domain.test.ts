/** Every combination of the facts that rules see, under both policies that ship: a worse fact never loosens anything. */
import { EFFECT_CLASSES } from '@ccdash/core';
import type { EffectClass, Policy, PolicyFacts, PolicyVerdict } from '@ccdash/core';
import { beforeAll, describe, expect, test } from 'vitest';

import { readAsset } from '../base/assets.ts';
import { checkRules } from './project-policy.ts';

const STEP_TOOLS = ['read', 'exec', 'fetch'];
const RUN_TOOLS = ['read', 'exec', 'edit'];

type Part = Partial<Omit<PolicyFacts, 'scope'>> & {
  readonly scope?: Partial<PolicyFacts['scope']>;
};
type Dimensions = Readonly<Record<string, readonly Part[]>>;

const HOSTS = { hosts: ['git.example.com'] };

/** Each fact, or facts that belong together, from harmless to worst. */
const WORK: Dimensions = {
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
    { network: false, scope: { network: HOSTS } },
    { network: true, scope: { network: HOSTS } },
    { network: true, scope: { network: 'none' } },
  ],
  secrets: [{ secrets: false }, { secrets: true }],
  sandboxed: [{ sandboxed: true }, { sandboxed: false }],
  effects: [
    { effects: ['reads'] },
    { effects: ['reads', 'unparsed'] },
    { effects: EFFECT_CLASSES },
  ],
  risk: [{ risk: 'low' }, { risk: 'medium' }, { risk: 'high' }, { risk: 'critical' }],
};

const ROLES = ['admin', 'approver', 'operator', 'viewer'] as const;

/** What is done with a run, each from harmless to worse. */
const CONTROL: readonly (readonly [Part, Part])[] = [
  [{ requester: 'ann' }, { requester: 'bob' }],
  [{ weakens: false }, { weakens: true }],
  [{ absolute: false }, { absolute: true }],
];

interface Case {
  readonly facts: PolicyFacts;
  readonly verdict: PolicyVerdict;
  /** The same with one fact one step worse. */
  readonly worse: readonly string[];
}

type Cases = ReadonlyMap<string, Case>;

const POLICIES = ['default', 'strict'] as const;
const casesByPolicy = new Map<string, Cases>();

beforeAll(() => {
  for (const name of POLICIES) casesByPolicy.set(name, everyCase(policyOf(name)));
}, 180_000);

describe.each(POLICIES)('the %s policy, over every combination of facts', (name) => {
  const cases = (): Cases => casesByPolicy.get(name) ?? new Map<string, Case>();

  test('[PO3] a worse fact never loosens the verdict, what it requires, or the risk', () => {
    let compared = 0;
    for (const [key, { verdict, worse }] of cases()) {
      for (const worseKey of worse) {
        const next = cases().get(worseKey);
        expect(next, worseKey).toBeDefined();
        if (next === undefined) continue;
        expect(isLooser(next.verdict, verdict), `${key} -> ${worseKey}`).toBe(false);
        compared += 1;
      }
    }
    expect(compared).toBeGreaterThan(20_000);
  });

  test('[PO1] each verdict names a rule of the policy, in words', () => {
    for (const [key, { verdict }] of cases()) {
      expect(verdict.why.length, key).toBeGreaterThan(0);
      const ids = verdict.why.map(({ rule }) => rule);
      expect(ids, key).toEqual(ids.toSorted());
      // Somebody without any role is the one thing that no rule says a word about.
      const isBare = verdict.why.every(({ rule }) => rule === 'policy-default');
      expect(ids.some((id) => id.startsWith('policy-')) && !isBare, key).toBe(false);
    }
  });

  test('[PO17] what publishes never passes, and neither does what is applied', () => {
    for (const [key, { facts, verdict }] of cases()) {
      const isWork = facts.action === 'start' || facts.action === 'tool';
      const publishes = isWork && facts.stepKind === 'agent' && facts.effects.includes('publishes');
      if (publishes || facts.action === 'apply') expect(verdict.verdict, key).not.toBe('allow');
    }
  });

  test('[PO18] agents decide nothing, and nobody overrides a rule that is absolute', () => {
    for (const [key, { facts, verdict }] of cases()) {
      if (facts.actor.kind === 'agent') expect(verdict.verdict, key).toBe('deny');
      if (facts.action === 'override' && facts.absolute) expect(verdict.verdict, key).toBe('deny');
      if (facts.action === 'override' && !facts.actor.roles.includes('admin')) {
        expect(verdict.verdict, key).toBe('deny');
      }
    }
  });
});

test('[PO19] the strict policy is nowhere looser than the default', () => {
  const strict = casesByPolicy.get('strict');
  for (const [key, { verdict }] of casesByPolicy.get('default') ?? []) {
    const next = strict?.get(key)?.verdict;
    expect(next === undefined || isLooser(next, verdict), key).toBe(false);
  }
});

function policyOf(name: string): Policy {
  const file = `policy/${name}.cedar`;
  const checked = checkRules([{ file, text: readAsset(file) }]);
  if (!checked.ok) throw new Error(JSON.stringify(checked.error));
  return checked.value;
}

function everyCase(policy: Policy): Cases {
  const cases = new Map<string, Case>();
  for (const action of ['start', 'tool'] as const) addProduct(cases, policy, action, WORK);
  for (const action of ['apply', 'skip', 'replan', 'override', 'approve'] as const) {
    addControl(cases, policy, action);
  }
  for (const action of ['start', 'tool'] as const) addEffects(cases, policy, action);
  return cases;
}

function addProduct(
  cases: Map<string, Case>,
  policy: Policy,
  action: PolicyFacts['action'],
  dimensions: Dimensions,
): void {
  const parts = Object.values(dimensions);
  let levels: readonly (readonly number[])[] = [[]];
  for (const dimension of parts) {
    levels = levels.flatMap((chosen) => dimension.map((_, level) => [...chosen, level]));
  }
  for (const chosen of levels) {
    const facts = factsOf({ action }, ...chosen.map((level, index) => parts[index]?.[level] ?? {}));
    if (action === 'tool' && facts.stepKind !== 'agent') continue;
    const worse = chosen.flatMap((level, index) =>
      level + 1 < (parts[index]?.length ?? 0)
        ? [`${action} ${chosen.with(index, level + 1).join()}`]
        : [],
    );
    cases.set(`${action} ${chosen.join()}`, { facts, verdict: policy.evaluate(facts), worse });
  }
}

/** Every set of roles; losing one is worse, and having none and being an agent worst. */
function addControl(cases: Map<string, Case>, policy: Policy, action: PolicyFacts['action']): void {
  const keyOf = (roles: number, rest: readonly number[]): string =>
    `${action} roles ${String(roles)} ${rest.join()}`;
  for (let roles = -1; roles < 1 << ROLES.length; roles += 1) {
    for (const rest of [0, 1, 2, 3, 4, 5, 6, 7].map((bits) => [
      bits & 1,
      (bits >> 1) & 1,
      bits >> 2,
    ])) {
      const actor: PolicyFacts['actor'] =
        roles === -1
          ? { kind: 'agent', id: 'bob', roles: [] }
          : { kind: 'person', id: 'bob', roles: ROLES.filter((_, bit) => roles & (1 << bit)) };
      const facts = factsOf(
        { action, actor },
        ...rest.map((level, index) => CONTROL[index]?.[level] ?? {}),
      );
      const worse = [
        ...rest.flatMap((level, index) => (level === 0 ? [keyOf(roles, rest.with(index, 1))] : [])),
        ...(roles === -1 ? [] : roles === 0 ? [keyOf(-1, rest)] : []),
        ...ROLES.flatMap((_, bit) =>
          roles > 0 && roles & (1 << bit) ? [keyOf(roles & ~(1 << bit), rest)] : [],
        ),
      ];
      cases.set(keyOf(roles, rest), { facts, verdict: policy.evaluate(facts), worse });
    }
  }
}

/** Every set of effects; one more is worse. */
function addEffects(cases: Map<string, Case>, policy: Policy, action: PolicyFacts['action']): void {
  const others = EFFECT_CLASSES.slice(1);
  for (let set = 0; set < 1 << others.length; set += 1) {
    const effects: EffectClass[] = ['reads', ...others.filter((_, bit) => set & (1 << bit))];
    const facts = factsOf({ action, stepKind: 'agent', tools: ['exec'], effects });
    const worse = others.flatMap((_, bit) =>
      set & (1 << bit) ? [] : [`${action} effects ${String(set | (1 << bit))}`],
    );
    const key = `${action} effects ${String(set)}`;
    cases.set(key, { facts, verdict: policy.evaluate(facts), worse });
  }
}

function factsOf(...parts: readonly Part[]): PolicyFacts {
  const harmless: PolicyFacts = {
    action: 'start',
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

function isLooser(next: PolicyVerdict, before: PolicyVerdict): boolean {
  const verdicts = ['allow', 'requires_approval', 'deny'];
  const risks = ['low', 'medium', 'high', 'critical'];
  const assurances = ['session', 'reauth', 'passkey'];
  if (verdicts.indexOf(next.verdict) < verdicts.indexOf(before.verdict)) return true;
  if (risks.indexOf(next.risk) < risks.indexOf(before.risk)) return true;
  if (next.verdict !== 'requires_approval' || before.verdict !== next.verdict) return false;
  return (
    next.requires.count < before.requires.count ||
    next.requires.roles.some((role) => !before.requires.roles.includes(role)) ||
    assurances.indexOf(next.requires.assurance) < assurances.indexOf(before.requires.assurance) ||
    (before.requires.excludeRequester && !next.requires.excludeRequester)
  );
}
