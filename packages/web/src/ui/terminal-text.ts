/**
 * Output of programs as lines of styled spans. Of what a terminal understands, colors and emphasis are drawn and a
 * carriage return begins the line anew; every other sequence (titles, links, the clipboard, moves of the cursor) is left
 * out. Colors are names that a theme can make readable, never values that the output chose.
 */
import { toVisibleText } from './visible-text.ts';

const COLORS = ['black', 'red', 'green', 'yellow', 'blue', 'magenta', 'cyan', 'white'] as const;
export type TerminalColor = (typeof COLORS)[number];

export interface TerminalStyle {
  readonly color: TerminalColor | null;
  readonly bold: boolean;
  readonly faint: boolean;
  readonly italic: boolean;
  readonly underline: boolean;
}

export interface TerminalSpan extends TerminalStyle {
  readonly text: string;
}

export interface TerminalText {
  readonly lines: readonly (readonly TerminalSpan[])[];
  /** What the next piece of the output begins with. */
  readonly style: TerminalStyle;
}

export const PLAIN_STYLE: TerminalStyle = {
  ...{ color: null, bold: false, faint: false, italic: false, underline: false },
};

// SGR in a group of its own; then CSI, the strings that end with ST or BEL, and two-byte escapes, in 7 and 8 bits.
const SEQUENCES =
  // eslint-disable-next-line no-control-regex -- control characters are what it looks for
  /(?:\u001b\[|\u009b)([0-9;:]*)m|(?:\u001b\[|\u009b)[0-?]*[ -/]*[@-~]?|(?:\u001b[\]PX^_]|[\u0090\u0098\u009d-\u009f])[^\u0007\u001b\u009c]*(?:\u0007|\u001b\\|\u009c)?|\u001b[ -/]*[0-~]?/g;

/** Longer lines are cut: a browser lays out a line of megabytes for minutes. */
const WIDEST = 4000;

export function toTerminalText(output: string, begun: TerminalStyle = PLAIN_STYLE): TerminalText {
  let style = begun;
  const lines = output
    .replaceAll('\r\n', '\n')
    .split('\n')
    .map((line) => {
      const spans: TerminalSpan[] = [];
      let width = 0;
      const write = (text: string): void => {
        const room = WIDEST - width;
        if (text === '' || room <= 0) return;
        width += text.length;
        const kept = text.length > room ? `${text.slice(0, room)} …` : text;
        spans.push({ ...style, text: toVisibleText(kept) });
      };
      let at = 0;
      // What a carriage return overwrites is not drawn, but its colors go on.
      const shownFrom = line.replace(/\r+$/, '').lastIndexOf('\r') + 1;
      for (const match of line.matchAll(SEQUENCES)) {
        write(shownPart(line, at, match.index, shownFrom));
        if (match[1] !== undefined) style = styleAfter(style, match[1]);
        at = match.index + match[0].length;
      }
      write(shownPart(line, at, line.length, shownFrom));
      return spans;
    });
  return { lines, style };
}

function shownPart(line: string, from: number, to: number, shownFrom: number): string {
  return line.slice(Math.max(from, shownFrom), Math.max(to, shownFrom)).replaceAll('\r', '');
}

function styleAfter(style: TerminalStyle, parameters: string): TerminalStyle {
  const codes = parameters.split(/[;:]/).map(Number);
  let next = style;
  for (let i = 0; i < codes.length; i += 1) {
    const code = codes[i] ?? 0;
    if (code === 38 || code === 48) {
      const isIndexed = codes[i + 1] === 5;
      if (code === 38)
        next = {
          ...next,
          color: isIndexed ? ofPalette(codes[i + 2] ?? 0) : ofRgb(codes.slice(i + 2, i + 5)),
        };
      i += isIndexed ? 2 : 4;
    } else next = styleAfterCode(next, code);
  }
  return next;
}

function styleAfterCode(style: TerminalStyle, code: number): TerminalStyle {
  if (code === 0) return PLAIN_STYLE;
  if (code === 1) return { ...style, bold: true };
  if (code === 2) return { ...style, faint: true };
  if (code === 3) return { ...style, italic: true };
  if (code === 4) return { ...style, underline: true };
  if (code === 22) return { ...style, bold: false, faint: false };
  if (code === 23) return { ...style, italic: false };
  if (code === 24) return { ...style, underline: false };
  if (code === 39) return { ...style, color: null };
  if (code >= 30 && code <= 37) return { ...style, color: COLORS[code - 30] ?? null };
  if (code >= 90 && code <= 97) return { ...style, color: COLORS[code - 90] ?? null };
  return style;
}

function ofPalette(index: number): TerminalColor | null {
  if (index < 16) return COLORS[index % 8] ?? null;
  if (index >= 232) return ofRgb(Array(3).fill((index - 232) * 10 + 8) as number[]);
  const cube = index - 16;
  return ofRgb(
    [Math.floor(cube / 36), Math.floor(cube / 6) % 6, cube % 6].map((part) => part * 51),
  );
}

/** The nearest of the eight: each part is on where it is more than half of the strongest. */
function ofRgb(parts: readonly number[]): TerminalColor | null {
  const strongest = Math.max(...parts, 0);
  if (strongest < 64) return 'black';
  const [red = 0, green = 0, blue = 0] = parts;
  const isOn = (part: number): number => (part * 2 > strongest ? 1 : 0);
  return COLORS[isOn(red) + 2 * isOn(green) + 4 * isOn(blue)] ?? null;
}
