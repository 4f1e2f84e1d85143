import fc from 'fast-check';
import { expect, test } from 'vitest';

import { readAsset } from '../base/assets.ts';
import {
  DEFAULT_PROJECT_CONFIG,
  configProblemToText,
  parseProjectConfig,
} from './project-config.ts';

test('[PO14] a file without settings gives the defaults', () => {
  for (const text of ['', '\n', '# nothing\n', '---\n', '{}']) {
    expect(parseProjectConfig(text, 'c')).toEqual({ ok: true, value: DEFAULT_PROJECT_CONFIG });
  }
});

test('[PO14] each setting is taken over, the rest are defaults', () => {
  const both = 'orphanLimit: 2h\nsandbox:\n  read: [/opt/tools, /srv/mirror]\n';
  expect(parseProjectConfig(both, 'c')).toEqual({
    ok: true,
    value: {
      orphanLimitMs: 7_200_000,
      sandbox: { read: ['/opt/tools', '/srv/mirror'] },
      agents: {},
    },
  });
  expect(parseProjectConfig('orphanLimit: 90s', 'c')).toMatchObject({
    value: { orphanLimitMs: 90_000, sandbox: { read: [] } },
  });
  expect(parseProjectConfig('sandbox: {}', 'c')).toEqual({
    ok: true,
    value: DEFAULT_PROJECT_CONFIG,
  });
});

test('[AG60] agents are named with how they are started, and what is left out is nothing', () => {
  const text =
    "agents:\n  a.b: { command: [/opt/a, acp], env: { URL: '{{ gateway }}' }, mode: ask }\n  c: { command: [c] }";
  expect(parseProjectConfig(text, 'c')).toMatchObject({
    value: {
      agents: {
        'a.b': {
          command: ['/opt/a', 'acp'],
          env: { URL: '{{ gateway }}' },
          read: [],
          mode: 'ask',
          session: {},
        },
        c: { command: ['c'], env: {}, read: [], mode: null, session: {} },
      },
    },
  });
});

test('[PO14] the template of `ccdash init` shows every setting with its default', () => {
  const template = readAsset('init/config.yaml');
  expect(parseProjectConfig(template, 'c')).toEqual({ ok: true, value: DEFAULT_PROJECT_CONFIG });
  const settings = template.replace(/^# ((?:orphanLimit|sandbox|agents| {2}read)\b.*)$/gm, '$1');
  expect(settings.match(/^ *[a-zA-Z]+:.*$/gm)).toEqual([
    'orphanLimit: 15m',
    'sandbox:',
    '  read: []',
    'agents: {}',
  ]);
  expect(parseProjectConfig(settings, 'c')).toEqual({ ok: true, value: DEFAULT_PROJECT_CONFIG });
});

test.each([
  [
    'an unknown setting',
    '# x\nconcurency: 3',
    '2:1: "concurency" is not a setting here; known: orphanLimit, sandbox, agents',
  ],
  [
    'an unknown setting below another',
    'sandbox:\n  write: []',
    '2:3: "write" is not a setting here; known: read',
  ],
  [
    'a hostile name',
    '__proto__: {}',
    '1:1: "__proto__" is not a setting here; known: orphanLimit, sandbox, agents',
  ],
  ['a number for a time', 'orphanLimit: 15', '1:1: orphanLimit is a time'],
  ['too short a time', 'orphanLimit: 9s', '1:1: orphanLimit is a time'],
  ['too long a time', 'orphanLimit: 25h', '1:1: orphanLimit is a time'],
  ['an empty section', 'sandbox:', '1:1: sandbox holds settings'],
  ['text for a list', 'sandbox:\n  read: /opt', '2:3: sandbox.read is a list'],
  ['a relative path', 'sandbox:\n  read:\n    - opt', '3:7: "opt" is not an absolute path'],
  ['the root', 'sandbox: { read: [/] }', '1:19: "/" is not an absolute path'],
  ['a path that climbs', 'sandbox: { read: [/opt/../root] }', '1:19: "/opt/../root" is not'],
  ['a list of agents', 'agents: [a]', '1:1: agents holds agents by name'],
  [
    'an agent with a name that no plan can write',
    'agents:\n  My Agent: { command: [a] }',
    '2:3: "My Agent" is no name of an agent',
  ],
  ['an agent without a command', 'agents:\n  a: {}', '2:3: command is a list'],
  ['a command as text', 'agents: { a: { command: my-agent acp } }', '1:16: command is a list'],
  [
    'a program by a relative path',
    'agents: { a: { command: [./agent] } }',
    '1:16: the program of command is a name on the PATH',
  ],
  [
    'a token that every process could see',
    "agents: { a: { command: [agent, '{{ token }}'] } }",
    '1:33: a command is seen by every process',
  ],
  [
    'a place that nobody fills',
    "agents: { a: { command: [agent], env: { KEY: '{{ key }}' } } }",
    '1:41: {{ key }} stands for nothing here',
  ],
  [
    'a place in a session that nobody fills',
    "agents: { a: { command: [agent], session: { b: ['{{ c }}'] } } }",
    '1:34: {{ c }} stands for nothing here',
  ],
  [
    'an unknown setting of an agent',
    'agents:\n  a: { command: [a], shell: true }',
    '2:22: "shell" is not a setting here; known: command, env, read, mode, session',
  ],
  ['a list for the file', '- orphanLimit', '1:1: the file holds settings'],
  ['the same setting twice', 'orphanLimit: 1m\norphanLimit: 2m', '2:1: Map keys must be unique'],
  ['a second document', 'orphanLimit: 1m\n---\n', '2:1: a second document'],
  ['an alias', 'orphanLimit: &a 1m\nsandbox: *a', '2:10: an alias'],
  ['bad syntax', 'sandbox: {', '1:11: '],
])('[PO14] is refused with its place: %s', (_, text, expected) => {
  const parsed = parseProjectConfig(text, 'config.yaml');
  const problems = (parsed.ok ? [] : parsed.error).map(configProblemToText);
  expect(problems[0]?.slice(0, 12 + expected.length)).toBe(`config.yaml:${expected}`);
});

test('[PO14] every mistake is reported at once, in the order of the file', () => {
  const parsed = parseProjectConfig('a: 1\nsandbox: { b: 2 }\norphanLimit: x\nc: 3', 'c');
  expect((parsed.ok ? [] : parsed.error).map(({ line }) => line)).toEqual([1, 2, 3, 4]);
});

test('[PO14] any text gives settings or mistakes that lie inside it', () => {
  const part = fc.constantFrom(
    'orphanLimit',
    'sandbox',
    'read',
    ':',
    ' ',
    '\n',
    '  ',
    '- ',
    '[',
    ']',
    '{',
    '}',
    '15m',
    '/opt',
    '*a',
    '&a ',
    '!!set',
    '? ',
    '---\n',
    '"',
    "'",
    '|',
    '\t',
    '\0',
    '<<',
    '%YAML 1.1\n',
  );
  const text = fc.oneof(
    fc.array(part, { maxLength: 30 }).map((parts) => parts.join('')),
    fc.string({ unit: 'binary' }),
    fc.integer({ min: 1, max: 3000 }).map((depth) => '['.repeat(depth) + ']'.repeat(depth)),
  );
  fc.assert(
    fc.property(text, (given) => {
      const parsed = parseProjectConfig(given, 'c');
      const lines = given.split(/\r\n|\n|\r/).length + 1;
      const problems = parsed.ok ? [] : parsed.error;
      expect(parsed.ok || problems.length > 0).toBe(true);
      expect(problems.every(({ line, column }) => line >= 1 && line <= lines && column >= 1)).toBe(
        true,
      );
    }),
    { seed: 20261123, numRuns: 400 },
  );
});
