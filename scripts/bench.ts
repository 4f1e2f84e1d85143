/**
 * The figures of the product, one table, measured beside what the disk under them can do: one fdatasync an event, same
 * file system, same run.
 */
import { spawnSync } from 'node:child_process';
import {
  appendFileSync,
  closeSync,
  fdatasyncSync,
  mkdtempSync,
  openSync,
  realpathSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decide, foldRun } from '@ccdash/core';
import type {
  Actor,
  Checkpoint,
  CommandContext,
  CommandStep,
  EventStore,
  Json,
  Plan,
  PolicyVerdict,
  RunCommand,
  RunEvent,
  RunState,
} from '@ccdash/core';
import { decodeRunEvent } from '@ccdash/api';
import { shippedPolicy } from '../packages/server/src/policy/project-policy.ts';
import { classifyCommand } from '../packages/server/src/risk/classify-command.ts';
import { benchGateway } from './bench-gateway.ts';
import { recommend } from '../packages/server/src/features/model/recommend.ts';
import { createFeatureIndex } from '../packages/server/src/features/feature-index.ts';
import { openSqliteEventStore } from '../packages/server/src/store/sqlite-event-store.ts';
import { writeFeatureDocuments } from '../packages/server/test/feature-documents.ts';
import { repository } from './setup.mjs';

const ACTOR: Actor = { kind: 'engine', id: 'bench' };
const CHECKPOINT: Checkpoint = { commit: 'c'.repeat(40), tree: 't'.repeat(40) };
const DIGEST = `sha256:${'d'.repeat(64)}`;
const VERDICT: PolicyVerdict = {
  verdict: 'allow',
  why: [{ rule: 'base', text: 'sandboxed, no network, inside the scope' }],
  requires: { roles: [], people: [], count: 1, excludeRequester: false, assurance: 'session' },
  policyDigest: DIGEST,
  risk: 'low',
};

interface Row {
  readonly figure: string;
  readonly value: string;
  readonly target: string;
}

const rows: Row[] = [];
const folder = realpathSync(
  mkdtempSync(join(process.env['CCDASH_BENCH_DIR'] ?? tmpdir(), 'ccdash-bench-')),
);

function quantiles(samples: readonly number[]): { p50: number; p95: number; max: number } {
  const sorted = samples.toSorted((a, b) => a - b);
  const at = (share: number): number => sorted[Math.floor((sorted.length - 1) * share)] ?? NaN;
  return { p50: at(0.5), p95: at(0.95), max: at(1) };
}

function row(figure: string, value: string, target = ''): void {
  rows.push({ figure, value, target });
}

function ms(value: number): string {
  return `${value.toFixed(2)} ms`;
}

/** One fdatasync for each event-sized write to one growing file. */
function rawDisk(count: number): { p50: number; p95: number } {
  const file = openSync(join(folder, 'raw'), 'w');
  const bytes = Buffer.alloc(700, 'x');
  const samples: number[] = [];
  for (let index = 0; index < count; index += 1) {
    const start = performance.now();
    writeSync(file, bytes);
    fdatasyncSync(file);
    samples.push(performance.now() - start);
  }
  closeSync(file);
  return quantiles(samples);
}

function commandStep(id: string, needs: readonly string[]): CommandStep {
  return {
    id,
    kind: 'command',
    needs,
    when: null,
    risk: null,
    scope: { tools: ['exec'], write: [], network: 'none' },
    timeoutMs: null,
    retry: { attempts: 1, backoffMs: 0 },
    onInterrupt: 'ask',
    env: { profile: 'minimal', set: {}, from: {} },
    secrets: [],
    artifacts: [],
    program: { argv: ['true'] },
    cwd: '.',
    expectedExitCodes: [0],
    copy: [],
  };
}

function chain(steps: number): Plan {
  return {
    version: 1,
    name: 'bench',
    feature: null,
    context: { prd: null, plan: null, progress: [], sessions: [], docs: [] },
    inputs: {},
    scope: { tools: ['exec'], write: [], network: 'none' },
    budget: { usd: null, tokens: null, timeMs: null, turns: null },
    concurrency: 4,
    onFailure: 'continue',
    steps: Array.from({ length: steps }, (_, index) =>
      commandStep(`s${String(index)}`, index === 0 ? [] : [`s${String(index - 1)}`]),
    ),
  };
}

/** Drives one run through the decider and the log alone. */
class Driver {
  state: RunState | null = null;
  readonly store: EventStore;
  readonly runId: string;

  constructor(store: EventStore, runId: string) {
    this.store = store;
    this.runId = runId;
  }

  async apply(command: RunCommand): Promise<void> {
    const nowMs = Date.now();
    const context: CommandContext = { at: new Date(nowMs).toISOString(), nowMs, actor: ACTOR };
    const decided = decide(this.runId, this.state, command, context);
    if (!decided.ok) throw new Error(JSON.stringify(decided.error));
    const { events, state } = decided.value;
    const appended = await this.store.append({
      runId: this.runId,
      expectedSequence: this.state?.sequence ?? 0,
      events: events.map((event) => ({ ...event, data: event.data as unknown as Json })),
    });
    if (!appended.ok) throw new Error(JSON.stringify(appended.error));
    this.state = state;
  }

  async begin(plan: Plan): Promise<void> {
    await this.apply({
      type: 'CreateRun',
      created: {
        planId: 'plan_bench',
        revision: 1,
        digest: DIGEST,
        plan,
        feature: null,
        inputs: {},
        baseCommit: CHECKPOINT.commit,
        policyDigest: DIGEST,
        requesterRoles: [],
      },
    });
    await this.apply({ type: 'StartRun', started: { checkpoint: CHECKPOINT, notCarried: [] } });
  }

  async start(step: string): Promise<void> {
    await this.apply({
      type: 'EvaluateStep',
      step,
      evaluation: {
        outcome: 'start',
        subject: {},
        subjectDigest: DIGEST,
        verdict: VERDICT,
        approvalId: 'apr_unused',
        expiresAtMs: null,
      },
    });
    await this.apply({
      type: 'StartStep',
      step,
      checkpoint: CHECKPOINT.commit,
      subjectDigest: DIGEST,
      verdict: VERDICT,
      epoch: 1,
      sandbox: 'bubblewrap',
      session: null,
      versions: null,
    });
  }

  async end(step: string): Promise<void> {
    await this.apply({
      type: 'EndAttempt',
      step,
      attempt: 1,
      epoch: 1,
      end: {
        outcome: 'succeeded',
        exitCode: 0,
        checkpoint: CHECKPOINT,
        outputs: {},
        output: { bytes: 10, sha256: 'e'.repeat(64), tail: ['done'] },
        usage: null,
        checks: [],
        artifacts: [],
        changedPaths: 0,
      },
    });
  }
}

function openStore(name: string): EventStore & { close(): void } {
  const opened = openSqliteEventStore({
    path: join(folder, name, 'log.db'),
    keyDir: join(folder, name),
    origin: 'ccdash-bench',
  });
  if (!opened.ok) throw new Error(JSON.stringify(opened.error));
  return opened.value;
}

/** Outcome known → the next step's start event durable, through the decider and the log: three appends. */
async function transitions(driver: Driver, count: number): Promise<number[]> {
  const samples: number[] = [];
  await driver.start('s0');
  for (let index = 0; index + 1 < count; index += 1) {
    const begin = performance.now();
    await driver.end(`s${String(index)}`);
    await driver.start(`s${String(index + 1)}`);
    samples.push(performance.now() - begin);
  }
  return samples;
}

async function logAndDecider(): Promise<void> {
  const disk = rawDisk(2000);
  row('raw disk: write + fdatasync', `p50 ${ms(disk.p50)}, p95 ${ms(disk.p95)}`);
  const store = openStore('log');
  const appendSamples: number[] = [];
  for (let index = 0; index < 2000; index += 1) {
    const begin = performance.now();
    const at = new Date().toISOString();
    const data = { note: 'x'.repeat(300) };
    await store.append({
      runId: null,
      expectedSequence: null,
      events: [{ type: 'BenchNoted', at, actor: ACTOR, data }],
    });
    appendSamples.push(performance.now() - begin);
  }
  const append = quantiles(appendSamples);
  row(
    'append of one event, sequential',
    `p50 ${ms(append.p50)}, p95 ${ms(append.p95)} (${(append.p95 / disk.p95).toFixed(1)} × disk)`,
    'p95 ≤ 4 × disk',
  );
  const steps = 500;
  const single = new Driver(store, 'run_single');
  await single.begin(chain(steps));
  const one = quantiles(await transitions(single, steps));
  row(
    'step transition (3 commits), sequential',
    `p50 ${ms(one.p50)}, p95 ${ms(one.p95)} (${(one.p95 / 3 / disk.p95).toFixed(1)} × disk a commit)`,
    'p95 ≤ 4 × disk a commit',
  );
  const drivers = Array.from(
    { length: 20 },
    (_, index) => new Driver(store, `run_${String(index)}`),
  );
  await Promise.all(drivers.map((driver) => driver.begin(chain(200))));
  const begin = performance.now();
  const all = await Promise.all(drivers.map((driver) => transitions(driver, 200)));
  const seconds = (performance.now() - begin) / 1000;
  const together = quantiles(all.flat());
  // A step's way is three transitions of its status: succeeded, ready, running.
  const perSecond = (all.flat().length * 3) / seconds;
  row('step transition, 20 runs at once', `p50 ${ms(together.p50)}, p95 ${ms(together.p95)}`);
  row('transitions a second, 20 runs at once', perSecond.toFixed(0), '≥ 5,000');
  store.close();
}

async function resume(): Promise<void> {
  const store = openStore('resume');
  const stepsPerRun = 500;
  // Three events a step, two a run.
  const runs = Math.ceil(100_000 / (stepsPerRun * 3 + 2));
  const plan = chain(stepsPerRun);
  await Promise.all(
    Array.from({ length: runs }, async (_, index) => {
      const driver = new Driver(store, `run_${String(index)}`);
      await driver.begin(plan);
      // The last ten stop in the middle, as a crash would leave them.
      const steps = index < runs - 10 ? plan.steps : plan.steps.slice(0, stepsPerRun / 2);
      for (const step of steps) {
        await driver.start(step.id);
        await driver.end(step.id);
      }
    }),
  );
  const size = store.size();
  store.close();
  const begin = performance.now();
  const again = openStore('resume');
  const opened = performance.now();
  row('opening a log', `${String(size)} events: ${(opened - begin).toFixed(0)} ms`);
  const unfinished = again.runIds().filter((runId) => again.lastOf(runId)?.type !== 'RunEnded');
  for (const runId of unfinished) foldRun(runId, decoded(again, runId));
  const resumed = performance.now();
  row(
    `resume: open it and fold the ${String(unfinished.length)} unfinished runs`,
    `${(resumed - begin).toFixed(0)} ms`,
    '< 500 ms',
  );
  for (const runId of again.runIds()) foldRun(runId, decoded(again, runId));
  const folded = performance.now();
  row('folding every run as well', `${String(size)} events: ${(folded - resumed).toFixed(0)} ms`);
  again.close();
}

async function features(): Promise<void> {
  const projectDir = join(folder, 'documents');
  const { documents, features: count } = writeFeatureDocuments(projectDir, 5000, 1);
  const options = { projectDir, cacheFile: join(folder, 'features.json') };
  const index = createFeatureIndex(options);
  const begin = performance.now();
  const { features: found } = await index.list();
  const cold = performance.now();
  row(`${String(documents)} documents read`, ms(cold - begin), '< 5 s');
  appendFileSync(join(projectDir, '.claude/worknotes/feature-1-v1/notes.md'), 'more');
  const changed = performance.now();
  await index.list();
  row('a changed document is seen', ms(performance.now() - changed), '< 500 ms');
  const again = performance.now();
  await createFeatureIndex(options).list();
  row('the same after a restart', ms(performance.now() - again), '< 300 ms');
  const views = await Promise.all(found.map(({ slug }) => index.find(slug)));
  const asked = performance.now();
  for (const view of views) if (view !== null) recommend(view);
  const each = (performance.now() - asked) / count;
  row('a recommendation', ms(each), '< 50 ms');
}

function* decoded(store: EventStore, runId: string): Iterable<RunEvent> {
  for (const stored of store.readRun(runId)) {
    const event = decodeRunEvent(stored);
    if (!event.ok) throw new Error(event.error.detail);
    yield event.value;
  }
}

async function largeRun(): Promise<void> {
  const script = `
    import { measureLargeRun } from ${JSON.stringify(import.meta.url)};
    await measureLargeRun();`;
  const done = spawnSync(
    process.execPath,
    // As the command line starts a server.
    ['--conditions=ccdash-source', '--max-semi-space-size=4', '--input-type=module', '-e', script],
    {
      encoding: 'utf8',
      env: {
        ...process.env,
        ...{ MALLOC_ARENA_MAX: '2', MALLOC_MMAP_THRESHOLD_: '65536' },
        CCDASH_BENCH_PART: 'large-run',
      },
    },
  );
  row('memory with a run of 10,000 steps', done.stdout.trim() || done.stderr.trim(), '≤ 200 MB');
  await Promise.resolve();
}

/** In a process of its own: the whole run through the decider and the log, then the resident size. */
export async function measureLargeRun(): Promise<void> {
  const store = openStore('large');
  const driver = new Driver(store, 'run_large');
  const plan = chain(10_000);
  await driver.begin(plan);
  const begin = performance.now();
  for (const step of plan.steps) {
    await driver.start(step.id);
    await driver.end(step.id);
  }
  const seconds = (performance.now() - begin) / 1000;
  const megabytes = process.memoryUsage().rss / 1e6;
  process.stdout.write(`${megabytes.toFixed(0)} MB, ${seconds.toFixed(0)} s\n`);
  store.close();
  rmSync(folder, { recursive: true, force: true });
}

async function product(): Promise<void> {
  // Not for the part that measures memory.
  const { measureProduct } = await import('./bench-product.ts');
  const { p50, p95 } = quantiles(await measureProduct(join(folder, 'product'), 60));
  row(
    'step transition, whole product (policy, sandbox, checkpoint)',
    `p50 ${p50.toFixed(0)} ms, p95 ${p95.toFixed(0)} ms`,
    'p95 < 100 ms',
  );
}

async function recovery(): Promise<void> {
  const { measureRecovery } = await import('./bench-product.ts');
  const { p50, p95 } = quantiles(await measureRecovery(join(folder, 'recovery'), 33));
  row(
    'time to recover: a host is killed, the next attempt starts',
    `p50 ${p50.toFixed(0)} ms, p95 ${p95.toFixed(0)} ms`,
    'p95 < 1 s',
  );
}

/** A command looked through and judged, each one another: nothing of it is remembered. */
function policy(): void {
  const shipped = shippedPolicy();
  const judge = (script: string): void => {
    const { effects } = classifyCommand({ script });
    shipped.evaluate({
      action: 'start',
      stepKind: 'command',
      tools: ['exec'],
      runTools: ['read', 'edit', 'search', 'exec'],
      writes: true,
      network: false,
      secrets: false,
      sandboxed: true,
      effects,
      risk: 'low',
      requester: 'bench',
      actor: { kind: 'person', id: 'bench', roles: ['operator', 'approver', 'admin'] },
      weakens: false,
      absolute: false,
      scope: { tools: ['exec'], write: ['src/**', 'test/**'], network: 'none' },
    });
  };
  const commands = ['npm test', 'git push origin HEAD', 'rm -rf dist && make -j4 | tee log.txt'];
  for (let index = 0; index < 50; index += 1) judge(commands[index % 3] ?? '');
  const samples: number[] = [];
  for (let index = 0; index < 1000; index += 1) {
    const begin = performance.now();
    judge(`${commands[index % 3] ?? ''}; echo ${String(index)}`);
    samples.push(performance.now() - begin);
  }
  const { p50, p95 } = quantiles(samples);
  row('policy: parse a command and judge it', `p50 ${ms(p50)}, p95 ${ms(p95)}`, 'p95 < 5 ms');
}

function commandLine(): void {
  const cli = join(repository, 'packages/server/dist/cli.js');
  const samples: number[] = [];
  for (let index = 0; index < 15; index += 1) {
    const begin = performance.now();
    const done = spawnSync(process.execPath, [cli, '--help']);
    if (done.status !== 0) {
      row('ccdash --help', 'not built: npm run build', '< 150 ms');
      return;
    }
    samples.push(performance.now() - begin);
  }
  const { p50, p95 } = quantiles(samples);
  row(
    'ccdash --help, built, no relaunch',
    `p50 ${p50.toFixed(0)} ms, p95 ${p95.toFixed(0)} ms`,
    '< 150 ms',
  );
}

async function gateway(): Promise<void> {
  const { direct, through } = await benchGateway(folder);
  const [without, added] = [quantiles(direct), quantiles(through)];
  row(
    'model gateway: first byte of an answer, beside none',
    `p50 +${ms(added.p50 - without.p50)}, p95 +${ms(added.p95 - without.p95)}`,
    'p95 < 5 ms',
  );
}

function print(): void {
  const width = Math.max(...rows.map(({ figure }) => figure.length));
  const valueWidth = Math.max(...rows.map(({ value }) => value.length));
  for (const { figure, value, target } of rows) {
    process.stdout.write(`${figure.padEnd(width)}  ${value.padEnd(valueWidth)}  ${target}\n`);
  }
}

/** Parts by name, to measure one alone: `npm run bench -- product`. */
const PARTS: Readonly<Record<string, () => void | Promise<void>>> = {
  log: logAndDecider,
  product,
  recovery,
  resume,
  features,
  memory: largeRun,
  policy,
  gateway,
  cli: commandLine,
};

if (process.env['CCDASH_BENCH_PART'] === undefined) {
  const asked = process.argv.slice(2);
  for (const [name, part] of Object.entries(PARTS)) {
    if (asked.length === 0 || asked.includes(name)) await part();
  }
  print();
  rmSync(folder, { recursive: true, force: true });
}
