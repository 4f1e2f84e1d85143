import { expect, test } from 'vitest';

import { classifyTool } from './classify-tool.ts';

test.each([
  ['exec', { command: 'npm test' }, ['runs-workspace-code']],
  ['exec', { command: 'git push' }, ['network', 'publishes']],
  ['exec', { command: ['git', 'push'] }, ['network', 'publishes']],
  ['exec', { command: ['echo', '$(git push)'] }, ['reads']],
  ['exec', { command: 'echo x > a', cwd: '/' }, ['reads', 'writes-workspace', 'unparsed']],
  ['exec', { command: 7 }, ['unparsed']],
  ['exec', {}, ['unparsed']],
  ['exec', null, ['unparsed']],
  ['read', { file_path: 'src/a.ts' }, ['reads']],
  ['read', { file_path: '/work/.env' }, ['reads', 'secrets']],
  ['edit', { file_path: '/work/src/a.ts' }, ['writes-workspace']],
  ['edit', { file_path: '/work/.git/config' }, ['writes-workspace', 'writes-outside']],
  ['search', { pattern: 'x' }, ['reads']],
  ['fetch', { url: 'https://example.com' }, ['network']],
  ['agent', { prompt: 'x' }, ['reads']],
  ['mcp:any/thing', {}, ['unparsed']],
] as const)('[RK6] a tool of an agent is judged like a command: %s %j', (tool, input, effects) => {
  const facts = classifyTool(tool, input);
  expect(facts.effects).toEqual(effects);
  expect(new Set(facts.because.map(({ effect }) => effect))).toEqual(new Set(effects));
});
