import { describe, expect, test } from 'vitest';
import { PLAIN_STYLE, toTerminalText } from './terminal-text.ts';

function textOf(output: string): string {
  return toTerminalText(output)
    .lines.map((line) => line.map(({ text }) => text).join(''))
    .join('\n');
}

describe('Output of programs', () => {
  test('[WB1] colors and emphasis are names of the theme, and go on over lines until they are ended', () => {
    const { lines, style } = toTerminalText('\u001b[1;31mred\nstill\u001b[0m plain \u001b[92mok');
    expect(lines[0]).toEqual([{ ...PLAIN_STYLE, bold: true, color: 'red', text: 'red' }]);
    expect(lines[1]).toEqual([
      { ...PLAIN_STYLE, bold: true, color: 'red', text: 'still' },
      { ...PLAIN_STYLE, text: ' plain ' },
      { ...PLAIN_STYLE, color: 'green', text: 'ok' },
    ]);
    expect(style).toEqual({ ...PLAIN_STYLE, color: 'green' });
  });

  test('[WB1] colors of a palette or by value become the nearest name, so that no text can be made unreadable', () => {
    const { lines } = toTerminalText('\u001b[38;5;196ma\u001b[38;2;0;200;0mb\u001b[48;2;9;9;9mc');
    expect(lines[0]?.map(({ color }) => color)).toEqual(['red', 'green', 'green']);
  });

  test('[WB1] titles, links, the clipboard and moves of the cursor are left out', () => {
    const hostile = [
      '\u001b]0;you are root\u0007a',
      '\u001b]8;;https://evil.example\u001b\\b\u001b]8;;\u001b\\',
      '\u001b]52;c;Y3VybA==\u0007c',
      '\u001b[2J\u001b[H\u001b[3Ad',
      '\u009d0;x\u009ce',
      '\u001bP$q\u001b\\f',
    ];
    expect(textOf(hostile.join(''))).toBe('abcdef');
  });

  test('[WB1] a character that nobody would see is spelled out', () => {
    expect(textOf('approve\u202edeny\u200b\u0007')).toBe('approve\\u202edeny\\u200b\\u0007');
  });

  test('[WB1] a carriage return begins the line anew, with the colors that were set before it', () => {
    const { lines } = toTerminalText('\u001b[32m10 %\r50 %\rdone\r\nnext');
    expect(lines[0]).toEqual([{ ...PLAIN_STYLE, color: 'green', text: 'done' }]);
    expect(lines[1]?.[0]?.text).toBe('next');
  });

  test('[WB1] a line of megabytes is cut', () => {
    const long = textOf('x'.repeat(10_000_000));
    expect(long.length).toBeLessThan(5000);
    expect(long.endsWith('…')).toBe(true);
  });
});
