import { expect, test } from 'vitest';
import { createAnswerCheck } from './answer-schema.ts';

test('[AG10] each pattern of a schema is its own', () => {
  const made = createAnswerCheck({
    type: 'object',
    properties: { a: { type: 'string', pattern: '^x$' }, b: { type: 'string', pattern: '^y$' } },
  });
  if (!made.ok) throw new Error(made.error.message);
  expect(made.value({ a: 'x', b: 'y' })).toBe(null);
  expect(made.value({ a: 'x', b: 'x' })).toContain('b');
});

test('[AG10] a schema that would answer later is refused', () => {
  expect(createAnswerCheck({ $async: true, type: 'object' }).ok).toBe(false);
});

test('[AG10] a schema that only leads to itself fits nothing', () => {
  const made = createAnswerCheck({ $ref: '#' });
  if (!made.ok) throw new Error(made.error.message);
  expect(made.value({})).not.toBe(null);
});
