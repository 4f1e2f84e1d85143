/**
 * One attempt of Codex.
 *
 * Owns: the program and the talk with it. Does not own: the sandbox around the program, time limits, the model's key.
 * 1. The session's id is told before the program starts; the thread that belongs to it is kept before it works.
 * 2. What the program asks for happens only by the gate's yes, and never after `cancel` was called.
 * 3. `done` settles once the program is gone, and never rejects.
 */
import type { ChildProcess } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { AgentHandle, AgentOutcome, AgentRunContext, ResumeToken } from '@ccdash/core';
import { createAnswerCheck } from '../answer-schema.ts';
import { extensionFailure, failedOutcome } from '../installed-adapter.ts';
import { createFileRules } from '../tools/file-rules.ts';
import { createToolGate } from '../tools/tool-gate.ts';
import { createFactReader } from './codex-facts.ts';
import { INSTALL_COMMAND, findCodex } from './codex-install.ts';
import type { CodexInstall } from './codex-install.ts';
import { codexArguments, codexEnv, threadOptions, turnOptions } from './codex-options.ts';
import { outcomeOf } from './codex-result.ts';
import { createRpc, fieldsOf } from './json-rpc.ts';
import type { Fields, Rpc } from './json-rpc.ts';
import { recordedCalls } from './rollout.ts';
import { readThread, writeThread } from './thread-file.ts';

type Context = AgentRunContext<ChildProcess>;

/** How long the program may take to end by itself, once interrupted. */
const GRACE_MS = 4_000;
const LONGEST_STDERR = 4_000;

export function startCodexSession(context: Context, version: string): AgentHandle {
  const { work, workspace, stateDir } = context;
  const fileRules = createFileRules({ workspace, write: work.write, readable: [stateDir] });
  const gate = createToolGate({
    workspace,
    tools: work.tools,
    fileRules,
    ask: (question) => context.gate(question),
  });
  let isStopped = false;
  const facts = createFactReader({ workspace, isStopped: () => isStopped || isOverTurns });
  let child: ChildProcess | null = null;
  let rpc: Rpc | null = null;
  let thread: string | null = null;
  /** Calls of earlier attempts. */
  let before: ReadonlySet<string> = new Set();
  let turn: string | null = null;
  let lastText = '';
  let stderr = '';
  let answers = 0;
  let hasCalled = false;
  let isOverTurns = false;
  let endTurn: (turn: Fields | null) => void = () => undefined;
  const turnEnded = new Promise<Fields | null>((resolve) => (endTurn = resolve));
  let gone: Promise<void> = Promise.resolve();

  /** It changes while others are waited for. */
  const hasStopped = (): boolean => isStopped;
  const kill = (): void => void child?.kill('SIGKILL');

  /** Until it is gone, or has had its time. */
  async function endByItself(): Promise<void> {
    child?.stdin?.end();
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, GRACE_MS)));
    await Promise.race([gone, late]);
    clearTimeout(timer);
  }

  function interrupt(): void {
    if (rpc === null || thread === null || turn === null) {
      kill();
      return;
    }
    // It fails when the turn is already over.
    rpc.call('turn/interrupt', { threadId: thread, turnId: turn }).catch(kill);
  }

  /** A turn is an answer of the model; one that calls nothing is the last. */
  function countTurns(): void {
    if (work.maxTurns === null || isOverTurns || answers < work.maxTurns) return;
    if (!hasCalled || facts.openCalls() > 0) return;
    isOverTurns = true;
    gate.close();
    interrupt();
  }

  function onNotification(method: string, params: Fields): void {
    if (params['threadId'] !== undefined && params['threadId'] !== thread) return;
    const item = fieldsOf(params['item']);
    switch (method) {
      case 'item/started':
        for (const fact of facts.started(item)) {
          hasCalled = true;
          context.emit(fact);
        }
        return;
      case 'item/completed':
        for (const fact of facts.completed(item)) {
          if (fact.type === 'message') lastText = fact.text;
          else hasCalled = true;
          context.emit(fact);
        }
        countTurns();
        return;
      case 'thread/tokenUsage/updated':
        answers += 1;
        countTurns();
        return;
      case 'turn/started':
        turn = String(fieldsOf(params['turn'])['id']);
        return;
      case 'turn/completed':
        endTurn(fieldsOf(params['turn']));
        return;
      case 'error': {
        const { message, additionalDetails } = fieldsOf(params['error']);
        if (params['willRetry'] !== true) return;
        const details = typeof additionalDetails === 'string' ? `: ${additionalDetails}` : '';
        const text = `the model did not answer, and is asked again: ${String(message)}${details}`;
        context.emit({ type: 'notice', level: 'warn', text });
        return;
      }
      default:
    }
  }

  async function onRequest(method: string, params: Fields): Promise<object | null> {
    const isCommand = method === 'item/commandExecution/requestApproval';
    if (!isCommand && method !== 'item/fileChange/requestApproval') return null;
    const deeds = facts.deedsOf(String(params['itemId']));
    if (deeds.length === 0 || (isCommand && isBeyondScope(params))) return { decision: 'decline' };
    if (isCommand && escalates(String(params['itemId']))) return { decision: 'decline' };
    const cwd = typeof params['cwd'] === 'string' ? params['cwd'] : workspace;
    for (const { callId, name, input } of deeds) {
      const answer = await gate.decide(callId, name, input, cwd);
      if (answer.decision !== 'allow') return { decision: 'decline' };
    }
    return { decision: 'accept' };
  }

  /** Without a reason to give, a wish to leave the sandbox is in the program's own record alone. */
  function escalates(itemId: string): boolean {
    const calls = thread === null ? [] : recordedCalls(stateDir, thread);
    return calls.some((call) => call.callId === itemId && call.escalates);
  }

  function spawn({ program }: CodexInstall): Rpc {
    mkdirSync(join(stateDir, 'tmp'), { recursive: true, mode: 0o700 });
    const spawned = context.spawn(program, codexArguments(context), {
      cwd: workspace,
      env: codexEnv(context),
    });
    child = spawned;
    spawned.stderr?.on('data', (chunk: Buffer) => {
      stderr = `${stderr}${chunk.toString('utf8')}`.slice(-LONGEST_STDERR);
    });
    gone = new Promise((resolve) => {
      const end = (): void => {
        endTurn(null);
        resolve();
      };
      spawned.once('error', end);
      spawned.once('exit', end);
    });
    return createRpc({ child: spawned, onRequest, onNotification });
  }

  async function openThread(program: Rpc, token: ResumeToken): Promise<string> {
    const clientInfo = { name: 'ccdash', title: 'CCDash', version };
    await program.call('initialize', { clientInfo });
    program.notify('initialized');
    const options = threadOptions(context);
    if (work.session.kind === 'resume') {
      const threadId = readThread(stateDir, token.session);
      if (threadId === null) throw new Error(`the thread of session ${token.session} is gone`);
      thread = threadId;
      before = new Set(recordedCalls(stateDir, threadId).map(({ callId }) => callId));
      await program.call('thread/resume', { ...options, threadId, excludeTurns: true });
      return threadId;
    }
    const { id } = fieldsOf((await program.call('thread/start', options))['thread']);
    if (typeof id !== 'string') throw new Error('the program has begun no thread');
    writeThread(stateDir, token.session, id);
    return id;
  }

  async function run(install: CodexInstall, token: ResumeToken): Promise<AgentOutcome> {
    const check = work.outputSchema === null ? null : createAnswerCheck(work.outputSchema);
    if (check !== null && !check.ok) return failedOutcome(check.error);
    const wrong = extensionFailure({ id: 'codex' }, work.ext);
    if (wrong !== null) return failedOutcome(wrong);
    let ended: Fields | null = null;
    let trouble: string | null = null;
    if (!hasStopped()) {
      try {
        rpc = spawn(install);
        thread = await openThread(rpc, token);
        if (!hasStopped()) {
          const begun = await rpc.call('turn/start', {
            threadId: thread,
            input: [{ type: 'text', text: work.prompt, text_elements: [] }],
            ...turnOptions(context),
          });
          turn ??= String(fieldsOf(begun['turn'])['id']);
          if (hasStopped()) interrupt();
          ended = await turnEnded;
        }
      } catch (error) {
        trouble = error instanceof Error ? error.message : String(error);
      }
    }
    gate.close();
    // Killed at once, it could not end the commands of an interrupted turn.
    if (ended !== null && (hasStopped() || isOverTurns)) await endByItself();
    kill();
    await gone;
    for (const fact of facts.rest()) context.emit(fact);
    const now = thread === null ? [] : recordedCalls(stateDir, thread);
    const added = now.filter(({ callId }) => !before.has(callId));
    for (const fact of facts.untold(added)) context.emit(fact);
    const said = [trouble, stderr.trim()].filter((text) => text !== null && text !== '');
    return outcomeOf({
      turn: ended,
      text: lastText,
      trouble: said.join('\n') || null,
      isStopped,
      isOverTurns,
      check: check?.value ?? null,
    });
  }

  async function start(): Promise<AgentOutcome> {
    const install = findCodex();
    if (typeof install === 'string') {
      const hint = `${INSTALL_COMMAND}, then retry the step`;
      return failedOutcome({ code: 'adapter_unavailable', message: install, hint });
    }
    const { session } = work;
    const token: ResumeToken =
      session.kind === 'resume'
        ? session.token
        : {
            ...{ adapter: 'codex', adapterVersion: version, programVersion: install.version },
            ...{ session: session.id, at: null },
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

/** A way out of the sandbox, which comes with a reason, or into the network, or words for a program that runs already. */
function isBeyondScope({ kind, reason, networkApprovalContext: network }: Fields): boolean {
  return kind !== 'command' || typeof reason === 'string' || (network ?? null) !== null;
}
