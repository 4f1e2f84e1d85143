/**
 * One attempt of Claude Code.
 *
 * Owns: the SDK's query and its program. Does not own: the sandbox around the program, time limits, the model's key.
 * 1. The session's id is told before the program starts, so that a crash at any later moment can be resumed.
 * 2. No tool has an effect without the gate's yes, and none after `cancel` was called: the gate closes first.
 * 3. No call is told or let through before the program has kept its session: one that was cut off after a call can be
 *    gone on with.
 * 4. `done` settles once the program is gone, and never rejects.
 */
import type { ChildProcess } from 'node:child_process';
import type {
  HookCallback,
  Query,
  SDKMessage,
  SDKResultMessage,
  SpawnOptions,
  SpawnedProcess,
} from '@anthropic-ai/claude-agent-sdk';
import type {
  AgentHandle,
  AgentOutcome,
  AgentRunContext,
  AgentWork,
  Json,
  ResumeToken,
  Usage,
} from '@ccdash/core';
import { createAnswerCheck } from '../answer-schema.ts';
import { extensionFailure, failedOutcome } from '../installed-adapter.ts';
import { createFileRules } from '../tools/file-rules.ts';
import { createToolGate } from '../tools/tool-gate.ts';
import { ANSWER_TOOL } from '../tools/tool-names.ts';
import { claudeExtension, readClaudeExtension } from './claude-extension.ts';
import { createFactReader } from './claude-facts.ts';
import { claudeOptions } from './claude-options.ts';
import { createConversation } from './conversation.ts';
import { outcomeOf, totalsOf } from './claude-result.ts';
import { projectSettingsFailure } from './project-settings.ts';
import { INSTALL_COMMAND, findSdk } from './sdk-install.ts';
import type { SdkInstall } from './sdk-install.ts';
import { sessionKept } from './session-file.ts';
import { grownBy, readLedger, writeLedger } from './usage-ledger.ts';
import type { Totals } from './usage-ledger.ts';

type Context = AgentRunContext<ChildProcess>;

/** How long the program may take to end by itself, once interrupted or once it has given its result. */
const GRACE_MS = 4_000;
const LONGEST_STDERR = 4_000;

export function startClaudeSession(context: Context, version: string): AgentHandle {
  const { work, workspace, stateDir } = context;
  const fileRules = createFileRules({ workspace, write: writable(work), readable: [stateDir] });
  const gate = createToolGate({
    workspace,
    tools: work.tools,
    fileRules,
    ask: (question) => context.gate(question),
  });
  const stopped = (): boolean => isStopped;
  const denied = new Set<string>();
  const facts = createFactReader({
    workspace,
    isDenied: (callId) => denied.has(callId),
    isStopped: stopped,
  });
  const conversation = createConversation(work.prompt);
  const abort = new AbortController();
  const programs = new Set<Promise<void>>();
  const children = new Set<ChildProcess>();
  let token: ResumeToken | null = null;
  let { model } = work;
  let query: Query | null = null;
  let isStopped = false;
  let stderr = '';
  let keeping: Promise<void> | null = null;

  function kept(): Promise<void> {
    const isOver = (): boolean => isStopped || children.size === 0;
    return (keeping ??= sessionKept(sessionOf(context), stateDir, isOver));
  }

  const onToolUse: HookCallback = async (input) => {
    if (input.hook_event_name !== 'PreToolUse') return {};
    const { tool_use_id: callId, tool_name: name, cwd } = input;
    if (name === ANSWER_TOOL && work.outputSchema !== null && !isStopped) return decided('allow');
    await kept();
    const answer = await gate.decide(callId, name, input.tool_input as Json, cwd);
    if (answer.decision === 'allow') return decided('allow');
    denied.add(callId);
    return decided('deny', answer.reason);
  };

  function spawn({ command, args, cwd, env }: SpawnOptions): SpawnedProcess {
    const defined = Object.entries(env).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, value] as const],
    );
    const child = context.spawn(command, args, {
      cwd: cwd ?? workspace,
      env: Object.fromEntries(defined),
    });
    children.add(child);
    const gone = new Promise<void>((resolve) => {
      child.once('error', () => resolve());
      child.once('exit', () => resolve());
    });
    programs.add(gone.then(() => void children.delete(child)));
    if (isStopped) child.kill('SIGKILL');
    const { stdin, stdout } = child;
    if (stdin === null || stdout === null) throw new Error('the host spawned it without pipes');
    return Object.assign(child, { stdin, stdout });
  }

  function kill(): void {
    for (const child of children) child.kill('SIGKILL');
    abort.abort();
  }

  /** Waits for the program to be gone, and sees to it. */
  async function programsGone(): Promise<void> {
    const timer = setTimeout(kill, GRACE_MS);
    await Promise.all(programs);
    clearTimeout(timer);
  }

  /** Once, and again when another model answers, as after a fallback. */
  function tellModel(message: SDKMessage): void {
    if (message.type !== 'assistant' || message.parent_tool_use_id !== null) return;
    const { model: answered } = message.message;
    // What the program says by itself is nobody's answer.
    if (token === null || answered === model || answered === '<synthetic>') return;
    model = answered;
    context.emit({ type: 'session', token, model });
  }

  async function run(install: SdkInstall): Promise<AgentOutcome> {
    const check = work.outputSchema === null ? null : createAnswerCheck(work.outputSchema);
    if (check !== null && !check.ok) return failedOutcome(check.error);
    const wrong = extensionFailure({ id: 'claude', extension: claudeExtension }, work.ext);
    if (wrong !== null) return failedOutcome(wrong);
    const { settings } = readClaudeExtension(work.ext);
    const unfit = settings === 'project' ? projectSettingsFailure(workspace) : null;
    if (unfit !== null) return failedOutcome(unfit);
    const sdk = await import('@anthropic-ai/claude-agent-sdk');
    // Before the program runs, which could write there.
    const before = readLedger(stateDir, sessionOf(context));
    let result: SDKResultMessage | null = null;
    let thrown: unknown = null;
    if (!isStopped) {
      const onStderr = (text: string): void => {
        stderr = `${stderr}${text}`.slice(-LONGEST_STDERR);
      };
      const parts = { program: install.program, onToolUse, spawn, onStderr, abort };
      query = sdk.query({ prompt: conversation, options: claudeOptions(context, parts) });
      try {
        for await (const message of query) {
          tellModel(message);
          const messageId = conversation.taken(message);
          if (messageId !== null) context.emit({ type: 'told', messageId });
          const read = facts.read(message);
          if (read.some(({ type }) => type === 'tool-started')) await kept();
          for (const fact of read) context.emit(fact);
          if (message.type !== 'result') continue;
          // There may be more than one; the last one has it all.
          result = message;
          // A message on its way would be worked on after an interrupt.
          if (conversation.isWaiting() && stopped()) kill();
          if (stopped() || !conversation.isWaiting()) conversation.end();
        }
      } catch (error) {
        // Also thrown after each result that is no success.
        thrown = error;
      }
    }
    gate.close();
    conversation.end();
    await programsGone();
    for (const fact of facts.rest()) context.emit(fact);
    const usage = usageOf(context, result, before);
    const said = thrown === null ? '' : messageOf(thrown);
    const trouble = [said, stderr.trim()].filter((text) => text !== '').join('\n') || null;
    return outcomeOf({ result, trouble, isStopped, check: check?.value ?? null, usage });
  }

  async function start(): Promise<AgentOutcome> {
    const install = findSdk();
    if (typeof install === 'string') {
      const hint = `${INSTALL_COMMAND}, then retry the step`;
      return failedOutcome({ code: 'adapter_unavailable', message: install, hint });
    }
    token =
      work.session.kind === 'resume'
        ? work.session.token
        : {
            adapter: 'claude',
            adapterVersion: version,
            programVersion: install.programVersion,
            session: work.session.id,
            at: null,
          };
    context.emit({ type: 'session', token, model });
    return run(install);
  }

  const done = start().catch(async (error: unknown) => {
    gate.close();
    kill();
    await programsGone();
    const failure = {
      code: 'agent_error',
      message: messageOf(error),
      hint: 'resume or retry the step',
    };
    return failedOutcome(failure, { retryable: true });
  });

  return {
    done,
    send: (messageId, text) => {
      if (!isStopped) conversation.say(messageId, text);
    },
    cancel: async () => {
      gate.close();
      if (isStopped) {
        await done;
        return;
      }
      isStopped = true;
      conversation.end();
      const timer = setTimeout(kill, GRACE_MS);
      // It fails when the program is already on its way out.
      query?.interrupt().catch(() => kill());
      await done;
      clearTimeout(timer);
    },
  };
}

/** Settings that are read must not be the agent's own work. */
function writable({ write, ext }: AgentWork): readonly string[] {
  const reads = claudeExtension.safeParse(ext['claude'] ?? {}).data?.settings === 'project';
  return reads && write.length > 0 ? [...write, '!.claude/settings*.json'] : write;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function decided(permissionDecision: 'allow' | 'deny', permissionDecisionReason = 'allowed') {
  const hookEventName = 'PreToolUse' as const;
  return { hookSpecificOutput: { hookEventName, permissionDecision, permissionDecisionReason } };
}

/** What this attempt has used. A scripted model costs nobody anything, and what it says of costs is nothing. */
function usageOf(context: Context, result: SDKResultMessage | null, before: Totals): Usage | null {
  const totals = totalsOf(result);
  if (totals === null) return null;
  writeLedger(context.stateDir, sessionOf(context), totals);
  const used = grownBy(before, totals);
  return { ...used, usd: context.work.upstream.kind === 'scripted' ? null : used.usd };
}

function sessionOf({ work: { session } }: Context): string {
  return session.kind === 'new' ? session.id : session.token.session;
}
