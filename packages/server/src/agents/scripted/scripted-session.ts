/**
 * One scripted attempt. A turn without calls or answer ends it, as a model's last words do; what the script says after
 * that is for whoever resumes the session.
 *
 * 1. Progress is on disk after each item; an item that was cut off is done again by whoever resumes.
 * 2. Nothing has an effect after `cancel` was called, and nothing runs once `done` has settled.
 */
import type { ChildProcess } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import type { AgentHandle, AgentOutcome, AgentRunContext, Failure, JsonObject } from '@ccdash/core';
import { NO_ANSWER, createAnswerCheck, invalidAnswer } from '../answer-schema.ts';
import type { AnswerCheck } from '../answer-schema.ts';
import { extensionFailure, failedOutcome } from '../installed-adapter.ts';
import { SCRIPT_END, readAgentScript } from '../script/agent-script.ts';
import type { Script, ScriptCall, ScriptTurn } from '../script/agent-script.ts';
import { scriptFor } from '../script/next-turn.ts';
import { waitForFile } from '../script/wait-for-file.ts';
import { createFileRules } from '../tools/file-rules.ts';
import { createToolGate } from '../tools/tool-gate.ts';
import type { ToolGate } from '../tools/tool-gate.ts';
import { toolOfName, toolTitle } from '../tools/tool-names.ts';
import { runTool } from './run-tool.ts';
import { readProgress, sessionFile, writeProgress } from './session-file.ts';
import type { ScriptProgress } from './session-file.ts';

type Context = AgentRunContext<ChildProcess>;

export function startScriptedSession(context: Context, version: string): AgentHandle {
  const { work, workspace } = context;
  const stopping = new AbortController();
  const fileRules = createFileRules({ workspace, write: work.write, readable: [] });
  const gate = createToolGate({
    workspace,
    tools: work.tools,
    fileRules,
    ask: (question) => context.gate(question),
  });
  let turns = 0;
  const onTurn = (): void => void (turns += 1);
  const done = play(context, version, gate, stopping.signal, onTurn)
    .catch((error: unknown) => {
      if (stopping.signal.aborted) return STOPPED;
      const message = error instanceof Error ? error.message : String(error);
      return failedOutcome({ code: 'agent_error', message, hint: 'retry the step' });
    })
    .then((outcome): AgentOutcome => ({ ...outcome, usage: { ...UNKNOWN, turns } }));
  return {
    done,
    cancel: async () => {
      gate.close();
      stopping.abort();
      await done;
    },
  };
}

/** It calls no model. */
const UNKNOWN = { inputTokens: null, outputTokens: null, cachedTokens: null, usd: null };

const STOPPED: AgentOutcome = {
  status: 'stopped',
  text: '',
  structured: null,
  usage: null,
  failure: null,
  retryable: true,
};

async function play(
  context: Context,
  version: string,
  gate: ToolGate,
  stopping: AbortSignal,
  onTurn: () => void,
): Promise<AgentOutcome> {
  const opened = open(context, version);
  if ('code' in opened) return failedOutcome(opened);
  const { script, save, check } = opened;
  let { progress } = opened;
  let text = '';
  let answer: JsonObject | null = null;
  let problem = NO_ANSWER;

  for (let turns = 0; ; turns += 1) {
    stopping.throwIfAborted();
    const turn = script.turns[progress.turn] ?? SCRIPT_END;
    if (context.work.maxTurns !== null && turns >= context.work.maxTurns) {
      return limitReached(context.work.maxTurns, text);
    }
    onTurn();
    const failure = await begin(turn);
    if (failure !== null) return failure;
    for (const item of itemsOf(turn).slice(progress.item)) {
      stopping.throwIfAborted();
      if (item.type === 'say') say(item.text);
      else if (item.type === 'call') await call(item.call);
      else {
        const wrong = check?.(item.answer) ?? null;
        if (wrong === null) answer = item.answer;
        else problem = wrong;
      }
      stopping.throwIfAborted();
      save((progress = { ...progress, item: progress.item + 1 }));
    }
    save((progress = { ...progress, turn: progress.turn + 1, item: 0, errors: 0 }));
    if (turn.calls.length === 0 && turn.answer === null) break;
  }
  if (check !== null && answer === null) {
    const rest = { status: 'invalid-output', text, retryable: true } as const;
    return failedOutcome(invalidAnswer(problem), rest);
  }
  const structured = check === null ? null : answer;
  return { ...STOPPED, status: 'succeeded', text, structured, retryable: false };

  /** What comes before a turn's own items; an outcome when the turn fails. */
  async function begin(turn: ScriptTurn): Promise<AgentOutcome | null> {
    if (turn.delayMs > 0) await sleep(turn.delayMs, undefined, { signal: stopping });
    if (turn.waitFor !== null) await waitForFile(turn.waitFor, stopping);
    if (turn.stall) await untilAborted(stopping);
    for (let past = 0; ; past += 1) {
      const trouble = troubleOf(turn, past);
      if (trouble === null) return null;
      if (past < progress.errors) continue;
      const { message, retryable } = trouble;
      save((progress = { ...progress, errors: past + 1 }));
      if (trouble.isLasting) {
        const failure = { code: 'model_error', message, hint: 'retry the step' };
        return failedOutcome(failure, { text, retryable });
      }
      context.emit({ type: 'notice', level: 'warn', text: message });
    }
  }

  function say(words: string): void {
    text = words;
    context.emit({ type: 'message', text: words, checkpoint: null, agentPath: [] });
  }

  async function call({ name, input }: ScriptCall): Promise<void> {
    const callId = `call-${progress.turn}-${progress.item}`;
    const title = toolTitle(name, input, context.workspace);
    const tool = toolOfName(name);
    context.emit({ type: 'tool-started', callId, tool, name, title, input, agentPath: [] });
    const verdict = await gate.decide(callId, name, input, context.workspace);
    const result =
      verdict.decision === 'allow'
        ? await runTool({ name, input }, context, stopping)
        : { status: 'denied' as const, summary: verdict.reason };
    context.emit({ type: 'tool-ended', callId, ...result, checkpoint: null });
  }
}

interface Opened {
  readonly script: Script;
  readonly progress: ScriptProgress;
  readonly save: (progress: ScriptProgress) => void;
  /** Null when no structured answer is wanted. */
  readonly check: AnswerCheck | null;
}

function open(context: Context, version: string): Opened | Failure {
  const { work, stateDir } = context;
  const isNew = work.session.kind === 'new';
  const session = work.session.kind === 'new' ? work.session.id : work.session.token.session;
  const path = sessionFile(stateDir, session);
  if (path === null) {
    const message = `${JSON.stringify(session)} is no session of the scripted agent`;
    return { code: 'resume_refused', message, hint: 'retry the step to begin it anew' };
  }
  const token = {
    adapter: 'scripted',
    adapterVersion: version,
    programVersion: 'unknown',
    session,
    at: null,
  };
  context.emit({ type: 'session', token, model: work.model });
  const wrong = extensionFailure({ id: 'scripted' }, work.ext);
  if (wrong !== null) return wrong;
  if (work.upstream.kind !== 'scripted') {
    return {
      code: 'script_missing',
      message: 'the scripted agent has no script to play',
      hint: 'start the server with CCDASH_SCRIPTED_MODEL naming a script, then retry the step',
    };
  }
  const read = readAgentScript(work.upstream.scriptFile);
  if (!read.ok) return read.error;
  const start: ScriptProgress = { version: 1, prompt: work.prompt, turn: 0, item: 0, errors: 0 };
  const progress = isNew ? { ok: true as const, value: start } : readProgress(path);
  if (!progress.ok) return progress.error;
  const script = scriptFor(read.value, progress.value.prompt);
  if (script === null) {
    return {
      code: 'invalid_script',
      message: `${read.value.file} has no script whose \`when\` is in the prompt`,
      hint: 'add one, or one without `when`, and retry the step',
    };
  }
  const check = work.outputSchema === null ? null : createAnswerCheck(work.outputSchema);
  if (check !== null && !check.ok) return check.error;
  const save = (next: ScriptProgress): void => writeProgress(path, next);
  save(progress.value);
  return { script, progress: progress.value, save, check: check?.value ?? null };
}

interface Trouble {
  readonly message: string;
  readonly retryable: boolean;
  /** It does not pass. */
  readonly isLasting: boolean;
}

/** What keeps a turn from its items after `past` troubles; null when nothing does any more. */
function troubleOf({ error, breaks }: ScriptTurn, past: number): Trouble | null {
  const errors = error === null ? 0 : (error.times ?? Infinity);
  if (error !== null && past < errors) {
    const message = `the model answered ${error.status} ${error.type}: ${error.message}`;
    const retryable = error.status === 429 || error.status >= 500;
    return { message, retryable, isLasting: error.times === null };
  }
  if (breaks === null || past - errors >= (breaks.times ?? Infinity)) return null;
  return {
    message: `the answer of the model was none (${breaks.how})`,
    retryable: breaks.how !== 'endless',
    isLasting: breaks.times === null,
  };
}

type Item =
  | { readonly type: 'say'; readonly text: string }
  | { readonly type: 'call'; readonly call: ScriptCall }
  | { readonly type: 'answer'; readonly answer: JsonObject };

function itemsOf({ say, calls, answer }: ScriptTurn): readonly Item[] {
  return [
    ...(say === null ? [] : [{ type: 'say', text: say } as const]),
    ...calls.map((call) => ({ type: 'call', call }) as const),
    ...(answer === null ? [] : [{ type: 'answer', answer } as const]),
  ];
}

function limitReached(maxTurns: number, text: string): AgentOutcome {
  const failure = {
    code: 'limit_reached',
    message: `the agent has used its ${maxTurns} turns before it had finished`,
    hint: 'raise budget.turns of the step, then resume it',
  };
  return failedOutcome(failure, { status: 'limit-reached', text });
}

/** Never resolves. */
function untilAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const stop = (): void => reject(new Error('stopped'));
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
  });
}
