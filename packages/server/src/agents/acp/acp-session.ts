/**
 * One attempt of an agent that speaks the Agent Client Protocol.
 *
 * Owns: the agent's program, the talk with it, what it asks of its client. Does not own: the sandbox around them, time
 * limits, the model's key.
 * 1. The session's id is told before the program starts; the agent's own is kept beside it before it works.
 * 2. What the agent asks for happens only by the gate's yes, and never after `cancel` was called. The protocol leaves it to
 *    the agent whether it asks: one that did something unasked is stopped, and the sandbox holds in any case.
 * 3. `done` settles once nothing of it runs, and never rejects.
 */
import type { ChildProcess } from 'node:child_process';
import { Readable, Writable } from 'node:stream';
import type {
  ClientContext,
  ContentBlock,
  InitializeResponse,
  NewSessionResponse,
  PermissionOption,
  PromptResponse,
  RequestPermissionRequest,
  RequestPermissionResponse,
  SessionConfigOption,
  SessionUpdate,
  ToolCall,
  ToolCallUpdate,
} from '@agentclientprotocol/sdk';
import type {
  AgentHandle,
  AgentLaunch,
  AgentOutcome,
  AgentRunContext,
  GateAnswer,
  JsonObject,
  ResumeToken,
} from '@ccdash/core';
import { createAnswerCheck } from '../answer-schema.ts';
import { extensionFailure, failedOutcome } from '../installed-adapter.ts';
import { createFileRules } from '../tools/file-rules.ts';
import { createToolGate } from '../tools/tool-gate.ts';
import { createCallBook } from './acp-calls.ts';
import { filled, launchVersion, takesModel, usesGateway } from './acp-launch.ts';
import type { LaunchValues } from './acp-launch.ts';
import { outcomeOf, usageIn } from './acp-result.ts';
import type { Trouble } from './acp-result.ts';
import { createClientServices } from './client-services.ts';
import { readSession, writeSession } from './session-file.ts';

type Context = AgentRunContext<ChildProcess>;

/** How long the agent may take to end its turn by itself, once it was told to. */
const GRACE_MS = 4_000;
const LONGEST_STDERR = 4_000;
/** Of JSON-RPC. */
const INTERNAL_ERROR = -32603;
/** An agent that ends its turn because of a denial is told why, and set going again; not for ever. */
const MOST_REMINDERS = 20;

export function startAcpSession(context: Context, id: string, version: string): AgentHandle {
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
  const calls = createCallBook({ workspace, isStopped: isEnding });
  const services = createClientServices({ context, gate, calls, isStopped: isEnding });
  let child: ChildProcess | null = null;
  let interrupt: () => void = () => kill();
  let gone: Promise<void> = Promise.resolve();
  let stderr = '';
  /** The history of a session that is opened again is told once more. */
  let isReplaying = true;
  let message = '';
  let messageId: unknown = null;
  let lastText = '';
  let denials: string[] = [];
  /** By which the model answered last, as far as the agent goes by the gateway. */
  let modelStatus: number | null = null;
  let rounds = 0;
  let hasCalled = false;
  let isNewRound = true;

  context.gateway.onStatus?.((status) => {
    modelStatus = status;
    if (status < 400 || isEnding()) return;
    const text = `the model answered ${status}; the agent may ask it again`;
    context.emit({ type: 'notice', level: 'warn', text });
  });

  const kill = (): void => void child?.kill('SIGKILL');

  function endMessage(): void {
    const text = message.trim();
    message = '';
    if (text === '') return;
    lastText = text;
    context.emit({ type: 'message', text, checkpoint: null, agentPath: [] });
  }

  function stopAt(reason: 'turns' | { readonly bypass: string }): void {
    if (isEnding()) return;
    if (reason === 'turns') isOverTurns = true;
    else ({ bypass } = reason);
    gate.close();
    interrupt();
    setTimeout(kill, GRACE_MS).unref();
  }

  /** An answer of the model begins with what comes after all calls of the one before have ended. */
  function inRound(): void {
    if (isNewRound) rounds += 1;
    isNewRound = false;
  }

  function roundOver(): void {
    if (calls.openCalls() > 0) return;
    isNewRound = true;
    if (work.maxTurns !== null && hasCalled && rounds >= work.maxTurns) stopAt('turns');
  }

  function onText({ content, ...rest }: { readonly content: ContentBlock }): void {
    const { messageId: part = null } = rest as { readonly messageId?: unknown };
    if (part !== messageId) endMessage();
    messageId = part;
    if (content.type === 'text') message += content.text;
  }

  function onCall(update: ToolCall | ToolCallUpdate): void {
    endMessage();
    if (calls.isNew(update.toolCallId)) {
      inRound();
      hasCalled = true;
    }
    const { facts, bypass: deed } = calls.told(update);
    for (const fact of facts) context.emit(fact);
    if (deed !== null) stopAt({ bypass: deed });
    else if (facts.some(({ type }) => type === 'tool-ended')) roundOver();
  }

  /** Kinds that mean nothing here, or that later versions add, are passed over. */
  function onUpdate(update: SessionUpdate): void {
    if (isReplaying) return;
    const { sessionUpdate: kind } = update;
    if (kind === 'agent_message_chunk' || kind === 'agent_thought_chunk') inRound();
    if (kind === 'agent_message_chunk') onText(update);
    else if (kind === 'tool_call' || kind === 'tool_call_update') onCall(update);
    else if (kind === 'notice') {
      const { severity, title, description } = update;
      const level = severity === 'error' ? 'error' : severity === 'warning' ? 'warn' : 'info';
      const text = [title, description].filter((part) => (part ?? '') !== '').join(': ');
      context.emit({ type: 'notice', level, text });
    }
  }

  async function onPermission({
    toolCall,
    options,
  }: RequestPermissionRequest): Promise<RequestPermissionResponse> {
    endMessage();
    if (calls.isNew(toolCall.toolCallId)) {
      inRound();
      hasCalled = true;
    }
    const { facts, deeds } = calls.asked(toolCall);
    for (const fact of facts) context.emit(fact);
    const answer = await decide(toolCall.toolCallId, deeds);
    calls.answered(toolCall.toolCallId, answer);
    if (isEnding()) return { outcome: { outcome: 'cancelled' } };
    const option = optionFor(options, answer);
    if (answer.decision === 'deny') denials.push(`${toolCall.title ?? ''}: ${answer.reason}`);
    if (option !== null) return { outcome: { outcome: 'selected', optionId: option } };
    // There is no way to say it: as canceled it does not happen either.
    calls.answered(toolCall.toolCallId, { decision: 'deny', reason: NO_OPTION });
    return { outcome: { outcome: 'cancelled' } };
  }

  async function decide(
    callId: string,
    deeds: readonly { readonly name: string; readonly input: JsonObject }[],
  ): Promise<GateAnswer> {
    for (const [index, { name, input }] of deeds.entries()) {
      const part = index === 0 ? callId : `${callId}.${index}`;
      const answer = await gate.decide(part, name, input, workspace);
      if (answer.decision !== 'allow') return answer;
    }
    return { decision: 'allow' };
  }

  function spawn(launch: AgentLaunch, values: LaunchValues): ChildProcess {
    const [program = '', ...args] = launch.command;
    const env = { ...context.env, HOME: stateDir, ...filled(launch.env, values) };
    const spawned = context.spawn(program, args, { cwd: workspace, env });
    child = spawned;
    spawned.stderr?.on('data', (chunk: Buffer) => {
      stderr = `${stderr}${chunk.toString('utf8')}`.slice(-LONGEST_STDERR);
    });
    gone = new Promise((resolve) => {
      spawned.once('error', () => resolve());
      spawned.once('exit', () => resolve());
    });
    return spawned;
  }

  async function talk(
    launch: AgentLaunch,
    token: ResumeToken,
    values: LaunchValues,
  ): Promise<readonly PromptResponse[]> {
    const acp = await import('@agentclientprotocol/sdk');
    const { stdin, stdout } = spawn(launch, values);
    if (stdin === null || stdout === null) throw new Error('the host spawned it without pipes');
    // It may go away while something is being written.
    stdin.on('error', () => undefined);
    const stream = acp.ndJsonStream(
      Writable.toWeb(stdin),
      Readable.toWeb(stdout) as ReadableStream<Uint8Array>,
    );
    /** The library tells the agent why only of errors of its own. */
    async function serve<T>(work: () => T | Promise<T>): Promise<T> {
      try {
        return await work();
      } catch (error) {
        throw new acp.RequestError(INTERNAL_ERROR, troubleOf(error).message);
      }
    }
    const client = acp
      .client({ name: 'ccdash' })
      .onNotification('session/update', ({ params }) => onUpdate(params.update))
      .onRequest('session/request_permission', ({ params }) => onPermission(params))
      .onRequest('fs/read_text_file', ({ params }) => serve(() => services.readFile(params)))
      .onRequest('fs/write_text_file', ({ params }) => serve(() => services.writeFile(params)))
      .onRequest('terminal/create', ({ params }) => serve(() => services.createTerminal(params)))
      .onRequest('terminal/output', ({ params: { terminalId } }) =>
        serve(() => services.terminalOutput(terminalId)),
      )
      .onRequest('terminal/wait_for_exit', ({ params: { terminalId } }) =>
        serve(() => services.waitForExit(terminalId)),
      )
      .onRequest('terminal/kill', ({ params: { terminalId } }) =>
        serve(() => services.killTerminal(terminalId)),
      )
      .onRequest('terminal/release', ({ params: { terminalId } }) =>
        serve(() => services.releaseTerminal(terminalId)),
      );
    const responses: PromptResponse[] = [];
    const isGone = gone.then(() => {
      throw new Error('its program is gone');
    });
    isGone.catch(() => undefined);
    const said = client.connectWith(stream, async (agent) => {
      const sessionId = await open(agent, launch, token, values);
      isReplaying = false;
      interrupt = () => {
        agent.notify('session/cancel', { sessionId }).catch(kill);
      };
      let prompt: string | null = promptOf(context);
      for (let asked = 0; prompt !== null && !isEnding(); asked += 1) {
        denials = [];
        lastText = '';
        isNewRound = true;
        responses.push(
          await agent.request('session/prompt', {
            sessionId,
            prompt: [{ type: 'text', text: prompt }],
          }),
        );
        endMessage();
        const endedAtDenial = denials.length > 0 && lastText === '' && asked < MOST_REMINDERS;
        prompt = endedAtDenial ? reminderOf(denials) : null;
      }
    });
    said.catch(() => undefined);
    await Promise.race([said, isGone]);
    return responses;
  }

  async function open(
    agent: ClientContext,
    launch: AgentLaunch,
    token: ResumeToken,
    values: LaunchValues,
  ): Promise<string> {
    const hello = await agent.request('initialize', {
      protocolVersion: 1,
      clientCapabilities: services.capabilities,
      clientInfo: { name: 'ccdash', version },
    });
    if (hello.protocolVersion !== 1) {
      throw new Error(`it speaks version ${hello.protocolVersion} of the protocol, not 1`);
    }
    const { session } = work;
    const begun =
      session.kind === 'resume'
        ? await reopen(agent, hello, token)
        : await agent.request('session/new', {
            cwd: workspace,
            mcpServers: [],
            _meta: filled(launch.session, values),
          });
    if (session.kind === 'new') {
      const { sessionId } = begun as NewSessionResponse;
      const { loadSession, sessionCapabilities } = hello.agentCapabilities ?? {};
      writeSession(stateDir, token.session, {
        id: sessionId,
        agent: nameOf(hello),
        opensAgain: loadSession === true || (sessionCapabilities?.resume ?? null) !== null,
      });
    }
    const own = readSession(stateDir, token.session);
    if (own === null) throw new Error(`the session ${token.session} is gone`);
    const { modes, configOptions } = begun;
    const options = configOptions ?? [];
    if (launch.mode !== null) {
      const modeId = launch.mode;
      if (modes?.availableModes.some(({ id: each }) => each === modeId) === true) {
        await agent.request('session/set_mode', { sessionId: own.id, modeId });
      } else {
        await choose(agent, own.id, options, 'mode', modeId);
      }
    }
    if (work.model !== null && !takesModel(launch)) {
      await choose(agent, own.id, options, 'model', work.model);
    }
    return own.id;
  }

  async function reopen(
    agent: ClientContext,
    hello: InitializeResponse,
    token: ResumeToken,
  ): Promise<Pick<NewSessionResponse, 'modes' | 'configOptions'>> {
    const own = readSession(stateDir, token.session);
    if (own === null) throw new Error(`the session ${token.session} is gone`);
    if (own.agent !== nameOf(hello)) {
      throw new ResumeRefused(
        `the session was begun with ${own.agent ?? 'an agent that gave no name'}; here is ${nameOf(hello) ?? 'one that gives none'}`,
      );
    }
    const { loadSession, sessionCapabilities } = hello.agentCapabilities ?? {};
    const request = { sessionId: own.id, cwd: workspace, mcpServers: [] };
    if (loadSession === true) return agent.request('session/load', request);
    if ((sessionCapabilities?.resume ?? null) !== null) {
      return agent.request('session/resume', request);
    }
    throw new ResumeRefused('the agent cannot open a session again');
  }

  async function run(launch: AgentLaunch, token: ResumeToken): Promise<AgentOutcome> {
    const check = work.outputSchema === null ? null : createAnswerCheck(work.outputSchema);
    if (check !== null && !check.ok) return failedOutcome(check.error);
    const wrong = extensionFailure({ id }, work.ext);
    if (wrong !== null) return failedOutcome(wrong);
    if (work.model === null && takesModel(launch)) return failedOutcome(modelMissing(id));
    const values: LaunchValues = {
      gateway: context.gateway.baseUrl,
      token: context.gateway.token,
      model: work.model,
      state: stateDir,
      workspace,
    };
    let responses: readonly PromptResponse[] = [];
    let trouble: Trouble | null = null;
    let refused: string | null = null;
    if (!isEnding()) {
      try {
        responses = await talk(launch, token, values);
      } catch (error) {
        if (error instanceof ResumeRefused) refused = error.message;
        trouble = troubleOf(error);
      }
    }
    gate.close();
    kill();
    await services.close();
    await gone;
    endMessage();
    for (const fact of calls.rest()) context.emit(fact);
    if (refused !== null) {
      const hint = 'install what it was begun with, or start the step anew';
      return failedOutcome({ code: 'resume_refused', message: refused, hint });
    }
    return outcomeOf({
      response: responses.at(-1) ?? null,
      trouble: trouble === null ? null : { ...trouble, stderr: stderr.trim() },
      modelStatus,
      text: lastText,
      isStopped,
      isOverTurns,
      bypass,
      check: check?.value ?? null,
      usage: usesGateway(launch) ? null : usageIn(responses),
    });
  }

  async function start(): Promise<AgentOutcome> {
    const { launch, session } = work;
    if (launch === undefined) {
      const message = `no settings say how ${id} is started`;
      const hint = 'name it under `agents` in .ccdash/config.yaml, then: ccdash trust';
      return failedOutcome({ code: 'adapter_unavailable', message, hint });
    }
    const token: ResumeToken =
      session.kind === 'resume'
        ? session.token
        : {
            ...{ adapter: id, adapterVersion: version, session: session.id, at: null },
            programVersion: launchVersion(launch) ?? 'unknown',
          };
    context.emit({ type: 'session', token, model: work.model });
    return run(launch, token);
  }

  const done = start().catch(async (error: unknown) => {
    gate.close();
    kill();
    await services.close();
    await gone;
    const failure = {
      code: 'agent_error',
      message: troubleOf(error).message,
      hint: 'resume or retry the step',
    };
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

/** It cannot go on in this session, and never will. */
class ResumeRefused extends Error {}

const NO_OPTION = 'the agent offers no such answer to its question';

/** By what an option means: names of options differ between agents, and between versions of one. Never for good. */
function optionFor(options: readonly PermissionOption[], { decision }: GateAnswer): string | null {
  const kinds = decision === 'allow' ? ['allow_once'] : ['reject_once', 'reject_always'];
  for (const kind of kinds) {
    const found = options.find((option) => option.kind === kind);
    if (found !== undefined) return found.optionId;
  }
  return null;
}

async function choose(
  agent: ClientContext,
  sessionId: string,
  options: readonly SessionConfigOption[],
  category: 'mode' | 'model',
  value: string,
): Promise<void> {
  const option = options.find((each) => each.category === category && each.type === 'select');
  if (option === undefined) throw new Error(`it lets nobody choose its ${category}`);
  await agent.request('session/set_config_option', { sessionId, configId: option.id, value });
}

/** The answer by a schema is asked for in words: the protocol has none of its own. */
function promptOf({ work: { prompt, outputSchema } }: Context): string {
  if (outputSchema === null) return prompt;
  const schema = JSON.stringify(outputSchema);
  return `${prompt}\n\nWhen you have finished, let your last message be nothing but a JSON object that fits this JSON Schema:\n${schema}`;
}

/** Agents are told that a call was rejected, not why; some then end their turn without a word. */
function reminderOf(denials: readonly string[]): string {
  const list = denials.map((denial) => `- ${denial}`).join('\n');
  return `These calls were not allowed:\n${list}\nGo on with the work without them.`;
}

function nameOf({ agentInfo }: InitializeResponse): string | null {
  return agentInfo === null || agentInfo === undefined
    ? null
    : `${agentInfo.name} ${agentInfo.version}`;
}

function modelMissing(id: string) {
  return {
    code: 'invalid_options',
    message: `the settings of ${id} want to know the model, and the step names none`,
    hint: 'give the step a `model`, or write the model in .ccdash/config.yaml',
  };
}

/** Errors that the agent answers with have a number. */
function troubleOf(error: unknown): Trouble {
  if (!(error instanceof Error)) return { message: String(error), answer: null, stderr: '' };
  const { code, data } = error as { readonly code?: unknown; readonly data?: unknown };
  const answer = typeof code === 'number' ? { code, data } : null;
  return { message: error.message, answer, stderr: '' };
}
