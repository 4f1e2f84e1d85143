import { expect, test } from 'vitest';
import { createOutputTail } from './output-tail.ts';

function tailOf(...chunks: readonly (string | Buffer)[]): readonly string[] {
  const tail = createOutputTail();
  for (const chunk of chunks) tail.push(Buffer.from(chunk as string));
  return tail.lines();
}

test('[AH1] the tail has the last 40 lines', () => {
  const lines = Array.from({ length: 100 }, (_, index) => `line ${index}`);
  expect(tailOf(`${lines.join('\n')}\n`)).toEqual(lines.slice(-40));
});

test('[AH1] a character cut in two by the pipe is whole in the tail', () => {
  const bytes = Buffer.from('grüße 😀\n');
  for (let cut = 1; cut < bytes.length; cut += 1) {
    expect(tailOf(bytes.subarray(0, cut), bytes.subarray(cut))).toEqual(['grüße 😀']);
  }
});

test('[AH1] the tail has no escape, control or direction characters, and shows what was drawn last', () => {
  expect(tailOf('\u001b[31mred\u001b[0m\n 10%\r 20%\r100%\nbell\u0007 \u202eevil\r\n')).toEqual([
    'red',
    '100%',
    'bell evil',
  ]);
});

test('[AH1] a line without end is cut, also one that fills the memory kept for the tail', () => {
  const lines = tailOf('first\n', 'x'.repeat(500_000), '\nlast\n');
  expect(lines.at(-1)).toBe('last');
  expect(lines.every((line) => line.length <= 1001)).toBe(true);
});
