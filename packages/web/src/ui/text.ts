/** Text as people read it. What comes from agents, documents and repositories is made harmless first. */

import { toVisibleText } from './visible-text.ts';

const ESCAPES = /\p{Cc}\][^\p{Cc}]*(?:\p{Cc}\\?)?|\p{Cc}\[[0-?]*[ -/]*[@-~]/gu;
/** Terminal escapes are left out; what would hide or turn other text becomes visible. */
export function plain(text: string): string {
  return toVisibleText(text.replaceAll(ESCAPES, ''));
}

/** At most so many characters; what is left out is said. */
export function cut(text: string, most = 20_000): string {
  if (text.length <= most) return text;
  return `${text.slice(0, most)}\n… ${text.length - most} more characters`;
}

export function ago(at: string | number, nowMs: number = Date.now()): string {
  const ms = nowMs - (typeof at === 'number' ? at : Date.parse(at));
  return ms < 0 ? `in ${duration(-ms)}` : ms < 5000 ? 'just now' : `${duration(ms)} ago`;
}

export function duration(ms: number): string {
  const seconds = ms / 1000;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172_800) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86_400)} days`;
}

/** What was spent as far as anybody knows. */
export function cost({ usd: known, unknownCost }: CostSoFar): string {
  if (unknownCost && known === 0) return 'cost unknown';
  return `${unknownCost ? 'at least ' : ''}${usd(known)}`;
}

interface CostSoFar {
  readonly usd: number;
  readonly unknownCost: boolean;
}

export function usd(value: number): string {
  return `$${value < 1 ? value.toFixed(4) : value.toFixed(2)}`;
}
