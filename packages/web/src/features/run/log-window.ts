/**
 * The part of a run's log that a page holds: some pages next to each other, never the whole. What comes joins at the
 * end while the end is held; what is too much is dropped at the side that the reader is not at.
 */
import type { EventPage, StoredEvent } from '@ccdash/api/client';

export interface LogWindow {
  /** In order, without a double. */
  readonly events: readonly StoredEvent[];
  /** An earlier page ends before this number; null at the beginning of the log. */
  readonly before: number | null;
  /** A later page begins at this number; null while the end is held. */
  readonly from: number | null;
  /** All events of the run up to what was heard last, filtered or not. */
  readonly count: number;
}

export const EMPTY_LOG: LogWindow = { events: [], before: null, from: 0, count: 0 };

/** Most events that a page holds. */
export const MOST_HELD = 4000;

export function windowOfPage({ events, next, previous, count }: EventPage): LogWindow {
  return { events, before: previous, from: next, count };
}

/** An earlier page in front; what is too much is dropped at the end. */
export function withEarlier(log: LogWindow, page: EventPage): LogWindow {
  const first = log.events[0]?.sequence ?? Infinity;
  const earlier = page.events.filter((event) => numberOf(event) < first);
  const events = [...earlier, ...log.events];
  const before = page.previous;
  const dropped = events[MOST_HELD];
  if (dropped === undefined) return { ...log, events, before };
  return { ...log, events: events.slice(0, MOST_HELD), before, from: numberOf(dropped) };
}

/** A later page behind, also what has come since; what is too much is dropped at the beginning. */
export function withLater(log: LogWindow, page: EventPage): LogWindow {
  const last = log.events.at(-1)?.sequence ?? -1;
  const events = [...log.events, ...page.events.filter((event) => numberOf(event) > last)];
  const count = Math.max(log.count, page.count);
  const tooMany = events.length - MOST_HELD;
  if (tooMany <= 0) return { events, before: log.before, from: page.next, count };
  const kept = events.slice(tooMany);
  return {
    events: kept,
    before: kept[0] === undefined ? null : numberOf(kept[0]),
    from: page.next,
    count,
  };
}

/** So many events there are by now. */
export function withCount(log: LogWindow, count: number): LogWindow {
  return count > log.count ? { ...log, count } : log;
}

/** Events of a run are numbered; others do not come here. */
function numberOf(event: StoredEvent): number {
  return event.sequence ?? 0;
}
