/**
 * A real step of a real server that tries to decide for a person. What it tries is `children/step-attacker.ts`; the same
 * tries are made by a step without network and by one whose scope names a host and so has a proxy.
 */
import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { createClient } from '@ccdash/api/client';
import type { Client, RunView } from '@ccdash/api/client';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readServerFile } from '../src/cli/server-file.ts';
import { createCliFixture } from './cli-fixture.ts';
import type { CliFixture } from './cli-fixture.ts';
import { until } from './http-fixture.ts';

type Told = Readonly<Record<string, string>>;

const ATTACKER = join(import.meta.dirname, 'children/step-attacker.ts');
const CANARY = 'canary-of-the-server-4711';
const HELD = `version: 1
name: Held
steps: [{ id: gate, approve: 'Ship it?' }]
`;

let cli: CliFixture;
let client: Client;
let token = '';
let approvalId = '';
const closing: (() => void)[] = [];
const told: Record<'sealed' | 'proxied', Told> = { sealed: {}, proxied: {} };

beforeAll(async () => {
  cli = createCliFixture();
  (cli.env as Record<string, string>)['CCDASH_TEST_CANARY'] = CANARY;
  expect((await cli.run('runs')).exitCode).toBe(0);
  const { url, process: server } = readServerFile(cli.stateDir)!;
  token = readFileSync(join(cli.stateDir, 'token'), 'utf8').trim();
  client = createClient({ baseUrl: url, token });
  const held = await launch(HELD);
  await until(async () => (await runOf(held)).status === 'blocked');
  const request = (await openRequests()).find(({ runId }) => runId === held)!;
  approvalId = request.id;
  const socket = join(cli.stateHome, 'listens');
  const abstractSocket = `ccdash-attack-${String(process.pid)}`;
  const sharedMemory = `/dev/shm/ccdash-attack-${String(process.pid)}`;
  for (const path of [socket, `\0${abstractSocket}`]) {
    const listener = createServer((incoming) => incoming.end());
    await new Promise<void>((resolve) => listener.listen(path, resolve));
    closing.push(() => listener.close());
  }
  writeFileSync(sharedMemory, 'shared');
  closing.push(() => rmSync(sharedMemory));
  const others = Object.values(networkInterfaces()).flatMap((all = []) =>
    all.filter(({ internal }) => !internal).map(({ address }) => address),
  );
  const known = {
    ...{ token, stateDir: cli.stateDir, projectDir: cli.projectDir, stateHome: cli.stateHome },
    ...{ serverPid: server.pid, port: Number(new URL(url).port), socket, abstractSocket },
    ...{ approvalId, subjectDigest: request.subjectDigest, sharedMemory },
    addresses: ['127.0.0.1', 'localhost', '::1', '0.0.0.0', '127.0.0.2', ...others],
  };
  cli.write('known.json', JSON.stringify(known));
  copyFileSync(ATTACKER, join(cli.projectDir, 'attack.ts'));
  git('add', '.');
  git('commit', '-qm', 'attack');
  told.sealed = await attackIn('');
  told.proxied = await attackIn('network: { hosts: [ok.example.com] }');
});

afterAll(async () => {
  for (const close of closing) close();
  await cli.run('stop');
  cli.remove();
});

function git(...args: readonly string[]): void {
  const identity = ['-c', 'user.name=Ada', '-c', 'user.email=ada@example.com'];
  execFileSync('git', [...identity, ...args], { cwd: cli.projectDir, stdio: 'ignore' });
}

async function launch(plan: string): Promise<string> {
  const saved = await client.savePlan(plan, 'plan.yaml');
  if (!saved.ok) throw new Error(JSON.stringify(saved.error));
  const launched = await client.launch(saved.value.id, {});
  if (!launched.ok) throw new Error(launched.error.detail);
  return launched.value.id;
}

async function runOf(id: string): Promise<RunView> {
  const run = await client.run(id);
  if (!run.ok) throw new Error(run.error.detail);
  return run.value;
}

async function openRequests() {
  const open = await client.approvals('open');
  if (!open.ok) throw new Error(open.error.detail);
  return open.value;
}

/** What the attacker tells of a step with this in its scope; a person lets it start where the policy asks one. */
async function attackIn(network: string): Promise<Told> {
  const argv = JSON.stringify([
    process.execPath,
    '--disable-warning=ExperimentalWarning',
    'attack.ts',
  ]);
  const id = await launch(`version: 1
name: Attack
scope:
  tools: [exec]
  write: ['**']
  ${network}
steps:
  - id: attack
    argv: ${argv}
`);
  await until(async () => {
    for (const { id: waiting, runId, subjectDigest } of await openRequests()) {
      if (runId !== id) continue;
      await client.decide(waiting, { decision: 'approve', subjectDigest, reason: 'let it try' });
    }
    return (await runOf(id)).endedAt !== null;
  });
  const output = join(cli.stateDir, 'attempts', id, 'attack', '1', 'output');
  const text = readFileSync(output, 'utf8');
  const line = text.split('\n').find((one) => one.startsWith('{'));
  if (line === undefined) throw new Error(`The attacker told nothing: ${text}`);
  return JSON.parse(line) as Told;
}

/** What it told of tries whose name begins so; the test fails where it made none. */
function tries(kind: 'sealed' | 'proxied', prefix: string): readonly (readonly [string, string])[] {
  const found = Object.entries(told[kind]).filter(([name]) => name.startsWith(prefix));
  expect(found, prefix).not.toEqual([]);
  return found;
}

describe.each(['sealed', 'proxied'] as const)('from inside a %s step', (kind) => {
  test('[SB21] neither token, keys nor log are there: by no path, link, hard link or root of another process', () => {
    for (const how of ['file ', 'climb ', 'link ', 'hard link ', 'root of 1 ']) {
      for (const [name, came] of tries(kind, how)) {
        expect(came, name).toMatch(/^(ENOENT|EACCES|EPERM|EXDEV|ENOTDIR)$/);
      }
    }
    // Where it thinks it has written there is a file system of its own.
    for (const [name] of tries(kind, 'make ')) {
      const path = join(cli.stateDir, name.slice('make '.length));
      expect(existsSync(path) && statSync(path).isFile() && readFileSync(path, 'latin1')).not.toBe(
        'mine',
      );
    }
    for (const name of ['list state', 'list home', 'project', 'project policy']) {
      expect(told[kind][name], name).not.toMatch(/token|log\.db|readme/);
    }
    expect(existsSync(join(cli.projectDir, '.ccdash'))).toBe(false);
  });

  test('[SB22] no variable and no argument of the server is anywhere in /proc', () => {
    for (const name of ['environments', 'commands']) {
      expect(told[kind][name]).not.toContain(CANARY);
      expect(told[kind][name]).not.toContain('CCDASH_HOME');
      expect(told[kind][name]).not.toContain(token);
    }
    expect(told[kind]['environments']).toContain('HOME=/tmp/home');
  });

  test('[SB23] the server is no process that could be read, traced or signalled, and the kernel is not to be set', () => {
    for (const [name, came] of [...tries(kind, 'server '), ...tries(kind, 'signal')]) {
      expect(came, name).toMatch(/^(ENOENT|ESRCH)$/);
    }
    expect(told[kind]['trace']).toMatch(/ENOENT|No such process|not permitted/);
    for (const [name, came] of tries(kind, 'set ')) {
      expect(came, name).toMatch(/^(EROFS|EACCES|EPERM|ENOENT)$/);
    }
  });

  test('[SB24] the server answers at no address, though the step has a good token for it', () => {
    for (const how of ['documentation at ', 'decision at ']) {
      for (const [name, came] of tries(kind, how)) {
        expect(came, name).toMatch(
          /^(ECONNREFUSED|ENETUNREACH|EINVAL|EADDRNOTAVAIL|ENOTFOUND|EAI_AGAIN)$/,
        );
      }
    }
    if (kind === 'sealed') return;
    for (const [name, came] of tries(kind, 'decision by proxy at ')) {
      expect(came, name).toBe('answered: 403');
    }
  });

  test('[SB25] no socket of the machine is there, named in the file system or by an abstract name', () => {
    expect(told[kind]['socket']).toMatch(/^(ENOENT|EACCES)$/);
    expect(told[kind]['abstract socket']).toBe('ECONNREFUSED');
    const allowed = kind === 'sealed' ? [] : ['/run/ccdash/proxy'];
    expect([...new Set(told[kind]['sockets']?.split('\n'))].filter((path) => path !== '')).toEqual(
      allowed,
    );
  });

  test('[SB26] it holds no descriptor but its own, no terminal, no disk and no memory of others', () => {
    for (const line of told[kind]['descriptors']?.split('\n') ?? []) {
      expect(line).toMatch(
        /^\d+ (\/dev\/null|pipe:.*|anon_inode:.*|\/proc\/\d+\/fd|closed|socket:.*|\/tmp\/ccdash-\w+\/\d+\/output.*)$/,
      );
    }
    expect(told[kind]['terminal']).toMatch(/^(ENXIO|ENOENT)$/);
    expect(told[kind]['shared memory']).toBe('ENOENT');
    expect(told[kind]['disk']).not.toMatch(/sd[a-z]|vd[a-z]|nvme|mem,|kmsg/);
  });

  test('[SB27] what git would run elsewhere cannot be planted', () => {
    for (const [name, came] of tries(kind, 'plant ')) {
      if (!name.endsWith('config.worktree')) expect(came, name).toBe('EROFS');
    }
  });

  test('[SB28] a namespace of its own opens no mount: the system stays as it is, and what is hidden hidden', () => {
    expect(told[kind]['mounts']).not.toContain('written');
    expect(told[kind]['mounts']).not.toContain(token);
  });
});

test('[SB29] after all of it nothing is decided, and the log proves that nothing was passed by', async () => {
  const held = await client.approval(approvalId);
  expect(held).toMatchObject({ ok: true, value: { status: 'open', decisions: [] } });
  expect(await client.auditVerify()).toMatchObject({ ok: true, value: { ok: true, bypasses: 0 } });
});
