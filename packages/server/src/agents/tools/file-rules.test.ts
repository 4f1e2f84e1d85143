import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createFileRules } from './file-rules.ts';
import type { FileRules } from './file-rules.ts';

let root: string;
let workspace: string;
let state: string;
let rules: FileRules;

beforeEach(() => {
  root = realpathSync(mkdtempSync(join(tmpdir(), 'ccdash-files-')));
  workspace = join(root, 'work');
  state = join(root, 'state');
  for (const folder of ['work/src/deep', 'work/docs', 'state', 'work-2']) {
    mkdirSync(join(root, folder), { recursive: true });
  }
  writeFileSync(join(workspace, 'src/a.ts'), '');
  writeFileSync(join(workspace, 'secret.env'), '');
  rules = createFileRules({ workspace, write: ['src/**', '!src/no.ts'], readable: [state] });
});
afterEach(() => rmSync(root, { recursive: true }));

const write = (path: string, cwd = workspace): string | null =>
  rules('Write', { file_path: path }, cwd);
const read = (path: string, cwd = workspace): string | null =>
  rules('Read', { file_path: path }, cwd);

describe('a file tool', () => {
  test('[AG6] writes files in scope, new ones in new folders too, however their path is written', () => {
    for (const path of [
      'src/a.ts',
      'src/new/b.ts',
      './src/../src/a.ts',
      join(workspace, 'src/a.ts'),
    ]) {
      expect(write(path)).toBeNull();
    }
    expect(write('a.ts', join(workspace, 'src'))).toBeNull();
    expect(rules('Edit', { file_path: 'src/a.ts' }, workspace)).toBeNull();
    expect(rules('NotebookEdit', { notebook_path: 'src/a.ipynb' }, workspace)).toBeNull();
  });

  test('[AG6] writes no other file, and says which it may', () => {
    expect(write('docs/a.md')).toMatch(/docs\/a\.md is not among .* src\/\*\*/);
    for (const path of [
      'src/no.ts',
      'src',
      '.',
      '',
      '../work-2/a',
      join(root, 'work-2/src/a'),
      'src/../../x',
    ]) {
      expect(write(path)).not.toBeNull();
    }
    expect(write('a.ts', root)).not.toBeNull();
    expect(rules('Write', {}, workspace)).toMatch(/names no file_path/);
    expect(rules('Write', { file_path: 7 }, workspace)).toMatch(/names no file_path/);
    const nothing = createFileRules({ workspace, write: [], readable: [] });
    expect(nothing('Write', { file_path: 'src/a.ts' }, workspace)).toMatch(/: nothing$/);
  });

  test('[AG6] follows no link out of its scope', () => {
    symlinkSync(root, join(workspace, 'src/out'));
    symlinkSync('../docs', join(workspace, 'src/docs'));
    symlinkSync('../secret.env', join(workspace, 'src/b.ts'));
    symlinkSync('src/a.ts', join(workspace, 'into.ts'));
    symlinkSync(join(root, 'not-yet'), join(workspace, 'src/dangling'));
    symlinkSync('loop', join(workspace, 'src/loop'));
    for (const path of [
      'src/out/x',
      'src/docs/x',
      'src/b.ts',
      'into.ts',
      'src/dangling',
      'src/dangling/x',
      'src/out/../a.ts',
      'src/docs/../a.ts',
      'src/loop',
    ]) {
      expect(write(path), path).not.toBeNull();
    }
    expect(read('src/out/../secret.env')).not.toBeNull();
    expect(write('src/new/../b2.ts')).toBeNull();
    expect(read('src/b.ts')).toBeNull();
  });

  test('[AG6] does not take a path that a program may read differently', () => {
    for (const path of [
      ' /etc/passwd',
      'src/a.ts ',
      '~/x',
      '~root/x',
      'src/a\0.ts',
      'src/a\n.ts',
      '\tsrc/a.ts',
    ]) {
      expect(write(path), JSON.stringify(path)).not.toBeNull();
      expect(read(path), JSON.stringify(path)).not.toBeNull();
    }
  });

  test('[AG6] reads the workspace and what it may see besides, and nothing else', () => {
    expect(read('docs/none.md')).toBeNull();
    expect(read(join(state, 'notes.txt'))).toBeNull();
    for (const path of ['/etc/passwd', '../work-2/x', join(root, 'state-2')]) {
      expect(read(path), path).not.toBeNull();
    }
  });

  test('[AG6] searches inside the workspace only', () => {
    const glob = (input: Record<string, string>) => rules('Glob', input, workspace);
    expect(glob({ pattern: 'src/**/*.ts' })).toBeNull();
    expect(glob({ pattern: '*', path: 'docs' })).toBeNull();
    for (const input of [
      { pattern: '/etc/*' },
      { pattern: '../*' },
      { pattern: 'src/../../*' },
      { pattern: '~/*' },
      { pattern: '*', path: '/etc' },
    ]) {
      expect(glob(input), JSON.stringify(input)).not.toBeNull();
    }
    expect(rules('Grep', { pattern: 'x', path: '..' }, workspace)).not.toBeNull();
    expect(rules('Grep', { pattern: '../x' }, workspace)).toBeNull();
    expect(rules('Grep', { pattern: 'x' }, root)).not.toBeNull();
  });

  test('[AG6] works in a workspace that is itself reached by a link', () => {
    symlinkSync(workspace, join(root, 'link'));
    const linked = createFileRules({
      workspace: join(root, 'link'),
      write: ['src/**'],
      readable: [],
    });
    for (const path of ['src/a.ts', join(root, 'link/src/a.ts'), join(workspace, 'src/a.ts')]) {
      expect(linked('Write', { file_path: path }, join(root, 'link')), path).toBeNull();
    }
  });

  test('[AG6] that names no file is not judged here', () => {
    expect(rules('Bash', { command: 'cat /etc/passwd' }, workspace)).toBeNull();
  });
});
