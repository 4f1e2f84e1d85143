import { expect, test } from 'vitest';
import { cut, duration, plain } from './text.ts';

test('[WB57] escapes vanish, and what would hide or turn text becomes visible', () => {
  expect(plain('\u001b[31mred\u001b[0m \u001b]8;;http://x\u0007link')).toBe('red link');
  expect(plain('a\u202eb\u0000c\u0008d')).toBe('a\\u202eb\\u0000c\\u0008d');
  expect(plain('one\n\ttwo')).toBe('one\n\ttwo');
});

test('[WB57] text that is too long is cut, and says by how much', () => {
  expect(cut('abcdef', 4)).toBe('abcd\n… 2 more characters');
  expect(duration(90_000)).toBe('90 s');
});
