/**
 * What models cost, in US dollars for a million tokens, as their providers listed it on `PRICES_AS_OF`. A model that is
 * not here has an unknown cost, never none: so have those that cost more for a long prompt, which no row can say.
 */
import type { CallTokens } from './token-meter.ts';

export const PRICES_AS_OF = '2026-10-24';

interface Price {
  readonly input: number;
  readonly cacheCreated: number;
  readonly cached: number;
  readonly output: number;
}

/** Anthropic: writing the cache costs a quarter more than input, reading it a tenth where nothing else is said. */
function anthropic(input: number, output: number, cached: number = input / 10): Price {
  return { input, cacheCreated: input * 1.25, cached, output };
}

/** OpenAI: writing the cache costs nothing more. */
function openai(input: number, cached: number, output: number): Price {
  return { input, cacheCreated: input, cached, output };
}

/** By the name without the date of a snapshot. */
const PRICE_BY_MODEL: ReadonlyMap<string, Price> = new Map([
  ['claude-fable-5-1', anthropic(10, 50, 0.25)],
  ['claude-fable-5', anthropic(10, 50)],
  ['claude-opus-5-5', anthropic(4, 20, 0.2)],
  ['claude-opus-5', anthropic(5, 25)],
  ['claude-opus-4-8', anthropic(5, 25)],
  ['claude-opus-4-7', anthropic(5, 25)],
  ['claude-opus-4-6', anthropic(5, 25)],
  ['claude-opus-4-5', anthropic(5, 25)],
  ['claude-sonnet-5-5', anthropic(2, 10, 0.1)],
  ['claude-sonnet-5', anthropic(2, 10)],
  ['claude-sonnet-4-6', anthropic(3, 15)],
  ['claude-haiku-4-5', anthropic(1, 5)],
  ['claude-opus-4-1', anthropic(15, 75)],
  ['claude-opus-4', anthropic(15, 75)],
  ['claude-sonnet-4-5', anthropic(3, 15)],
  ['claude-sonnet-4', anthropic(3, 15)],
  ['claude-3-7-sonnet', anthropic(3, 15)],
  ['claude-3-5-haiku', anthropic(0.8, 4)],
  ['gpt-5.3-codex', openai(1.75, 0.175, 14)],
  ['gpt-5.2-codex', openai(1.75, 0.175, 14)],
  ['gpt-5.2', openai(1.75, 0.175, 14)],
  ['gpt-5.1', openai(1.25, 0.125, 10)],
  ['gpt-5', openai(1.25, 0.125, 10)],
  ['gpt-5-codex', openai(1.25, 0.125, 10)],
  ['gpt-5-mini', openai(0.25, 0.025, 2)],
  ['gpt-5-nano', openai(0.05, 0.005, 0.4)],
  ['gpt-4.1', openai(2, 0.5, 8)],
  ['gpt-4.1-mini', openai(0.4, 0.1, 1.6)],
  ['gpt-4.1-nano', openai(0.1, 0.025, 0.4)],
  ['o3', openai(2, 0.5, 8)],
  ['o4-mini', openai(1.1, 0.275, 4.4)],
]);

const MILLION = 1_000_000;

export function isPriced(model: string): boolean {
  return PRICE_BY_MODEL.has(withoutDate(model));
}

/** Null when the price of the model, or a part of what it used, is unknown. */
export function costOf({ model, input, cacheCreated, cached, output }: CallTokens): number | null {
  const price = model === null ? undefined : PRICE_BY_MODEL.get(withoutDate(model));
  if (price === undefined || input === null || output === null) return null;
  const dollars =
    input * price.input +
    cacheCreated * price.cacheCreated +
    (cached ?? 0) * price.cached +
    output * price.output;
  return dollars / MILLION;
}

/** `claude-sonnet-4-5-20250929`, `gpt-5-2025-08-07`: the same model at a date. */
function withoutDate(model: string): string {
  return model.replace(/-(\d{8}|\d{4}-\d{2}-\d{2})$/, '');
}
