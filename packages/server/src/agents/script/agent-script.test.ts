import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { parseAgentScript, readAgentScript } from './agent-script.ts';
import type { AgentScript } from './agent-script.ts';

const containing = (text: string): unknown => expect.stringContaining(text);

let dirs: string[] = [];
afterEach(() => {
  for (const dir of dirs) rmSync(dir, { recursive: true });
  dirs = [];
});

function problem(text: string): string {
  const parsed = parseAgentScript(text, 's.yaml');
  if (parsed.ok) throw new Error('it was accepted');
  expect(parsed.error.code).toBe('invalid_script');
  return parsed.error.message;
}

function script(text: string): AgentScript {
  const parsed = parseAgentScript(text, '/demo/s.yaml');
  if (!parsed.ok) throw new Error(parsed.error.message);
  return parsed.value;
}

describe('a script', () => {
  test('[AG20] gives its calls the names and inputs that models use', () => {
    const { scripts } = script(`
version: 1
scripts:
  - when: phase 2
    turns:
      - say: Now.
        calls:
          - read: a
          - write: { path: b, content: c }
          - edit: { path: d, old: e, new: f }
          - bash: npm test
          - tool: { name: Grep, input: { pattern: g } }
      - { answer: { summary: ok }, delayMs: 5, waitFor: go }
`);
    expect(scripts[0]?.when).toBe('phase 2');
    expect(scripts[0]?.turns[0]?.calls).toEqual([
      { name: 'Read', input: { file_path: 'a' } },
      { name: 'Write', input: { file_path: 'b', content: 'c' } },
      { name: 'Edit', input: { file_path: 'd', old_string: 'e', new_string: 'f' } },
      { name: 'Bash', input: { command: 'npm test' } },
      { name: 'Grep', input: { pattern: 'g' } },
    ]);
    expect(scripts[0]?.turns[1]).toMatchObject({
      answer: { summary: 'ok' },
      delayMs: 5,
      waitFor: '/demo/go',
    });
  });

  test('[AG20] may be written in JSON', () => {
    expect(script('{"version":1,"scripts":[{"turns":[{"say":"Hi."}]}]}').scripts).toHaveLength(1);
  });

  test.each([
    ['syntax', 'version: 1\nscripts: [\n', /s\.yaml:\d+:\d+: /],
    [
      'a field nobody knows',
      'version: 1\nscripts:\n  - turns:\n      - sya: x\n',
      /s\.yaml:4:9: unknown field sya/,
    ],
    [
      'a wrong type',
      'version: 1\nscripts:\n  - turns:\n      - say: 5\n',
      /s\.yaml:4:9: .*string.*\(at scripts\.0\.turns\.0\.say\)/,
    ],
    [
      'a turn that does nothing',
      'version: 1\nscripts:\n  - turns:\n      - delayMs: 5\n',
      /s\.yaml:4:9: a turn has at least one of/,
    ],
    [
      'two calls in one',
      'version: 1\nscripts:\n  - turns:\n      - calls:\n          - { read: a, bash: b }\n',
      /s\.yaml:5:13: a call has exactly one of/,
    ],
    [
      'an answer beside calls',
      'version: 1\nscripts:\n  - turns:\n      - { answer: {}, calls: [{ read: a }] }\n',
      /s\.yaml:4:9: an answer ends the work/,
    ],
    [
      'an error that leads nowhere',
      'version: 1\nscripts:\n  - turns:\n      - error: { status: 529, type: t, times: 1 }\n',
      /s\.yaml:4:9: an error that passes/,
    ],
    [
      'a missing version',
      'scripts:\n  - turns:\n      - say: x\n',
      /s\.yaml:1:1: .*\(at version\)/,
    ],
    ['nothing at all', '', /s\.yaml:1:1: /],
    ['one key twice', 'version: 1\nversion: 1\n', /s\.yaml:2:1: .*unique/],
  ])('[AG21] with %s is refused at its line and column', (_, text, expected) => {
    expect(problem(text)).toMatch(expected);
  });

  test('[AG21] with aliases is refused, however small it looks', () => {
    expect(problem('version: 1\nscripts: &a\n  - turns: [{ say: x }]\nx: *a\n')).toMatch(
      /s\.yaml:4:4: .*alias/,
    );
  });

  test('[AG21] that is not there is named', () => {
    const dir = mkdtempSync(join(tmpdir(), 'ccdash-script-'));
    dirs.push(dir);
    const missing = join(dir, 'none.yaml');
    expect(readAgentScript(missing)).toMatchObject({
      error: { code: 'invalid_script', message: containing(missing) },
    });
    writeFileSync(missing, 'version: 1\nscripts: [{ turns: [{ say: x }] }]');
    expect(readAgentScript(missing).ok).toBe(true);
  });
});
