/** The output of an attempt as it comes, piece by piece: its last lines, with what was dropped counted. */
import { PLAIN_STYLE, toTerminalText } from '../../ui/terminal-text.ts';
import type { TerminalSpan, TerminalStyle } from '../../ui/terminal-text.ts';

export interface OutputText {
  readonly lines: readonly (readonly TerminalSpan[])[];
  /** Lines that are no longer held. */
  readonly dropped: number;
  /** The line that has not ended, and the style it begins with. */
  readonly open: string;
  readonly style: TerminalStyle;
}

export const NO_OUTPUT: OutputText = { lines: [], dropped: 0, open: '', style: PLAIN_STYLE };

export const MOST_LINES = 5000;
/** Of a line that goes on and on, more is not kept. */
const LONGEST_OPEN = 10_000;

export function withOutput(output: OutputText, piece: string): OutputText {
  const text = output.open + piece;
  const end = text.lastIndexOf('\n') + 1;
  const open = text.slice(end);
  const kept = open.length > LONGEST_OPEN ? open.slice(0, LONGEST_OPEN) : open;
  if (end === 0) return { ...output, open: kept };
  const added = toTerminalText(text.slice(0, end - 1), output.style);
  const lines = [...output.lines, ...added.lines];
  const tooMany = Math.max(0, lines.length - MOST_LINES);
  const dropped = output.dropped + tooMany;
  return { lines: lines.slice(tooMany), dropped, open: kept, style: added.style };
}

/** All of it, with the line that has not ended. */
export function linesOf({ lines, open, style }: OutputText): OutputText['lines'] {
  return open === '' ? lines : [...lines, ...toTerminalText(open, style).lines];
}
