import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { checkPlan, loadPlan } from './load-plan.ts';
import { planDigest } from './plan-digest.ts';

let projectDir: string;

beforeEach(() => {
  projectDir = mkdtempSync(join(tmpdir(), 'ccdash-plans-'));
});

afterEach(() => {
  rmSync(projectDir, { recursive: true });
});

async function load(content: string | Uint8Array) {
  const path = join(projectDir, 'plan.yaml');
  writeFileSync(path, content);
  return loadPlan(path, { projectDir, file: 'plan.yaml' });
}

const small = 'version: 1\nname: x\nsteps: [{ id: a, run: make }]\n';

describe('loadPlan', () => {
  it('[PL20] gives the plan, its digest and where things stand', async () => {
    const loaded = await load(small);
    if (!loaded.ok) return expect.fail(JSON.stringify(loaded.error));
    expect(loaded.value.plan.name).toBe('x');
    expect(loaded.value.digest).toBe(planDigest(loaded.value.plan));
    expect(loaded.value.source.positionOf(['name'])).toEqual({ line: 2, column: 7 });
    expect(loaded.value.warnings).toEqual([]);
  });

  it('[PL20] refuses a plan with mistakes as the parser does', async () => {
    expect(await load('version: 1\nname: x\nsteps: []\n')).toMatchObject({
      ok: false,
      error: [{ type: 'BadValue', at: { file: 'plan.yaml', line: 3, column: 8 } }],
    });
  });

  it('[PL20] refuses a file that is missing, a folder, a pipe, and one below a file', async () => {
    const typeOf = async (path: string): Promise<unknown> => {
      const loaded = await loadPlan(path, { projectDir });
      return loaded.ok ? 'loaded' : loaded.error.map(({ type, at }) => `${type} ${at.file}`);
    };
    const pipe = join(projectDir, 'pipe');
    execFileSync('mkfifo', [pipe]);
    const file = join(projectDir, 'file');
    writeFileSync(file, small);
    mkdirSync(join(projectDir, 'folder'));
    const missing = join(projectDir, 'missing.yaml');
    expect(await typeOf(missing)).toEqual([`FileNotFound ${missing}`]);
    expect(await typeOf(join(projectDir, 'folder'))).toEqual([`NotAFile ${projectDir}/folder`]);
    expect(await typeOf(pipe)).toEqual([`NotAFile ${pipe}`]);
    expect(await typeOf(`${file}/x`)).toEqual([`FileNotFound ${file}/x`]);
    expect(await typeOf(file)).toBe('loaded');
  });

  it('[PL20] refuses bytes that are not UTF-8, and more than a million', async () => {
    const typesOf = async (content: string | Uint8Array): Promise<unknown> => {
      const loaded = await load(content);
      return loaded.ok ? 'loaded' : loaded.error.map(({ type }) => type);
    };
    expect(await typesOf(new Uint8Array([0x61, 0xff, 0xfe]))).toEqual(['NotText']);
    expect(await typesOf(`# ${'x'.repeat(1_000_000)}`)).toEqual(['FileTooLarge']);
    expect(await typesOf(`${small}# ${'x'.repeat(1_000_000 - small.length - 2)}`)).toBe('loaded');
  });

  it('[PL20] warns about each named file that the project does not have, at its place', async () => {
    mkdirSync(join(projectDir, 'docs'));
    writeFileSync(join(projectDir, 'docs/there.md'), '');
    const loaded = await load(`version: 1
name: x
context: { prd: docs/there.md, plan: docs/gone.md, progress: [docs/there.md, p.md], docs: [d.md] }
setup: { copy: [.env] }
scope: { write: ["src/**"] }
budget: { usd: 1 }
steps:
  - id: a
    agent: claude
    prompt: { file: prompts/a.md }
    context: [docs/there.md, c.md]
    output: { schema: s.json }
  - id: v
    validate: [{ schema: { output: a, schema: t.json } }]
`);
    if (!loaded.ok) return expect.fail(JSON.stringify(loaded.error));
    const places = loaded.value.warnings.map(({ type, detail, at }) => {
      expect(type).toBe('MissingFile');
      return `${at.line}:${at.column} ${/"(.*)"/.exec(detail)?.[1] ?? ''}`;
    });
    expect(places).toEqual([
      '3:38 docs/gone.md',
      '3:78 p.md',
      '3:92 d.md',
      '4:17 .env',
      '10:21 prompts/a.md',
      '11:30 c.md',
      '12:23 s.json',
      '14:47 t.json',
    ]);
  });

  it('[EN25] says of a text that was sent what it says of a file', async () => {
    const texts = [
      small,
      small.replace('run: make', 'validate: [{ file: { path: a, matches: "(?=x)" } }]'),
      small.replace('run: make', 'agent: scripted, prompt: { file: gone.md }'),
    ];
    for (const text of texts) {
      const sent = checkPlan(text, { file: 'plan.yaml', projectDir });
      const loaded = await load(text);
      expect(sent.ok ? sent.warnings : sent.problems).toEqual(
        loaded.ok ? loaded.value.warnings : loaded.error,
      );
    }
    expect(checkPlan(texts[1] ?? '', { file: 'plan.yaml', projectDir })).toMatchObject({
      ...{ ok: false, problems: [{ type: 'BadPattern' }] },
    });
  });

  it('[PL20] refuses a pattern that is no regular expression of RE2', async () => {
    const withPattern = (pattern: string): string =>
      `version: 1\nname: x\nsetup: { run: [x] }\nsteps: [{ id: a, validate: [{ file: { path: b, matches: '${pattern}' } }] }]\n`;
    expect((await load(withPattern('(?i)^a+$'))).ok).toBe(true);
    for (const pattern of ['(a', '(?=a)', '(a)\\1']) {
      expect(await load(withPattern(pattern))).toMatchObject({
        ok: false,
        error: [{ type: 'BadPattern', at: { line: 4, column: 57 } }],
      });
    }
  });
});

describe('planDigest', () => {
  it('[PL15] is the SHA-256 of the canonical JSON, whatever the file looks like', async () => {
    const one = await load(small);
    const two = await load('# the same\nsteps:\n  - run: "make"\n    id: a\nname: x\nversion: 1\n');
    const other = await load(small.replace('make', 'make all'));
    if (!one.ok || !two.ok || !other.ok) return expect.fail('a plan was refused');
    expect(one.value.digest).toMatch(/^sha256:[0-9a-f]{64}$/);
    expect(two.value.digest).toBe(one.value.digest);
    expect(other.value.digest).not.toBe(one.value.digest);
  });
});
