import { expect, test } from 'vitest';
import { createMailbox } from './mailbox.ts';

test('[AG99] a mailbox hands each message over once, early ones first', () => {
  const mailbox = createMailbox();
  const taken: string[] = [];
  mailbox.put('1', 'one');
  mailbox.put('1', 'one');
  mailbox.open((id, text) => taken.push(`${id} ${text}`));
  mailbox.put('2', 'two');
  mailbox.put('1', 'one');
  mailbox.put('2', 'two');
  expect(taken).toEqual(['1 one', '2 two']);
});
