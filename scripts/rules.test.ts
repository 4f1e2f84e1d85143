/** Proves that each of the rules D1 to D9 fires: a tiny violation in a scratch tree laid out like the
 *  repository, judged by the real configuration files. (D10 is a test of the store.) */

import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { ESLint } from 'eslint';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { repository } from './setup.mjs';
import { toolPath } from './tools.mjs';

const root = realpathSync(mkdtempSync(join(tmpdir(), 'ccdash-rules-')));

const INNOCENT: Readonly<Record<string, string>> = {
  'packages/core/src/index.ts': `export const zero = 0;\n`,
  'packages/core/src/plan/plan.ts': `export const plan = 1;\n`,
  'packages/core/src/testing/index.ts': `export const fake = 1;\n`,
  'packages/core/src/sum.test.ts': `import { expect } from 'vitest';\nimport { fake } from './testing/index.ts';\n\nexpect(fake).toBe(1);\n`,
  'packages/api/src/index.ts': `import { zero } from '@ccdash/core';\n\nexport const one: number = zero;\n`,
  'packages/api/src/client/index.ts': `export const client = 1;\n`,
  'packages/api/src/plan/index.ts': `export const plan = 1;\n`,
  'packages/server/src/base/paths.ts': `export const path = '';\n`,
  'packages/server/src/store/store.ts': `import { zero } from '@ccdash/core';\nimport { path } from '../base/paths.ts';\n\nexport const store = [zero, path];\n`,
  'packages/server/src/engine/engine.ts': `export const engine = 1;\n`,
  'packages/server/src/app.ts': `import { engine } from './engine/engine.ts';\nimport { store } from './store/store.ts';\n\nexport const app = [engine, store];\n`,
  'packages/server/src/cli/main.ts': `import { client } from '@ccdash/api/client';\nimport { app } from '../app.ts';\n\nexport const main = [client, app];\n`,
  'packages/server/src/agents/claude/adapter.ts': `import { query } from '@anthropic-ai/claude-agent-sdk';\n\nexport const ask = query;\n`,
  'packages/web/src/features/runs/runs.ts': `export const runs = 1;\n`,
  'packages/web/src/features/plans/plans.ts': `export const plans = 1;\n`,
};

/** What a violation is, where it stands, and which rule must name it. */
interface ImportCase {
  readonly rule: string;
  readonly file: string;
  readonly code: string;
}

const IMPORTS: readonly ImportCase[] = [
  importing('D1-core-imports-nothing', 'packages/core/src/io.ts', 'node:fs'),
  importing('D1-core-imports-nothing', 'packages/core/src/schema.ts', 'zod'),
  importing('D3-api-knows-core-only', 'packages/api/src/up.ts', '../../server/src/app.ts'),
  importing('D3-server-and-web-are-apart', 'packages/web/src/up.ts', '../../server/src/app.ts'),
  importing('D3-core-tests-know-core-only', 'packages/core/src/up.test.ts', '@ccdash/api'),
  importing('D3-engines-know-core-only', 'packages/engine-x/src/up.ts', '@ccdash/api'),
  importing('D4-entry-points-only', 'packages/api/src/deep.ts', '../../core/src/plan/plan.ts'),
  importing('D4-by-package-name', 'packages/api/src/path.ts', '../../core/src/index.ts'),
  importing('D5-server-siblings', 'packages/server/src/http/a.ts', '../store/store.ts'),
  importing('D5-server-siblings', 'packages/server/src/http/b.ts', '../app.ts'),
  importing('D5-server-siblings', 'packages/server/src/base/a.ts', '../store/store.ts'),
  {
    rule: 'D5-server-siblings',
    file: 'packages/server/src/http/types.ts',
    code: `import type { store } from '../store/store.ts';\n\nexport type Store = typeof store;\n`,
  },
  importing('D5-server-root-files', 'packages/server/src/index.ts', './store/store.ts'),
  importing('D5-cli-is-a-client', 'packages/server/src/cli/store.ts', '../store/store.ts'),
  importing('D5-cli-is-a-client', 'packages/server/src/cli/core.ts', '@ccdash/core'),
  importing('D6-features-are-apart', 'packages/web/src/features/runs/x.ts', '../plans/plans.ts'),
  importing('D7-no-runtime-cycles', 'packages/core/src/ring.ts', './ring.ts'),
  importing('D8-no-testing-in-production', 'packages/core/src/fake.ts', './testing/index.ts'),
  importing('D8-no-testing-in-production', 'packages/api/src/fake.ts', '@ccdash/core/testing'),
  importing('D8-no-testing-in-production', 'packages/core/src/test.ts', './sum.test.ts'),
  importing('D8-no-testing-in-production', 'packages/server/src/base/t.ts', 'vitest'),
  importing('D9-vendor-in-its-adapter', 'packages/server/src/engine/v.ts', '@anthropic-ai/sdk'),
  importing('D9-vendor-in-its-adapter', 'packages/server/src/agents/acp/v.ts', '@anthropic-ai/sdk'),
];

/** Two files that need each other at run time, and two that do so in types alone. */
const RING: Readonly<Record<string, string>> = {
  'packages/api/src/ring-a.ts': `import { b } from './ring-b.ts';\n\nexport const a = (): number => b();\n`,
  'packages/api/src/ring-b.ts': `import { a } from './ring-a.ts';\n\nexport const b = (): number => a();\n`,
  'packages/api/src/types-a.ts': `import type { B } from './types-b.ts';\n\nexport interface A {\n  b: B;\n}\n`,
  'packages/api/src/types-b.ts': `import type { A } from './types-a.ts';\n\nexport interface B {\n  a: A;\n}\n`,
};

const IMPURE: readonly (readonly [name: string, code: string])[] = [
  ['process', `export const home: unknown = process.env;`],
  ['console', `console.log('x');`],
  ['setTimeout', `setTimeout(() => undefined, 1);`],
  [
    'node:fs',
    `import { readFileSync } from 'node:fs';\nexport const read: unknown = readFileSync;`,
  ],
  ['fetch', `export const answer: unknown = fetch('x');`],
];

function importing(rule: string, file: string, from: string): ImportCase {
  return {
    rule,
    file,
    code: `import * as found from '${from}';\n\nexport const it: unknown = found;\n`,
  };
}

function write(file: string, text: string): string {
  const path = join(root, file);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
  return path;
}

function link(target: string, file: string): void {
  const path = join(root, file);
  mkdirSync(dirname(path), { recursive: true });
  symlinkSync(target, path);
}

function run(tool: string, args: readonly string[]): Promise<{ code: number; output: string }> {
  return new Promise((resolve) => {
    const command = [toolPath(tool), ...args];
    const options = { cwd: root, maxBuffer: 64 * 1024 * 1024 };
    execFile(process.execPath, command, options, (error, stdout, stderr) => {
      resolve({ code: typeof error?.code === 'number' ? error.code : 0, output: stdout || stderr });
    });
  });
}

beforeAll(() => {
  for (const name of ['core', 'api', 'server', 'web']) {
    const folder = join(repository, 'packages', name);
    link(join(folder, 'package.json'), `packages/${name}/package.json`);
    if (name === 'web') continue;
    link(
      join(root, 'packages', name),
      `node_modules/${name === 'server' ? 'ccdash' : `@ccdash/${name}`}`,
    );
    const config = { extends: join(folder, 'tsconfig.src.json'), references: [] };
    write(`packages/${name}/tsconfig.json`, JSON.stringify(config));
  }
  for (const name of ['@anthropic-ai', '@types', 'vitest', 'zod']) {
    link(join(repository, 'node_modules', name), `node_modules/${name}`);
  }
  for (const [file, code] of Object.entries(INNOCENT)) write(file, code);
});

afterAll(() => rmSync(root, { recursive: true, force: true }));

describe('imports (dependency-cruiser)', { timeout: 120_000 }, () => {
  interface Violation {
    readonly from: string;
    readonly to: string;
    readonly rule: { readonly name: string };
  }
  let violations: readonly Violation[];

  beforeAll(async () => {
    for (const { file, code } of IMPORTS) write(file, code);
    for (const [file, code] of Object.entries(RING)) write(file, code);
    const config = join(repository, '.dependency-cruiser.cjs');
    const { output } = await run('depcruise', [
      '--config',
      config,
      '--output-type=json',
      'packages',
    ]);
    const report = JSON.parse(output) as { summary: { violations: Violation[] } };
    violations = report.summary.violations;
    for (const file of [...IMPORTS.map((each) => each.file), ...Object.keys(RING)]) {
      rmSync(join(root, file));
    }
  }, 120_000);

  const rulesAgainst = (file: string): string[] =>
    violations.filter(({ from }) => from === file).map(({ rule }) => rule.name);

  test('the innocent files break no rule', () => {
    const accused = violations.filter(({ from }) => from in INNOCENT);
    expect(accused.map(({ from, to, rule }) => `${rule.name}: ${from} → ${to}`)).toEqual([]);
  });

  test.each(IMPORTS)('$rule fires on $file', ({ rule, file }) => {
    expect(rulesAgainst(file)).toContainEqual(expect.stringContaining(rule));
  });

  test('D7-no-runtime-cycles fires on a ring at run time', () => {
    expect(rulesAgainst('packages/api/src/ring-a.ts')).toContain('D7-no-runtime-cycles');
  });

  test('D7-no-runtime-cycles allows a ring of types', () => {
    expect(rulesAgainst('packages/api/src/types-a.ts')).toEqual([]);
  });
});

describe('the core is blind to its surroundings (compiler)', { timeout: 120_000 }, () => {
  test('the innocent core compiles', async () => {
    expect(await run('tsc', ['--noEmit', '-p', 'packages/core'])).toEqual({ code: 0, output: '' });
  });

  test('[D1] [D2] process, console, timers, node: and fetch do not exist', async () => {
    const files = IMPURE.map(([, code], index) => write(`packages/core/src/d2-${index}.ts`, code));
    const { output } = await run('tsc', ['--noEmit', '--pretty', 'false', '-p', 'packages/core']);
    for (const file of files) rmSync(file);
    for (const [index, [name]] of IMPURE.entries()) {
      expect(output).toMatch(new RegExp(`d2-${index}\\.ts.*error TS\\d+: Cannot find .*${name}`));
    }
  });
});

describe('lint', { timeout: 120_000 }, () => {
  const eslint = new ESLint({
    cwd: root,
    overrideConfigFile: join(repository, 'eslint.config.js'),
  });

  async function rulesAgainst(file: string, code: string): Promise<string[]> {
    const path = write(file, code);
    const results = await eslint.lintFiles([path]);
    rmSync(path);
    return results.flatMap(({ messages }) => messages.map((each) => each.ruleId ?? each.message));
  }

  test('the innocent files break no rule', async () => {
    const results = await eslint.lintFiles(
      ['packages/core/src/index.ts', 'packages/server/src/app.ts'].map((file) => join(root, file)),
    );
    expect(results.flatMap(({ messages }) => messages)).toEqual([]);
  });

  test.each([
    ['[D2] Date', 'no-restricted-globals', `export const now = Date.now();\n`],
    ['[D2] crypto', 'no-restricted-globals', `export const id = crypto.randomUUID();\n`],
    ['[D2] Math.random', 'no-restricted-properties', `export const draw = Math.random();\n`],
    ['[D2] console', 'no-console', `console.log('x');\n`],
    ['default export', 'no-restricted-syntax', `const x = 1;\nexport default x;\n`],
    ['export *', 'no-restricted-syntax', `export * from './index.ts';\n`],
    ['enum', 'no-restricted-syntax', `export enum Colour {\n  Red,\n}\n`],
    ['any', '@typescript-eslint/no-explicit-any', `export const x: any = 1;\n`],
    [
      'a promise left alone',
      '@typescript-eslint/no-floating-promises',
      `export function start(): void {\n  Promise.resolve(1);\n}\n`,
    ],
    [
      'a forgotten case',
      '@typescript-eslint/switch-exhaustiveness-check',
      `export function f(x: 'a' | 'b'): void {\n  switch (x) {\n    case 'a':\n  }\n}\n`,
    ],
    [
      'a type imported as a value',
      '@typescript-eslint/consistent-type-imports',
      `import { plan } from './plan/plan.ts';\n\nexport type Plan = typeof plan;\n`,
    ],
    ['==', 'eqeqeq', `export const same = (a: string, b: string): boolean => a == b;\n`],
    [
      'a disable comment without use',
      'Unused eslint-disable directive',
      `// eslint-disable-next-line no-console\nexport const x = 1;\n`,
    ],
  ])('in core: %s', async (_name, rule, code) => {
    const found = await rulesAgainst('packages/core/src/violation.ts', code);
    expect(found).toContainEqual(expect.stringContaining(rule));
  });

  test('outside core the clock is allowed', async () => {
    const code = `export const now = Date.now();\n`;
    expect(await rulesAgainst('packages/server/src/base/now.ts', code)).toEqual([]);
  });
});
