import { createHash } from 'node:crypto';

import type { Policy, PolicyFacts } from '@ccdash/core';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { readAsset } from '../base/assets.ts';
import { createCedarPolicy } from './cedar-policy.ts';
import type { PolicyProblem } from './policy-problem.ts';

const schema = readAsset('policy/schema.cedarschema');

const PERMIT = `@id("permit-all") @doc("Everything goes.")
permit (principal, action, resource);`;

const FACTS: PolicyFacts = {
  action: 'start',
  stepKind: 'command',
  tools: ['exec'],
  runTools: ['read', 'exec'],
  writes: true,
  network: false,
  secrets: false,
  sandboxed: true,
  effects: ['reads'],
  risk: 'low',
  requester: 'ann',
  actor: { kind: 'person', id: 'ann', roles: ['operator'] },
  weakens: false,
  absolute: false,
  scope: { tools: ['exec'], write: ['**'], network: 'none' },
};

describe('a verdict', () => {
  test('[PO5] is a denial when a rule fails while it is evaluated', () => {
    // Cedar leaves the failing rule out: without the check this would be allowed.
    const failing = `@id("overflow") @doc("Too large a sum.")
forbid (principal, action, resource) when { resource.risk + 9223372036854775807 > 0 };`;
    const verdict = policyOf(PERMIT, failing).evaluate(FACTS);
    expect(verdict.verdict).toBe('deny');
    expect(verdict.why).toMatchObject([
      { rule: 'policy-error', text: expect.stringContaining('overflow') as string },
    ]);
  });

  test('[PO5] is a denial when only the twin of an action makes a rule fail', () => {
    const failing = `@id("overflow") @doc("Too large a sum.")
forbid (principal, action, resource)
when { action == Action::"startApproved" && resource.risk + 9223372036854775807 > 0 };`;
    expect(policyOf(PERMIT, failing).evaluate(FACTS).why[0]?.rule).toBe('policy-error');
  });

  test('[PO4] is a denial for any fact that is missing or of another type', () => {
    const policy = policyOf(PERMIT);
    expect(policy.evaluate(FACTS).verdict).toBe('allow');
    for (const key of Object.keys(FACTS)) {
      for (const value of [undefined, null, 7, 'no such thing', { hosts: [] }, [7]]) {
        if (key === 'requester' && typeof value === 'string') continue;
        const verdict = policy.evaluate({ ...FACTS, [key]: value });
        expect(verdict, `${key} ${JSON.stringify(value)}`).toMatchObject({
          verdict: 'deny',
          risk: 'critical',
        });
        expect(verdict.why.map(({ rule }) => rule)).toEqual(['policy-facts']);
        expect(verdict.why[0]?.text).toContain(key);
      }
    }
  });

  test('[PO4] is a denial for facts that contradict each other', () => {
    const policy = policyOf(PERMIT);
    const agent = { ...FACTS, action: 'tool', stepKind: 'agent' } as const;
    expect(policy.evaluate(agent).verdict).toBe('allow');
    expect(policy.evaluate({ ...agent, stepKind: 'command' }).why[0]?.rule).toBe('policy-facts');
    expect(policy.evaluate({ ...agent, tools: [] }).why[0]?.rule).toBe('policy-facts');
  });

  test('[PO4] comes for anything at all that is given as facts', () => {
    const policy = policyOf(PERMIT);
    const odd = fc.oneof(
      fc.anything(),
      fc.string({ unit: 'binary' }),
      fc.constantFrom('\0', '\ud800'),
    );
    const facts = fc.oneof(
      fc.anything(),
      fc
        .tuple(fc.constantFrom(...Object.keys(FACTS)), odd)
        .map(([key, value]) => ({ ...FACTS, [key]: value })),
      fc.array(fc.string({ unit: 'binary', minLength: 1 })).map((tools) => ({ ...FACTS, tools })),
    );
    fc.assert(
      fc.property(facts, (given) => {
        const verdict = policy.evaluate(given as PolicyFacts);
        expect(verdict.why.length).toBeGreaterThan(0);
      }),
      { seed: 20261123, numRuns: 500 },
    );
  });

  test('[PO6] is a denial where no rule permits', () => {
    const text = `@id("permit-agents") @doc("Agents may start.")
permit (principal, action in Action::"attempt", resource) when { resource.kind == "agent" };`;
    const verdict = policyOf(text).evaluate(FACTS);
    expect(verdict).toMatchObject({ verdict: 'deny', why: [{ rule: 'policy-default' }] });
    expect(policyOf(text).evaluate({ ...FACTS, stepKind: 'agent' }).verdict).toBe('allow');
  });

  test('[PO6] is a denial where a rule tells an action from its twin without saying who approves', () => {
    const text = `@id("sly") @doc("Sly.")
forbid (principal, action, resource) when { action == Action::"start" };`;
    expect(policyOf(PERMIT, text).evaluate(FACTS)).toMatchObject({
      verdict: 'deny',
      why: [{ rule: 'sly' }],
    });
  });

  test('[PO7] asks for what satisfies every rule that asks', () => {
    const verdict = policyOf(
      PERMIT,
      asking('b', '@approvals("2") @roles("approver, admin")'),
      asking('a', '@approvals("1") @roles("admin,operator") @assurance("reauth")'),
      asking('c', '@approvals("1") @roles("admin") @excludeRequester("true")'),
    ).evaluate(FACTS);
    expect(verdict.verdict).toBe('requires_approval');
    expect(verdict.why.map(({ rule }) => rule)).toEqual(['a', 'b', 'c']);
    expect(verdict.requires).toEqual({
      roles: ['admin'],
      people: [],
      count: 2,
      excludeRequester: true,
      assurance: 'reauth',
    });
  });

  test('[PO7] is a denial when no role satisfies every rule that asks', () => {
    const verdict = policyOf(
      PERMIT,
      asking('z', '@approvals("1") @roles("approver")'),
      asking('a', '@approvals("1") @roles("operator")'),
    ).evaluate(FACTS);
    expect(verdict.verdict).toBe('deny');
    expect(verdict.why.map(({ rule }) => rule)).toEqual(['a', 'policy-roles', 'z']);
  });

  test('[PO1] names many rules in one order, however often it is asked', () => {
    const ids = Array.from({ length: 12 }, (_, index) => `rule-${index}`);
    const policy = policyOf(
      PERMIT,
      ...ids.map((id) => asking(id, '@approvals("1") @roles("admin")')),
    );
    const verdicts = new Set(
      Array.from({ length: 50 }, () => JSON.stringify(policy.evaluate(FACTS))),
    );
    expect(verdicts.size).toBe(1);
    expect(policy.evaluate(FACTS).why.map(({ rule }) => rule)).toEqual([...ids].sort());
  });
});

describe('whatever the rules say', () => {
  test.each(['start', 'tool'] as const)('[PO17] what publishes asks: %s', (action) => {
    const facts = { ...FACTS, action, stepKind: 'agent', effects: ['reads', 'publishes'] } as const;
    const { verdict, why, requires } = policyOf(PERMIT).evaluate(facts);
    expect({ verdict, why }).toMatchObject({
      verdict: 'requires_approval',
      why: [{ rule: 'policy-publishes' }],
    });
    expect(requires).toMatchObject({ roles: ['admin', 'approver'], count: 1 });
    expect(policyOf(PERMIT).evaluate({ ...facts, effects: ['reads'] }).verdict).toBe('allow');
  });

  test('[PO17] bringing a result into the repository asks', () => {
    expect(policyOf(PERMIT).evaluate({ ...FACTS, action: 'apply' })).toMatchObject({
      verdict: 'requires_approval',
      why: [{ rule: 'policy-apply' }],
    });
  });

  test('[PO18] the word of an agent is told apart from that of a person', () => {
    const people = `@id("permit-people") @doc("People.")
permit (principal is User, action in Action::"control", resource) when { principal in Role::"admin" };`;
    const actor = { kind: 'person', id: 'ann', roles: ['admin'] } as const;
    const facts = { ...FACTS, action: 'approve', actor } as const;
    expect(policyOf(people).evaluate(facts).verdict).toBe('allow');
    for (const other of [
      { ...actor, roles: ['viewer'] },
      { ...actor, kind: 'agent' },
    ] as const) {
      expect(policyOf(people).evaluate({ ...facts, actor: other }).verdict).toBe('deny');
    }
  });

  test('[PO18] a rule that is absolute is told as such', () => {
    const absolute = `@id("never") @doc("Never.") @absolute("true")
forbid (principal, action in Action::"attempt", resource);`;
    expect(policyOf(PERMIT, absolute).evaluate(FACTS).why).toEqual([
      { rule: 'never', text: 'Never.', absolute: true },
    ]);
  });
});

describe('the digest', () => {
  test('[PO10] is the hash of the schema and the texts, parted by NUL', () => {
    const hash = createHash('sha256').update(schema).update('\0').update(PERMIT).digest('hex');
    expect(policyOf(PERMIT).digest).toBe(`sha256:${hash}`);
  });

  test('[PO10] moves with every change of schema, rules or their division into files', () => {
    const other = asking('a', '@approvals("1") @roles("admin")');
    const digests = [
      policyOf(PERMIT),
      policyOf(`${PERMIT}\n`),
      policyOf(PERMIT, other),
      policyOf(`${PERMIT}${other}`),
      policyOf(other, PERMIT),
      created(`${schema}\n`, PERMIT),
    ].map(({ digest }) => digest);
    expect(new Set(digests).size).toBe(digests.length);
    expect(policyOf(PERMIT).digest).toBe(digests[0]);
  });
});

describe('a mistake in a policy', () => {
  const head = '// é: more bytes than characters\n\n';
  const cases: readonly (readonly [string, string, Partial<PolicyProblem>])[] = [
    [
      'a misspelt attribute',
      `@id("a") @doc("A.")\nforbid (principal, action, resource)\nwhen { resource.rsk > 2 };`,
      { line: 5, column: 8, hint: 'did you mean `risk`?' },
    ],
    [
      'a misspelt action',
      `@id("a") @doc("A.")\nforbid (principal, action == Action::"startt", resource);`,
      { line: 4, hint: 'did you mean `Action::"start"`?' },
    ],
    [
      'a syntax error',
      `permit (principal, action, resource) whn { true };`,
      { line: 3, column: 38 },
    ],
    [
      'a rule that can never apply',
      `@id("a") @doc("A.")\nforbid (principal, action, resource) when { false };`,
      { line: 3 },
    ],
    [
      'a rule for the group as if it were an action',
      `@id("a") @doc("A.") forbid (principal, action == Action::"attempt", resource);`,
      { line: 3 },
    ],
    [
      'no id',
      `@doc("A.")\npermit (principal, action, resource);`,
      { line: 3, column: 1, detail: 'the rule has no usable @id' },
    ],
    [
      'a reserved id',
      `@id("policy-error") @doc("A.")\npermit (principal, action, resource);`,
      { line: 3, detail: 'the rule has no usable @id' },
    ],
    [
      'no words for people',
      `@id("a")\npermit (principal, action, resource);`,
      { line: 3, detail: 'the rule has no usable @doc' },
    ],
    [
      'words with control characters',
      `@id("a") @doc("A.\\u{1b}[2J")\npermit (principal, action, resource);`,
      { line: 3, detail: 'the rule has no usable @doc' },
    ],
    [
      'nobody to ask',
      asking('a', '@approvals("1")'),
      { line: 3, detail: 'the rule asks for approval and has no usable @roles' },
    ],
    ['an unknown role', asking('a', '@approvals("1") @roles("aprover")'), { line: 3 }],
    [
      'no number of people',
      asking('a', '@roles("admin")'),
      { line: 3, detail: 'the rule asks for approval and has no usable @approvals' },
    ],
    ['no people at all', asking('a', '@approvals("0") @roles("admin")'), { line: 3 }],
    [
      'an unknown assurance',
      asking('a', '@approvals("1") @roles("admin") @assurance("strong")'),
      { line: 3, detail: '@assurance("strong") is not known' },
    ],
    [
      'an assurance without a value',
      asking('a', '@approvals("1") @roles("admin") @assurance'),
      { line: 3 },
    ],
    [
      'an exclusion without a value',
      asking('a', '@approvals("1") @roles("admin") @excludeRequester'),
      { line: 3 },
    ],
    [
      'a misspelt annotation',
      asking('a', '@approvals("1") @roles("admin") @excludeRequestor("true")'),
      { line: 3 },
    ],
    [
      'people to ask on a rule that denies',
      `@id("a") @doc("A.") @approvals("1")\nforbid (principal, action, resource);`,
      { line: 3 },
    ],
    [
      'a rule that forbids only what was approved',
      `@id("a") @doc("A.")\nforbid (principal, action == Action::"toolApproved", resource);`,
      { line: 3, detail: 'the rule forbids toolApproved without tool' },
    ],
    [
      'a rule that permits half of an action',
      `@id("a") @doc("A.")\npermit (principal, action in [Action::"start", Action::"tool", Action::"toolApproved"], resource);`,
      { line: 3, detail: 'the rule permits only one of start and startApproved' },
    ],
    [
      'an absolute rule that permits',
      `@id("a") @doc("A.") @absolute("true")\npermit (principal, action, resource);`,
      { line: 3 },
    ],
    [
      'an absolute that is neither yes nor no',
      `@id("a") @doc("A.") @absolute("yes")\nforbid (principal, action, resource);`,
      { line: 3, detail: '@absolute is neither "true" nor "false"' },
    ],
    [
      'a misspelt effect',
      `@id("a") @doc("A.")\nforbid (principal, action in Action::"attempt", resource)\nwhen { resource.does.publishs };`,
      { line: 5, hint: 'did you mean `publishes`?' },
    ],
    [
      'a role that does not exist',
      `@id("a") @doc("A.")\nforbid (principal, action, resource) unless { principal in Role::"admn" };`,
      { line: 4 },
    ],
    [
      'a template',
      `@id("a") @doc("A.")\npermit (principal == ?principal, action, resource);`,
      { line: 4, column: 22 },
    ],
    ['a NUL character', `// \0\n`, { line: 3, column: 4 }],
    [
      'a line that ends a comment unseen',
      `// harmless \r@id("a") @doc("A.") permit (principal, action, resource);`,
      { line: 3, column: 13, detail: 'a character that cannot be seen' },
    ],
    ['a mark that turns the direction of text', `// \u202e`, { line: 3, column: 4 }],
  ];

  test.each(cases)('[PO9] is refused with its place: %s', (_, text, expected) => {
    const result = createCedarPolicy({
      schema,
      policies: [{ file: 'team.cedar', text: head + text }],
    });
    expect(result.ok).toBe(false);
    const problems = result.ok ? [] : result.error;
    expect(problems[0]).toMatchObject({ file: 'team.cedar', ...expected });
  });

  test('[PO9] is found in every file, and in every rule', () => {
    const bad = `@doc("A.") permit (principal, action, resource);`;
    // Twelve: Cedar sorts its own names for rules as text, 10 before 2.
    const many = `${`// ${bad}\n${PERMIT}\n`.repeat(11).replaceAll('permit-all', 'x')}${bad}`;
    const result = createCedarPolicy({
      schema,
      policies: [
        { file: 'a.cedar', text: `${bad}\n\n${bad}` },
        { file: 'b.cedar', text: many },
      ],
    });
    const places = (result.ok ? [] : result.error).map(
      ({ file, line, detail }) => `${file}:${line} ${detail}`,
    );
    expect(places.filter((place) => place.endsWith('@id'))).toEqual([
      'a.cedar:1 the rule has no usable @id',
      'a.cedar:3 the rule has no usable @id',
      'b.cedar:34 the rule has no usable @id',
    ]);
    expect(places.filter((place) => place.includes('the id x is taken'))).toHaveLength(10);
    expect(places[2]).toBe('b.cedar:5 the id x is taken by a rule in b.cedar');
  });
});

describe('text that would break the evaluator', () => {
  const head = '@id("a") @doc("A.") permit (principal, action, resource) when { ';
  const times = (part: string, n: number): string => part.repeat(n);
  const shapes: readonly (readonly [string, (n: number) => string])[] = [
    ['parentheses', (n) => `${head}${times('(', n)}true${times(')', n)} };`],
    ['sets', (n) => `${head}${times('[', n)}1${times(']', n)} == 1 };`],
    ['records', (n) => `${head}${times('{a:', n)}1${times('}', n)} == 1 };`],
    ['conditions', (n) => `${head}${times('if true then ', n)}true${times(' else true', n)} };`],
    ['conjunctions', (n) => `${head}${times('resource.risk > 1 && ', n)}true };`],
    ['alternatives', (n) => `${head}${times('resource.risk > 1 || ', n)}true };`],
    ['sums', (n) => `${head}1${times(' + 1', n)} == 1 };`],
    ['attributes', (n) => `${head}resource${times('.risk', n)} == 1 };`],
    ['calls', (n) => `${head}resource.tools${times('.contains("x")', n)} };`],
    ['open brackets', (n) => `${head}${times('(', n)}`],
    ['brackets after a text', (n) => `${head}"\\"" == ${times('(', n)}true${times(')', n)} };`],
    [
      'clauses',
      (n) => `@id("a") permit (principal, action, resource) ${times('when { 1 == 1 } ', n)};`,
    ],
    ['rules', (n) => times('permit (principal, action, resource);\n', n)],
  ];

  test.each(shapes)('[PO9] is refused before it gets there: %s', (_, shape) => {
    const policy = policyOf(PERMIT);
    for (const n of [300, 3000, 20_000]) {
      const result = createCedarPolicy({ schema, policies: [{ file: 'a', text: shape(n) }] });
      const [problem] = result.ok ? [] : result.error;
      expect(problem?.hint).toMatch(/^(Divide it|Join some)/);
    }
    // As much as is let through is borne.
    for (const n of [1, 10, 28, 45]) {
      const result = createCedarPolicy({ schema, policies: [{ file: 'a', text: shape(n) }] });
      if (result.ok) result.value.evaluate(FACTS);
    }
    expect(policy.evaluate(FACTS).verdict).toBe('allow');
  });

  test('[PO9] any text gives a policy or mistakes, and the evaluator lives on', () => {
    const policy = policyOf(PERMIT);
    const parts = [
      '@id("a")',
      '@doc("b")',
      '@roles',
      'permit',
      'forbid',
      '(principal, action, resource)',
      'principal == ?principal',
      'when',
      '{',
      '}',
      '(',
      ')',
      '[',
      ']',
      '"',
      '\\',
      '//',
      '\n',
      '\r',
      ';',
      ' ',
      'resource.risk',
      '> 1',
      '&&',
      '||',
      '!',
      '-',
      '9223372036854775808',
      'if',
      'then',
      'else',
      'é',
      '\ud800',
    ];
    const text = fc.oneof(
      fc.array(fc.constantFrom(...parts), { maxLength: 40 }).map((chosen) => chosen.join('')),
      fc.string({ unit: 'binary' }),
    );
    fc.assert(
      fc.property(text, (given) => {
        const result = createCedarPolicy({ schema, policies: [{ file: 'a', text: given }] });
        const problems = result.ok ? [] : result.error;
        expect(result.ok || problems.length > 0).toBe(true);
        expect(problems.every(({ line, column }) => line >= 1 && column >= 1)).toBe(true);
      }),
      { seed: 20261123, numRuns: 500 },
    );
    expect(policy.evaluate(FACTS).verdict).toBe('allow');
  });
});

function asking(id: string, annotations: string): string {
  return `@id("${id}") @doc("Asks.") ${annotations}
forbid (principal, action == Action::"start", resource);`;
}

function policyOf(...texts: readonly string[]): Policy {
  return created(schema, ...texts);
}

function created(withSchema: string, ...texts: readonly string[]): Policy {
  const policies = texts.map((text, index) => ({ file: `${index}.cedar`, text }));
  const result = createCedarPolicy({ schema: withSchema, policies });
  if (!result.ok) throw new Error(JSON.stringify(result.error));
  return result.value;
}
