import { readFileSync, readdirSync } from 'node:fs';
import type { AgentStep, ApprovalStep, CommandStep, Plan } from '@ccdash/core';
import { describe, expect, it } from 'vitest';
import { parsePlan } from './parse-plan.ts';
import type { Problem } from './problem.ts';

function problemsOf(text: string): readonly Problem[] {
  const reading = parsePlan(text, { file: 'plan.yaml' });
  return reading.ok ? [] : reading.problems;
}

/** `line:column type` of each problem. */
function placesOf(text: string): readonly string[] {
  return problemsOf(text).map(({ at, type }) => `${at.line}:${at.column} ${type}`);
}

function planOf(text: string): Plan {
  const reading = parsePlan(text, { file: 'plan.yaml' });
  if (!reading.ok) throw new Error(reading.problems.map((p) => `${p.type} ${p.detail}`).join('\n'));
  return reading.plan;
}

/** `line:column type` for the place that `§` marks in `text`, and the text without the mark. */
function marked(text: string, type: string): { readonly text: string; readonly place: string } {
  const before = text.slice(0, text.indexOf('§')).split('\n');
  const column = (before.at(-1)?.length ?? 0) + 1;
  return { text: text.replace('§', ''), place: `${before.length}:${column} ${type}` };
}

const head = 'version: 1\nname: A plan\n';
/** Places below count from line 4. */
const withSteps = (steps: string): string => `${head}steps:\n${steps}`;

describe('parsePlan, a plan without mistakes', () => {
  it('[PL11] fills in the defaults of a command', () => {
    const plan = planOf(withSteps('  - { id: a, run: make }\n'));
    expect(plan).toEqual({
      version: 1,
      name: 'A plan',
      feature: null,
      context: { prd: null, plan: null, progress: [], sessions: [], docs: [] },
      inputs: {},
      scope: { tools: ['read', 'search', 'exec'], write: [], network: 'none' },
      budget: { usd: null, tokens: null, timeMs: null, turns: null },
      concurrency: 4,
      onFailure: 'continue',
      steps: [
        {
          id: 'a',
          kind: 'command',
          needs: [],
          when: null,
          risk: null,
          scope: { tools: ['read', 'search', 'exec'], write: [], network: 'none' },
          timeoutMs: null,
          retry: { attempts: 1, backoffMs: 0 },
          onInterrupt: 'ask',
          env: { profile: 'minimal', set: {}, from: {} },
          secrets: [],
          artifacts: [],
          program: { script: 'make' },
          cwd: '.',
          expectedExitCodes: [0],
          copy: [],
        },
      ],
    });
  });

  it('[PL11] reads every field of a command', () => {
    const [, step] = planOf(
      `${head}scope: { tools: [exec], write: ["out/**"], network: { hosts: [a.example.com] } }\nsteps:
  - { id: a, run: "echo v=1" }
  - id: b
    argv: [npm, test]
    needs: [a, a]
    when: steps.a.status == 'succeeded'
    risk: high
    scope: { write: ["out/x/**"], network: none }
    cwd: packages/x
    exitCodes: [0, 3]
    timeout: 10m
    retry: { attempts: 3, backoff: 90s }
    onInterrupt: retry
    env: { profile: ci, set: { CI: "true" }, from: { V: a.v } }
    secrets: [TOKEN]
    artifacts: [out/x/report.json]
`,
    ).steps;
    expect(step).toEqual({
      id: 'b',
      kind: 'command',
      needs: ['a'],
      when: "steps.a.status == 'succeeded'",
      risk: 'high',
      scope: { tools: ['exec'], write: ['out/x/**'], network: 'none' },
      timeoutMs: 600_000,
      retry: { attempts: 3, backoffMs: 90_000 },
      onInterrupt: 'retry',
      env: { profile: 'ci', set: { CI: 'true' }, from: { V: 'a.v' } },
      secrets: ['TOKEN'],
      artifacts: ['out/x/report.json'],
      program: { argv: ['npm', 'test'] },
      cwd: 'packages/x',
      expectedExitCodes: [0, 3],
      copy: [],
    } satisfies CommandStep);
  });

  it('[PL11] reads every field of an agent', () => {
    const plan = planOf(
      withSteps(`  - id: a
    agent: acp:gemini
    prompt: { file: prompts/a.md }
    context: [docs/a.md]
    model: large
    budget: { usd: 1.5, tokens: 1000, time: 2h, turns: 4 }
    output: { schema: { type: object } }
    ext: { gemini: { mode: fast } }
`),
    );
    expect(plan.steps[0]).toMatchObject({
      kind: 'agent',
      adapter: 'acp:gemini',
      prompt: { file: 'prompts/a.md' },
      context: ['docs/a.md'],
      model: 'large',
      budget: { usd: 1.5, tokens: 1000, timeMs: 7_200_000, turns: 4 },
      outputSchema: { inline: { type: 'object' } },
      ext: { gemini: { mode: 'fast' } },
    } satisfies Partial<AgentStep>);
  });

  it('[PL11] reads every check, and the defaults of an approval', () => {
    const plan = planOf(
      withSteps(`  - { id: a, run: make }
  - id: v
    validate:
      - exit: { step: a, equals: 0 }
      - paths: { only: [] }
      - file: { path: gone.txt, exists: false }
      - file: { path: a.txt, matches: x+ }
      - schema: { output: a, schema: s.json }
      - number: { file: n.json, at: /a/0, max: 3 }
      - noSecrets: true
  - { id: g, approve: "Go on?" }
`),
    );
    expect(plan.steps[1]).toMatchObject({
      kind: 'validation',
      checks: [
        { type: 'exit', step: 'a', equals: 0 },
        { type: 'paths', only: [] },
        { type: 'file', path: 'gone.txt', matches: null, exists: false },
        { type: 'file', path: 'a.txt', matches: 'x+', exists: true },
        { type: 'schema', output: 'a', schema: 's.json' },
        { type: 'number', file: 'n.json', at: '/a/0', min: null, max: 3 },
        { type: 'noSecrets' },
      ],
    });
    expect(plan.steps[2]).toMatchObject({
      kind: 'approval',
      question: 'Go on?',
      show: [],
      by: { roles: ['approver'], people: [], count: 1, excludeRequester: false },
      form: {},
      onReject: null,
      expiresMs: null,
    } satisfies Partial<ApprovalStep>);
  });

  it('[PL11] lets only the people decide that an approval names', () => {
    const plan = planOf(
      withSteps('  - { id: g, approve: "Go?", by: { people: [ann, bob], count: 2 } }\n'),
    );
    expect(plan.steps[0]).toMatchObject({ by: { roles: [], people: ['ann', 'bob'], count: 2 } });
  });

  it('[PL12] runs steps in order when none has needs, and after the setup', () => {
    const plan = planOf(
      `${head}setup: { copy: [.env], run: [npm ci, make] }\nscope: { network: { hosts: [a.example] } }\nsteps:\n  - { id: a, run: x }\n  - { id: b, run: x }\n`,
    );
    expect(plan.steps.map(({ id, needs }) => [id, needs])).toEqual([
      ['setup', []],
      ['a', ['setup']],
      ['b', ['a']],
    ]);
    expect(plan.steps[0]).toMatchObject({
      kind: 'command',
      program: { script: 'npm ci\nmake' },
      copy: ['.env'],
      scope: { tools: ['exec'], write: ['**'], network: { hosts: ['a.example'] } },
    });
  });

  it('[PL12] starts steps without needs at once when any step has needs, but after the setup', () => {
    const plan = planOf(
      `${head}setup: { copy: [.env] }\nsteps:\n  - { id: a, run: x }\n  - { id: b, run: x }\n  - { id: c, run: x, needs: [a] }\n`,
    );
    expect(plan.steps.map(({ id, needs }) => [id, needs])).toEqual([
      ['setup', []],
      ['a', ['setup']],
      ['b', ['setup']],
      ['c', ['a']],
    ]);
    expect(plan.steps[0]).toMatchObject({ program: { script: 'true' }, copy: ['.env'] });
  });
});

describe('parsePlan, mistakes', () => {
  it('[PL2] lists twenty mistakes of one file, each at its line and column, in order', () => {
    const text = `version: 2
name: ""
featur: x
concurrency: 0
context:
  prd: /etc/passwd
budget: { time: 5 minutes }
scope: { tools: [exec, edti], write: ["src/**"] }
steps:
  - id: A_b
    run: true
  - id: build
    run: make
    timeout: 90
    needs: [bulid]
  - id: build
    argv: []
  - id: test
    rnu: npm test
  - id: agent
    agent: cluade
    prompt: "{{ inputs.brnch }}"
    scope: { write: ["docs/**"] }
    when: "1 +"
  - id: gate
    validate: [{ exit: { step: nope, equals: 0 } }]
  - id: ask
    approve: Go?
    by: { people: [ann], count: 2 }
    onReject: { restart: nobody }
    expires: 3w
`;
    expect(placesOf(text)).toEqual([
      '1:10 BadValue',
      '2:7 BadValue',
      '3:1 UnknownField',
      '4:14 BadValue',
      '6:8 BadPath',
      '7:17 BadDuration',
      '8:24 BadName',
      '10:9 BadId',
      '11:10 WrongType',
      '14:14 WrongType',
      '15:13 UnknownStep',
      '16:9 DuplicateId',
      '17:11 BadValue',
      '18:5 NoKind',
      '21:12 UnknownAdapter',
      '22:14 UnknownInput',
      '23:22 ScopeTooWide',
      '24:15 BadCondition',
      '26:32 UnknownStep',
      '29:33 ImpossibleApproval',
      '30:26 UnknownStep',
      '31:14 BadDuration',
    ]);
  });

  it('[PL2] says what, where, and what to do next', () => {
    expect(problemsOf(withSteps('  - { id: a, run: x, tiemout: 5m }\n'))).toEqual([
      {
        type: 'UnknownField',
        severity: 'error',
        title: 'Unknown field',
        detail: 'Step "a" has no field "tiemout".',
        hint: 'Did you mean `timeout`?',
        at: { file: 'plan.yaml', line: 4, column: 22 },
      },
    ]);
  });

  it('[PL2] refuses more problems than people read, and says how many there are', () => {
    const steps = Array.from({ length: 150 }, () => '  - { id: 7, x: 1 }\n').join('');
    const problems = problemsOf(withSteps(steps));
    expect(problems).toHaveLength(201);
    expect(problems.at(-1)).toMatchObject({ type: 'TooManyProblems' });
  });

  it.each([
    ['a field of another kind', '- { id: a, approve: "?", §timeout: 5m }', 'UnknownField'],
    ['a list where text is wanted', '- { id: a, run: §[x] }', 'WrongType'],
    ['an empty value', '- id: a\n    §run:', 'WrongType'],
    ['a missing id', '- §run: x', 'MissingField'],
    ['an agent without a prompt', '- §{ id: a, agent: claude }', 'MissingField'],
    ['a step that is text', '- §x', 'WrongType'],
    ['a year and a day', '- { id: a, run: x, timeout: §366d }', 'BadDuration'],
    ['a duration of nothing', '- { id: a, run: x, timeout: §0s }', 'BadDuration'],
    ['an exit code that no program has', '- { id: a, run: x, exitCodes: [§256] }', 'BadValue'],
    ['no exit code', '- { id: a, run: x, exitCodes: §[] }', 'BadValue'],
    ['a path that leads out', '- { id: a, run: x, cwd: §a/../../b }', 'BadPath'],
    ['an absolute path', '- { id: a, run: x, cwd: §/tmp }', 'BadPath'],
    ['a path of another system', '- { id: a, run: x, cwd: §"C:/x" }', 'BadPath'],
    ["git's own folder", '- { id: a, run: x, scope: { write: [§.git/**] } }', 'BadGlob'],
    ["a nested one of git's", '- { id: a, run: x, scope: { write: [§sub/.GIT/] } }', 'BadGlob'],
    ['an absolute glob', '- { id: a, run: x, artifacts: [§/x] }', 'BadGlob'],
    ['a secret that is no name', '- { id: a, run: x, secrets: [§a-b] }', 'BadName'],
    ['a variable that is no name', '- { id: a, run: x, env: { set: { §a-b: c } } }', 'BadName'],
    ['a risk class that is none', '- { id: a, run: x, risk: §hihg }', 'BadValue'],
    ['no check', '- { id: a, validate: §[] }', 'BadValue'],
    ['a check that is none', '- { id: a, validate: [§{ exits: 1 }] }', 'UnknownCheck'],
    [
      'an escalation to nobody',
      '- { id: a, approve: x, escalate: §{ after: 1h } }',
      'ImpossibleApproval',
    ],
    [
      'an escalation after the end',
      '- { id: a, approve: x, expires: 1h, escalate: { after: §1h, roles: [admin] } }',
      'ImpossibleApproval',
    ],
    ['an approval by nobody', '- { id: a, approve: x, by: §{ roles: [] } }', 'ImpossibleApproval'],
    [
      'a variable set twice',
      '- { id: a, run: x, env: { set: { A: b } }, secrets: [§A] }',
      'DuplicateVariable',
    ],
    [
      'a number without limits',
      '- { id: a, validate: [{ number: §{ file: a, at: "" } }] }',
      'MissingField',
    ],
    [
      'a smallest number above the largest',
      '- { id: a, validate: [{ number: { file: a, at: "", min: §2, max: 1 } }] }',
      'BadValue',
    ],
    [
      'a pattern for a file that must not exist',
      '- { id: a, validate: [{ file: { path: a, exists: false, matches: §x } }] }',
      'BadValue',
    ],
  ])('[PL22] refuses %s', (_title, step, type) => {
    const { text, place } = marked(withSteps(`  ${step}\n`), type);
    expect(placesOf(text)).toEqual([place]);
  });

  it('[PL10] refuses a step of two kinds once, whatever fields come with them', () => {
    const steps = '  - { id: a, run: x, approve: "?", show: [diff], cwd: y }\n';
    expect(placesOf(withSteps(steps))).toEqual(['4:22 SeveralKinds']);
    expect(placesOf(withSteps('  - { id: a, run: x, argv: [y] }\n'))).toEqual([
      '4:22 SeveralKinds',
    ]);
  });

  it('[PL10] refuses a check of two kinds', () => {
    const steps = '  - { id: a, validate: [{ noSecrets: true, paths: { only: [] } }] }\n';
    expect(placesOf(withSteps(steps)).map((place) => place.split(' ')[1])).toEqual([
      'SeveralKinds',
    ]);
  });

  it.each(['setup', 'context', 'inputs'])('[PL6] keeps the id %s for itself', (id) => {
    expect(placesOf(withSteps(`  - { id: ${id}, run: x }\n`))).toEqual(['4:11 ReservedId']);
  });

  it.each([
    ['needs', '  - { id: b, run: x, needs: [buidl] }'],
    ['env.from', '  - { id: b, run: x, env: { from: { A: buidl.x } } }'],
    ['show', '  - { id: b, approve: "?", show: [buidl.output] }'],
    ['onReject.restart', '  - { id: b, approve: "?", onReject: { restart: buidl } }'],
    ['exit.step', '  - { id: b, validate: [{ exit: { step: buidl, equals: 0 } }] }'],
    ['schema.output', '  - { id: b, validate: [{ schema: { output: buidl, schema: s.json } }] }'],
    ['when', '  - { id: b, run: x, when: "steps.buidl.status == \'failed\'" }'],
    ['a prompt', '  - { id: b, agent: claude, prompt: "{{ buidl.x }}" }'],
    ['an approval text', '  - { id: b, approve: "{{ buidl.x }}" }'],
  ])('[PL6] refuses an unknown step in %s, and names the nearest', (_field, step) => {
    const problems = problemsOf(withSteps(`  - { id: build, run: x }\n${step}\n`));
    expect(problems).toMatchObject([
      { type: 'UnknownStep', hint: 'Did you mean `build`?', at: { line: 5 } },
    ]);
  });

  it.each([
    ['env.from', '  - { id: b, run: x, env: { from: { A: late.x } } }'],
    ['show', '  - { id: b, approve: "?", show: [late.output] }'],
    ['onReject.restart', '  - { id: b, approve: "?", onReject: { restart: late } }'],
    ['exit.step', '  - { id: b, validate: [{ exit: { step: late, equals: 0 } }] }'],
    ['schema.output', '  - { id: b, validate: [{ schema: { output: late, schema: s.json } }] }'],
    ['when', '  - { id: b, run: x, when: "has(steps.late.outputs.x)" }'],
    ['a prompt', '  - { id: b, agent: claude, prompt: "{{ late.x }}" }'],
  ])('[PL7] refuses in %s a step that does not come before', (_field, step) => {
    const problems = problemsOf(withSteps(`${step}\n  - { id: late, run: x }\n`));
    expect(problems.map(({ type }) => type)).toEqual(['NotBefore']);
  });

  it('[PL7] lets a step read one that comes before it over others', () => {
    const plan = planOf(
      withSteps(`  - { id: a, run: x }
  - { id: b, run: x, needs: [a] }
  - { id: c, run: x, needs: [b], env: { from: { A: a.x } } }
`),
    );
    expect(plan.steps[2]).toMatchObject({ env: { from: { A: 'a.x' } } });
  });

  it.each([
    ['of a validation', '  - { id: v, validate: [{ noSecrets: true }] }', 'v.x'],
    [
      'that is no field of an approval',
      '  - { id: v, approve: "?", form: { yes: { type: boolean } } }',
      'v.no',
    ],
  ])('[PL7] refuses an output %s', (_title, step, reference) => {
    const after = `  - { id: b, run: x, env: { from: { A: ${reference} } } }`;
    expect(problemsOf(withSteps(`${step}\n${after}\n`)).map(({ type }) => type)).toEqual([
      'NoOutputs',
    ]);
  });

  it('[PL7] shows only artifacts that a step before keeps', () => {
    const steps = (artifact: string): string =>
      `  - { id: a, run: x, artifacts: ["out/*.json"] }\n  - { id: b, approve: "?", show: [${artifact}] }\n`;
    expect(placesOf(withSteps(steps('out/a.json')))).toEqual([]);
    expect(placesOf(withSteps(steps('out/a.txt')))).toEqual(['5:35 UnknownArtifact']);
  });

  it('[PL8] names the steps of a circle, and each circle once', () => {
    const problems = problemsOf(
      withSteps(`  - { id: a, run: x, needs: [b] }
  - { id: b, run: x, needs: [c] }
  - { id: c, run: x, needs: [a] }
  - { id: d, run: x, needs: [d] }
  - { id: e, run: x, needs: [a] }
`),
    );
    expect(problems.map(({ type, detail, at }) => [type, detail, at.line])).toEqual([
      ['Cycle', 'These steps wait for each other: a → b → c → a.', 4],
      ['Cycle', 'Step `d` needs itself.', 7],
    ]);
  });

  it.each([
    ['a tool', '{ tools: [fetch] }'],
    ['a folder beside', '{ write: ["test/**"] }'],
    ['a folder above', '{ write: ["**"] }'],
    ['a name at any depth', '{ write: ["a.ts"] }'],
    ['a host', '{ network: { hosts: [other.example.com] } }'],
    ['another port', '{ network: { hosts: ["git.example.com:22"] } }'],
  ])('[PL9] refuses a step scope with %s that the run does not have', (_title, scope) => {
    const text = `${head}scope: { tools: [edit], write: ["src/**"], network: { hosts: ["git.example.com:443"] } }\nsteps:\n  - { id: a, run: x, scope: ${scope} }\n`;
    expect(problemsOf(text).map(({ type }) => type)).toEqual(['ScopeTooWide']);
  });

  it('[PL9] accepts a step scope within the run, and inherits what it leaves open', () => {
    const plan = planOf(
      `${head}scope: { tools: [edit, exec], write: ["src/**"], network: { hosts: ["*.example.com"] } }\nsteps:\n  - { id: a, run: x, scope: { write: ["src/a/*.ts"], network: { hosts: [git.example.com] } } }\n`,
    );
    expect(plan.steps[0]?.scope).toEqual({
      tools: ['edit', 'exec'],
      write: ['src/a/*.ts'],
      network: { hosts: ['git.example.com'] },
    });
  });

  it('[PL9] refuses any write when the run has no scope', () => {
    const text = withSteps('  - { id: a, run: x, scope: { write: ["src/**"] } }\n');
    expect(placesOf(text)).toEqual(['4:39 ScopeTooWide']);
  });

  it('[PL6] finds a placeholder inside a block of text', () => {
    const text = `${head}context: { prd: a.md }\nsteps:\n  - id: a\n    agent: claude\n    prompt: |\n      Read {{ context.prd }}.\n      Then {{ context.plan }} and {{ oops`;
    expect(placesOf(`${text}\n`)).toEqual(['9:12 BadPlaceholder', '9:35 BadPlaceholder']);
  });

  it('[PL6] finds the place inside a condition', () => {
    const text = withSteps("  - id: a\n    run: x\n    when: inputs.a == 'x' && inputs.b\n");
    expect(placesOf(text)).toEqual(['6:11 UnknownInput', '6:30 UnknownInput']);
  });
});

describe('parsePlan, YAML', () => {
  it.each([
    ['an anchor', 'a: &x 1', 'YamlFeature'],
    ['an alias', 'name: &n x\nfeature: *n', 'YamlFeature'],
    ['a merge key', '<<: { name: x }', 'YamlFeature'],
    ['a tag', 'name: !!str x', 'YamlFeature'],
    ['a directive', '%YAML 1.1\n---\nname: x', 'YamlFeature'],
    ['two documents', 'name: x\n---\nname: y', 'MultipleDocuments'],
    ['a key twice', 'name: x\nname: y', 'DuplicateKey'],
    ['__proto__', '__proto__: { version: 1 }', 'ForbiddenKey'],
    ['constructor', 'inputs: { constructor: { type: string } }', 'ForbiddenKey'],
    ['a hidden change of direction', 'name: "a\\u202Eb"', 'ForbiddenText'],
    ['NUL', 'name: "a\\0b"', 'ForbiddenText'],
    ['half a character', 'name: "a\\uD800"', 'ForbiddenText'],
    ['a tab', 'a:\n\tb: 1', 'YamlSyntax'],
    ['an open quote', 'name: "x', 'YamlSyntax'],
    ['a colon in plain text', 'name: a: b', 'YamlSyntax'],
    ['a key that is a list', '? [a]\n: 1', 'YamlSyntax'],
    ['nothing', '', 'EmptyFile'],
    ['only a comment', '# later', 'EmptyFile'],
  ])('[PL4] refuses %s', (_title, text, type) => {
    expect(problemsOf(text).map((problem) => problem.type)).toContain(type);
  });

  it('[PL4] refuses what is no mapping', () => {
    expect(placesOf('- a\n- b\n')).toEqual(['1:1 WrongType']);
  });

  it('[PL4] refuses more than a million bytes', () => {
    expect(placesOf(`# ${'é'.repeat(500_000)}`)).toEqual(['1:1 FileTooLarge']);
  });

  it.each([
    ['brackets', '['.repeat(2000)],
    ['closed brackets', `a: ${'['.repeat(100)}${']'.repeat(100)}`],
  ])(
    '[PL4] refuses deep nesting of %s as one problem or a few, never by failing',
    (_title, text) => {
      const types = problemsOf(text).map(({ type }) => type);
      expect(types.some((type) => type === 'NestedTooDeeply' || type === 'YamlSyntax')).toBe(true);
    },
  );

  it('[PL4] does not say more about a value than that it was refused', () => {
    expect(placesOf(`${head}scope: &s {}\nsteps: *s\n`)).toEqual([
      '3:11 YamlFeature',
      '4:8 YamlFeature',
    ]);
  });

  it('[PL4] counts columns from the text when the file begins with a mark of byte order', () => {
    expect(placesOf(`\ufeffnam: x`).slice(0, 1)).toEqual(['1:1 MissingField']);
    const plan = planOf(`\ufeff${withSteps('  - { id: a, run: x }\n')}`);
    expect(plan.name).toBe('A plan');
  });

  it('[PL5] leaves the prototypes of all objects as they were', () => {
    problemsOf('__proto__: { polluted: true }\ncontext: { __proto__: { polluted: true } }\n');
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
  });
});

describe('parsePlan, warnings', () => {
  const warningsOf = (text: string): readonly string[] => {
    const reading = parsePlan(text, { file: 'plan.yaml' });
    return reading.ok ? reading.warnings.map(({ at, type }) => `${at.line} ${type}`) : ['error'];
  };

  it('[PL24] points at what is probably not meant', () => {
    expect(
      warningsOf(`${head}budget: { time: 1h }
steps:
  - { id: a, run: x, timeout: 2h }
  - { id: b, run: x, risk: low }
  - { id: c, validate: [{ exit: { step: a, equals: 1 } }] }
`),
    ).toEqual(['5 IdleTimeout', '6 IdleRisk', '7 ImpossibleCheck']);
    expect(warningsOf(withSteps('  - { id: a, agent: claude, prompt: x }\n'))).toEqual([
      '4 ReadOnlyRun',
      '4 NoBudget',
    ]);
  });

  it('[PL24] says nothing about a plan that is as it should be', () => {
    expect(warningsOf(withSteps('  - { id: a, run: x, timeout: 5m, risk: high }\n'))).toEqual([]);
  });
});

describe('the examples', () => {
  const folder = new URL('../../../../examples/', import.meta.url);
  const names = readdirSync(folder).filter((name) => name.endsWith('.yaml'));

  it('[PL11] are there', () => {
    expect(names.length).toBeGreaterThanOrEqual(4);
  });

  it.each(names)('[PL11] %s compiles to the recorded plan, without a warning', async (name) => {
    const reading = parsePlan(readFileSync(new URL(name, folder), 'utf8'), { file: name });
    if (!reading.ok) expect.fail(JSON.stringify(reading.problems, null, 2));
    expect(reading.warnings).toEqual([]);
    const recorded = `golden/${name.replace('.yaml', '.json')}`;
    await expect(`${JSON.stringify(reading.plan, null, 2)}\n`).toMatchFileSnapshot(recorded);
  });
});

it('[PL2] a type of an input that is none is told once, not again at its default', () => {
  const inputs = 'inputs: { n: { type: integer, default: 3 } }\n';
  expect(placesOf(inputs + withSteps('  - { id: a, run: x }\n'))).toEqual(['1:22 BadValue']);
});
