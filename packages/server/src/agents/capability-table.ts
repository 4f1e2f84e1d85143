/** docs/adapters.md, from what the adapters declare. A test holds the file to it. */
import type { AdapterView } from '@ccdash/core';

type Row = readonly [label: string, of: (adapter: AdapterView) => string];

const yesNo = (value: boolean): string => (value ? 'yes' : '–');

const ROWS: readonly Row[] = [
  ['adapter version', ({ adapterVersion }) => adapterVersion],
  ['interface version', ({ interfaceVersion }) => String(interfaceVersion)],
  ['tested with', ({ testedVersion }) => testedVersion ?? 'nothing to install'],
  ['installed by', ({ install }) => (install === null ? '–' : `\`${install}\``)],
  ['tool calls', ({ capabilities }) => PERMISSION[capabilities.permission]],
  ['resumes its session', ({ capabilities }) => yesNo(capabilities.resume)],
  ['forks its session', ({ capabilities }) => yesNo(capabilities.fork)],
  ['resumes at a point', ({ capabilities }) => yesNo(capabilities.resumeAt)],
  ['answer by a schema', ({ capabilities }) => capabilities.structuredOutput],
  ['counts', ({ capabilities }) => capabilities.cost],
  ['is canceled by', ({ capabilities }) => capabilities.cancel],
  ['takes a word at work', ({ capabilities }) => STEERING[capabilities.steering]],
  ['MCP servers', ({ capabilities }) => yesNo(capabilities.mcp)],
  ['agents of its own', ({ capabilities }) => yesNo(capabilities.subagents === 'folded')],
  ['goes by the gateway', ({ capabilities }) => yesNo(capabilities.gateway)],
];

const PERMISSION: Readonly<Record<AdapterView['capabilities']['permission'], string>> = {
  callback: 'each asks our gate',
  'policy-only': 'by rules; none can ask',
  'agent-discretion': 'ask when the agent likes',
};
const STEERING: Readonly<Record<AdapterView['capabilities']['steering'], string>> = {
  message: 'at once',
  restart: 'stopped and gone on with',
};

export function capabilityTable(adapters: readonly AdapterView[]): string {
  const heading = ['', ...adapters.map(({ id }) => `\`${id}\``)];
  const rows = ROWS.map(([label, of]) => [label, ...adapters.map(of)]);
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  const skipped = adapters.flatMap(({ id, skipped: cases }) =>
    cases.map(({ name, reason }) => `- \`${id}\` is not held to “${name}”: ${reason}`),
  );
  return [
    '# Agents',
    '',
    'Made from what the adapters declare (`capability-table.ts`); a test fails when it differs. What is installed on',
    'a machine, and whether it runs: `ccdash adapters`. Whether it keeps the rules: `ccdash adapters check NAME`.',
    '',
    line(heading),
    line(heading.map(() => '---')),
    ...rows.map(line),
    '',
    '## Keys',
    '',
    "The gateway takes a provider's key (`ANTHROPIC_API_KEY`, `OPENAI_API_KEY`) from the environment of the server, else from",
    'the keyring of the system, looked up anew for each attempt. Put it there once; the command asks for it:',
    '',
    '- Linux: `secret-tool store --label="ccdash ANTHROPIC_API_KEY" service ccdash key ANTHROPIC_API_KEY`',
    '- macOS: `security add-generic-password -U -s ccdash -a ANTHROPIC_API_KEY -w`',
    '',
    '## Runs without a key',
    '',
    'What a model answered in a run is kept beside its attempts, without secrets: `ccdash record RUN --out FILE` makes a script',
    'of it, and a server started with `CCDASH_SCRIPTED_MODEL=FILE` plays it. A long conversation that its agent has summed up',
    'in between is not played to the same end.',
    '',
    '## Cases that an adapter is not held to',
    '',
    ...(skipped.length === 0 ? ['None.'] : skipped),
    '',
  ].join('\n');
}
