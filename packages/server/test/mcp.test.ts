/** The tools for agents, called by the official client over stdio; and the artifacts they and people read. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createCliFixture } from './cli-fixture.ts';
import type { CliFixture } from './cli-fixture.ts';

const PLAN = `version: 1
name: Limits
scope: { tools: [exec], write: ['**'] }
steps:
  - { id: work, run: 'echo a > a.txt', artifacts: [a.txt] }
  - { id: check, needs: [work], validate: [{ file: { path: a.txt, matches: a } }] }
  - { id: ship, needs: [check], approve: 'Ship it?' }
`;
const TOOLS = [
  ...['check_plan', 'events_since', 'list_artifacts', 'list_features', 'list_runs'],
  ...['plan_of_feature', 'propose_plan', 'read_artifact', 'show_diff', 'show_feature'],
  ...['show_plan', 'show_run', 'start_run', 'wait_for_run'],
];

let cli: CliFixture;
let agent: Client;
beforeAll(async () => {
  cli = createCliFixture();
  agent = await connectAs({});
});
afterAll(async () => {
  await agent.close();
  await cli.run('stop');
  cli.remove();
});

async function connectAs(env: Readonly<Record<string, string>>): Promise<Client> {
  const [command, ...args] = cli.program;
  const known = Object.entries({ ...cli.env, ...env }).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, value] as const],
  );
  const client = new Client({ name: 'test', version: '1' });
  await client.connect(
    new StdioClientTransport({
      ...{ command, args: [...args, 'mcp'], cwd: cli.projectDir },
      env: Object.fromEntries(known),
    }),
  );
  return client;
}

interface Said {
  readonly text: string;
  readonly isError: boolean;
}

async function call(client: Client, name: string, given: Record<string, unknown>): Promise<Said> {
  const answer = await client.callTool({ name, arguments: given });
  const [content] = answer.content as readonly { readonly text: string }[];
  return { text: content?.text ?? '', isError: answer.isError === true };
}

async function value<T>(name: string, given: Record<string, unknown> = {}): Promise<T> {
  const { text, isError } = await call(agent, name, given);
  expect(isError, `${name}: ${text}`).toBe(false);
  return JSON.parse(text) as T;
}

interface Line {
  readonly name: string;
  readonly sha256: string;
  readonly step: string;
}

test('[MC1] the tools are these, and none of them decides', async () => {
  const { tools } = await agent.listTools();
  expect(tools.map(({ name }) => name).toSorted()).toEqual(TOOLS);
  const changing = tools.filter(({ annotations }) => annotations?.readOnlyHint !== true);
  expect(changing.map(({ name }) => name).toSorted()).toEqual(['propose_plan', 'start_run']);
});

test('[MC3] [AF1] [AF2] a plan is checked, proposed, run and its artifacts read', async () => {
  expect(await value('list_features')).toMatchObject({ features: [] });
  expect(await value('check_plan', { text: PLAN })).toMatchObject({ approvalsNeeded: ['ship'] });
  const { plan } = await value<{ plan: string }>('propose_plan', { text: PLAN });
  expect(await value('show_plan', { plan })).toMatchObject({ revision: 1 });
  const { id: run } = await value<{ id: string }>('start_run', { plan });
  const waited = await value('wait_for_run', { run, seconds: 60 });
  expect(waited).toMatchObject({ id: run, status: 'blocked' });
  expect(await value('list_runs')).toMatchObject([{ id: run }]);
  const first = await value('events_since', { run, from: 0, limit: 1 });
  expect(first).toMatchObject({ events: [{ type: 'RunCreated' }], next: 1 });
  expect(await value('show_diff', { run })).toMatchObject({ files: [{ path: 'a.txt' }] });
  const [artifact] = await value<readonly Line[]>('list_artifacts', { run });
  expect(artifact).toMatchObject({ name: 'a.txt', step: 'work', attempt: 1, usedBy: ['check'] });
  const { sha256 = '' } = artifact ?? {};
  expect(await value('read_artifact', { sha256 })).toEqual({ text: 'a\n', bytes: 2, isCut: false });

  const listed = await cli.run('artifacts', run);
  expect(listed.stdout).toContain(sha256);
  expect(listed.stdout).toContain('made by work, attempt 1');
  expect((await cli.run('artifact', 'get', sha256, '--out', 'got')).exitCode).toBe(0);
  expect(readFileSync(join(cli.projectDir, 'got'), 'utf8')).toBe('a\n');
  expect((await cli.run('artifact', 'get', sha256, '--out', 'got')).exitCode).not.toBe(0);
  expect((await cli.run('artifact', 'get', 'f'.repeat(64))).exitCode).toBe(5);
  expect((await cli.run('artifact', 'get', '../../token')).exitCode).toBe(2);
});

test('[MC2] a viewer may look and not start; refusals say what is wrong', async () => {
  const unknown = await call(agent, 'show_run', { run: 'run_nobody' });
  expect(unknown).toMatchObject({ isError: true });
  expect(unknown.text).toContain('There is no run run_nobody.');
  const broken = await call(agent, 'check_plan', {
    text: 'version: 1\nname: x\nsteps: []\nother: 1\n',
  });
  expect(broken.isError).toBe(true);
  expect(broken.text).toContain('line');
  expect((await call(agent, 'show_run', { run: '../people' })).isError).toBe(true);

  await cli.run('users', 'add', 'grace', '--role', 'viewer');
  const { documents } = await cli.json('users', 'login', 'grace');
  const { code } = documents[0] as { code: string };
  const file = JSON.parse(readFileSync(join(cli.stateDir, 'server.json'), 'utf8')) as {
    url: string;
  };
  const redeemed = await fetch(`${file.url}/api/v1/logins/redeem`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ code }),
  });
  const { token } = (await redeemed.json()) as { token: string };
  const grace = await connectAs({ CCDASH_SERVER: file.url, CCDASH_TOKEN: token });
  expect((await call(grace, 'list_runs', {})).isError).toBe(false);
  const refused = await call(grace, 'propose_plan', { text: PLAN });
  expect(refused.isError).toBe(true);
  expect(refused.text).toContain('operator');
  await grace.close();
});
