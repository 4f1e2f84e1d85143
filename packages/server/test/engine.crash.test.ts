/**
 * Kills real engines and real hosts, and looks at what is left: no acknowledged event missing, nothing run twice that
 * was not asked for, the run ended as it would have. `--kills N` of `npm run crash` sets CCDASH_KILLS.
 */
import { spawn, spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, describe, expect, test } from 'vitest';
import { randomNumbers } from './random-numbers.ts';

const CHILD = join(import.meta.dirname, 'children/engine-child.ts');
const VERIFIER = join(import.meta.dirname, '../assets/verify-log.mjs');
/** Hundreds of engines start here: what they compile is kept between them. */
const COMPILE_CACHE = join(tmpdir(), 'ccdash-crash-compile-cache');
const KILLS = Number(process.env['CCDASH_KILLS'] ?? '200');
const SEED = Number(process.env['CCDASH_SEED'] ?? String(Date.now() % 1_000_000));

interface World {
  readonly folder: string;
  readonly project: string;
  readonly state: string;
  readonly plan: string;
  /** What the processes said was durable: type by position. */
  readonly acknowledged: Map<number, string>;
}

const worlds: World[] = [];

function newWorld(plan: string): World {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'ccdash-crash-')));
  const project = join(folder, 'project');
  const git = (...args: string[]): void => {
    const identity = ['-c', 'user.name=T', '-c', 'user.email=t@localhost'];
    const done = spawnSync('git', [...identity, '-C', project, ...args], { encoding: 'utf8' });
    if (done.status !== 0) throw new Error(done.stderr);
  };
  spawnSync('git', ['init', '--quiet', '--initial-branch=main', project]);
  writeFileSync(join(project, 'log.txt'), 'begin\n');
  git('add', '--all');
  git('commit', '--quiet', '--message', 'begin');
  const world: World = {
    folder,
    project,
    state: join(folder, 'state'),
    plan: join(folder, 'plan.yaml'),
    acknowledged: new Map(),
  };
  writeFileSync(world.plan, plan);
  writeFileSync(join(folder, 'model.yaml'), AGENT_SCRIPT);
  worlds.push(world);
  return world;
}

afterEach(() => {
  for (const world of worlds.splice(0)) {
    killHost(world);
    rmSync(world.folder, { recursive: true, force: true });
  }
});

function killIfAlive(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
}

interface Lease {
  readonly host: { readonly pid: number; readonly startedTicks: string };
}

/** The pooled host of commands, if one lives: its lease says which process it is. */
function hostPid(world: World): number | null {
  const path = join(world.state, 'pool', 'lease.json');
  if (!existsSync(path)) return null;
  const { host } = JSON.parse(readFileSync(path, 'utf8')) as Lease;
  return startedTicks(host.pid) === host.startedTicks ? host.pid : null;
}

/** When a process began (field 22 of its stat), so that a number used again is not taken for it. */
function startedTicks(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${String(pid)}/stat`, 'latin1');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? null;
  } catch {
    // It has ended.
    return null;
  }
}

function killHost(world: World): void {
  const pid = hostPid(world);
  if (pid !== null) killIfAlive(pid);
}

interface Life {
  readonly ended: string | null;
  readonly points: number;
  readonly said: readonly string[];
}

/** One life of an engine: until it ends by itself, or `onEvent` has it killed. */
async function live(
  world: World,
  options: { readonly crashAt?: number; readonly onEvent?: (count: number) => 'kill' | 'go on' },
): Promise<Life> {
  const args = ['--conditions=ccdash-source', CHILD, world.project, world.state, world.plan];
  const child = spawn(process.execPath, args, {
    env: {
      ...process.env,
      CRASH_AT: String(options.crashAt ?? 0),
      CCDASH_SCRIPTED_MODEL: join(world.folder, 'model.yaml'),
      NODE_COMPILE_CACHE: COMPILE_CACHE,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const said: string[] = [];
  let complaints = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (complaints += text));
  const closed = new Promise<void>((resolve) => {
    child.on('close', () => {
      resolve();
    });
  });
  let ended: string | null = null;
  let points = 0;
  let events = 0;
  for await (const line of createInterface({ input: child.stdout })) {
    said.push(line);
    const [word, first = '', second = ''] = line.split(' ');
    if (word === 'EVENT') {
      world.acknowledged.set(Number(first), second);
      events += 1;
      if (options.onEvent?.(events) === 'kill') child.kill('SIGKILL');
    } else if (word === 'POINTS') points = Number(first);
    else if (word === 'ENDED') ended = first;
    else if (word === 'FAILED') throw new Error(line);
  }
  await closed;
  if (ended === null && child.signalCode !== 'SIGKILL') {
    throw new Error(`the engine ended by itself: ${said.slice(-5).join(' | ')}\n${complaints}`);
  }
  return { ended, points, said };
}

interface LoggedEvent {
  readonly position: number;
  readonly type: string;
  readonly runId: string | null;
  readonly data: { readonly step?: string; readonly attempt?: number; readonly cause?: string };
}

/** The log as it is on disk, verified by the script that anybody can run. */
function verifiedLog(world: World): readonly LoggedEvent[] {
  const exporter = join(import.meta.dirname, 'children/export-child.ts');
  const exported = spawnSync(
    process.execPath,
    ['--conditions=ccdash-source', exporter, world.state],
    { encoding: 'utf8', maxBuffer: 1 << 28 },
  );
  expect(exported.stderr).toBe('');
  const file = join(world.folder, 'log.ndjson');
  writeFileSync(file, exported.stdout);
  const verified = spawnSync(process.execPath, [VERIFIER, file], { encoding: 'utf8' });
  expect(`${verified.stdout}${verified.stderr}`.trim()).toMatch(/\d+ entries|size/i);
  expect(verified.status).toBe(0);
  return exported.stdout
    .split('\n')
    .filter((line) => line.startsWith('{"type":"event"'))
    .map((line) => JSON.parse((JSON.parse(line) as { readonly body: string }).body) as LoggedEvent);
}

function expectNothingLost(world: World, log: readonly LoggedEvent[]): void {
  for (const [position, type] of world.acknowledged) expect(log[position]?.type).toBe(type);
}

/** Attempts of a step in which a program may have run: those with a spool of their own. */
function executionsOf(world: World, log: readonly LoggedEvent[], step: string): number {
  const runId = log.find((event) => event.type === 'RunCreated')?.runId ?? '';
  const folder = join(world.state, 'attempts', runId, step);
  if (!existsSync(folder)) return 0;
  return readdirSync(folder).filter((name) => existsSync(join(folder, name, 'spool'))).length;
}

/** Times the log lets a step begin again after something of it may have run. */
function restartsOf(log: readonly LoggedEvent[], step: string): number {
  const again = ['resume', 'retry', 'invalidated'];
  return log.filter(
    ({ type, data }) =>
      data.step === step &&
      (type === 'AttemptRetrying' || (type === 'StepRequeued' && again.includes(data.cause ?? ''))),
  ).length;
}

function workspaceFile(world: World, log: readonly LoggedEvent[], path: string): string {
  const runId = log.find((event) => event.type === 'RunCreated')?.runId ?? '';
  return readFileSync(join(world.state, 'workspaces', runId, 'tree', path), 'utf8');
}

const EVERY_KIND = `
version: 1
name: every kind of step
scope: { tools: [read, edit, exec], write: ['**'] }
setup: { run: ['echo setup >> log.txt'] }
steps:
  - id: write
    run: |
      echo write >> log.txt
      echo answer=42 >> "$CCDASH_OUTPUT"
  - id: check
    validate:
      - exit: { step: write, equals: 0 }
      - file: { path: log.txt, matches: '^write$' }
  - id: think
    agent: scripted
    prompt: Write it down.
  - id: ask
    approve: Go on?
  - id: look
    run: test "$ANSWER" = 42 && cat log.txt
    scope: { write: [] }
    env: { from: { ANSWER: write.answer } }
  - id: last
    run: echo last >> log.txt
`;

const AGENT_SCRIPT = `
version: 1
scripts:
  - turns:
      - say: I write it down.
        calls: [{ write: { path: thought.txt, content: "thought\\n" } }]
      - say: It is written.
`;

const STEPS = ['setup', 'write', 'think', 'look', 'last'];

describe('an engine killed at a crash point', () => {
  test('[EN6] loses nothing and repeats nothing, whichever point it is', async () => {
    const whole = newWorld(EVERY_KIND);
    const { ended, points } = await live(whole, {});
    expect(ended).toBe('succeeded');
    expect(points).toBeGreaterThan(20);
    const todo = Array.from({ length: points }, (_, index) => index + 1);
    const worker = async (): Promise<void> => {
      for (let at = todo.shift(); at !== undefined; at = todo.shift()) {
        const world = newWorld(EVERY_KIND);
        const first = await live(world, { crashAt: at });
        // The number of points may differ by one or two between runs: facts come in other batches.
        if (first.ended === null) expect((await live(world, {})).ended).toBe('succeeded');
        const log = verifiedLog(world);
        expectNothingLost(world, log);
        for (const step of STEPS) {
          expect([at, step, executionsOf(world, log, step)]).toEqual([at, step, 1]);
        }
        expect(workspaceFile(world, log, 'log.txt')).toBe('begin\nsetup\nwrite\nlast\n');
        expect(workspaceFile(world, log, 'thought.txt')).toBe('thought\n');
        killHost(world);
      }
    };
    await Promise.all([worker(), worker()]);
  }, 900_000);
});

function longPlan(steps: number): string {
  const lines = Array.from({ length: steps }, (_, index) => {
    const id = `s${String(index)}`;
    // Every third one goes on by itself when its host is lost; the others wait to be resumed.
    const way = index % 3 === 0 ? '\n    onInterrupt: retry' : '';
    return `  - id: ${id}\n    run: echo ${id} >> log.txt${way}`;
  });
  return `version: 1\nname: long\nscope: { tools: [exec], write: ['**'] }\nsteps:\n${lines.join('\n')}\n`;
}

describe('engines and hosts killed at random', () => {
  test(`[EN7] ${String(KILLS)} kills, seed ${String(SEED)}: nothing lost, nothing repeated unasked`, async () => {
    const random = randomNumbers(SEED);
    let kills = 0;
    const worker = async (): Promise<void> => {
      while (kills < KILLS) {
        const steps = 25;
        const world = newWorld(longPlan(steps));
        let ended: string | null = null;
        while (ended === null) {
          const at = 1 + Math.floor(random() * 8);
          const target = random();
          const mayKill = kills < KILLS;
          if (mayKill) kills += 1;
          const life = await live(world, {
            onEvent: (count) => {
              if (!mayKill || count !== at) return 'go on';
              if (target < 0.3) killHost(world);
              return target < 0.15 ? 'go on' : 'kill';
            },
          });
          ended = life.ended;
        }
        expect(ended).toBe('succeeded');
        const log = verifiedLog(world);
        expectNothingLost(world, log);
        for (let index = 0; index < steps; index += 1) {
          const step = `s${String(index)}`;
          const executions = executionsOf(world, log, step);
          expect(executions).toBeGreaterThanOrEqual(1);
          expect(executions).toBeLessThanOrEqual(1 + restartsOf(log, step));
        }
        const lines = workspaceFile(world, log, 'log.txt').trim().split('\n');
        expect(new Set(lines).size).toBe(steps + 1);
        killHost(world);
      }
    };
    await Promise.all([worker(), worker()]);
  }, 1_800_000);
});
