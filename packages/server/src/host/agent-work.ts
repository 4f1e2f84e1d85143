/**
 * Runs an agent by its adapter: lends it the gate, the sandbox and the model gateway, holds its limits, and ends
 * whatever it leaves behind.
 *
 * 1. The gate is closed before anything else when the work is to stop.
 * 2. The agent's programs are started in the enclosure only; all of them are dead before the end is told.
 * 3. Keys of the model's provider go to the gateway and nowhere else.
 */
import type { ChildProcess } from 'node:child_process';
import { appendFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';

import type {
  AgentAdapter,
  AgentFactBody,
  AgentHandle,
  AgentOutcome,
  AgentWork,
  AttemptOutcome,
  Failure,
  GateAnswer,
  GateQuestion,
  JsonObject,
  Result,
  Usage,
} from '@ccdash/core';
import type { Enclosure, EnclosedProcess, Sandbox } from '../base/enclosure.ts';
import type { WorkContext } from './attempt-work.ts';
import { shortened } from './fact-size.ts';
import { createPausableTimer } from './pausable-timer.ts';
import { secretVariables } from './secret-variables.ts';
import { startProcess } from './work-process.ts';

/** The model as the agent's program reaches it. */
export interface Gateway {
  /** Lets no further call pass and breaks off those under way. Idempotent. */
  cut(): void;
  close(): Promise<void>;
  /** What has gone through it so far; null before the first call. */
  usage(): Usage | null;
  /** Answers that the model has begun so far. */
  turns(): number;
}

export interface GatewayOptions {
  /** Unix socket to listen on. */
  readonly socketPath: string;
  /** What every call must show. */
  readonly token: string;
  readonly work: AgentWork;
  /** Keys of the provider, by name. */
  readonly providerSecrets: Readonly<Record<string, string>>;
  /** A call was refused because a budget is used up: which one. */
  readonly onLimitReached: (why: string) => void;
  /** A call has ended, and counts. */
  readonly onUsed: () => void;
  /** The model has given a whole answer: it is kept, so that it can be played again. */
  readonly onAnswer: (answer: object) => void;
  /** Awaited before each call that makes the model work. */
  readonly mayCall: () => Promise<void>;
  /** Bytes have come from the model: a sign of life. */
  readonly onActivity: () => void;
  /** A call that makes the model work was answered, with this status. */
  readonly onStatus: (status: number) => void;
}

export type CreateGateway = (options: GatewayOptions) => Promise<Result<Gateway, Failure>>;

export interface AgentWorkDeps {
  readonly sandbox: Sandbox;
  readonly adapterOf: (id: string) => Promise<AgentAdapter<ChildProcess> | null>;
  readonly createGateway: CreateGateway;
  /** Without a fact, a byte from the model, a tool at work or a gate that waits, the agent counts as stalled. */
  readonly idleLimitMs: number;
}

/** People cannot judge what is longer; such a call is refused. */
const LONGEST_GATE_INPUT = 1024 * 1024;

export async function runAgent(
  context: WorkContext,
  work: AgentWork,
  deps: AgentWorkDeps,
): Promise<AttemptOutcome> {
  const adapter = await deps.adapterOf(work.adapter);
  if (adapter === null) {
    const message = `the agent ${work.adapter} is not part of this installation`;
    return failed({ code: 'adapter_unavailable', message, hint: 'ccdash adapters lists them' });
  }
  mkdirSync(work.stateDir, { recursive: true, mode: 0o700 });
  const watch = createWatch(context, deps.idleLimitMs);
  const socketPath = join(context.runtimeDir, 'model');
  let counts: () => Usage | null = () => null;
  /** What this attempt has used, should nobody be left to say so. */
  const keepCount = (): void => {
    const usage = counts();
    if (usage !== null) context.emit({ type: 'usage', usage }, false);
  };
  const gateway = await deps.createGateway({
    socketPath,
    token: context.modelToken,
    work,
    providerSecrets: providerSecrets(context),
    onLimitReached: (why) => watch.limitReached(why),
    onUsed: () => keepCount(),
    onAnswer: (answer) => {
      const line = JSON.stringify(context.redaction.json(answer));
      appendFileSync(context.folder.answers, `${line}\n`, { mode: 0o600 });
    },
    mayCall: () => watch.during(context.notHeld()),
    onActivity: () => watch.activity(),
    onStatus: (status) => watch.answered(status),
  });
  if (!gateway.ok) return failed(gateway.error);
  const counted = gateway.value;
  // One that counts for itself counts what an attempt before it has used and could not say.
  if (adapter.capabilities.cost !== 'usd')
    counts = () => withTurns(counted.usage(), counted.turns());
  try {
    const enclosed = await deps.sandbox.enclose({
      spec: context.spec.sandbox,
      workspace: context.spec.workspace,
      writePaths: [work.stateDir],
      runtimeDir: context.runtimeDir,
      gatewaySocket: socketPath,
    });
    if (!enclosed.ok) return failed(enclosed.error);
    try {
      const outcome = await runEnclosed(
        context,
        work,
        adapter,
        enclosed.value,
        watch,
        gateway.value,
      );
      const used = withTurns(outcome.usage ?? counted.usage(), counted.turns());
      return toOutcome({ ...outcome, usage: used }, watch.limit());
    } finally {
      await enclosed.value.close();
    }
  } finally {
    watch.close();
    await gateway.value.close();
  }
}

async function runEnclosed(
  context: WorkContext,
  work: AgentWork,
  adapter: AgentAdapter<ChildProcess>,
  enclosure: Enclosure,
  watch: Watch,
  gateway: Gateway,
): Promise<AgentOutcome> {
  const { spec, stopping } = context;
  const processes = new Set<EnclosedProcess>();
  const killAll = (): void => {
    for (const process of processes) process.signal('SIGKILL');
  };

  function spawn(
    command: string,
    args: readonly string[],
    options: { readonly cwd: string; readonly env: Readonly<Record<string, string>> },
  ): ChildProcess {
    const process = enclosure.spawn([command, ...args], {
      ...options,
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    processes.add(process);
    void process.ended.then(() => processes.delete(process));
    // The child that Node knows is the launcher; who signals it means the program inside.
    process.child.kill = (signal) => {
      process.signal(signal === 'SIGKILL' || signal === 9 ? 'SIGKILL' : 'SIGTERM');
      return true;
    };
    if (stopping.aborted) {
      process.signal('SIGKILL');
    } else {
      startProcess(process, context).catch((error: unknown) => {
        context.emit({ type: 'notice', level: 'error', text: String(error) }, false);
        process.signal('SIGKILL');
      });
    }
    return process.child;
  }

  async function gate(question: GateQuestion): Promise<GateAnswer> {
    const { length } = JSON.stringify(question.input);
    if (length > LONGEST_GATE_INPUT) {
      const reason = `the input of ${question.name} has ${length} characters, more than anybody can judge: do it in smaller pieces`;
      return { decision: 'deny', reason };
    }
    return watch.during(context.gate(question));
  }

  const killTimers: NodeJS.Timeout[] = [];
  const stop = (): void => {
    gateway.cut();
    // The adapter interrupts first, and kills within the same grace if it must.
    killTimers.push(setTimeout(killAll, 2 * context.graceMs));
    void handle.cancel('the work is being stopped');
  };
  let handle: AgentHandle;
  watch.leave();
  try {
    handle = adapter.start({
      work,
      workspace: spec.workspace,
      stateDir: work.stateDir,
      env: { ...enclosure.env, ...spec.env, ...secretVariables(context) },
      gateway: {
        baseUrl: enclosure.gatewayUrl ?? '',
        token: context.modelToken,
        onStatus: (listener) => watch.onStatus(listener),
      },
      emit: (fact) => {
        watch.saw(fact);
        context.emit(shortened(fact), fact.type === 'session' || fact.type === 'told');
      },
      gate,
      spawn,
    });
    context.onMessage((messageId, text) => {
      if (!stopping.aborted) handle.send?.(messageId, text);
    });
    if (stopping.aborted) stop();
    else stopping.addEventListener('abort', stop, { once: true });
    return await handle.done;
  } finally {
    stopping.removeEventListener('abort', stop);
    for (const timer of killTimers) clearTimeout(timer);
    killAll();
    await Promise.all([...processes].map((process) => process.ended));
  }
}

interface Watch {
  /** Something that takes its time begins and ends: meanwhile silence means nothing. */
  enter(): void;
  leave(): void;
  during<T>(waiting: Promise<T>): Promise<T>;
  saw(fact: AgentFactBody): void;
  activity(): void;
  answered(status: number): void;
  onStatus(listener: (status: number) => void): void;
  limitReached(why: string): void;
  /** Why the model was refused a call; null when it was not. */
  limit(): string | null;
  close(): void;
}

function createWatch(context: WorkContext, idleLimitMs: number): Watch {
  const timer = createPausableTimer(idleLimitMs, () => context.stop({ type: 'stalled' }));
  const openTools = new Set<string>();
  const listeners = new Set<(status: number) => void>();
  // Setting up is not the agent's silence.
  let entered = 1;
  timer.pause();
  let limit: string | null = null;
  const look = (): void => {
    timer.reset();
    if (entered > 0 || openTools.size > 0) timer.pause();
    else timer.resume();
  };
  const enter = (): void => {
    entered += 1;
    look();
  };
  const leave = (): void => {
    entered -= 1;
    look();
  };
  return {
    enter,
    leave,
    during: (waiting) => {
      enter();
      return waiting.finally(leave);
    },
    saw: (fact) => {
      if (fact.type === 'tool-started') openTools.add(fact.callId);
      else if (fact.type === 'tool-ended') openTools.delete(fact.callId);
      look();
    },
    activity: look,
    answered: (status) => {
      for (const listener of listeners) listener(status);
    },
    onStatus: (listener) => void listeners.add(listener),
    limitReached: (why) => {
      limit ??= why;
    },
    limit: () => limit,
    close: () => timer.clear(),
  };
}

function withTurns(usage: Usage | null, turns: number): Usage | null {
  return usage === null ? null : { ...usage, turns: usage.turns ?? turns };
}

function toOutcome(outcome: AgentOutcome, limit: string | null): AttemptOutcome {
  const { usage, text, structured, failure, retryable } = outcome;
  const common = { exitCode: null, signal: null, output: null, outputs: {}, usage };
  const fail = (fallback: Failure, again: boolean): AttemptOutcome => ({
    ...common,
    status: 'failed',
    failure: failure ?? fallback,
    retryable: again,
  });
  // The model was refused a call: whatever the program makes of that, it has not finished.
  if (limit !== null) return { ...common, ...exhausted(limit) };
  switch (outcome.status) {
    case 'succeeded': {
      const outputs: JsonObject = structured ?? { text };
      return { ...common, outputs: shortened(outputs), status: 'succeeded' };
    }
    case 'limit-reached':
      return {
        ...common,
        ...exhausted(failure?.message ?? 'the agent has used up its budget before it had finished'),
      };
    case 'invalid-output':
      return fail(
        {
          code: 'invalid_output',
          message: 'the answer of the agent does not match its schema',
          hint: 'retry the step, or loosen output.schema',
        },
        retryable,
      );
    case 'failed':
    case 'stopped':
      return fail(
        {
          code: 'agent_error',
          message: 'the agent ended without finishing',
          hint: 'look at its last messages, then resume or retry the step',
        },
        retryable,
      );
  }
}

type Failed = Extract<AttemptOutcome, { readonly status: 'failed' }>;

function exhausted(message: string): Pick<Failed, 'status' | 'failure' | 'retryable'> {
  const failure = { code: 'limit_reached', message, hint: 'raise its budget, then let it go on' };
  return { status: 'failed', failure, retryable: false };
}

function providerSecrets({ spec, secretByName }: WorkContext): Record<string, string> {
  return Object.fromEntries(
    Object.entries(secretByName).filter(([name]) => !spec.secretNames.includes(name)),
  );
}

/** Of an agent that never began: no model was called, so what it cost is known. */
const UNSPENT: Usage = { inputTokens: 0, outputTokens: 0, cachedTokens: 0, usd: 0 };

function failed(failure: Failure): AttemptOutcome {
  const nothing = { exitCode: null, signal: null, output: null, outputs: {}, usage: UNSPENT };
  return { ...nothing, status: 'failed', failure, retryable: false };
}
