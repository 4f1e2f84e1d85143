/** How a turn ended, from the program's own words. Usage is the gateway's: the program's totals go on over resumes. */
import type { AgentOutcome, Failure, JsonObject } from '@ccdash/core';
import { NO_ANSWER, invalidAnswer } from '../answer-schema.ts';
import type { AnswerCheck } from '../answer-schema.ts';
import { failedOutcome } from '../installed-adapter.ts';
import { fieldsOf } from './json-rpc.ts';
import type { Fields } from './json-rpc.ts';

export interface TurnEnd {
  /** Null when the program went away before its turn was over. */
  readonly turn: Fields | null;
  /** The agent's last words. */
  readonly text: string;
  /** What went wrong beside the turn, and the program's last words on stderr. */
  readonly trouble: string | null;
  readonly isStopped: boolean;
  readonly isOverTurns: boolean;
  /** Null when no structured answer is wanted. */
  readonly check: AnswerCheck | null;
}

export function outcomeOf({ turn, text, trouble, ...how }: TurnEnd): AgentOutcome {
  const { isStopped, isOverTurns, check } = how;
  const nothing = { text, structured: null, usage: null, failure: null };
  if (isStopped) return { ...nothing, status: 'stopped', retryable: true };
  if (isOverTurns) {
    const failure = {
      code: 'limit_reached',
      message: 'the agent has used its turns before it had finished',
      hint: 'raise budget.turns of the step, then resume it',
    };
    return failedOutcome(failure, { status: 'limit-reached', text });
  }
  if (turn === null) {
    const message = `the agent's program ended without a result: ${trouble ?? 'it said nothing'}`;
    const failure = { code: 'agent_crashed', message, hint: 'resume or retry the step' };
    return failedOutcome(failure, { text, retryable: true });
  }
  if (turn['status'] !== 'completed') {
    const error = fieldsOf(turn['error']);
    return failedOutcome(failureOf(turn, error), { text, retryable: isRetryable(error) });
  }
  if (check === null) return { ...nothing, status: 'succeeded', retryable: false };
  const answer = objectIn(text);
  const wrong = answer === null ? NO_ANSWER : check(answer);
  if (wrong !== null) {
    return failedOutcome(invalidAnswer(wrong), { status: 'invalid-output', text, retryable: true });
  }
  return { ...nothing, status: 'succeeded', structured: answer, retryable: false };
}

function failureOf({ status }: Fields, { message, additionalDetails }: Fields): Failure {
  const said = [textIn(message), additionalDetails]
    .filter((each) => typeof each === 'string')
    .join(': ');
  return {
    code: status === 'failed' ? 'model_error' : 'agent_error',
    message: `the agent did not finish (${String(status)}): ${said || 'it gave no reason'}`,
    hint: 'resume the step to go on in the same session, or retry it',
  };
}

/** What a service has said, where the program hands on its whole answer. */
function textIn(message: unknown): unknown {
  const { error } = typeof message === 'string' ? (objectIn(message) ?? {}) : {};
  const { message: said } = fieldsOf(error);
  return said ?? message;
}

/** What the model refuses as it is will be refused again. */
const FINAL: readonly unknown[] = [
  'badRequest',
  'unauthorized',
  'contextWindowExceeded',
  'usageLimitExceeded',
  'sessionBudgetExceeded',
  'cyberPolicy',
  'misalignmentPolicyViolation',
];

function isRetryable({ codexErrorInfo: info, message }: Fields): boolean {
  if (FINAL.includes(info)) return false;
  const [detail] = Object.values(fieldsOf(info));
  const { httpStatusCode } = fieldsOf(detail);
  const said = /\bstatus (\d{3})\b/.exec(String(message))?.[1];
  // A request that was found wrong (400) comes without its status, as `other`.
  const unsaid = info === 'other' ? 400 : 500;
  const status = typeof httpStatusCode === 'number' ? httpStatusCode : Number(said ?? unsaid);
  return status === 429 || status >= 500;
}

function objectIn(text: string): JsonObject | null {
  try {
    const value: unknown = JSON.parse(text);
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
    return isObject ? (value as JsonObject) : null;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}
