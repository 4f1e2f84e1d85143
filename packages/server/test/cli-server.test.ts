/** Verbs that need the whole product: the server in the background, and those that work without one. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { isAlive } from '../src/base/process-identity.ts';
import { readServerFile } from '../src/cli/server-file.ts';
import { createCliFixture } from './cli-fixture.ts';
import type { CliFixture } from './cli-fixture.ts';
import { until } from './http-fixture.ts';

let cli: CliFixture;

beforeEach(() => {
  cli = createCliFixture();
});

afterEach(async () => {
  const { exitCode, stderr } = await cli.run('stop');
  expect(exitCode, stderr).toBe(0);
  cli.remove();
});

function serverPid(): number {
  return readServerFile(cli.stateDir)!.process.pid;
}

function serverLog(): string {
  return readFileSync(join(cli.stateDir, 'server.log'), 'utf8');
}

/** The workbench as it is without a sandbox asks before each command; a plan of checks never has to. */
const QUIET_PLAN = JSON.stringify({
  version: 1,
  name: 'Quiet',
  steps: [{ id: 'check', validate: [{ file: { path: 'readme.md', matches: 'hello' } }] }],
});
const GATE_PLAN = JSON.stringify({
  version: 1,
  name: 'Gate',
  steps: [
    { id: 'check', validate: [{ file: { path: 'readme.md', matches: 'hello' } }] },
    { id: 'review', approve: 'Good?' },
  ],
});

describe('the server in the background', () => {
  test('[CL17] callers that find none end up with one, and leave it for those after them', async () => {
    const answers = await Promise.all([cli.json('runs'), cli.json('runs'), cli.json('approvals')]);
    for (const { exitCode, stderr, documents } of answers) {
      expect([exitCode, stderr, documents]).toEqual([0, '', [[]]]);
    }
    const pid = serverPid();
    expect((await cli.run('runs')).exitCode).toBe(0);
    expect(serverPid()).toBe(pid);
    expect(serverLog().match(/^Serving /gm)).toHaveLength(1);
    expect(serverLog()).not.toContain('code=');
  });

  test('[CL18] a file of a server that has died is not believed', async () => {
    await cli.run('runs');
    const first = readServerFile(cli.stateDir)!;
    process.kill(first.process.pid, 'SIGKILL');
    await until(() => !isAlive(first.process));
    expect((await cli.run('runs')).exitCode).toBe(0);
    const second = readServerFile(cli.stateDir)!;
    expect(second.process.pid).not.toBe(first.process.pid);
    const reused = { ...second, process: { ...second.process, startedTicks: '1' } };
    writeFileSync(join(cli.stateDir, 'server.json'), JSON.stringify(reused));
    expect(readServerFile(cli.stateDir)).toBeNull();
    writeFileSync(join(cli.stateDir, 'server.json'), JSON.stringify(second));
  });

  test('[CL19] a server that refuses to start is told by its own refusal, not by what its log had before', async () => {
    writeFileSync(join(cli.stateDir, 'log.db'), 'this is no database, and long enough to see it');
    writeFileSync(join(cli.stateDir, 'server.log'), '{"error":{"type":"Older"}}\nolder words\n');
    const { exitCode, documents } = await cli.json('runs');
    expect(exitCode).toBe(1);
    const { error } = documents[0] as { error: { type: string; detail: string; hint: string } };
    expect(error.type).toBe('NotALog');
    expect(error.detail).toContain('log.db');
    expect(error.hint).not.toBe('');
    const told = await cli.run('runs');
    expect(told.stderr).toContain(error.detail);
    expect(told.stderr).not.toContain('older words');
  });

  test('[CL19] a server that dies before it can say why is an error with the last lines of its log', async () => {
    const dying = createCliFixture([
      '--import',
      'data:text/javascript,if (process.argv.includes("--background")) { console.error("no memory left"); process.exit(9); }',
    ]);
    try {
      const { exitCode, documents } = await dying.json('runs');
      expect(exitCode).toBe(1);
      const { error } = documents[0] as { error: { type: string; detail: string; hint: string } };
      expect(error.type).toBe('ServerNotStarted');
      expect(error.detail).toContain('no memory left');
      expect(error.hint).toContain('server.log');
    } finally {
      dying.remove();
    }
  });

  test('[CL20] a follower outlives the server: the next one goes on where it was', async () => {
    cli.write('gate.yaml', GATE_PLAN);
    await cli.run('run', 'gate.yaml', '--detach');
    const [runs] = (await cli.json('runs')).documents as unknown as [{ id: string }[]];
    const id = runs[0]!.id;
    const before = await cli.json('watch', id);
    expect([before.exitCode, before.documents.at(-1)]).toMatchObject([3, { status: 'blocked' }]);
    const [approvals] = (await cli.json('approvals')).documents as unknown as [{ id: string }[]];
    const { process: first } = readServerFile(cli.stateDir)!;
    process.kill(first.pid, 'SIGKILL');
    await until(() => !isAlive(first));
    expect((await cli.run('approve', approvals[0]!.id)).exitCode).toBe(0);
    const after = await cli.json('watch', id);
    expect([after.exitCode, after.documents.at(-1)]).toMatchObject([0, { status: 'succeeded' }]);
    const events = after.documents.slice(0, -1);
    expect(events.map(({ sequence }) => sequence)).toEqual(events.map((_, i) => i));
    expect(events.slice(0, before.documents.length - 1)).toEqual(before.documents.slice(0, -1));
  });

  test('[CL21] stop ends it and says so; without one there is nothing to stop', async () => {
    expect((await cli.json('stop')).documents).toEqual([{ stopped: false }]);
    await cli.run('runs');
    const { process: server } = readServerFile(cli.stateDir)!;
    expect((await cli.json('stop')).documents).toEqual([{ stopped: true }]);
    expect(isAlive(server)).toBe(false);
    expect(readServerFile(cli.stateDir)).toBeNull();
  });

  test('[CL21] serve in the foreground prints a link that opens the page once, and ends on Ctrl-C', async () => {
    const served = cli.start('serve');
    await until(() => /code=[\w-]{43}\n/.test(served.stdout()));
    const link = /http:\S+code=[\w-]{43}/.exec(served.stdout())![0];
    const opened = await fetch(link, { redirect: 'manual' });
    expect(opened.status).toBe(303);
    const page = await fetch(new URL('/', link));
    expect(await page.text()).toContain('<title>CCDash</title>');
    expect((await fetch(link, { redirect: 'manual' })).status).toBe(401);
    served.child.kill('SIGINT');
    expect((await served.ended).exitCode).toBe(0);
    expect(readServerFile(cli.stateDir)).toBeNull();
  });
});

test('[HT31] after a restart the server is where it was, and sessions of browsers go on', async () => {
  const serve = async (): Promise<{ served: ReturnType<typeof cli.start>; link: string }> => {
    const served = cli.start('serve');
    await until(() => /code=[\w-]{43}\n/.test(served.stdout()));
    return { served, link: /http:\S+code=[\w-]{43}/.exec(served.stdout())![0] };
  };
  const end = async ({ served }: Awaited<ReturnType<typeof serve>>): Promise<void> => {
    served.child.kill('SIGINT');
    await served.ended;
  };
  const first = await serve();
  const opened = await fetch(first.link, { redirect: 'manual' });
  const cookie = opened.headers.get('set-cookie')?.split(';')[0] ?? '';
  await end(first);
  const second = await serve();
  expect(new URL(second.link).origin).toBe(new URL(first.link).origin);
  const runs = new URL('/api/v1/runs', first.link);
  expect((await fetch(runs, { headers: { cookie } })).status).toBe(200);
  await end(second);
});

describe('without a server', () => {
  afterEach(() => {
    expect(readServerFile(cli.stateDir)).toBeNull();
  });

  test('init writes the first files once, and its plan is valid', async () => {
    const first = await cli.json('init');
    expect(first.exitCode).toBe(0);
    const written = [
      '.ccdash/config.yaml',
      '.ccdash/policy/default.cedar',
      '.ccdash/policy/cases.yaml',
      '.ccdash/plans/example.yaml',
    ];
    expect(first.documents).toMatchObject([{ written, kept: [] }]);
    expect((await cli.json('init')).documents).toMatchObject([{ written: [], kept: written }]);
    const checked = await cli.json('plan', 'check', '.ccdash/plans/example.yaml');
    expect([checked.exitCode, checked.documents]).toMatchObject([0, [{ ok: true }]]);
  });

  test('[CL10] plan check prints every problem with line and column, and exits 2', async () => {
    cli.write(
      'p.yaml',
      'version: 1\nname: x\nsteps:\n  - id: A\n    run: x\n  - id: b\n    rum: y\n',
    );
    const { exitCode, stdout } = await cli.run('plan', 'check', 'p.yaml');
    expect(exitCode).toBe(2);
    const lines = stdout.trimEnd().split('\n');
    expect(lines.slice(0, -1).every((line) => /^p\.yaml:\d+:\d+: .+ \(.+\)$/.test(line))).toBe(
      true,
    );
    expect(lines.at(-1)).toBe(`${lines.length - 1} errors`);
    const { documents } = await cli.json('plan', 'check', 'p.yaml');
    expect(documents).toMatchObject([{ ok: false, file: 'p.yaml' }]);
    expect(documents[0]!['problems']).toHaveLength(lines.length - 1);
    expect((await cli.run('plan', 'check', 'none.yaml')).exitCode).toBe(2);
  });

  test('plan show draws the graph, and plan schema prints the schema', async () => {
    cli.write('p.yaml', GATE_PLAN);
    const shown = await cli.run('plan', 'show', 'p.yaml');
    expect(shown.exitCode).toBe(0);
    expect(shown.stdout).toMatch(/review +approval +<- check/);
    const schema = await cli.run('plan', 'schema');
    expect(JSON.parse(schema.stdout)).toMatchObject({ title: 'CCDash plan', type: 'object' });
  });
});

test('[CL22] an exported log is verified with no server, and its first bad entry is told', async () => {
  cli.write('p.yaml', QUIET_PLAN);
  expect((await cli.run('run', 'p.yaml')).exitCode).toBe(0);
  const live = await cli.json('audit', 'verify');
  expect([live.exitCode, live.documents]).toMatchObject([0, [{ ok: true, problem: null }]]);
  const out = join(cli.projectDir, 'log.ndjson');
  await cli.run('audit', 'export', '--out', out);
  await cli.run('stop');
  const offline = await cli.json('audit', 'verify', 'log.ndjson');
  expect([offline.exitCode, offline.documents]).toMatchObject([0, [{ ok: true }]]);
  expect(offline.documents[0]!['root']).toBe(live.documents[0]!['root']);
  const text = readFileSync(out, 'utf8');
  writeFileSync(out, text.replace('Quiet', 'Quite'));
  const bad = await cli.json('audit', 'verify', '--file', 'log.ndjson');
  expect([bad.exitCode, bad.documents]).toMatchObject([
    1,
    [{ ok: false, problem: { position: 1 } }],
  ]);
  expect((await cli.run('audit', 'verify', 'none.ndjson')).exitCode).toBe(2);
  expect(readServerFile(cli.stateDir)).toBeNull();
});
