/**
 * Plans nobody thought of, on everything real (programs, sandbox, git, the log on disk), with everything going wrong that
 * can: engines and hosts killed and stopped, clocks set forth and back, a log that takes no events for a while, a model
 * that is busy, a person who pauses, goes back and cancels. Each run must come to an allowed end, with the files that its
 * plan says, and with a history that `check-history.ts` finds nothing wrong with.
 *
 * `npm run chaos` makes 2,000 runs; CCDASH_CHAOS_RUNS says another number. A failure tells its seed: CCDASH_SEED.
 */
import { spawn, spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
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
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, test } from 'vitest';
import { chaosPlan } from './chaos/chaos-plan.ts';
import type { ChaosPlan } from './chaos/chaos-plan.ts';
import { endOf, historyViolations, interruptionsOf } from './chaos/check-history.ts';
import type { LoggedEvent } from './chaos/check-history.ts';
import { between, randomNumbers } from './random-numbers.ts';
import type { Random } from './random-numbers.ts';

const CHILD = join(import.meta.dirname, 'children/chaos-child.ts');
const EXPORTER = join(import.meta.dirname, 'children/export-child.ts');
const VERIFIER = join(import.meta.dirname, '../assets/verify-log.mjs');
const COMPILE_CACHE = join(tmpdir(), 'ccdash-crash-compile-cache');
const MANY = process.env['npm_lifecycle_event'] === 'chaos' ? 2_000 : 60;
const RUNS = Number(process.env['CCDASH_CHAOS_RUNS'] ?? String(MANY));
/** What CI runs is the same each time; more runs are others each time. */
const FIRST_SEED = RUNS > 60 ? Date.now() % 1_000_000 : 1;
const SEED = Number(process.env['CCDASH_SEED'] ?? String(FIRST_SEED));
/** Runs beside each other in one project. */
const BESIDE = 5;
/** Faults a project meets at most; then it is left to come to its end. */
const MOST_FAULTS = 6;
const MOST_STEPS = 40;

interface World {
  readonly folder: string;
  readonly project: string;
  readonly state: string;
  readonly plans: string;
  readonly chaos: readonly ChaosPlan[];
  /** What was said to be durable: type by position. */
  readonly acknowledged: Map<number, string>;
  /** Refusals to go on. */
  readonly refused: string[];
  readonly said: string[];
}

function newWorld(random: Random): World {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'ccdash-chaos-')));
  const project = join(folder, 'project');
  const plans = join(folder, 'plans');
  mkdirSync(plans);
  spawnSync('git', ['init', '--quiet', '--initial-branch=main', project]);
  writeFileSync(join(project, 'begin.txt'), 'begin\n');
  const identity = ['-c', 'user.name=T', '-c', 'user.email=t@localhost', '-C', project];
  for (const args of [
    ['add', '--all'],
    ['commit', '--quiet', '--message', 'begin'],
  ]) {
    const done = spawnSync('git', [...identity, ...args], { encoding: 'utf8' });
    if (done.status !== 0) throw new Error(done.stderr);
  }
  const chaos = Array.from({ length: BESIDE }, (_, index) =>
    // Most are small, so that there are many; some have all the steps that a plan may have here.
    chaosPlan(random, `p${String(index)}`, index === 0 ? MOST_STEPS : 12),
  );
  for (const { name, yaml } of chaos) writeFileSync(join(plans, `${name}.yaml`), yaml);
  const scripts = chaos.flatMap((plan) => plan.scripts);
  const idle = '  - turns: [{ say: Nothing. }]';
  writeFileSync(
    join(folder, 'model.yaml'),
    `version: 1\nscripts:\n${[...scripts, idle].join('\n')}\n`,
  );
  const state = join(folder, 'state');
  return { folder, project, state, plans, chaos, acknowledged: new Map(), refused: [], said: [] };
}

interface Lease {
  readonly host: { readonly pid: number; readonly startedTicks: string };
}

/** Processes that work for attempts, of which the leases tell. */
function hostPids(world: World): readonly number[] {
  const attempts = join(world.state, 'attempts');
  // Run, step, attempt: folders of attempts come and go meanwhile.
  const leases = entriesOf(attempts)
    .flatMap(entriesOf)
    .flatMap(entriesOf)
    .map((attempt) => join(attempt, 'lease.json'));
  return [join(world.state, 'pool', 'lease.json'), ...leases].flatMap((path) => {
    try {
      const { host } = JSON.parse(readFileSync(path, 'utf8')) as Lease;
      const stat = readFileSync(`/proc/${String(host.pid)}/stat`, 'latin1');
      const ticks = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
      return ticks === host.startedTicks ? [host.pid] : [];
    } catch {
      // It has ended, or is about to begin.
      return [];
    }
  });
}

function entriesOf(folder: string): readonly string[] {
  try {
    return readdirSync(folder).map((name) => join(folder, name));
  } catch {
    // It is not there, or not there any more.
    return [];
  }
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
}

const FAULTS = [
  'kill',
  'kill',
  'kill-host',
  'kill-host',
  'kill-both',
  'stop',
  'lock',
  'clock',
] as const;

/** One life of an engine, with a fault in it; true when every run has come to its end. */
async function live(world: World, random: Random, mayFail: boolean): Promise<boolean> {
  const fault = mayFail ? FAULTS[Math.floor(random() * FAULTS.length)] : undefined;
  const at = between(random, fault === 'kill-host' ? 8 : 1, 60);
  const offMs = fault === 'clock' ? between(random, -3_600_000, 3_600_000) : 0;
  const args = ['--conditions=ccdash-source', '--disable-warning=ExperimentalWarning', CHILD];
  const child = spawn(
    process.execPath,
    [
      ...args,
      world.project,
      world.state,
      world.plans,
      String(between(random, 1, 1e9)),
      String(offMs),
    ],
    {
      env: {
        ...process.env,
        CCDASH_SCRIPTED_MODEL: join(world.folder, 'model.yaml'),
        NODE_COMPILE_CACHE: COMPILE_CACHE,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  const closed = new Promise<void>((resolve) => child.on('close', () => resolve()));
  let complaints = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (complaints += text));
  let events = 0;
  let hasEnded = false;
  for await (const line of createInterface({ input: child.stdout })) {
    const [word = '', first = '', second = '', third = ''] = line.split(' ');
    if (word === 'EVENT') {
      world.acknowledged.set(Number(first), third);
      events += 1;
      if (events === at || (fault === 'kill-host' && events % at === 0))
        await inject(world, fault, child.pid ?? 0);
    } else if (word === 'RESUME' && second !== 'ok') world.refused.push(line);
    else if (word === 'ENDED') hasEnded = true;
    else if (word === 'FAILED') throw new Error(line);
    else if (word === 'SAYS') world.said.push(line);
  }
  await closed;
  if (!hasEnded && child.signalCode !== 'SIGKILL') {
    throw new Error(`the engine ended by itself: ${world.said.join('\n')}\n${complaints}`);
  }
  return hasEnded;
}

async function inject(
  world: World,
  fault: (typeof FAULTS)[number] | undefined,
  engine: number,
): Promise<void> {
  switch (fault) {
    case undefined:
      return;
    case 'kill':
    case 'clock':
      signal(engine, 'SIGKILL');
      return;
    case 'kill-host':
      // What has just begun is at work by then.
      await new Promise((resolve) => setTimeout(resolve, 150));
      for (const pid of hostPids(world)) signal(pid, 'SIGKILL');
      return;
    case 'kill-both':
      for (const pid of [...hostPids(world), engine]) signal(pid, 'SIGKILL');
      return;
    case 'stop': {
      const all = [engine, ...hostPids(world)];
      for (const pid of all) signal(pid, 'SIGSTOP');
      await new Promise((resolve) => setTimeout(resolve, 700));
      for (const pid of all) signal(pid, 'SIGCONT');
      return;
    }
    case 'lock': {
      // Another program that writes to the database: the engine is refused until it is done.
      const other = new DatabaseSync(join(world.state, 'log.db'));
      other.exec('PRAGMA busy_timeout = 2000; BEGIN IMMEDIATE');
      await new Promise((resolve) => setTimeout(resolve, 700));
      other.exec('ROLLBACK');
      other.close();
    }
  }
}

/** The log as it is on disk, verified by the script that anybody can run. */
function verifiedLog(world: World): readonly LoggedEvent[] {
  const args = ['--conditions=ccdash-source', EXPORTER, world.state];
  const exported = spawnSync(process.execPath, args, { encoding: 'utf8', maxBuffer: 1 << 28 });
  if (exported.status !== 0) throw new Error(exported.stderr);
  const file = join(world.folder, 'log.ndjson');
  writeFileSync(file, exported.stdout);
  const verified = spawnSync(process.execPath, [VERIFIER, file], { encoding: 'utf8' });
  if (verified.status !== 0) throw new Error(`${verified.stdout}${verified.stderr}`);
  return exported.stdout
    .split('\n')
    .filter((line) => line.startsWith('{"type":"event"'))
    .map((line) => JSON.parse((JSON.parse(line) as { readonly body: string }).body) as LoggedEvent);
}

/** Attempts that something was launched for, and of which the log knows nothing. */
function unannounced(world: World, runId: string, log: readonly LoggedEvent[]): readonly string[] {
  const folder = join(world.state, 'attempts', runId);
  if (!existsSync(folder)) return [];
  const announced = new Set(
    log
      .filter(({ type }) => type === 'AttemptStarted')
      .map(({ data }) => `${data.step ?? ''}/${String(data.attempt)}`),
  );
  return readdirSync(folder).flatMap((step) =>
    readdirSync(join(folder, step))
      .map((number) => `${step}/${number}`)
      .filter((attempt) => !announced.has(attempt)),
  );
}

/** Sentences about what is wrong with a world whose runs have ended, and what there was in it. */
function judge(world: World): {
  readonly wrong: readonly string[];
  readonly interrupted: number;
  readonly joined: number;
  readonly events: number;
} {
  const log = verifiedLog(world);
  const wrong = [...world.refused.map((line) => `it did not go on: ${line}`)];
  for (const [position, type] of world.acknowledged) {
    if (log[position]?.type !== type) wrong.push(`event ${String(position)} ${type} is gone`);
  }
  const byRun = Map.groupBy(log, ({ runId }) => runId ?? '');
  byRun.delete('');
  const created = [...byRun.values()].length;
  if (created !== world.chaos.length) wrong.push(`${String(created)} runs were made`);
  let interrupted = 0;
  const joined = log.filter(({ type }) => type === 'WorkJoined').length;
  for (const [runId, events] of byRun) {
    const name = events[0]?.data.plan?.name ?? '';
    wrong.push(...historyViolations(events).map((what) => `${name} ${what}`));
    wrong.push(...unannounced(world, runId, events).map((what) => `${name}: nobody began ${what}`));
    if (interruptionsOf(events) > 0) interrupted += 1;
    const end = endOf(events);
    if (end === 'canceled') continue;
    if (end !== 'succeeded') wrong.push(`${name} is ${end}`);
    const plan = world.chaos.find((each) => each.name === name);
    for (const [path, content] of plan?.files ?? []) {
      const file = join(world.state, 'workspaces', runId, 'tree', path);
      const found = existsSync(file) ? readFileSync(file, 'utf8') : null;
      if (found !== content) wrong.push(`${name}: ${path} is ${JSON.stringify(found)}`);
    }
  }
  return { wrong, interrupted, joined, events: log.length };
}

describe('plans that nobody thought of, with everything going wrong', () => {
  const worlds = Math.ceil(RUNS / BESIDE);
  test(`[CH1] ${String(worlds * BESIDE)} runs, seed ${String(SEED)}: every one goes on and comes to its end, as its plan says`, async () => {
    const todo = Array.from({ length: worlds }, (_, index) => SEED + index);
    const sum = { interrupted: 0, joined: 0, events: 0, failed: 0 };
    const wrong: string[] = [];
    const worker = async (): Promise<void> => {
      for (let seed = todo.shift(); seed !== undefined; seed = todo.shift()) {
        const random = randomNumbers(seed);
        const world = newWorld(random);
        let faults = between(random, 2, MOST_FAULTS);
        while (!(await live(world, random, faults > 0))) faults -= 1;
        const judged = judge(world);
        sum.interrupted += judged.interrupted;
        sum.events += judged.events;
        sum.joined += judged.joined;
        if (world.refused.length > 0) sum.failed += 1;
        if (judged.wrong.length > 0) {
          const about = `seed ${String(seed)} in ${world.folder}`;
          wrong.push(...judged.wrong.map((what) => `${about}: ${what}`), ...world.said);
        }
        for (const pid of hostPids(world)) signal(pid, 'SIGKILL');
        if (judged.wrong.length === 0) rmSync(world.folder, { recursive: true, force: true });
      }
    };
    await Promise.all([worker(), worker()]);
    const success =
      sum.interrupted === 0 ? 100 : (100 * (sum.interrupted - sum.failed)) / sum.interrupted;
    process.stdout.write(
      `chaos: ${String(worlds * BESIDE)} runs, ${String(sum.events)} events, ${String(sum.joined)} joins, ${String(sum.interrupted)} interrupted, resume success ${success.toFixed(1)} %\n`,
    );
    expect(wrong).toEqual([]);
    expect(success).toBe(100);
  }, 14_400_000);
});
