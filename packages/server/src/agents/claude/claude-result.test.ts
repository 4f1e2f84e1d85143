import type { SDKResultMessage } from '@anthropic-ai/claude-agent-sdk';
import { describe, expect, test } from 'vitest';
import { outcomeOf, totalsOf } from './claude-result.ts';
import type { SessionEnd } from './claude-result.ts';
import { isSameOrNewer } from './sdk-install.ts';

const containing = (text: string): unknown => expect.stringContaining(text);

/** As the program writes it, with the fields that are read. */
function result(change: object): SDKResultMessage {
  const fields = {
    type: 'result',
    subtype: 'success',
    is_error: false,
    result: 'Done.',
    num_turns: 1,
    terminal_reason: 'completed',
    modelUsage: {},
    total_cost_usd: 0,
    ...change,
  };
  return fields as unknown as SDKResultMessage;
}

function outcome(change: object | null, end: Partial<SessionEnd> = {}) {
  const last = change === null ? null : result(change);
  const plain = { trouble: null, isStopped: false, check: null, usage: null };
  return outcomeOf({ result: last, ...plain, ...end });
}

describe('the end of a session', () => {
  test('[AG1] is a success when every sign says so', () => {
    expect(outcome({})).toMatchObject({ status: 'succeeded', text: 'Done.', failure: null });
  });

  test.each([
    [
      'an error by another name',
      { is_error: true, api_error_status: 529, terminal_reason: 'api_error' },
    ],
    ['a model that refused', { terminal_reason: 'model_error' }],
    ['a turn that was cut off', { terminal_reason: 'aborted_tools' }],
    ['a call put off for later', { terminal_reason: 'tool_deferred' }],
    ['an error', { subtype: 'error_during_execution', errors: ['it broke'] }],
    ['a budget', { subtype: 'error_max_budget_usd', errors: [] }],
  ])('[AG11] is no success with %s', (_, change) => {
    expect(outcome(change).status).toBe('failed');
  });

  test('[AG11] without a result is a crash, with the last words of the program', () => {
    expect(outcome(null, { trouble: 'exited with code 1' })).toMatchObject({
      status: 'failed',
      retryable: true,
      failure: { code: 'agent_crashed', message: containing('exited with code 1') },
    });
  });

  test('[AG11] may be tried again, but not what the model will refuse again', () => {
    const failed = (status: number | null) =>
      outcome({ is_error: true, api_error_status: status, terminal_reason: 'api_error' });
    expect([529, 500, 429, null].map((status) => failed(status).retryable)).toEqual([
      true,
      true,
      true,
      true,
    ]);
    expect([400, 401, 404].map((status) => failed(status).retryable)).toEqual([
      false,
      false,
      false,
    ]);
  });

  test('[AG7] that was ordered is no failure', () => {
    const change = { subtype: 'error_during_execution', errors: ['aborted'], is_error: true };
    expect(outcome(change, { isStopped: true })).toMatchObject({
      status: 'stopped',
      failure: null,
    });
  });

  test('[AG10] holds the answer only if it is there and fits', () => {
    const check = (answer: unknown): string | null =>
      answer === 'fits' ? null : 'it does not fit';
    expect(outcome({ structured_output: 'fits' }, { check })).toMatchObject({ structured: 'fits' });
    for (const change of [
      {},
      { structured_output: 'else' },
      { subtype: 'error_max_structured_output_retries' },
    ]) {
      expect(outcome(change, { check })).toMatchObject({
        status: 'invalid-output',
        structured: null,
        failure: { code: 'invalid_output' },
      });
    }
  });

  test('[AG13] has the tokens of all models, those from the cache included, and none when nobody counted', () => {
    const model = {
      inputTokens: 1,
      outputTokens: 2,
      cacheReadInputTokens: 10,
      cacheCreationInputTokens: 100,
      costUSD: 0.5,
    };
    expect(totalsOf(result({ modelUsage: { a: model, b: model }, total_cost_usd: 1 }))).toEqual({
      inputTokens: 222,
      outputTokens: 4,
      cachedTokens: 20,
      usd: 1,
    });
    expect(totalsOf(result({}))).toBeNull();
    expect(totalsOf(null)).toBeNull();
  });
});

describe('a session of another version', () => {
  test.each([
    ['2.1.330', '2.1.330', true],
    ['2.1.331', '2.1.330', true],
    ['2.2.0', '2.1.330', true],
    ['2.1.329', '2.1.330', false],
    ['2.0.999', '2.1.0', false],
    ['3.0.0', '2.1.330', false],
    ['2.1.330', 'unknown', false],
  ])('[AG9] may go on here: %s after %s is %s', (installed, recorded, may) => {
    expect(isSameOrNewer(installed, recorded)).toBe(may);
  });
});
