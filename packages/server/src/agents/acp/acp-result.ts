/** How an agent's turn ended, from its own words. Usage is the gateway's, where the agent goes by it. */
import type { PromptResponse, StopReason } from '@agentclientprotocol/sdk';
import type { AgentOutcome, Failure, JsonObject, Usage } from '@ccdash/core';
import { NO_ANSWER, invalidAnswer } from '../answer-schema.ts';
import type { AnswerCheck } from '../answer-schema.ts';
import { failedOutcome } from '../installed-adapter.ts';

/** What went wrong, where no turn came to its end. */
export interface Trouble {
  readonly message: string;
  /** The agent's own answer to what it was asked, not the end of its program. */
  readonly answer: { readonly code: unknown; readonly data: unknown } | null;
  /** Its last words on stderr. */
  readonly stderr: string;
}

export interface TurnEnd {
  /** Null when the agent gave none. */
  readonly response: PromptResponse | null;
  readonly trouble: Trouble | null;
  /** By which the model answered last; null when nobody knows. */
  readonly modelStatus: number | null;
  /** The agent's last words. */
  readonly text: string;
  readonly isStopped: boolean;
  readonly isOverTurns: boolean;
  /** What had an effect that nobody was asked for. */
  readonly bypass: string | null;
  /** Null when no structured answer is wanted. */
  readonly check: AnswerCheck | null;
  readonly usage: Usage | null;
}

export function outcomeOf({
  response,
  trouble,
  text,
  check,
  usage,
  ...how
}: TurnEnd): AgentOutcome {
  const nothing = { text, structured: null, usage, failure: null };
  const failed: Failing = (failure, rest = {}) => failedOutcome(failure, { text, usage, ...rest });
  if (how.bypass !== null) {
    return failed({
      code: 'gate_bypassed',
      message: `the agent did “${how.bypass}” without asking; it was stopped`,
      hint: 'look at what it changed; set the agent so that it asks before each call (mode, session or env in .ccdash/config.yaml)',
    });
  }
  if (how.isStopped) return { ...nothing, status: 'stopped', retryable: true };
  if (how.isOverTurns || response?.stopReason === 'max_turn_requests') {
    const failure = {
      code: 'limit_reached',
      message: 'the agent has used its turns before it had finished',
      hint: 'raise budget.turns of the step, then resume it',
    };
    return failed(failure, { status: 'limit-reached' });
  }
  if (trouble !== null || response === null) {
    return troubleOutcome(trouble, how.modelStatus, failed);
  }
  if (response.stopReason !== 'end_turn') {
    return failed(unfinished(response.stopReason), {
      retryable: response.stopReason !== 'refusal',
    });
  }
  // Some end well, and say in words that the model did not answer.
  const said = /^(?:API Error|Failed to authenticate)\b.*/.exec(text)?.[0];
  if (said !== undefined) {
    const status = how.modelStatus ?? statusIn(said);
    return failed(modelFailure(said), { retryable: isPassing(status) });
  }
  if (check === null) return { ...nothing, status: 'succeeded', retryable: false };
  const answer = objectIn(text);
  const wrong = answer === null ? NO_ANSWER : check(answer);
  if (wrong !== null) {
    return failed(invalidAnswer(wrong), { status: 'invalid-output', retryable: true });
  }
  return { ...nothing, status: 'succeeded', structured: answer, retryable: false };
}

type Failing = (failure: Failure, rest?: Partial<AgentOutcome>) => AgentOutcome;

/** "Authentication required", of the protocol: the service did not take the key. */
const NO_LOGIN = -32000;

function troubleOutcome(
  trouble: Trouble | null,
  modelStatus: number | null,
  failed: Failing,
): AgentOutcome {
  const { message, answer, stderr } = trouble ?? { message: '', answer: null, stderr: '' };
  if (answer === null) {
    const said = [message, stderr].filter((text) => text !== '').join('\n');
    const failure = {
      code: 'agent_crashed',
      message: `the agent ended without a result: ${said || 'it said nothing'}`,
      hint: 'resume or retry the step',
    };
    return failed(failure, { retryable: true });
  }
  const details = answer.data === undefined || answer.data === null ? '' : textOf(answer.data);
  const said = details === '' ? message : `${message} (${details})`;
  const isRefused = modelStatus !== null && modelStatus >= 400;
  const told = answer.code === NO_LOGIN ? 401 : statusIn(said);
  const status = isRefused ? modelStatus : told;
  if (status !== null) return failed(modelFailure(said), { retryable: isPassing(status) });
  const failure = {
    code: 'agent_error',
    message: `the agent did not finish: ${said}`,
    hint: 'look at its last messages, then resume or retry the step',
  };
  return failed(failure, { retryable: true });
}

function textOf(data: unknown): string {
  return typeof data === 'string' ? data : JSON.stringify(data);
}

function modelFailure(said: string): Failure {
  return {
    code: 'model_error',
    message: `the model did not do its work: ${said}`,
    hint: 'resume the step to go on in the same session, or retry it',
  };
}

const WHY: Readonly<Record<StopReason, string>> = {
  end_turn: 'it had finished',
  max_tokens: 'the answer of the model was too long',
  max_turn_requests: 'it has asked the model as often as it may',
  refusal: 'the model refused to go on',
  cancelled: 'it says that it was canceled, though nobody did',
};

function unfinished(reason: StopReason): Failure {
  return {
    code: 'agent_error',
    message: `the agent did not finish: ${WHY[reason]}`,
    hint: 'look at its last messages, then resume or retry the step',
  };
}

/** The status that a service answered with, as agents quote it. */
function statusIn(text: string): number | null {
  const found = /\b(?:API Error|status(?:Code)?|HTTP)\W{0,4}(\d{3})\b/i.exec(text)?.[1];
  return found === undefined ? null : Number(found);
}

/** What the model refuses as it is will be refused again. */
function isPassing(status: number | null): boolean {
  return status === null || status === 429 || status >= 500;
}

/** The object that a text is, also where it stands in a block of code. */
export function objectIn(text: string): JsonObject | null {
  const plain = /^```(?:json)?\n([^]*)\n```$/.exec(text.trim())?.[1] ?? text;
  try {
    const value: unknown = JSON.parse(plain);
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
    return isObject ? (value as JsonObject) : null;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

/** What an agent says that it has used; null when it says nothing. Fields that are not in the protocol yet. */
export function usageIn(responses: readonly PromptResponse[]): Usage | null {
  const all = responses.map((response) => fieldsOf(fieldsOf(response)['usage']));
  const sum = (...names: readonly string[]): number | null => {
    const found = all.flatMap((usage) =>
      names.flatMap((name) => (typeof usage[name] === 'number' ? [usage[name]] : [])),
    );
    return found.length === 0 ? null : found.reduce((total, each) => total + each, 0);
  };
  const [inputTokens, outputTokens] = [sum('inputTokens'), sum('outputTokens')];
  if (inputTokens === null || outputTokens === null) return null;
  return { inputTokens, outputTokens, cachedTokens: sum('cachedReadTokens'), usd: null };
}

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}
