import type { Usage } from '@ccdash/core';

/** Counts what model calls use, from the provider's own words. */
export interface TokenMeter {
  /** A call that the provider has taken; its part of the usage is unknown until it says so. */
  startCall(): CallMeter;
  /** At least so many tokens are used: what is unknown counts as none. */
  known(): number;
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

interface CallTokens {
  input: number | null;
  cacheCreated: number;
  cached: number | null;
  output: number | null;
}

/** A line longer than this is no event that holds usage. */
const LONGEST_LINE = 16 * 1024 * 1024;

export function createTokenMeter(): TokenMeter {
  const calls: CallTokens[] = [];
  return {
    startCall: () => {
      const call: CallTokens = { input: null, cacheCreated: 0, cached: null, output: null };
      calls.push(call);
      return createCallMeter(call);
    },
    known: () =>
      calls.reduce(
        (sum, { input, cacheCreated, cached, output }) =>
          sum + (input ?? 0) + cacheCreated + (cached ?? 0) + (output ?? 0),
        0,
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
        usd: null,
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
  function take(usage: unknown, isFinal: boolean): void {
    if (typeof usage !== 'object' || usage === null) return;
    const fields = usage as Readonly<Record<string, unknown>>;
    const count = (name: string): number | null => {
      const value = fields[name];
      return typeof value === 'number' && value >= 0 ? value : null;
    };
    call.input = count('input_tokens') ?? call.input;
    call.cacheCreated = count('cache_creation_input_tokens') ?? call.cacheCreated;
    // An answer without the field has used no cache.
    call.cached =
      count('cache_read_input_tokens') ?? call.cached ?? (call.input === null ? null : 0);
    if (isFinal) call.output = count('output_tokens') ?? call.output;
  }

  function readLine(line: string): void {
    if (!line.startsWith('data:') || !line.includes('"usage"')) return;
    const event = parsed(line.slice('data:'.length));
    if (event?.['type'] === 'message_delta') take(event['usage'], true);
    else if (event?.['type'] === 'message_start') {
      const message = event['message'];
      if (typeof message !== 'object' || message === null) return;
      // Its output tokens are those of the first moment only.
      take((message as Readonly<Record<string, unknown>>)['usage'], false);
    }
  }

  return {
    readEvents: (chunk) => {
      rest += decoder.decode(chunk, { stream: true });
      const lines = rest.split('\n');
      rest = lines.pop() ?? '';
      if (rest.length > LONGEST_LINE) rest = '';
      for (const line of lines) readLine(line);
    },
    readBody: (body) => take(parsed(body)?.['usage'], true),
  };
}

function parsed(text: string): Readonly<Record<string, unknown>> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null
      ? (value as Readonly<Record<string, unknown>>)
      : null;
  } catch (error) {
    // What is no JSON says nothing about usage, which stays unknown.
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}
