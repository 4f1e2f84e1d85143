import { expect, test } from 'vitest';
import { MOST_LINES, NO_OUTPUT, linesOf, withOutput } from './output-text.ts';

function textsOf(pieces: readonly string[]): readonly string[] {
  const output = pieces.reduce(withOutput, NO_OUTPUT);
  return linesOf(output).map((line) => line.map(({ text }) => text).join(''));
}

test('[WB8] output is the same lines however its pieces are cut', () => {
  const text = 'one\ntwo \u001b[31mred\nstill\u001b[0m\nopen';
  const whole = textsOf([text]);
  expect(whole).toEqual(['one', 'two red', 'still', 'open']);
  for (let at = 0; at <= text.length; at += 1) {
    expect(textsOf([text.slice(0, at), text.slice(at)])).toEqual(whole);
  }
});

test('[WB8] of long output the last lines are held, and what was dropped is counted', () => {
  const lines = Array.from({ length: MOST_LINES + 7 }, (_, i) => `${String(i)}\n`);
  const output = lines.reduce(withOutput, NO_OUTPUT);
  expect(output.lines).toHaveLength(MOST_LINES);
  expect(output.dropped).toBe(7);
});

test('[WB8] a line that never ends is held in part', () => {
  const pieces = Array.from({ length: 100 }, () => 'x'.repeat(100_000));
  const output = pieces.reduce(withOutput, NO_OUTPUT);
  expect(output.open.length).toBeLessThanOrEqual(10_000);
});
