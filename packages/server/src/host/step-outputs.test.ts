import { expect, test } from 'vitest';
import { parseStepOutputs } from './step-outputs.ts';

const parse = (text: string): unknown => parseStepOutputs(Buffer.from(text));

test('[AH5] the last of several lines for one key counts, and empty lines do not', () => {
  expect(parse('a=1\r\n\nb=\na=two words\n')).toEqual({
    ok: true,
    value: { a: 'two words', b: '' },
  });
  expect(parse('')).toEqual({ ok: true, value: {} });
});

test('[AH5] a key that could be mistaken for something else is refused with its line', () => {
  for (const text of ['x=1\n=2', 'x=1\na b=2', 'x=1\n1a=2', 'x=1\n$(x)=2', 'x=1\nplain']) {
    expect(parse(text)).toMatchObject({
      ok: false,
      error: { code: 'invalid_output', message: expect.stringContaining('line 2') as string },
    });
  }
});

test('[AH5] a key called like a part of every object is an output like any other', () => {
  const parsed = parseStepOutputs(Buffer.from('__proto__=x'));
  expect(parsed.ok && Object.entries(parsed.value)).toEqual([['__proto__', 'x']]);
});

test('[AH5] bytes that are no UTF-8 are refused', () => {
  expect(parseStepOutputs(Buffer.from([0x61, 0x3d, 0xff]))).toMatchObject({ ok: false });
});
