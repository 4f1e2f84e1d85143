/** The marks and words for what becomes of steps and runs: a word always, a color never alone. */
import type { DryRunView, RunView, StepView } from '@ccdash/api/client';
import type { Context, Span, Style } from './context.ts';

type Mark = 'going' | 'good' | 'bad' | 'wait' | 'stopped' | 'still';

const MARKS: Readonly<Record<Mark, { unicode: string; ascii: string; style: Style }>> = {
  going: { unicode: '▸', ascii: '>', style: 'bold' },
  good: { unicode: '✓', ascii: '+', style: 'good' },
  bad: { unicode: '✗', ascii: 'x', style: 'bad' },
  wait: { unicode: '?', ascii: '?', style: 'wait' },
  stopped: { unicode: '!', ascii: '!', style: 'wait' },
  still: { unicode: '·', ascii: '.', style: 'quiet' },
};

export function markOf(context: Context, mark: Mark): Span {
  const { unicode, ascii, style } = MARKS[mark];
  return { text: context.isUnicode ? unicode : ascii, style };
}

const MARK_BY_STEP_STATUS: Readonly<Record<StepView['status'], Mark>> = {
  pending: 'still',
  ready: 'still',
  blocked: 'wait',
  running: 'going',
  interrupted: 'stopped',
  stale: 'still',
  failed: 'bad',
  succeeded: 'good',
  skipped: 'still',
  canceled: 'still',
};

const MARK_BY_RUN_STATUS: Readonly<Record<RunView['status'], Mark>> = {
  queued: 'still',
  paused: 'stopped',
  running: 'going',
  blocked: 'wait',
  failed: 'bad',
  succeeded: 'good',
  canceled: 'still',
};

export function stepMark(context: Context, status: StepView['status']): Span {
  return markOf(context, MARK_BY_STEP_STATUS[status]);
}

export function runMark(context: Context, status: RunView['status']): Span {
  return markOf(context, MARK_BY_RUN_STATUS[status]);
}

export function statusWord(status: string, style: Span | undefined): Span {
  return typeof style === 'object' ? { text: status, style: style.style } : status;
}

/** `0.3 s`, `12 s`, `3 min 5 s`, `2 h 10 min`. */
export function durationToText(ms: number): string {
  if (ms < 10_000) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${seconds % 60} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** Wall time of this machine, `14:03:59`. */
export function clockToText(at: string): string {
  const time = new Date(at);
  return [time.getHours(), time.getMinutes(), time.getSeconds()]
    .map((part) => String(part).padStart(2, '0'))
    .join(':');
}

/** `5 USD, 100000 tokens, 2 h 0 min`; empty where nothing is limited. */
export function budgetToText({ usd, tokens, turns, timeMs }: DryRunView['budget']): string {
  const parts = [
    usd === null ? [] : [`${usd} USD`],
    tokens === null ? [] : [`${tokens} tokens`],
    turns === null ? [] : [`${turns} turns`],
    timeMs === null ? [] : [durationToText(timeMs)],
  ];
  return parts.flat().join(', ');
}
