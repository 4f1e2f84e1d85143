/**
 * Adapters at work without a host, for the conformance cases: their programs are plain child processes, their gateway
 * is reached by a loopback port, and the model behind it follows a script.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type {
  AgentAdapter,
  AgentFactBody,
  AgentHandle,
  AgentLaunch,
  AgentOutcome,
  AgentRunContext,
  AgentWork,
  GateQuestion,
} from '@ccdash/core';
import { TRIAL_SESSION } from '@ccdash/core/testing';
import type { AgentBench, AgentTrial, TrialAttempt } from '@ccdash/core/testing';
import { createModelGateway } from '../gateway/model-gateway.ts';
import type { ModelGateway } from '../gateway/model-gateway.ts';
import { createAdapters } from '../registry.ts';
import type { AgentAdapters } from '../registry.ts';
import { processesWith } from './processes.ts';

const ALL_TOOLS = ['read', 'search', 'edit', 'exec', 'fetch', 'agent'];
/** One that the program knows: for others it offers fewer tools. */
const MODEL_BY_ADAPTER: Readonly<Record<string, string>> = { codex: 'gpt-5.5' };
export const BENCH_TOKEN = 'bench-token-6f1d2c3b4a5968778695a4b3c2d1e0f0';

export interface BenchTrial extends AgentTrial {
  /** Scripts of the model instead of `turns`, by what is in the prompt. */
  readonly scripts?: readonly { readonly when?: string; readonly turns: readonly object[] }[];
  readonly maxTokens?: number;
  readonly ext?: AgentWork['ext'];
  /** Null names none. */
  readonly model?: string | null;
  /** Instead of what the adapter is started with. */
  readonly launch?: AgentLaunch;
}

export interface OpenBench extends AgentBench {
  start(trial: BenchTrial): TrialAttempt;
  readonly workspace: string;
  readonly stateDir: string;
  /** The gateway of the attempt that was started last. */
  gateway(): ModelGateway;
  close(): Promise<void>;
}

export async function createAgentBench(
  adapterId: string,
  adapters: AgentAdapters = createAdapters(),
): Promise<OpenBench> {
  const launch = await adapters.launch(adapterId);
  const adapter = await adapters.adapterOf(adapterId);
  if (adapter === null) throw new Error(`there is no adapter ${adapterId}`);
  const root = realpathSync(mkdtempSync(join(tmpdir(), 'ccdash-agent-')));
  const [workspace, stateDir, outside] = ['work', 'state', 'outside'].map((name) => {
    const folder = join(root, name);
    mkdirSync(folder);
    return folder;
  }) as [string, string, string];
  const handles: AgentHandle[] = [];
  const closing: (() => Promise<void>)[] = [];
  let gateway: ModelGateway | null = null;
  let attempts = 0;
  const sent: Buffer[][] = [];
  let closed = false;

  async function until(condition: () => boolean): Promise<void> {
    while (!condition()) {
      if (closed) throw new Error('the bench was closed before what it waited for came about');
      await sleep(5);
    }
  }

  function start(trial: BenchTrial): TrialAttempt {
    attempts += 1;
    const facts: AgentFactBody[] = [];
    const questions: GateQuestion[] = [];
    const scriptFile = join(root, `script-${attempts}.json`);
    const scripts = trial.scripts ?? [{ turns: trial.turns }];
    writeFileSync(scriptFile, JSON.stringify({ version: 1, scripts }));
    const work = {
      ...workOf(adapterId, trial, scriptFile, stateDir),
      ...(launch === null ? {} : { launch: trial.launch ?? launch }),
    };
    const handle = lateHandle(async () => {
      const listeners = new Set<(status: number) => void>();
      const socketPath = join(root, `gateway-${attempts}`);
      const opened = await createModelGateway({
        socketPath,
        token: BENCH_TOKEN,
        work,
        providerSecrets: {},
        onLimitReached: () => undefined,
        onActivity: () => undefined,
        onStatus: (status) => {
          for (const listener of listeners) listener(status);
        },
      });
      if (!opened.ok) throw new Error(opened.error.message);
      gateway = opened.value;
      const loopback = await joinToLoopback(socketPath, sent);
      closing.push(() => opened.value.close(), loopback.close);
      return (adapter as AgentAdapter<ChildProcess>).start({
        work,
        workspace,
        stateDir,
        env: { PATH: process.env['PATH'] ?? '', HOME: join(root, 'home'), TMPDIR: root },
        gateway: {
          baseUrl: loopback.url,
          token: BENCH_TOKEN,
          onStatus: (listener) => void listeners.add(listener),
        },
        emit: (fact) => facts.push(fact),
        gate: async (question) => {
          questions.push(question);
          return trial.gate === undefined ? { decision: 'allow' } : trial.gate(question);
        },
        spawn: spawnInGroup,
      });
    });
    handles.push(handle);
    return { handle, facts, questions };
  }

  return {
    start,
    outside,
    workspace,
    stateDir,
    // Codex's patches end every file with a line break.
    read: (path) => {
      const file = resolve(workspace, path);
      if (!existsSync(file)) return null;
      const text = readFileSync(file, 'utf8');
      return adapterId === 'codex' ? text.replace(/\n$/, '') : text;
    },
    write: (path, content) => writeFileSync(resolve(workspace, path), content),
    remove: (path) => rmSync(resolve(workspace, path), { force: true }),
    link: (path, target) => {
      mkdirSync(dirname(join(workspace, path)), { recursive: true });
      symlinkSync(target, join(workspace, path));
    },
    isRunning: (mark) => processesWith(mark).length > 0,
    wasSent: (text) => sent.some((chunks) => Buffer.concat(chunks).includes(text)),
    canResume: async (token) => (await adapters.canResume(token, stateDir)).ok,
    until,
    gateway: () => {
      if (gateway === null) throw new Error('nothing has been started');
      return gateway;
    },
    close: async () => {
      closed = true;
      await Promise.all(handles.map((handle) => handle.cancel('the case is over')));
      for (const close of closing) await close();
      rmSync(workspace, { recursive: true });
      // A command that outlived its program ends when its workspace is gone, and may write a last time.
      while (processesWith(root).length > 0) await sleep(5);
      rmSync(root, { recursive: true });
    },
  };
}

function workOf(
  adapter: string,
  trial: BenchTrial,
  scriptFile: string,
  stateDir: string,
): AgentWork {
  return {
    kind: 'agent',
    adapter,
    prompt: 'Do what there is to do.',
    model:
      trial.model === undefined ? (MODEL_BY_ADAPTER[adapter] ?? 'claude-sonnet-4-5') : trial.model,
    tools: trial.tools ?? ALL_TOOLS,
    write: trial.write ?? ['**'],
    maxTurns: trial.maxTurns ?? null,
    maxTokens: trial.maxTokens ?? null,
    outputSchema: trial.outputSchema ?? null,
    session: trial.session ?? { kind: 'new', id: TRIAL_SESSION },
    stateDir,
    upstream: { kind: 'scripted', scriptFile },
    ext: trial.ext ?? {},
  };
}

/** A handle on what is only being prepared. */
function lateHandle(begin: () => Promise<AgentHandle>): AgentHandle {
  const begun = begin();
  return {
    done: begun.then(({ done }): Promise<AgentOutcome> => done),
    send: (messageId, text) => void begun.then((handle) => handle.send?.(messageId, text)),
    cancel: async (reason) => (await begun).cancel(reason),
  };
}

/** As a host without a sandbox does it: a signal goes to everything that the program has started. */
const spawnInGroup: AgentRunContext<ChildProcess>['spawn'] = (command, args, options) => {
  const child = spawn(command, args, { ...options, stdio: 'pipe', detached: true });
  child.kill = (signal) => {
    if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) {
      return false;
    }
    return process.kill(-child.pid, signal);
  };
  return child;
};

/** `sent` keeps what goes to the model, a list of chunks for each connection. */
async function joinToLoopback(socketPath: string, sent: Buffer[][]) {
  const open = new Set<Socket>();
  const server = createServer((incoming) => {
    const outgoing = connect(socketPath);
    const chunks: Buffer[] = [];
    sent.push(chunks);
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
    for (const socket of [incoming, outgoing]) {
      open.add(socket);
      socket.on('error', () => socket.destroy());
      socket.on('close', () => {
        incoming.destroy();
        outgoing.destroy();
        open.delete(socket);
      });
    }
    incoming.pipe(outgoing).pipe(incoming);
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    close: () =>
      new Promise<void>((done) => {
        for (const socket of open) socket.destroy();
        server.close(() => done());
      }),
  };
}
