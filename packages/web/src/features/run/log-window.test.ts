import type { StoredEvent } from '@ccdash/api/client';
import { expect, test } from 'vitest';
import { MOST_HELD, withEarlier, withLater, withLive, windowOfPage } from './log-window.ts';

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
const all = (): boolean => true;

test('[WB5] live events join once at the end that is held, also when a page has brought them already', () => {
  const log = windowOfPage(page(5, 10, 10));
  const later = withLive(withLive(log, events(8, 12), all), events(11, 13), all);
  expect(numbers(later)).toEqual([5, 6, 7, 8, 9, 10, 11, 12]);
  expect(later.count).toBe(13);
});

test('[WB5] while the end is not held, live events are counted and left to be read', () => {
  const log = withLive(windowOfPage(page(0, 10, 50)), events(50, 52), all);
  expect(numbers(log)).toEqual(numbers(windowOfPage(page(0, 10, 50))));
  expect(log).toMatchObject({ count: 52, from: 10 });
});

test('[WB5] a live event that the filter leaves out is counted only', () => {
  const log = withLive(windowOfPage(page(0, 2, 2)), events(2, 4), ({ sequence }) => sequence === 3);
  expect(numbers(log)).toEqual([0, 1, 3]);
  expect(log.count).toBe(4);
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
