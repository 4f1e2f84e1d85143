/** What people install is one package: packed, installed into an empty prefix, and used from there. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';

const repository = join(import.meta.dirname, '../../..');
const folder = realpathSync(mkdtempSync(join(tmpdir(), 'ccdash-package-')));
const prefix = join(folder, 'prefix');
const project = join(folder, 'project');
/** Programs below find the Node that runs this test, as a person's own recent Node would be found. */
const env = {
  ...process.env,
  PATH: `${dirname(process.execPath)}:${process.env['PATH'] ?? ''}`,
  CCDASH_HOME: join(folder, 'state'),
};

interface Done {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function run(command: string, args: readonly string[], cwd: string): Done {
  return spawnSync(command, args, { cwd, env, encoding: 'utf8' });
}

function succeed(command: string, args: readonly string[], cwd: string): Done {
  const done = run(command, args, cwd);
  expect({
    args,
    status: done.status,
    said: done.status === 0 ? '' : done.stdout + done.stderr,
  }).toEqual({
    args,
    status: 0,
    said: '',
  });
  return done;
}

function ccdash(...args: string[]): Done {
  return run(join(prefix, 'node_modules/.bin/ccdash'), args, project);
}

beforeAll(() => {
  succeed(process.execPath, ['--conditions=ccdash-source', 'scripts/build.ts'], repository);
  // npm itself may be of an older Node; what it packs is the same.
  succeed('npm', ['pack', '--workspace=ccdash', `--pack-destination=${folder}`], repository);
  const tarball = readdirSync(folder).find((name) => name.endsWith('.tgz'));
  mkdirSync(prefix);
  mkdirSync(project);
  const flags = ['--omit=optional', '--omit=peer', '--no-audit', '--no-fund', '--ignore-scripts'];
  succeed('npm', ['install', '--prefix', prefix, ...flags, join(folder, tarball ?? '')], folder);
  succeed('git', ['init', '--quiet', '--initial-branch=main'], project);
  writeFileSync(join(project, 'a.txt'), 'a\n');
  succeed('git', ['add', '--all'], project);
  const identity = ['-c', 'user.name=T', '-c', 'user.email=t@localhost'];
  succeed('git', [...identity, 'commit', '--quiet', '--message', 'begin'], project);
}, 300_000);

afterAll(() => {
  ccdash('stop');
  rmSync(folder, { recursive: true, force: true });
});

test('the installed package runs the example plan, is approved, and its log verifies', () => {
  expect(ccdash('init').status).toBe(0);
  const first = ccdash('run', '.ccdash/plans/example.yaml', '--json');
  expect({ status: first.status, said: first.stderr }).toEqual({ status: 3, said: '' });
  const [approval] = JSON.parse(ccdash('approvals', '--json').stdout) as readonly {
    readonly id: string;
    readonly runId: string;
  }[];
  expect(ccdash('approve', approval?.id ?? '', '--reason', 'looks right').status).toBe(0);
  expect(ccdash('watch', approval?.runId ?? '').status).toBe(0);
  const exported = ccdash('audit', 'export');
  const file = join(folder, 'log.ndjson');
  writeFileSync(file, exported.stdout);
  const verifier = join(prefix, 'node_modules/ccdash/dist/assets/verify-log.mjs');
  expect(run(process.execPath, [verifier, file], folder).status).toBe(0);
}, 120_000);

test('an agent whose SDK is not installed is named, with the command that installs it', () => {
  const plan = join(project, 'agent.yaml');
  writeFileSync(
    plan,
    'version: 1\nname: agent\nscope: { tools: [read] }\nsteps:\n  - id: ask\n    agent: claude\n    prompt: Say hello.\n',
  );
  const followed = ccdash('run', plan, '--json');
  expect(followed.status).toBe(3);
  const last = JSON.parse(followed.stdout.trim().split('\n').at(-1) ?? '{}') as {
    readonly blocked: readonly { readonly reason: string }[];
    readonly steps: readonly { readonly hint: string | null }[];
  };
  expect(last.blocked.map(({ reason }) => reason)).toEqual(['adapter_unavailable']);
  expect(last.steps[0]?.hint).toContain('npm install');
}, 120_000);
