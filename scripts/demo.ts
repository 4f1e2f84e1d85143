/**
 * The product end to end on a small real repository: an agent step by the real Claude Agent SDK, a command, a
 * validation, an approval. `--yes` decides as the demo's own user; `--keep` leaves the server running.
 */
import { spawn, spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, realpathSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { repository } from './setup.mjs';

const cli = join(repository, 'packages/server/bin/ccdash.mjs');

const { values } = parseArgs({
  options: { yes: { type: 'boolean', default: false }, keep: { type: 'boolean', default: false } },
});
const isInteractive = process.stdin.isTTY && process.stdout.isTTY && !values.yes;

/** Exit code of a verb that stopped because the run waits for people. */
const BLOCKED = 3;

interface Approval {
  readonly id: string;
  readonly runId: string;
}

interface Demo {
  readonly project: string;
  readonly env: NodeJS.ProcessEnv;
  readonly folder: string;
}

async function main(): Promise<number> {
  if (!isInteractive && !values.yes) {
    say('The demo asks for an approval. Without a terminal, run: npm run demo -- --yes');
    return 2;
  }
  const demo = makeDemo();
  say(`A small git repository: ${demo.project}`);
  say(
    demo.env['CCDASH_SCRIPTED_MODEL'] === undefined
      ? 'ANTHROPIC_API_KEY is set: the agent talks to the real service.'
      : 'No ANTHROPIC_API_KEY: the agent is the real Claude program, its model follows a script.',
  );
  say('');
  try {
    const plan = '.ccdash/plans/phase-2.yaml';
    const exit = isInteractive ? await follow(demo, ['run', plan]) : await decideAlone(demo, plan);
    return exit === 0 ? record(demo) : exit;
  } finally {
    if (values.keep)
      say(`The server goes on: cd ${demo.project} && CCDASH_HOME=${demo.folder}/state`);
    else spawnSync(process.execPath, [cli, 'stop'], { cwd: demo.project, env: demo.env });
  }
}

function makeDemo(): Demo {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'ccdash-demo-')));
  const project = join(folder, 'rate-limiting');
  cpSync(join(repository, 'examples/demo-project'), project, { recursive: true });
  const git = (...args: string[]): void => {
    const identity = ['-c', 'user.name=Demo', '-c', 'user.email=demo@localhost'];
    const done = spawnSync('git', [...identity, ...args], { cwd: project, encoding: 'utf8' });
    if (done.status !== 0) throw new Error(`git ${args.join(' ')}: ${done.stderr}`);
  };
  git('init', '--quiet', '--initial-branch=main');
  git('add', '--all');
  git('commit', '--quiet', '--message', 'Rate limiting, phase 1');
  const env: NodeJS.ProcessEnv = { ...process.env, CCDASH_HOME: join(folder, 'state') };
  if (env['ANTHROPIC_API_KEY'] === undefined) {
    env['CCDASH_SCRIPTED_MODEL'] = join(repository, 'examples/models/phase-2.yaml');
  }
  return { project, env, folder };
}

/** Runs a verb with this terminal; its exit code. */
function follow(demo: Demo, args: readonly string[]): Promise<number> {
  const child = spawn(process.execPath, [cli, ...args], {
    cwd: demo.project,
    env: demo.env,
    stdio: isInteractive ? 'inherit' : ['ignore', 'inherit', 'inherit'],
  });
  return new Promise((resolve) => {
    child.on('close', (code) => {
      resolve(code ?? 1);
    });
  });
}

function ask(demo: Demo, args: readonly string[]): unknown {
  const done = spawnSync(process.execPath, [cli, ...args, '--json'], {
    cwd: demo.project,
    env: demo.env,
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
  if (done.status !== 0) throw new Error(`ccdash ${args.join(' ')}: ${done.stdout}${done.stderr}`);
  return JSON.parse(done.stdout);
}

/** Follows the run, and approves whatever it stops at, as a person with a script would. */
async function decideAlone(demo: Demo, plan: string): Promise<number> {
  let exit = await follow(demo, ['run', plan]);
  while (exit === BLOCKED) {
    const open = ask(demo, ['approvals']) as readonly Approval[];
    if (open.length === 0) return exit;
    for (const { id } of open) {
      await follow(demo, ['approve', id, '--reason', 'the demo decides for itself']);
    }
    exit = await follow(demo, ['watch', open[0]?.runId ?? '']);
  }
  return exit;
}

/** Writes what the run was, and checks that and the log it stands in. */
function record(demo: Demo): number {
  const [newest] = ask(demo, ['runs']) as readonly { readonly id: string }[];
  const path = join(demo.folder, `${newest?.id ?? 'run'}.html`);
  ask(demo, ['audit', 'verify']);
  ask(demo, ['report', newest?.id ?? '', '--out', path]);
  ask(demo, ['report', 'verify', path]);
  say('');
  say(`The log is whole. A report of the run, which proves itself: ${path}`);
  return 0;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

process.exitCode = await main();
