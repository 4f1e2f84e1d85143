import type { StoredEvent } from '@ccdash/api/client';
import { expect, test } from 'vitest';
import { MOST_HELD, withCount, withEarlier, withLater, windowOfPage } from './log-window.ts';

function events(from: number, to: number): readonly StoredEvent[] {
  return Array.from({ length: to - from }, (_, i) => ({ sequence: from + i }) as StoredEvent);
}
const page = (from: number, to: number, count: number): Parameters<typeof windowOfPage>[0] => ({
  events: events(from, to),
  next: to < count ? to : null,
  previous: from > 0 ? from : null,
  count,
});
const numbers = (log: { readonly events: readonly StoredEvent[] }): readonly (number | null)[] =>
  log.events.map(({ sequence }) => sequence);

test('[WB5] what comes joins once at the end that is held, however the pages overlap', () => {
  const log = windowOfPage(page(5, 10, 10));
  const later = withLater(withLater(log, page(8, 12, 12)), page(11, 13, 13));
  expect(numbers(later)).toEqual([5, 6, 7, 8, 9, 10, 11, 12]);
  expect(later).toMatchObject({ before: 5, from: null, count: 13 });
});

test('[WB5] while the end is not held, what comes is counted and left to be read', () => {
  const log = windowOfPage(page(0, 10, 50));
  expect(withCount(log, 52)).toEqual({ ...log, count: 52 });
  expect(withCount(log, 40)).toBe(log);
});

test('[WB5] a filtered page leaves out events, and none of them twice', () => {
  const filtered = { ...page(2, 4, 4), events: events(3, 4) };
  const log = withLater(windowOfPage(page(0, 2, 2)), filtered);
  expect(numbers(log)).toEqual([0, 1, 3]);
});

test('[WB5] earlier pages join in front, later ones behind, neither doubled', () => {
  const log = windowOfPage(page(10, 20, 40));
  const wider = withLater(withEarlier(log, page(5, 12, 40)), page(18, 30, 40));
  expect(numbers(wider)).toEqual(Array.from({ length: 25 }, (_, i) => i + 5));
  expect(wider).toMatchObject({ before: 5, from: 30 });
});

test('[WB5] a page holds a part of a long log, and drops what is on the other side of where it reads', () => {
  const count = 200_000;
  let log = windowOfPage(page(0, 1000, count));
  for (let from = 1000; from < 10_000; from += 1000)
    log = withLater(log, page(from, from + 1000, count));
  expect(log.events).toHaveLength(MOST_HELD);
  expect(log).toMatchObject({ before: 10_000 - MOST_HELD, from: 10_000 });
  for (let before = 6000; before > 0; before -= 1000)
    log = withEarlier(log, page(before - 1000, before, count));
  expect(log.events).toHaveLength(MOST_HELD);
  expect(log).toMatchObject({ before: null, from: MOST_HELD });
});
