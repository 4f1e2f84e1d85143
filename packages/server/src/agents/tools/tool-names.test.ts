import { describe, expect, test } from 'vitest';
import { allToolNames, toolNamesOf, toolOfName, toolTitle } from './tool-names.ts';

describe('the name of a tool', () => {
  test('[AG5] is offered only when its canonical name is in scope', () => {
    expect(toolNamesOf(['edit', 'read', 'mcp:x/y', 'constructor'])).toEqual([
      'Read',
      'Edit',
      'Write',
      'NotebookEdit',
    ]);
    expect(toolNamesOf([])).toEqual([]);
    for (const name of allToolNames()) expect(toolNamesOf([toolOfName(name)])).toContain(name);
  });

  test('[AG3] that nobody knows is `other`, and has a title all the same', () => {
    for (const name of ['mcp__x', 'mcp____y', 'mcp__x__', 'constructor', '__proto__']) {
      expect(toolOfName(name)).toBe('other');
      expect(toolTitle(name, { a: 1 }, '/clone')).toBe(name);
    }
  });
});

describe('the name of a tool of a server', () => {
  test.each([
    ['mcp__git__log', 'mcp:git/log', 'Use git/log'],
    ['mcp__my-git__read_file', 'mcp:my-git/read_file', 'Use my-git/read_file'],
    ['mcp__a__b__c', 'mcp:a/b__c', 'Use a/b__c'],
  ])('[AG98] %s is %s', (name, tool, title) => {
    expect([toolOfName(name), toolTitle(name, { path: 'x' }, '/clone')]).toEqual([tool, title]);
  });
});

describe('the title of a call', () => {
  test.each([
    ['Edit', { file_path: '/clone/src/a.ts' }, 'Edit src/a.ts'],
    ['Bash', { command: 'npm  test\n\n  --x' }, 'Run npm test --x'],
    ['Read', {}, 'Read'],
    ['Read', { file_path: 5 }, 'Read'],
    ['Bash', ['x'], 'Run'],
    ['Bash', { command: 'x'.repeat(500) }, `Run ${'x'.repeat(115)}…`],
  ])('[AG3] of %s %j is one short line', (name, input, title) => {
    expect(toolTitle(name, input, '/clone')).toBe(title);
  });
});
