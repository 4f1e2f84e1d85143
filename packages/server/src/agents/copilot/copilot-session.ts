/**
 * One attempt of Copilot.
 *
 * Owns: the runtime and the talk with it by its SDK. Does not own: the sandbox around it, time limits, the model's key.
 * 1. The session's id is told before the runtime starts, and is the runtime's own.
 * 2. What the agent asks for happens only by the gate's yes, and never after `cancel` was called; one that did something
 *    unasked is stopped.
 * 3. `done` settles once the runtime is gone, and never rejects.
 */
import type { ChildProcess } from 'node:child_process';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import type {
  CopilotClient,
  CopilotSession,
  PermissionRequest,
  PermissionRequestResult,
  SessionEvent,
} from '@github/copilot-sdk';
import type { AgentHandle, AgentOutcome, AgentRunContext, ResumeToken } from '@ccdash/core';
import {
  NO_ANSWER,
  createAnswerCheck,
  invalidAnswer,
  objectIn,
  promptWithSchema,
} from '../answer-schema.ts';
import type { AnswerCheck } from '../answer-schema.ts';
import { extensionFailure, failedOutcome } from '../installed-adapter.ts';
import { createFileRules } from '../tools/file-rules.ts';
import { createToolGate } from '../tools/tool-gate.ts';
import { createCallBook, deedOf, fieldsOf, offeredTools } from './copilot-calls.ts';
import { copilotExtension, providerFor } from './copilot-extension.ts';
import { INSTALL_COMMAND, findCopilot } from './copilot-install.ts';
import type { CopilotInstall } from './copilot-install.ts';

type Context = AgentRunContext<ChildProcess>;

/** How long the runtime may take to end its turn by itself, once it was told to. */
const GRACE_MS = 4_000;
const LONGEST_STDERR = 4_000;
const ARGUMENTS = [
  '--headless',
  '--no-auto-update',
  '--log-level',
  'error',
  '--stdio',
  '--no-auto-login',
];

export function startCopilotSession(context: Context, version: string): AgentHandle {
  const { work, workspace, stateDir } = context;
  const fileRules = createFileRules({ workspace, write: work.write, readable: [stateDir] });
  const gate = createToolGate({
    workspace,
    tools: work.tools,
    fileRules,
    ask: (question) => context.gate(question),
  });
  let isStopped = false;
  let isOverTurns = false;
  let bypass: string | null = null;
  const isEnding = (): boolean => isStopped || isOverTurns || bypass !== null;
  const calls = createCallBook(workspace, isEnding);
  let child: ChildProcess | null = null;
  let session: CopilotSession | null = null;
  let gone: Promise<void> = Promise.resolve();
  let stderr = '';
  let lastText = '';
  let turns = 0;
  let hasCalled = false;
  let isWorking = false;
  let isDone = false;
  let modelStatus: number | null = null;
  let trouble: string | null = null;
  let endTurn: () => void = () => undefined;
  const turnEnded = new Promise<void>((resolve) => (endTurn = resolve));

  const kill = (): void => void child?.kill('SIGKILL');

  context.gateway.onStatus?.((status) => {
    modelStatus = status;
    if (status < 400 || isEnding()) return;
    const text = `the model answered ${status}; the agent may ask it again`;
    context.emit({ type: 'notice', level: 'warn', text });
  });

  function interrupt(): void {
    if (session === null) kill();
    else session.abort().catch(kill);
  }

  function stop(): void {
    gate.close();
    interrupt();
    setTimeout(kill, GRACE_MS).unref();
  }

  function onEvent(event: SessionEvent): void {
    // A session that is opened again may tell its history.
    if (!isWorking) return;
    const data = fieldsOf(event.data);
    switch (event.type as string) {
      case 'assistant.turn_start':
        turns += 1;
        hasCalled = false;
        return;
      case 'assistant.message': {
        const text = typeof data['content'] === 'string' ? data['content'].trim() : '';
        if (text === '') return;
        lastText = text;
        context.emit({ type: 'message', text, checkpoint: null, agentPath: [] });
        return;
      }
      case 'tool.execution_start':
        hasCalled = true;
        for (const fact of calls.started(data)) context.emit(fact);
        return;
      case 'tool.execution_complete': {
        const { facts, bypass: deed } = calls.ended(data);
        for (const fact of facts) context.emit(fact);
        if (deed === null || isEnding()) return;
        bypass = deed;
        stop();
        return;
      }
      case 'assistant.turn_end':
        if (work.maxTurns === null || !hasCalled || turns < work.maxTurns || isEnding()) return;
        isOverTurns = true;
        stop();
        return;
      case 'session.error': {
        const { message } = data;
        trouble = typeof message === 'string' ? message : 'it gave no reason';
        return;
      }
      case 'session.idle':
        isDone = true;
        endTurn();
        return;
      default:
    }
  }

  async function onPermissionRequest(request: PermissionRequest): Promise<PermissionRequestResult> {
    const callId = request.toolCallId ?? '';
    const { name, input } = deedOf(request, calls.told(callId));
    const answer = await gate.decide(callId, name, input, workspace);
    calls.answered(callId, answer);
    if (answer.decision === 'allow') return { kind: 'approve-once' };
    return { kind: 'reject', feedback: answer.reason };
  }

  function spawn({ program }: CopilotInstall): ChildProcess {
    const spawned = context.spawn(program, ARGUMENTS, {
      cwd: workspace,
      env: { ...context.env, HOME: stateDir, COPILOT_HOME: stateDir },
    });
    child = spawned;
    spawned.stderr?.on('data', (chunk: Buffer) => {
      stderr = `${stderr}${chunk.toString('utf8')}`.slice(-LONGEST_STDERR);
    });
    gone = new Promise((resolve) => {
      const end = (): void => {
        endTurn();
        resolve();
      };
      spawned.once('error', end);
      spawned.once('exit', end);
    });
    return spawned;
  }

  async function talk(client: CopilotClient, token: ResumeToken): Promise<void> {
    const { model } = work;
    await client.start();
    const config = {
      ...(model === null ? {} : { model }),
      provider: providerFor(work, context.gateway),
      workingDirectory: workspace,
      streaming: false,
      enableConfigDiscovery: false,
      availableTools: offeredTools(work.tools),
      onPermissionRequest,
      onEvent,
    };
    session =
      work.session.kind === 'resume'
        ? await client.resumeSession(token.session, config)
        : await client.createSession({ ...config, sessionId: token.session });
    if (isEnding()) return;
    isWorking = true;
    await session.send({ prompt: promptWithSchema(work.prompt, work.outputSchema) });
    if (isEnding()) interrupt();
    await turnEnded;
  }

  async function run(install: CopilotInstall, token: ResumeToken): Promise<AgentOutcome> {
    const check = work.outputSchema === null ? null : createAnswerCheck(work.outputSchema);
    if (check !== null && !check.ok) return failedOutcome(check.error);
    const wrong = extensionFailure({ id: 'copilot', extension: copilotExtension }, work.ext);
    if (wrong !== null) return failedOutcome(wrong);
    if (work.model === null) return failedOutcome(MODEL_MISSING);
    if (!isEnding()) {
      const sdk = await import('@github/copilot-sdk');
      const bridge = await openBridge(spawn(install));
      const { RuntimeConnection } = sdk;
      const client = new sdk.CopilotClient({
        connection: RuntimeConnection.forUri(bridge.address),
      });
      try {
        const isGone = gone.then(() => Promise.reject(new Error('its program is gone')));
        await Promise.race([talk(client, token), isGone]);
      } catch (error) {
        if (!isDone) trouble ??= error instanceof Error ? error.message : String(error);
      }
      gate.close();
      const timer = setTimeout(kill, GRACE_MS);
      // It sets its commands apart from itself, and ends them only when it is asked to end.
      await Promise.race([shutDown(client, session), gone]);
      kill();
      await gone;
      clearTimeout(timer);
      bridge.close();
      // Nobody answers any more: it only lets go of what it holds.
      await client.forceStop().catch(() => undefined);
    }
    for (const fact of calls.rest()) context.emit(fact);
    return outcome(check?.value ?? null);
  }

  function outcome(check: AnswerCheck | null): AgentOutcome {
    const nothing = { text: lastText, structured: null, usage: null, failure: null };
    const text = lastText;
    if (bypass !== null) {
      const message = `the agent did “${bypass}” without asking; it was stopped`;
      const hint = 'look at what it changed, then retry the step';
      return failedOutcome({ code: 'gate_bypassed', message, hint }, { text });
    }
    if (isStopped) return { ...nothing, status: 'stopped', retryable: true };
    if (isOverTurns) {
      const message = 'the agent has used its turns before it had finished';
      const hint = 'raise budget.turns of the step, then resume it';
      return failedOutcome(
        { code: 'limit_reached', message, hint },
        { status: 'limit-reached', text },
      );
    }
    if (trouble !== null || !isDone) {
      const isRefused = modelStatus !== null && modelStatus >= 400;
      const said = [trouble, isDone ? '' : stderr.trim()].filter((part) => (part ?? '') !== '');
      const message = `the agent did not finish: ${said.join('\n') || 'it said nothing'}`;
      const hint = 'resume the step to go on in the same session, or retry it';
      const code = isRefused || (trouble !== null && isDone) ? 'model_error' : 'agent_crashed';
      const retryable =
        modelStatus === null || modelStatus < 400 || modelStatus === 429 || modelStatus >= 500;
      return failedOutcome({ code, message, hint }, { text, retryable });
    }
    if (check === null) return { ...nothing, status: 'succeeded', retryable: false };
    const answer = objectIn(text);
    const wrong = answer === null ? NO_ANSWER : check(answer);
    if (wrong !== null) {
      return failedOutcome(invalidAnswer(wrong), {
        status: 'invalid-output',
        text,
        retryable: true,
      });
    }
    return { ...nothing, status: 'succeeded', structured: answer, retryable: false };
  }

  async function start(): Promise<AgentOutcome> {
    const install = findCopilot();
    if (typeof install === 'string') {
      const hint = `${INSTALL_COMMAND}, then retry the step`;
      return failedOutcome({ code: 'adapter_unavailable', message: install, hint });
    }
    const token: ResumeToken =
      work.session.kind === 'resume'
        ? work.session.token
        : {
            ...{ adapter: 'copilot', adapterVersion: version, programVersion: install.version },
            ...{ session: work.session.id, at: null },
          };
    context.emit({ type: 'session', token, model: work.model });
    return run(install, token);
  }

  const done = start().catch(async (error: unknown) => {
    gate.close();
    kill();
    await gone;
    const message = error instanceof Error ? error.message : String(error);
    const failure = { code: 'agent_error', message, hint: 'resume or retry the step' };
    return failedOutcome(failure, { retryable: true });
  });

  return {
    done,
    cancel: async () => {
      gate.close();
      if (isStopped) {
        await done;
        return;
      }
      isStopped = true;
      const timer = setTimeout(kill, GRACE_MS);
      interrupt();
      await done;
      clearTimeout(timer);
    },
  };
}

const MODEL_MISSING = {
  code: 'invalid_options',
  message: 'copilot is given its model by the step, and the step names none',
  hint: 'give the step a `model`',
};

async function shutDown(client: CopilotClient, session: CopilotSession | null): Promise<void> {
  try {
    await session?.disconnect();
    await client.rpc.runtime.shutdown();
  } catch {
    // It is gone, or will be killed.
  }
}

/**
 * The SDK starts its runtime itself, outside of any sandbox, or reaches one that runs by a port: so one that runs inside,
 * by its pipes, is behind a port of loopback for the one connection that it takes.
 */
async function openBridge({ stdin, stdout }: ChildProcess) {
  if (stdin === null || stdout === null) throw new Error('the host spawned it without pipes');
  // It may go away while something is being written.
  stdin.on('error', () => undefined);
  const server = createServer((socket) => {
    server.close();
    socket.on('error', () => socket.destroy());
    socket.pipe(stdin);
    stdout.pipe(socket);
  });
  server.maxConnections = 1;
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return { address: `127.0.0.1:${port}`, close: () => void server.close() };
}
