import type { Usage } from '@ccdash/core';
import { costOf } from './prices.ts';

/** Counts what model calls use, from the provider's own words. */
export interface TokenMeter {
  /** A call that the provider has taken; its part of the usage is unknown until it says so. */
  startCall(): CallMeter;
  /** That the provider has taken so far. */
  calls(): number;
  /** At least so many tokens are used: what is unknown counts as none. */
  known(): number;
  /** At least so many US dollars are spent; null when something has answered whose price is unknown. */
  knownUsd(): number | null;
  /** Of all calls so far; null before the first. A number is null when a call has not told its part. */
  usage(): Usage | null;
}

/** Takes the answer of one call as it passes. */
export interface CallMeter {
  /** Server-sent events in pieces of any size. */
  readEvents(chunk: Uint8Array): void;
  /** A whole JSON answer. */
  readBody(body: string): void;
}

export interface CallTokens {
  /** As the service names what has answered. */
  model: string | null;
  /** Tokens that were neither read from a cache nor written to one. */
  input: number | null;
  cacheCreated: number;
  cached: number | null;
  output: number | null;
}

/** A line longer than this is no event that holds usage. */
const LONGEST_LINE = 16 * 1024 * 1024;

/** `isPriced` is false for a model that costs nobody anything that is known. */
export function createTokenMeter({ isPriced }: { readonly isPriced: boolean }): TokenMeter {
  const calls: CallTokens[] = [];
  const usd = (): number | null => (isPriced ? sumOf(calls.map(costOf)) : null);
  return {
    startCall: () => {
      const call: CallTokens = {
        model: null,
        input: null,
        cacheCreated: 0,
        cached: null,
        output: null,
      };
      calls.push(call);
      return createCallMeter(call);
    },
    calls: () => calls.length,
    known: () =>
      calls.reduce(
        (sum, { input, cacheCreated, cached, output }) =>
          sum + (input ?? 0) + cacheCreated + (cached ?? 0) + (output ?? 0),
        0,
      ),
    knownUsd: () =>
      sumOf(
        calls
          // One that has not begun to answer has cost nothing so far.
          .filter(({ model, input }) => model !== null || input !== null)
          .map((call) => costOf({ ...call, input: call.input ?? 0, output: call.output ?? 0 })),
      ),
    usage: () => {
      if (calls.length === 0) return null;
      return {
        inputTokens: sumOf(
          calls.map(({ input, cacheCreated, cached }) =>
            input === null ? null : input + cacheCreated + (cached ?? 0),
          ),
        ),
        outputTokens: sumOf(calls.map(({ output }) => output)),
        cachedTokens: sumOf(calls.map(({ cached }) => cached)),
        usd: usd(),
      };
    },
  };
}

function sumOf(numbers: readonly (number | null)[]): number | null {
  return numbers.reduce((sum, each) => (sum === null || each === null ? null : sum + each), 0);
}

function createCallMeter(call: CallTokens): CallMeter {
  const decoder = new TextDecoder();
  let rest = '';

  /** Later words of the provider about the same call are totals: they replace earlier ones. */
  function take(said: unknown, isFinal: boolean): void {
    const usage = fieldsOf(said);
    if (usage === null) return;
    const count = (name: string): number | null => numberIn(usage, name);
    call.input = count('input_tokens') ?? call.input;
    call.cacheCreated = count('cache_creation_input_tokens') ?? call.cacheCreated;
    // An answer without the field has used no cache.
    call.cached =
      count('cache_read_input_tokens') ?? call.cached ?? (call.input === null ? null : 0);
    if (isFinal) call.output = count('output_tokens') ?? call.output;
  }

  /** Responses and Chat: one name apart, and their input includes what came from the cache. */
  function takeOpenAi(said: unknown): void {
    const usage = fieldsOf(said);
    if (usage === null) return;
    const count = (name: string): number | null => numberIn(usage, name);
    const input = count('input_tokens') ?? count('prompt_tokens');
    const details = fieldsOf(usage['input_tokens_details'] ?? usage['prompt_tokens_details']);
    const cached = Math.min(
      input ?? 0,
      details === null ? 0 : (numberIn(details, 'cached_tokens') ?? 0),
    );
    if (input !== null) {
      call.input = input - cached;
      call.cached = cached;
    }
    call.output = count('output_tokens') ?? count('completion_tokens') ?? call.output;
  }

  function takeModel(fields: Fields | null): void {
    const model = fields?.['model'];
    if (typeof model === 'string') call.model = model;
  }

  function readEvent(event: Fields): void {
    switch (event['type']) {
      case 'message_start': {
        const message = fieldsOf(event['message']);
        takeModel(message);
        // Its output tokens are those of the first moment only.
        take(message?.['usage'], false);
        return;
      }
      case 'message_delta':
        take(event['usage'], true);
        return;
      case 'response.created':
      case 'response.completed':
      case 'response.incomplete':
      case 'response.failed': {
        const response = fieldsOf(event['response']);
        takeModel(response);
        takeOpenAi(response?.['usage']);
        return;
      }
      case undefined:
        // Chat: its chunks have no type.
        if (event['object'] !== 'chat.completion.chunk') return;
        takeModel(event);
        takeOpenAi(event['usage']);
        return;
      default:
    }
  }

  function readLine(line: string): void {
    if (!line.startsWith('data:') || !line.includes('"usage"')) return;
    const event = parsed(line.slice('data:'.length));
    if (event !== null) readEvent(event);
  }

  return {
    readEvents: (chunk) => {
      rest += decoder.decode(chunk, { stream: true });
      const lines = rest.split('\n');
      rest = lines.pop() ?? '';
      if (rest.length > LONGEST_LINE) rest = '';
      for (const line of lines) readLine(line);
    },
    readBody: (body) => {
      const answer = parsed(body);
      takeModel(answer);
      const isOpenAi =
        answer?.['object'] === 'response' || answer?.['object'] === 'chat.completion';
      if (isOpenAi) takeOpenAi(answer['usage']);
      else take(answer?.['usage'], true);
    },
  };
}

type Fields = Readonly<Record<string, unknown>>;

function numberIn(fields: Fields, name: string): number | null {
  const value = fields[name];
  return typeof value === 'number' && value >= 0 ? value : null;
}

function fieldsOf(value: unknown): Fields | null {
  return typeof value === 'object' && value !== null ? (value as Fields) : null;
}

function parsed(text: string): Fields | null {
  try {
    return fieldsOf(JSON.parse(text));
  } catch (error) {
    // What is no JSON says nothing about usage, which stays unknown.
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}
