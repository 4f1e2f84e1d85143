/** What people read of each call: canonical tool, title, what became of it. Results are as the program gives them. */
import type { JsonObject } from '@ccdash/core';
import { describe, expect, test } from 'vitest';
import { toolOfName, toolTitle } from '../tools/tool-names.ts';
import { callSummary } from './claude-summary.ts';

const WORK = '/work';
const NONE = '(Bash completed with no output)';

interface Row {
  readonly name: string;
  readonly input: JsonObject;
  /** Told to the model. */
  readonly text?: string;
  readonly result?: unknown;
  readonly isError?: true;
  /** Tool, title, summary, then what else is known. */
  readonly told: readonly [tool: string, title: string, summary: string, rest?: object];
}

const bash = (command: string, text: string, told: Row['told'], isError?: true): Row => ({
  ...{ name: 'Bash', input: { command }, text, told },
  ...(isError === undefined ? {} : { isError }),
});
const read = (file: unknown, told: Row['told']): Row => ({
  ...{ name: 'Read', input: { file_path: '/work/a.ts' }, result: { type: 'text', file }, told },
});
const edit = (fields: object, told: Row['told']): Row => ({
  name: 'Edit',
  input: { file_path: '/work/a.ts', old_string: 'b', new_string: 'B' },
  result: { filePath: '/work/a.ts', oldString: 'b', newString: 'B', replaceAll: false, ...fields },
  told,
});
const write = (fields: object, told: Row['told']): Row => ({
  name: 'Write',
  input: { file_path: '/work/a.ts', content: 'x' },
  result: { type: 'create', filePath: '/work/a.ts', originalFile: null, ...fields },
  told,
});
const change = (added: number, removed: number, diff: string, path = 'a.ts') => ({
  changes: [{ path, added, removed, diff }],
});

const ROWS: readonly Row[] = [
  bash('npm test', 'ok 12', ['exec', 'Run npm test', 'ok 12', { exitCode: 0 }]),
  bash('true', NONE, ['exec', 'Run true', 'exit 0', { exitCode: 0 }]),
  bash('true', '', ['exec', 'Run true', 'exit 0', { exitCode: 0 }]),
  bash('exit 3', 'Exit code 3', ['exec', 'Run exit 3', 'exit 3', { exitCode: 3 }], true),
  bash('make', 'Exit code 2\nno rule', ['exec', 'Run make', 'no rule', { exitCode: 2 }], true),
  bash(
    'x',
    'Exit code 127\nx: not found',
    ['exec', 'Run x', 'x: not found', { exitCode: 127 }],
    true,
  ),
  bash(
    'x',
    'PreToolUse:Bash hook error: no',
    ['exec', 'Run x', 'PreToolUse:Bash hook error: no'],
    true,
  ),
  bash('echo', 'Exit code 7', ['exec', 'Run echo', 'Exit code 7', { exitCode: 0 }]),
  bash('a\n  b', '1\n2', ['exec', 'Run a b', '1\n2', { exitCode: 0 }]),
  bash('long', 'x'.repeat(600), ['exec', 'Run long', `…${'x'.repeat(500)}`, { exitCode: 0 }]),
  bash('cd /work/src && ls', 'a', ['exec', 'Run cd src && ls', 'a', { exitCode: 0 }]),
  read({ numLines: 12 }, ['read', 'Read a.ts', '12 lines']),
  read({ numLines: 1 }, ['read', 'Read a.ts', '1 line']),
  read({}, ['read', 'Read a.ts', 'text']),
  {
    name: 'Read',
    input: { file_path: '/etc/x' },
    result: { type: 'image', file: {} },
    told: ['read', 'Read /etc/x', 'image'],
  },
  {
    name: 'Read',
    input: { file_path: 'no' },
    text: 'File does not exist.',
    isError: true,
    told: ['read', 'Read no', 'File does not exist.'],
  },
  { name: 'Read', input: {}, text: 'y'.repeat(600), told: ['read', 'Read', `${'y'.repeat(500)}…`] },
  edit({ originalFile: 'a\nb\nc\n' }, [
    'edit',
    'Edit a.ts',
    '+1 −1',
    change(1, 1, '@@ -1,3 +1,3 @@\n a\n-b\n+B\n c'),
  ]),
  edit({ originalFile: 'b b\n', replaceAll: true }, [
    'edit',
    'Edit a.ts',
    '+1 −1',
    change(1, 1, '@@ -1,1 +1,1 @@\n-b b\n+B B'),
  ]),
  edit({ originalFile: 'b', newString: '$&' }, [
    'edit',
    'Edit a.ts',
    '+1 −1',
    change(1, 1, '@@ -1,1 +1,1 @@\n-b\n+$&'),
  ]),
  edit({ originalFile: 'b', newString: 'b' }, ['edit', 'Edit a.ts', '']),
  edit({ originalFile: 'b', filePath: '/else/a.ts' }, [
    'edit',
    'Edit a.ts',
    '+1 −1',
    change(1, 1, '@@ -1,1 +1,1 @@\n-b\n+B', '/else/a.ts'),
  ]),
  {
    name: 'Edit',
    input: { file_path: 'a.ts' },
    text: 'String to replace not found',
    isError: true,
    told: ['edit', 'Edit a.ts', 'String to replace not found'],
  },
  {
    name: 'Edit',
    input: { file_path: 'a.ts' },
    text: 'edited',
    result: null,
    told: ['edit', 'Edit a.ts', 'edited'],
  },
  write({ content: 'x\ny\n' }, [
    'edit',
    'Write a.ts',
    '+2',
    change(2, 0, '@@ -0,0 +1,2 @@\n+x\n+y'),
  ]),
  write({ content: '' }, ['edit', 'Write a.ts', '+0', change(0, 0, '@@ -0,0 +0,0 @@')]),
  write({ content: 'x\n', originalFile: 'x\ny\n' }, [
    'edit',
    'Write a.ts',
    '+0 −1',
    change(0, 1, '@@ -1,2 +1,1 @@\n x\n-y'),
  ]),
  {
    name: 'NotebookEdit',
    input: { notebook_path: '/work/a.ipynb' },
    result: { notebook_path: '/work/a.ipynb', original_file: '1\n', updated_file: '2\n' },
    told: ['edit', 'Edit a.ipynb', '+1 −1', change(1, 1, '@@ -1,1 +1,1 @@\n-1\n+2', 'a.ipynb')],
  },
  {
    name: 'Glob',
    input: { pattern: '**/*.ts' },
    result: { numFiles: 2 },
    told: ['search', 'Find **/*.ts', '2 files'],
  },
  {
    name: 'Glob',
    input: { pattern: '*' },
    result: { numFiles: 0 },
    told: ['search', 'Find *', '0 files'],
  },
  {
    name: 'Grep',
    input: { pattern: 'foo' },
    result: { mode: 'files_with_matches', numFiles: 1 },
    told: ['search', 'Search foo', '1 file'],
  },
  {
    name: 'Grep',
    input: { pattern: 'foo' },
    result: { mode: 'content', numLines: 4, numFiles: 0 },
    told: ['search', 'Search foo', '4 lines'],
  },
  {
    name: 'Grep',
    input: { pattern: 'foo' },
    result: { mode: 'count', numMatches: 3 },
    told: ['search', 'Search foo', '3 matches'],
  },
  {
    name: 'Grep',
    input: { pattern: 'foo' },
    text: 'No files found',
    told: ['search', 'Search foo', 'No files found'],
  },
  {
    name: 'WebFetch',
    input: { url: 'https://example.com' },
    result: { code: 404 },
    told: ['fetch', 'Fetch https://example.com', 'answered 404'],
  },
  {
    name: 'WebSearch',
    input: { query: 'cats' },
    result: { results: [1] },
    told: ['fetch', 'Search the web for cats', '1 result'],
  },
  {
    name: 'Agent',
    input: { description: 'Count' },
    text: 'There are 3.',
    told: ['agent', 'Ask an agent: Count', 'There are 3.'],
  },
  {
    name: 'mcp__notes__put',
    input: { key: 'a' },
    text: 'done',
    told: ['mcp:notes/put', 'Use notes/put', 'done'],
  },
  { name: 'Mystery', input: {}, text: 'hm', told: ['other', 'Mystery', 'hm'] },
];

describe('what people read of a call', () => {
  test('[AG101] is tried with thirty calls or more', () => {
    expect(ROWS.length).toBeGreaterThanOrEqual(30);
  });

  test.each(ROWS)('[AG101] $name $input: $told', ({ name, input, text, result, isError, told }) => {
    const [tool, title, summary, rest] = told;
    expect([toolOfName(name), toolTitle(name, input, WORK)]).toEqual([tool, title]);
    const found = callSummary(name, text ?? '', result, isError === true, WORK);
    expect(found).toEqual({ summary, ...rest });
  });
});
