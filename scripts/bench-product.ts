/**
 * The whole product: a real repository, the shipped policy, the sandbox, the attempt host, and a checkpoint of what each
 * step has changed. The way from one command step to the next, and from a step that lost its host to its next attempt.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { parsePlan } from '@ccdash/api/plan';
import type { StoredEvent } from '@ccdash/core';
import { openWorkbench } from '../packages/server/src/app.ts';
import type { Caller, Workbench } from '../packages/server/src/base/workbench.ts';

const FILES = 400;
/** The first steps start the host and fill caches. */
const WARM_UP = 3;
const OWNER: Caller = {
  actor: { kind: 'person', id: 'bench' },
  roles: ['viewer', 'operator', 'approver', 'admin'],
  assurance: 'session',
};

/** Milliseconds from the moment the host knew how a step ended to the durable start of the next one. */
export async function measureProduct(folder: string, steps: number): Promise<readonly number[]> {
  const projectDir = join(folder, 'project');
  const stateDir = join(folder, 'state');
  makeProject(projectDir);
  const opened = await openWorkbench({ projectDir, stateDir });
  if (!opened.ok) throw new Error(opened.error.message);
  const { workbench } = opened.value;
  const startedAtMs: number[] = [];
  let end = (): void => undefined;
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });
  workbench.subscribe(({ type }: StoredEvent) => {
    // Subscribers hear of an event once it is durable.
    if (type === 'AttemptStarted') startedAtMs.push(Date.now());
    if (type === 'RunEnded') end();
  });
  const runId = await launch(workbench, planOf(steps));
  await ended;
  const status = workbench.run(runId)?.status;
  await opened.value.close();
  endHost(stateDir);
  if (status !== 'succeeded') throw new Error(`the run ended as ${String(status)}`);
  return startedAtMs
    .slice(1)
    .map((startedMs, index) => startedMs - endedAtMs(stateDir, runId, `s${String(index)}`))
    .slice(WARM_UP);
}

/**
 * Milliseconds from the moment a host is killed under a step to the durable start of the attempt that takes over: noticed,
 * recorded as interrupted, decided by the plan, its files set back, and judged by the policy again.
 */
export async function measureRecovery(folder: string, times: number): Promise<readonly number[]> {
  const projectDir = join(folder, 'project');
  const stateDir = join(folder, 'state');
  makeProject(projectDir);
  const opened = await openWorkbench({ projectDir, stateDir });
  if (!opened.ok) throw new Error(opened.error.message);
  const { workbench } = opened.value;
  const started: ((atMs: number) => void)[] = [];
  let end = (): void => undefined;
  workbench.subscribe(({ type }: StoredEvent) => {
    if (type === 'AttemptStarted') started.shift()?.(Date.now());
    if (type === 'RunEnded') end();
  });
  const nextStart = (): Promise<number> => new Promise((resolve) => started.push(resolve));
  const samples: number[] = [];
  for (let index = 0; index < times; index += 1) {
    // One run each: how often a step begins anew by itself is bounded.
    const first = nextStart();
    const ended = new Promise<void>((resolve) => {
      end = resolve;
    });
    const runId = await launch(workbench, RECOVERS);
    await first;
    await isThere(join(stateDir, 'workspaces', runId, 'tree', 'venv'));
    const next = nextStart();
    const killedMs = Date.now();
    endHost(stateDir, 'SIGKILL');
    samples.push((await next) - killedMs);
    await ended;
  }
  await opened.value.close();
  endHost(stateDir);
  return samples.slice(WARM_UP);
}

/** No checkpoint has the folder venv, so it is still there for the second attempt. */
const RECOVERS = `version: 1
name: recover
scope: { tools: [exec], write: ['**'] }
steps:
  - { id: work, run: 'test -d venv || { mkdir venv && sleep 600; }', onInterrupt: retry }
`;

async function isThere(path: string): Promise<void> {
  while (!existsSync(path)) await setTimeout(5);
}

/** Saves and launches; gives the run's id. */
async function launch(workbench: Workbench, source: string): Promise<string> {
  const plan = parsePlan(source, { file: 'plan.yaml' });
  if (!plan.ok) throw new Error(JSON.stringify(plan.problems));
  const saved = await workbench.savePlan(plan.plan, source, OWNER);
  if (!saved.ok) throw new Error(JSON.stringify(saved.error));
  const { id: planId, revision } = saved.value;
  const asked = { planId, revision, feature: null, inputs: {} };
  const launched = await workbench.launch(asked, OWNER);
  if (!launched.ok) throw new Error(JSON.stringify(launched.error));
  return launched.value.id;
}

function makeProject(dir: string): void {
  for (let index = 0; index < FILES; index += 1) {
    const inFolder = join(dir, 'src', `part-${String(index % 20)}`);
    mkdirSync(inFolder, { recursive: true });
    writeFileSync(
      join(inFolder, `file-${String(index)}.txt`),
      `line ${String(index)}\n`.repeat(40),
    );
  }
  const identity = ['-c', 'user.name=Bench', '-c', 'user.email=bench@localhost'];
  for (const args of [
    ['init', '--quiet'],
    ['add', '--all'],
    ['commit', '--quiet', '--message', 'begin'],
  ]) {
    const done = spawnSync('git', [...identity, ...args], { cwd: dir, encoding: 'utf8' });
    if (done.status !== 0) throw new Error(done.stderr);
  }
}

function planOf(steps: number): string {
  const lines = Array.from({ length: steps }, (_, index) => {
    const needs = index === 0 ? '' : `, needs: [s${String(index - 1)}]`;
    return `  - { id: s${String(index)}, run: 'echo ${String(index)} > out-${String(index)}.txt'${needs} }`;
  });
  const head = "version: 1\nname: bench\nscope: { tools: [exec], write: ['**'] }\nsteps:";
  return [head, ...lines, ''].join('\n');
}

/** When the host wrote down how the first attempt of a step ended. */
function endedAtMs(stateDir: string, runId: string, step: string): number {
  const spool = readFileSync(join(stateDir, 'attempts', runId, step, '1', 'spool'), 'utf8');
  const last = spool.trimEnd().split('\n').at(-1) ?? '';
  return Date.parse((JSON.parse(last) as { readonly at: string }).at);
}

/** The host of commands outlives its engine; nothing is left of this one. */
function endHost(stateDir: string, signal: NodeJS.Signals = 'SIGTERM'): void {
  const lease = readFileSync(join(stateDir, 'pool', 'lease.json'), 'utf8');
  process.kill((JSON.parse(lease) as { readonly host: { readonly pid: number } }).host.pid, signal);
}
