/** What people read of each call of Codex: canonical tool, title, what became of it. Items are as the program gives them. */
import { describe, expect, test } from 'vitest';
import { createFactReader } from './codex-facts.ts';

interface Row {
  readonly item: object;
  /** Tool, title, status, summary, then what else is known. */
  readonly told: readonly [
    tool: string,
    title: string,
    status: string,
    summary: string,
    rest?: object,
  ];
}

const bash = (command: string, end: object, ...told: Row['told']): Row => ({
  item: { type: 'commandExecution', command: `/bin/bash -lc '${command}'`, ...end },
  told,
});
const ok = (aggregatedOutput: string): object => {
  return { status: 'completed', exitCode: 0, aggregatedOutput };
};
const exit = (exitCode: number, aggregatedOutput = ''): object => {
  return { status: 'failed', exitCode, aggregatedOutput };
};
const patch = (kind: object, diff: string, status: string, ...told: Row['told']): Row => ({
  item: { type: 'fileChange', status, changes: [{ path: '/work/src/a.ts', kind, diff }] },
  told,
});
const mcp = (server: string, tool: string, end: object, ...told: Row['told']): Row => ({
  item: { type: 'mcpToolCall', server, tool, arguments: { a: 1 }, ...end },
  told,
});
const search = (query: string, status: string, ...told: Row['told']): Row => ({
  item: { type: 'webSearch', query, status },
  told,
});
const changed = (added: number, removed: number, diff: string): object => {
  return { changes: [{ path: 'src/a.ts', added, removed, diff }] };
};
const ADD = { type: 'add' };
const UPDATE = { type: 'update', move_path: null };
const DELETE = { type: 'delete' };
const HUNK = '@@ -1,2 +1,2 @@\n same\n-old\n+new\n';

const ROWS: readonly Row[] = [
  bash('ls', ok('a\nb\n'), 'exec', 'Run ls', 'ok', 'a\nb\nexit 0', { exitCode: 0 }),
  bash('true', ok(''), 'exec', 'Run true', 'ok', 'exit 0', { exitCode: 0 }),
  bash('npm test', exit(1, 'no\n'), 'exec', 'Run npm test', 'error', 'no\nexit 1', { exitCode: 1 }),
  bash('exit 3', exit(3), 'exec', 'Run exit 3', 'error', 'exit 3', { exitCode: 3 }),
  bash('nope', exit(127, 'not found'), 'exec', 'Run nope', 'error', 'not found\nexit 127', {
    exitCode: 127,
  }),
  bash('kill -9 $$', exit(137), 'exec', 'Run kill -9 $$', 'error', 'exit 137', { exitCode: 137 }),
  bash('rm x', { status: 'declined' }, 'exec', 'Run rm x', 'denied', 'declined'),
  bash(
    'git push',
    { status: 'declined', exitCode: null },
    'exec',
    'Run git push',
    'denied',
    'declined',
  ),
  bash(
    'sleep 9',
    { status: 'failed', aggregatedOutput: 'cut' },
    'exec',
    'Run sleep 9',
    'error',
    'cut',
  ),
  bash('x', { status: 'failed' }, 'exec', 'Run x', 'error', 'failed'),
  bash('cat a | wc -l', ok('3\n'), 'exec', 'Run cat a | wc -l', 'ok', '3\nexit 0', { exitCode: 0 }),
  bash('grep -r foo .', ok('a:foo'), 'exec', 'Run grep -r foo .', 'ok', 'a:foo\nexit 0', {
    exitCode: 0,
  }),
  bash('echo ü', ok('ü\n'), 'exec', 'Run echo ü', 'ok', 'ü\nexit 0', { exitCode: 0 }),
  bash('cat /work/a.ts', ok('x'), 'exec', 'Run cat a.ts', 'ok', 'x\nexit 0', { exitCode: 0 }),
  bash('a\n\n  b', ok(''), 'exec', 'Run a b', 'ok', 'exit 0', { exitCode: 0 }),
  bash(`echo ${'x'.repeat(200)}`, ok(''), 'exec', `Run echo ${'x'.repeat(110)}…`, 'ok', 'exit 0', {
    exitCode: 0,
  }),
  bash(
    'yes',
    exit(1, 'y'.repeat(900)),
    'exec',
    'Run yes',
    'error',
    `…${`${'y'.repeat(900)}\nexit 1`.slice(-500)}`,
    {
      exitCode: 1,
    },
  ),
  patch(
    ADD,
    'one\n',
    'completed',
    'edit',
    'Write src/a.ts',
    'ok',
    '+1',
    changed(1, 0, '@@ -0,0 +1,1 @@\n+one'),
  ),
  patch(
    ADD,
    'one\ntwo\n',
    'completed',
    'edit',
    'Write src/a.ts',
    'ok',
    '+2',
    changed(2, 0, '@@ -0,0 +1,2 @@\n+one\n+two'),
  ),
  patch(
    ADD,
    '',
    'completed',
    'edit',
    'Write src/a.ts',
    'ok',
    '+0',
    changed(0, 0, '@@ -0,0 +0,0 @@'),
  ),
  patch(ADD, 'one\n', 'declined', 'edit', 'Write src/a.ts', 'denied', 'declined'),
  patch(ADD, 'one\n', 'failed', 'edit', 'Write src/a.ts', 'error', 'failed'),
  patch(
    UPDATE,
    HUNK,
    'completed',
    'edit',
    'Edit src/a.ts',
    'ok',
    '+1 −1',
    changed(1, 1, HUNK.trimEnd()),
  ),
  patch(
    UPDATE,
    '@@ -1 +1,2 @@\n a\n+b\n',
    'completed',
    'edit',
    'Edit src/a.ts',
    'ok',
    '+1',
    changed(1, 0, '@@ -1 +1,2 @@\n a\n+b'),
  ),
  patch(UPDATE, HUNK, 'declined', 'edit', 'Edit src/a.ts', 'denied', 'declined'),
  patch(UPDATE, HUNK, 'failed', 'edit', 'Edit src/a.ts', 'error', 'failed'),
  patch(UPDATE, '', 'completed', 'edit', 'Edit src/a.ts', 'ok', 'completed'),
  patch(
    DELETE,
    'a\nb\n',
    'completed',
    'edit',
    'Edit src/a.ts',
    'ok',
    '+0 −2',
    changed(0, 2, '@@ -1,2 +0,0 @@\n-a\n-b'),
  ),
  patch(DELETE, 'a\n', 'declined', 'edit', 'Edit src/a.ts', 'denied', 'declined'),
  mcp('notes', 'put', { status: 'completed' }, 'mcp:notes/put', 'Use notes/put', 'ok', 'completed'),
  mcp(
    'notes',
    'put',
    { status: 'failed', error: { message: 'full' } },
    'mcp:notes/put',
    'Use notes/put',
    'error',
    'full',
  ),
  mcp('notes', 'get', { status: 'failed' }, 'mcp:notes/get', 'Use notes/get', 'error', 'failed'),
  search('cats', 'completed', 'fetch', 'Search the web for cats', 'ok', 'completed'),
];

describe('what people read of a call', () => {
  test('[AG101] of Codex is tried with thirty calls or more', () => {
    expect(ROWS.length).toBeGreaterThanOrEqual(30);
  });

  test.each(ROWS)('[AG101] of Codex: $told', ({ item, told }) => {
    const facts = createFactReader({ workspace: '/work', isStopped: () => false });
    const [started, ended] = facts.completed({ id: 'c1', ...item });
    const [tool, title, status, summary, rest = {}] = told;
    expect(started).toMatchObject({ type: 'tool-started', tool, title });
    const end = { type: 'tool-ended', callId: 'c1', checkpoint: null, status, summary };
    expect(ended).toEqual({ ...end, ...rest });
  });
});
