import { rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Check, CheckResult, Checkpoint, JsonObject, RunState } from '@ccdash/core';
import { EVENTS, given, testCommand, testPlan } from '@ccdash/core/testing';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { createWorkspaceFixture, putFiles, valueOf } from '../../test/workspace-fixture.ts';
import type { WorkspaceFixture } from '../../test/workspace-fixture.ts';
import { isPathNamed } from '../base/path-globs.ts';
import { runChecks } from './run-checks.ts';

const RUN = 'run_1';
const plan = testPlan([
  testCommand('work'),
  testCommand('skipped'),
  testCommand('failing'),
  { ...testCommand('waiting'), secrets: ['DEPLOY_KEY'] },
]);
const DEPLOY_KEY = 'no form that is known';
let fixture: WorkspaceFixture;
let tree: string;
let base: Checkpoint;

beforeAll(async () => {
  fixture = createWorkspaceFixture({ 'a.txt': 'one\ntwo\n', 'src/b.ts': 'let b;\n' });
  base = await fixture.start(RUN);
  tree = fixture.workspaces.pathOf(RUN);
});

// What a test writes is gone for the next one.
afterEach(async () => {
  valueOf(await fixture.workspaces.restore(RUN, base, 'after-test'));
});

afterAll(() => {
  fixture.close();
});

function stateWith(outputs: JsonObject): RunState {
  const { state } = given(
    EVENTS.begun(plan),
    EVENTS.running('work'),
    EVENTS.succeeded('work', 1, { outputs }),
    EVENTS.skipped('skipped'),
    EVENTS.running('failing'),
    EVENTS.failed('failing', 1, { exitCode: 3 }),
  );
  if (state === null) throw new Error('no run');
  return state;
}

/** What one check says of the workspace as it is now. */
async function check(asked: Check, outputs: JsonObject = {}): Promise<CheckResult> {
  const { workspaces } = fixture;
  const checkpoint = valueOf(await workspaces.checkpoint(RUN, base, 'test'));
  const context = { runId: RUN, state: stateWith(outputs), base, checkpoint };
  const secret = (name: string): string | undefined =>
    name === 'DEPLOY_KEY' ? DEPLOY_KEY : undefined;
  const sources = { workspaces, isAllowedPath: isPathNamed, secret };
  const results = await runChecks(sources, [asked], context);
  expect(results.length).toBe(1);
  return results[0] as CheckResult;
}

/** `pass` or `fail`, and what was seen. */
async function say(asked: Check, outputs: JsonObject = {}): Promise<string> {
  const { pass, evidence } = await check(asked, outputs);
  return `${pass ? 'pass' : 'fail'}: ${evidence}`;
}

describe('an exit check', () => {
  test('[EN14] looks at the last attempt of its step', async () => {
    const name = 'exit code of failing is 3';
    const evidence = 'exit code 3 in attempt 1';
    expect(await check({ type: 'exit', step: 'failing', equals: 3 })).toEqual({
      check: name,
      pass: true,
      evidence,
    });
    expect(await say({ type: 'exit', step: 'failing', equals: 0 })).toBe(`fail: ${evidence}`);
  });

  test.each(['skipped', 'waiting', 'no-such-step'])(
    '[EN14] of a step that did not run fails: %s',
    async (step) => {
      expect(await say({ type: 'exit', step, equals: 0 })).toBe('fail: not run');
    },
  );
});

describe('a paths check', () => {
  test('[EN14] passes while nothing else has changed, and names what has', async () => {
    const only: Check = { type: 'paths', only: ['src/**'] };
    expect(await say(only)).toBe('pass: 0 paths changed');
    putFiles(tree, { 'src/new.ts': 'x' });
    expect(await say(only)).toBe('pass: 1 paths changed');
    putFiles(tree, { 'a.txt': 'changed' });
    rmSync(join(tree, 'src/b.ts'));
    expect(await say(only)).toBe('fail: also changed: a.txt');
    expect(await say({ type: 'paths', only: [] })).toContain('a.txt, src/b.ts, src/new.ts');
  });

  test('[EN14] shortens a long list, and says that it did', async () => {
    const names = Array.from({ length: 13 }, (_, at) => `n${String(at + 10)}.txt`);
    putFiles(tree, Object.fromEntries(names.map((name) => [name, 'x'])));
    const said = await say({ type: 'paths', only: ['src/**'] });
    expect(said).toMatch(/^fail: also changed: n10\.txt, .*n19\.txt and 3 more$/);
  });
});

const exists = (path: string): Check => ({ type: 'file', path, exists: true, matches: null });

describe('a file check', () => {
  test('[EN14] tells a file that is there from one that is not', async () => {
    expect(await say(exists('a.txt'))).toBe('pass: 8 characters');
    expect(await say(exists('b.txt'))).toContain('fail: b.txt is not in the workspace');
    expect(await say({ ...exists('b.txt'), exists: false } as Check)).toBe('pass: no such file');
    expect(await say({ ...exists('a.txt'), exists: false } as Check)).toBe('fail: it exists');
    expect(await say(exists('src'))).toContain('fail: src is not a regular file');
  });

  test('[EN14] finds a pattern in a line, and says in which', async () => {
    const matches = (pattern: string): Check => ({ ...exists('a.txt'), matches: pattern }) as Check;
    expect(await say(matches('^two$'))).toBe('pass: line 2');
    expect(await say(matches('^three$'))).toBe('fail: no match');
    expect(await say(matches('('))).toContain('fail: not a pattern');
    expect(await say(matches('(?<=o)ne'))).toContain('fail: not a pattern');
  });

  test('[EN15] with a pattern that explodes elsewhere ends', async () => {
    putFiles(tree, { 'trap.txt': `${'a'.repeat(50_000)}!` });
    expect(await say({ type: 'file', path: 'trap.txt', exists: true, matches: '(a+)+$' })).toBe(
      'fail: no match',
    );
  });

  test('[EN15] does not follow a link out of the workspace, whatever it asks', async () => {
    const outside = join(fixture.root, 'outside.txt');
    writeFileSync(outside, 'secret\n');
    symlinkSync(outside, join(tree, 'link.txt'));
    symlinkSync(fixture.root, join(tree, 'folder'));
    for (const path of ['link.txt', 'folder/outside.txt']) {
      expect(await say(exists(path))).toContain('leads out of the workspace');
      expect(await say({ ...exists(path), exists: false } as Check)).toMatch(/^fail: /);
      expect(await say({ ...exists(path), matches: 'secret' } as Check)).toMatch(/^fail: /);
    }
    expect(await say(exists('../outside.txt'))).toMatch(/^fail: /);
  });
});

describe('a schema check', () => {
  const asked: Check = { type: 'schema', output: 'work', schema: 'answer.json' };
  const schema = (value: unknown): void => {
    putFiles(tree, { 'answer.json': JSON.stringify(value) });
  };

  test('[EN14] holds the outputs of a step against a schema of the workspace', async () => {
    schema({ type: 'object', required: ['n'], properties: { n: { type: 'number', minimum: 3 } } });
    expect(await say(asked, { n: 3 })).toBe('pass: it fits');
    expect(await say(asked, { n: 2 })).toBe('fail: work/n must be >= 3');
    expect(await say(asked, {})).toBe("fail: work must have required property 'n'");
    expect(await say({ ...asked, output: 'skipped' })).toBe('fail: not run');
    expect(await say({ ...asked, output: 'failing' })).toBe('fail: not run');
  });

  test.each([
    ['no schema at all', 12, 'is not a JSON Schema'],
    ['an unknown type', { type: 'grand' }, 'is not a JSON Schema'],
    ['one from elsewhere', { $ref: 'https://example.com/s.json' }, 'is not a JSON Schema'],
    ['a promise', { $async: true, type: 'string' }, 'asynchronous'],
    ['a circle', { $ref: '#' }, 'cannot be followed'],
    ['a pattern out of bounds', { patternProperties: { '(?=x)': false } }, 'is not a JSON Schema'],
  ])('[EN15] with a hostile schema fails and goes on: %s', async (_, value, word) => {
    schema(value);
    const said = await say(asked, { n: 3 });
    expect(said).toMatch(/^fail: /);
    expect(said).toContain(word);
  });

  test('[EN14] applies each of its patterns', async () => {
    schema({ properties: { a: { pattern: '^x$' }, b: { pattern: '^y$' } } });
    expect(await say(asked, { a: 'x', b: 'y' })).toBe('pass: it fits');
    expect(await say(asked, { a: 'x', b: 'x' })).toBe('fail: work/b must match pattern "^y$"');
    expect(await say(asked, { a: 'y', b: 'y' })).toBe('fail: work/a must match pattern "^x$"');
  });

  test('[EN15] with a pattern that explodes elsewhere ends', async () => {
    schema({ properties: { text: { pattern: '^(a+)+$' } } });
    expect(await say(asked, { text: `${'a'.repeat(50_000)}!` })).toContain('must match pattern');
  });

  test('[EN15] leaves evidence that the log can hold, however long and broken it is', async () => {
    const required = Array.from({ length: 500 }, (_, at) => `\ud800name${String(at)}`);
    schema({ required });
    const { evidence } = await check(asked, {});
    expect(evidence.isWellFormed()).toBe(true);
    expect(evidence.length).toBeLessThan(2100);
  });

  test('[EN14] names a schema that is missing or broken', async () => {
    expect(await say(asked)).toContain('fail: answer.json is not in the workspace');
    putFiles(tree, { 'answer.json': '{ "type": ' });
    expect(await say(asked)).toContain('fail: answer.json is not JSON');
  });
});

describe('a number check', () => {
  const at = (pointer: string, min: number | null, max: number | null): Check => {
    return { type: 'number', file: 'report.json', at: pointer, min, max };
  };

  test('[EN14] holds a number of a report between its bounds', async () => {
    putFiles(tree, { 'report.json': '{"total":{"a/b":{"pct":79.5}},"failed":[2],"word":"80"}' });
    expect(await say(at('/total/a~1b/pct', 79.5, null))).toBe('pass: 79.5');
    expect(await say(at('/total/a~1b/pct', 80, null))).toBe('fail: 79.5');
    expect(await say(at('/failed/0', null, 2))).toBe('pass: 2');
    expect(await say(at('/failed/0', null, 1))).toBe('fail: 2');
    expect((await check(at('/failed/0', 1, 3))).check).toBe(
      'report.json at /failed/0 is ≥ 1 and ≤ 3',
    );
  });

  test('[EN14] says when there is no number to look at', async () => {
    putFiles(tree, { 'report.json': '{"word":"80"}' });
    expect(await say(at('/word', 0, null))).toBe('fail: not a number at /word');
    expect(await say(at('/gone', 0, null))).toBe('fail: nothing at /gone');
    expect(await say(at('/constructor/length', 0, null))).toContain('fail: nothing at');
    putFiles(tree, { 'report.json': 'none' });
    expect(await say(at('/word', 0, null))).toContain('fail: report.json is not JSON');
  });
});

describe('a secrets check', () => {
  const asked: Check = { type: 'noSecrets' };
  const secret = `ghp_${'a1B2'.repeat(9)}`;

  test('[EN17] passes a diff without any, and names kind and file, never the value', async () => {
    putFiles(tree, { 'a.txt': 'plain\n' });
    expect(await say(asked)).toBe('pass: none found');
    putFiles(tree, { 'conf/.env': `TOKEN=${secret}\n` });
    expect(await say(asked)).toBe('fail: GitHub token in conf/.env');
  });

  test('[EN17] looks into files that a zero byte takes out of the diff', async () => {
    putFiles(tree, { 'blob.bin': `\0${secret}\n`, '.gitattributes': '* -diff\n' });
    expect(await say(asked)).toBe('fail: GitHub token in blob.bin');
    rmSync(join(tree, 'blob.bin'));
    putFiles(tree, { 'hidden.txt': `${secret}\n` });
    expect(await say(asked)).toBe('fail: GitHub token in hidden.txt');
  });

  test('[EN17] looks for what steps are handed, in text, in binary files and in UTF-16', async () => {
    const files = {
      'a.txt': `key: ${DEPLOY_KEY}\n`,
      'b.bin': `\0\x01${DEPLOY_KEY}\0`,
      'c.txt': Buffer.from(DEPLOY_KEY, 'utf16le').toString('latin1'),
    };
    for (const [path, content] of Object.entries(files)) {
      putFiles(tree, { [path]: content });
      expect(await say(asked)).toBe(`fail: the secret DEPLOY_KEY in ${path}`);
      valueOf(await fixture.workspaces.restore(RUN, base, 'between'));
    }
  });

  test('[EN17] is not stopped by a link, and reads nothing behind it', async () => {
    const outside = join(fixture.root, 'token.txt');
    writeFileSync(outside, `\0${secret}`);
    symlinkSync(outside, join(tree, 'link.txt'));
    symlinkSync('nowhere', join(tree, 'dangling'));
    expect(await say(asked)).toBe('pass: none found');
  });
});
