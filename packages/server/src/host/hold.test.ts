import { expect, test } from 'vitest';

import { createHold } from './hold.ts';

test('[PA2] a hold lets everybody pass once it is opened, and at once while it is not closed', async () => {
  const hold = createHold(new AbortController().signal);
  await hold.passed();
  hold.set(true);
  hold.set(true);
  const passed: number[] = [];
  const both = [1, 2].map((each) => hold.passed().then(() => passed.push(each)));
  await Promise.resolve();
  expect([hold.isHeld(), passed]).toEqual([true, []]);
  hold.set(false);
  await Promise.all(both);
  expect([hold.isHeld(), passed]).toEqual([false, [1, 2]]);
});

test('[PA2] a hold keeps nobody whose work is to stop, then or later', async () => {
  const stopping = new AbortController();
  const hold = createHold(stopping.signal);
  hold.set(true);
  const passed = hold.passed();
  stopping.abort();
  await passed;
  hold.set(true);
  await hold.passed();
  expect(hold.isHeld()).toBe(false);
});
