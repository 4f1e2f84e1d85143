/** Real hosts in real processes over a temporary state folder. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import type {
  AgentWork,
  AttemptOutcome,
  AttemptRef,
  AttemptSpec,
  CommandWork,
  HostFact,
  SandboxSpec,
} from '@ccdash/core';
import { createAttemptHosts } from '../src/host/attempt-hosts.ts';
import type { OpenAttemptHosts } from '../src/host/attempt-hosts.ts';
import { attemptFolder } from '../src/host/attempt-folder.ts';
import { readLease } from '../src/host/lease.ts';
import type { Lease } from '../src/host/lease.ts';
import { poolLease } from '../src/host/pool-folder.ts';
import { isRunning, processesWith } from '../src/agents/conformance/processes.ts';
import { probeBubblewrap } from '../src/sandbox/create-sandbox.ts';

const TEST_HOST = fileURLToPath(new URL('children/test-host.ts', import.meta.url));

export const SEALED: SandboxSpec = {
  kind: 'bubblewrap',
  write: ['**'],
  readPaths: [],
  network: 'none',
};

export interface HostFixture {
  readonly stateDir: string;
  readonly workspace: string;
  readonly hosts: OpenAttemptHosts;
  readonly displaced: readonly AttemptRef[];
  /** The same hosts as seen by another engine, in this process. */
  engine(epoch: number): OpenAttemptHosts;
  nextRef(): AttemptRef;
  command(
    program: string | readonly [string, ...string[]],
    change?: Partial<AttemptSpec>,
  ): AttemptSpec;
  agent(script: object, change?: Partial<AttemptSpec>): AttemptSpec;
  /** Launches, follows to the end, and gives back how it ended. */
  run(spec: AttemptSpec, secretByName?: Readonly<Record<string, string>>): Promise<AttemptOutcome>;
  output(ref: AttemptRef): string;
  leaseOf(ref: AttemptRef): Lease;
  poolPid(): number;
  close(): Promise<void>;
}

export function hostCommand(): readonly [string, ...string[]] {
  return [process.execPath, '--conditions=ccdash-source', TEST_HOST];
}

export function hostEnv(): Readonly<Record<string, string>> {
  return { PATH: process.env['PATH'] ?? '', HOME: process.env['HOME'] ?? '' };
}

export function openHosts(
  stateDir: string,
  epoch: number,
  onDisplaced: (ref: AttemptRef) => void = () => undefined,
  command: readonly [string, ...string[]] = hostCommand(),
): OpenAttemptHosts {
  return createAttemptHosts({
    stateDir,
    host: { command, env: hostEnv() },
    epoch,
    poolIdleLimitMs: 60_000,
    probeSandbox: () => probeBubblewrap(process.env['PATH'] ?? ''),
    onDisplaced,
  });
}

export function createHostFixture(): HostFixture {
  const stateDir = mkdtempSync(join(tmpdir(), 'ccdash-host-test-'));
  const workspace = join(stateDir, 'work');
  mkdirSync(workspace);
  execFileSync('git', ['init', '-q', workspace]);
  const displaced: AttemptRef[] = [];
  const engines: OpenAttemptHosts[] = [];
  const engine = (epoch: number): OpenAttemptHosts => {
    const opened = openHosts(stateDir, epoch, (ref) => displaced.push(ref));
    engines.push(opened);
    return opened;
  };
  const hosts = engine(1);
  let attempts = 0;

  function spec(work: CommandWork | AgentWork, change: Partial<AttemptSpec> = {}): AttemptSpec {
    return {
      ...fixture.nextRef(),
      epoch: 1,
      work,
      workspace,
      sandbox: SEALED,
      env: { PATH: process.env['PATH'] ?? '' },
      secretNames: [],
      timeoutMs: null,
      orphanLimitMs: 60_000,
      ...change,
    };
  }

  const fixture: HostFixture = {
    stateDir,
    workspace,
    hosts,
    displaced,
    engine,
    nextRef: () => ({ runId: 'run_test', step: 'step', attempt: (attempts += 1) }),
    command: (program, change) =>
      spec(
        {
          kind: 'command',
          program: typeof program === 'string' ? { script: program } : { argv: program },
          cwd: '.',
        },
        change,
      ),
    agent: (script, change) =>
      spec(
        {
          kind: 'agent',
          adapter: 'tiny',
          prompt: JSON.stringify(script),
          model: null,
          tools: [],
          write: ['**'],
          maxTurns: null,
          maxTokens: null,
          outputSchema: null,
          session: { kind: 'new', id: 'session-1' },
          stateDir: join(stateDir, 'agents', 'step'),
          upstream: { kind: 'service' },
          ext: {},
        },
        change,
      ),
    run: async (wanted, secretByName = {}) => {
      await hosts.launch(wanted, secretByName);
      return outcomeOf(await followToEnd(hosts, wanted));
    },
    output: (ref) => readFileSync(hosts.outputPathOf(ref), 'utf8'),
    leaseOf: (ref) => {
      const lease = readLease(attemptFolder(stateDir, ref).lease);
      if (lease === null) throw new Error('the attempt has no lease');
      return lease;
    },
    poolPid: () => {
      const lease = readLease(poolLease(stateDir));
      if (lease === null) throw new Error('there is no pool');
      return lease.host.pid;
    },
    close: async () => {
      for (const each of engines) each.close();
      // Hosts that still run would go on to write.
      const leases = leasesIn(stateDir);
      for (const { host } of leases) if (isRunning(host.pid)) killQuietly(host.pid);
      await until(() => leases.every(({ host }) => !isRunning(host.pid)));
      for (const { socket } of leases) rmSync(dirname(socket), { recursive: true, force: true });
      rmSync(stateDir, { recursive: true, force: true });
    },
  };
  return fixture;
}

/** All facts from the first, and how following ended. */
export async function followToEnd(
  hosts: OpenAttemptHosts,
  ref: AttemptRef,
): Promise<{ readonly facts: readonly HostFact[]; readonly how: 'ended' | 'gone' }> {
  const facts: HostFact[] = [];
  const following = hosts.follow(ref, 0, async (batch) => {
    facts.push(...batch);
  });
  return { how: await following.done, facts };
}

export function outcomeOf({ facts }: { readonly facts: readonly HostFact[] }): AttemptOutcome {
  const last = facts.at(-1);
  if (last?.type !== 'ended') throw new Error(`no end among ${JSON.stringify(facts)}`);
  return last.outcome;
}

/** Waits until a condition holds; the test's own time limit is the only one. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await sleep(5);
}

export { isRunning, processesWith };

/** Every file below a folder that holds `text`. */
export function filesWith(folder: string, text: string): readonly string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((file) => readFileSync(file).includes(text));
}

function leasesIn(stateDir: string): readonly Lease[] {
  return ['attempts', 'pool']
    .map((name) => join(stateDir, name))
    .filter((folder) => existsSync(folder))
    .flatMap((folder) => readdirSync(folder, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile() && entry.name === 'lease.json')
    .flatMap((entry) => readLease(join(entry.parentPath, entry.name)) ?? []);
}

function killQuietly(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has just ended.
  }
}
