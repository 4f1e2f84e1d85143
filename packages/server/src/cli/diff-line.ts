import type { Span, Style } from './context.ts';
import { toVisibleText } from './plain-text.ts';

const STYLES: readonly (readonly [prefix: string, style: Style])[] = [
  ['diff --git ', 'bold'],
  ['--- ', 'bold'],
  ['+++ ', 'bold'],
  ['@@', 'quiet'],
  ['+', 'good'],
  ['-', 'bad'],
];

/** A line of a diff, from anybody, as a terminal may show it. */
export function diffLine(line: string): Span {
  const text = toVisibleText(line);
  const style = STYLES.find(([prefix]) => line.startsWith(prefix))?.[1];
  return style === undefined ? text : { text, style };
}
