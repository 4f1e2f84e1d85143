/** How a session ended, from the program's last result. A `success` by name may be none: it is looked at from all sides. */
import type { SDKResultMessage } from '@anthropic-ai/claude-agent-sdk';
import type { AgentOutcome, Failure, JsonObject, Usage } from '@ccdash/core';
import { NO_ANSWER, invalidAnswer } from '../answer-schema.ts';
import type { AnswerCheck } from '../answer-schema.ts';
import { failedOutcome } from '../installed-adapter.ts';
import type { Totals } from './usage-ledger.ts';

export interface SessionEnd {
  /** The last one; null when there was none. */
  readonly result: SDKResultMessage | null;
  /** What the SDK threw, and the program's last words on stderr. */
  readonly trouble: string | null;
  readonly isStopped: boolean;
  /** Null when no structured answer is wanted. */
  readonly check: AnswerCheck | null;
  readonly usage: Usage | null;
}

export function outcomeOf({ result, trouble, isStopped, check, usage }: SessionEnd): AgentOutcome {
  const text = result?.subtype === 'success' && !result.is_error ? result.result : '';
  if (isStopped) {
    return { status: 'stopped', text, structured: null, usage, failure: null, retryable: true };
  }
  if (result === null) {
    const message = `the agent's program ended without a result: ${trouble ?? 'it said nothing'}`;
    const failure = { code: 'agent_crashed', message, hint: 'resume or retry the step' };
    return failedOutcome(failure, { usage, retryable: true });
  }
  if (result.subtype === 'error_max_turns') {
    const failure = {
      code: 'limit_reached',
      message: `the agent has used its turns (${result.num_turns}) before it had finished`,
      hint: 'raise budget.turns of the step, then resume it',
    };
    return failedOutcome(failure, { status: 'limit-reached', usage });
  }
  if (result.subtype === 'error_max_structured_output_retries') {
    return invalid('it was told so, and could not mend it');
  }
  if (result.subtype !== 'success' || result.is_error || isUnfinished(result)) {
    return failedOutcome(failureOf(result, trouble), { usage, retryable: isRetryable(result) });
  }
  if (check === null) {
    return { status: 'succeeded', text, structured: null, usage, failure: null, retryable: false };
  }
  const answer = result.structured_output;
  if (answer === undefined) return invalid(NO_ANSWER);
  const wrong = check(answer);
  if (wrong !== null) return invalid(wrong);
  return {
    status: 'succeeded',
    text,
    structured: answer as JsonObject,
    usage,
    failure: null,
    retryable: false,
  };

  function invalid(problem: string): AgentOutcome {
    const rest = { status: 'invalid-output', text, usage, retryable: true } as const;
    return failedOutcome(invalidAnswer(problem), rest);
  }
}

/** Reasons beside `completed` that count as an end; absent in what older programs say. */
function isUnfinished({ terminal_reason: reason }: SDKResultMessage): boolean {
  return reason !== undefined && reason !== 'completed';
}

function failureOf(result: SDKResultMessage, trouble: string | null): Failure {
  const said = result.subtype === 'success' ? result.result : result.errors.join('; ');
  const reason = result.terminal_reason ?? result.subtype;
  return {
    code: reason === 'api_error' || reason === 'model_error' ? 'model_error' : 'agent_error',
    message: `the agent did not finish (${reason}): ${said || (trouble ?? 'it gave no reason')}`,
    hint: 'resume the step to go on in the same session, or retry it',
  };
}

/** What the model refuses as it is will be refused again. */
function isRetryable(result: SDKResultMessage): boolean {
  const status = result.subtype === 'success' ? (result.api_error_status ?? null) : null;
  return status === null || status === 429 || status >= 500;
}

/** The program's running totals; null when it has none, as after a crash at its start. */
export function totalsOf(result: SDKResultMessage | null): Totals | null {
  const models = Object.values(result?.modelUsage ?? {});
  if (result === null || models.length === 0) return null;
  let inputTokens = 0;
  let outputTokens = 0;
  let cachedTokens = 0;
  for (const model of models) {
    const { cacheReadInputTokens, cacheCreationInputTokens } = model;
    inputTokens += model.inputTokens + cacheCreationInputTokens + cacheReadInputTokens;
    outputTokens += model.outputTokens;
    cachedTokens += cacheReadInputTokens;
  }
  return { inputTokens, outputTokens, cachedTokens, usd: result.total_cost_usd };
}
