import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

import type { Failure, Result } from '@ccdash/core';
import { afterEach, beforeEach, expect, test } from 'vitest';

import { readAsset } from '../base/assets.ts';
import { initProject } from './init-project.ts';
import type { InitializedProject } from './init-project.ts';

const FILES = [
  '.ccdash/config.yaml',
  '.ccdash/policy/default.cedar',
  '.ccdash/policy/cases.yaml',
  '.ccdash/plans/example.yaml',
];

let folder = '';
let project = '';

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ccdash-init-'));
  project = join(folder, 'project');
  execFileSync('git', ['init', '--quiet', project]);
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

test('[PO16] a project gets settings, the shipped policy and an example plan', () => {
  expect(initProject(project)).toEqual({ ok: true, value: { written: FILES, kept: [] } });
  expect(read('.ccdash/config.yaml')).toBe(readAsset('init/config.yaml'));
  expect(read('.ccdash/policy/default.cedar')).toBe(readAsset('policy/default.cedar'));
  expect(read('.ccdash/plans/example.yaml')).toBe(readAsset('init/plans/example.yaml'));
});

test('[PO16] a second time nothing is written', () => {
  initProject(project);
  put('.ccdash/config.yaml', 'orphanLimit: 1m');
  expect(initProject(project)).toEqual({ ok: true, value: { written: [], kept: FILES } });
  expect(read('.ccdash/config.yaml')).toBe('orphanLimit: 1m');
});

test('[PO16] what is missing is written beside what is there', () => {
  put('.ccdash/plans/example.yaml', 'mine');
  expect(initProject(project)).toEqual({
    ok: true,
    value: { written: FILES.slice(0, 3), kept: ['.ccdash/plans/example.yaml'] },
  });
  expect(read('.ccdash/plans/example.yaml')).toBe('mine');
});

test('[PO16] rules of the project keep the shipped rules out', () => {
  put('.ccdash/policy/team.cedar', '// ours');
  expect(initProject(project)).toMatchObject({ value: { kept: ['.ccdash/policy/team.cedar'] } });
  expect(readdirSync(join(project, '.ccdash/policy'))).toEqual(['team.cedar']);
});

test('[PO16] the strict policy takes the place of the default when it is asked for', () => {
  expect(initProject(project, 'strict')).toMatchObject({
    value: { written: FILES.map((path) => path.replace('default', 'strict')) },
  });
  expect(read('.ccdash/policy/strict.cedar')).toBe(readAsset('policy/strict.cedar'));
  expect(initProject(project)).toMatchObject({ value: { written: [] } });
});

test('[PO16] outside the top folder of a repository nothing is written', () => {
  const inside = join(project, 'src');
  mkdirSync(inside);
  for (const place of [folder, inside, join(folder, 'nowhere')]) {
    expect(initProject(place)).toMatchObject({ ok: false, error: { code: 'not_a_repository' } });
    expect(existsSync(join(place, '.ccdash'))).toBe(false);
  }
});

test('[PO16] a linked work tree is a repository, a folder or file that is merely called .git is not', () => {
  git('commit', '--quiet', '--allow-empty', '-m', 'first');
  git('worktree', 'add', '--quiet', '../linked');
  expect(initProject(join(folder, 'linked'))).toMatchObject({ ok: true, value: { kept: [] } });
  rmSync(join(project, '.git'), { recursive: true });
  mkdirSync(join(project, '.git'));
  expect(initProject(project).ok).toBe(false);
  rmSync(join(project, '.git'), { recursive: true });
  put('.git', 'hello');
  expect(initProject(project).ok).toBe(false);
});

test.each([
  ['.ccdash', 'not_a_folder'],
  ['.ccdash/policy', 'not_a_folder'],
  ['.ccdash/plans', 'not_a_folder'],
  ['.ccdash/config.yaml', 'not_a_file'],
  ['.ccdash/plans/example.yaml', 'not_a_file'],
])('[PO16] nothing is written, there or elsewhere, when %s is a symbolic link', (path, code) => {
  const outside = join(folder, 'outside');
  mkdirSync(outside);
  mkdirSync(dirname(join(project, path)), { recursive: true });
  for (const target of [outside, join(outside, 'new')]) {
    symlinkSync(target, join(project, path));
    expect(initProject(project)).toMatchObject({ ok: false, error: { code } });
    expect(readdirSync(outside)).toEqual([]);
    const others = FILES.filter((file) => file !== path);
    expect(others.filter((file) => existsSync(join(project, file)))).toEqual([]);
    rmSync(join(project, path));
  }
});

test('[PO16] a disk that refuses is reported with the file, and leaves no half-written one behind', () => {
  const module = new URL('./init-project.ts', import.meta.url).href;
  const program = `const { initProject } = await import(${JSON.stringify(module)});
    console.log(JSON.stringify(initProject(${JSON.stringify(project)})));`;
  const node = [
    process.execPath,
    '--conditions=ccdash-source',
    '--input-type=module',
    '-e',
    program,
  ];
  // No file may grow: every write fails as on a full disk.
  const limited = 'trap "" XFSZ; ulimit -f 0; exec "$@"';
  const output = execFileSync('sh', ['-c', limited, 'sh', ...node], { encoding: 'utf8' });
  const refused = JSON.parse(output) as Result<InitializedProject, Failure>;
  expect(refused).toMatchObject({ ok: false, error: { code: 'not_writable' } });
  expect(refused.ok ? '' : refused.error.message).toContain('.ccdash/config.yaml');
  expect(readdirSync(join(project, '.ccdash'))).toEqual([]);
  expect(initProject(project)).toMatchObject({ ok: true, value: { written: FILES } });
});

function git(...args: readonly string[]): void {
  const identity = ['-c', 'user.name=Ann', '-c', 'user.email=ann@example.com'];
  execFileSync('git', ['-C', project, ...identity, ...args], { stdio: 'pipe' });
}

function read(path: string): string {
  return readFileSync(join(project, path), 'utf8');
}

function put(path: string, text: string): void {
  mkdirSync(dirname(join(project, path)), { recursive: true });
  writeFileSync(join(project, path), text);
}
