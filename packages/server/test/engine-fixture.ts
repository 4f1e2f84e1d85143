/** A workbench over everything real, driven as a person would: plans in, views and events out. */
import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { parsePlan } from '@ccdash/api/plan';
import type { ApprovalView, RunView, StepView, StoredEvent } from '@ccdash/core';
import { openWorkbench } from '../src/app.ts';
import type { OpenWorkbench } from '../src/app.ts';
import type { Caller, LaunchRequest, RunRequest, Workbench } from '../src/base/workbench.ts';

export const OWNER: Caller = {
  actor: { kind: 'person', id: 'owner' },
  roles: ['viewer', 'operator', 'approver', 'admin'],
  assurance: 'session',
};

/** The widest scope; plans that say nothing else have it. */
const WRITES = "scope: { tools: [exec], write: ['**'] }";

export interface Bench {
  readonly folder: string;
  readonly projectDir: string;
  readonly stateDir: string;
  workbench(): Workbench;
  /** Lets go of the state folder; `open` takes it up again. Hosts go on. */
  letGo(): Promise<void>;
  open(): Promise<void>;
  /** Lets go, moves the project or the state folder below the bench's folder, and opens it there. Ends the host. */
  moveTo(place: { readonly project?: string; readonly state?: string }): Promise<void>;
  /** Saves and launches; `head` stands before the steps. Gives the run's id. Throws when it is refused. */
  launch(steps: string, head?: string, inputs?: LaunchRequest['inputs']): Promise<string>;
  /** The run as soon as `holds`; looked at after each of its events. */
  until(runId: string, holds: (run: RunView) => boolean): Promise<RunView>;
  /** The run once nothing moves: it has ended, or waits for people. */
  rest(runId: string): Promise<RunView>;
  /** `ok`, or the type of the refusal. */
  ask(runId: string, request: RunRequest): Promise<string>;
  openRequest(runId: string, step: string): ApprovalView;
  decide(approval: ApprovalView, decision: 'approve' | 'reject'): Promise<string>;
  events(runId: string, type?: string): readonly StoredEvent[];
  /** Absolute path of a file in the run's workspace. */
  inTree(runId: string, path: string): string;
  /** git in the run's checkpoint repository. */
  checkpointGit(runId: string, ...args: readonly string[]): string;
  /** Process id of the host of commands; null when there is none. */
  hostPid(): number | null;
  /** Ends the workbench and the host, and removes every file. */
  close(): Promise<void>;
}

export async function openBench(files: Readonly<Record<string, string>>): Promise<Bench> {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'ccdash-engine-')));
  let projectDir = join(folder, 'project');
  let stateDir = join(folder, 'state');
  mkdirSync(projectDir);
  git(projectDir, 'init', '--quiet', '--initial-branch=main');
  for (const [path, content] of Object.entries(files))
    writeFileSync(join(projectDir, path), content);
  git(projectDir, 'add', '--all');
  git(projectDir, 'commit', '--quiet', '--message', 'begin');
  let current: OpenWorkbench | null = null;

  const workbench = (): Workbench => {
    if (current === null) throw new Error('the workbench is not open');
    return current.workbench;
  };

  const bench: Bench = {
    folder,
    get projectDir() {
      return projectDir;
    },
    get stateDir() {
      return stateDir;
    },
    workbench,
    open: async () => {
      const opened = await openWorkbench({ projectDir, stateDir });
      if (!opened.ok) throw new Error(opened.error.message);
      current = opened.value;
    },
    letGo: async () => {
      await current?.close();
      current = null;
    },
    moveTo: async ({ project = projectDir, state = stateDir }) => {
      await bench.letGo();
      const pid = bench.hostPid();
      if (pid !== null) killIfAlive(pid);
      const to = [resolve(folder, project), resolve(folder, state)] as const;
      for (const [index, from] of [projectDir, stateDir].entries()) {
        const target = to[index] ?? from;
        mkdirSync(dirname(target), { recursive: true });
        if (target !== from) renameSync(from, target);
      }
      [projectDir, stateDir] = to;
      await bench.open();
    },
    launch: async (steps, head = WRITES, inputs = {}) => {
      const source = `version: 1\nname: test\n${head}\nsteps:\n${steps}`;
      const read = parsePlan(source, { file: 'plan.yaml' });
      if (!read.ok) throw new Error(JSON.stringify(read.problems, null, 2));
      const saved = await workbench().savePlan(read.plan, source, OWNER);
      if (!saved.ok) throw new Error(JSON.stringify(saved.error));
      const { id: planId, revision } = saved.value;
      const asked = { planId, revision, feature: null, inputs };
      const launched = await workbench().launch(asked, OWNER);
      if (!launched.ok) throw new Error(JSON.stringify(launched.error));
      return launched.value.id;
    },
    until: (runId, holds) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          try {
            const run = workbench().run(runId);
            if (run === null || !holds(run)) return;
            unsubscribe();
            resolve(run);
          } catch (error) {
            unsubscribe();
            reject(error instanceof Error ? error : new Error(String(error)));
          }
        };
        const unsubscribe = workbench().subscribe((event) => {
          if (event.runId === runId) setImmediate(look);
        });
        look();
      }),
    rest: (runId) =>
      bench.until(runId, ({ status }) => status !== 'queued' && status !== 'running'),
    ask: async (runId, request) => {
      const answer = await workbench().request(runId, request, OWNER);
      return answer.ok ? 'ok' : answer.error.type;
    },
    openRequest: (runId, step) => {
      const found = workbench()
        .approvals()
        .find(
          (approval) =>
            approval.runId === runId && approval.stepId === step && approval.status === 'open',
        );
      if (found === undefined) throw new Error(`${runId} ${step} has no open request`);
      return found;
    },
    decide: ({ id, runId, subjectDigest }, decision) =>
      bench.ask(runId, {
        ...{ type: 'decide', approvalId: id, decision, subjectDigest },
        ...{ reason: 'a reason', form: {} },
      }),
    events: (runId, type) =>
      workbench()
        .runEvents(runId, 0)
        .filter((event) => type === undefined || event.type === type),
    inTree: (runId, path) => join(stateDir, 'workspaces', runId, 'tree', path),
    checkpointGit: (runId, ...args) =>
      git(join(stateDir, 'workspaces', runId, 'checkpoints.git'), ...args),
    hostPid: () => {
      const path = join(stateDir, 'pool', 'lease.json');
      if (!existsSync(path)) return null;
      const lease = JSON.parse(readFileSync(path, 'utf8')) as {
        readonly host: { readonly pid: number };
      };
      return lease.host.pid;
    },
    close: async () => {
      await bench.letGo();
      const pid = bench.hostPid();
      if (pid !== null) killIfAlive(pid);
      rmSync(folder, { recursive: true, force: true });
    },
  };
  await bench.open();
  return bench;
}

export function stepOf(run: RunView, id: string): StepView {
  const found = run.steps.find((step) => step.id === id);
  if (found === undefined) throw new Error(`no step ${id}`);
  return found;
}

/** Status of each step, in the order of the plan. */
export function statuses(run: RunView): readonly string[] {
  return run.steps.map(({ status }) => status);
}

export function killIfAlive(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
}

function git(dir: string, ...args: readonly string[]): string {
  const identity = ['-c', 'user.name=T', '-c', 'user.email=t@localhost'];
  const done = spawnSync('git', [...identity, '-C', dir, ...args], { encoding: 'utf8' });
  if (done.status !== 0) throw new Error(`git ${args.join(' ')}: ${done.stderr}`);
  return done.stdout;
}
