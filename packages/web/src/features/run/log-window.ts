/**
 * The part of a run's log that a page holds: some pages next to each other, never the whole. What comes live joins at
 * the end while the end is held; what is too much is dropped at the side that the reader is not at.
 */
import type { EventPage, StoredEvent } from '@ccdash/api/client';

export interface LogWindow {
  /** In order, without a double. */
  readonly events: readonly StoredEvent[];
  /** An earlier page ends before this number; null at the beginning of the log. */
  readonly before: number | null;
  /** A later page begins at this number; null when the end is held and live events may join. */
  readonly from: number | null;
  /** All events of the run up to what was heard last, filtered or not. */
  readonly count: number;
}

export const EMPTY_LOG: LogWindow = { events: [], before: null, from: 0, count: 0 };

/** Most events that a page holds. */
export const MOST_HELD = 4000;

export function windowOfPage(page: EventPage & Partial<Ends>): LogWindow {
  const { events, next, previous = null, count = events.length } = page;
  return { events, before: previous, from: next, count };
}

interface Ends {
  readonly previous: number | null;
  readonly count: number;
}

/** An earlier page in front; what is too much is dropped at the end. */
export function withEarlier(log: LogWindow, page: EventPage & Partial<Ends>): LogWindow {
  const first = log.events[0]?.sequence ?? Infinity;
  const earlier = page.events.filter((event) => numberOf(event) < first);
  const events = [...earlier, ...log.events];
  const before = page.previous ?? null;
  const dropped = events[MOST_HELD];
  if (dropped === undefined) return { ...log, events, before };
  return { ...log, events: events.slice(0, MOST_HELD), before, from: numberOf(dropped) };
}

/** A later page behind; what is too much is dropped at the beginning. */
export function withLater(log: LogWindow, page: EventPage & Partial<Ends>): LogWindow {
  return withEnd(log, page.events, page.next, page.count ?? log.count);
}

/** Events as they come. While the end is not held they are only counted: whoever scrolls there reads them then. */
export function withLive(
  log: LogWindow,
  events: readonly StoredEvent[],
  matches: (event: StoredEvent) => boolean,
): LogWindow {
  const count = Math.max(log.count, ...events.map((event) => numberOf(event) + 1));
  if (log.from !== null) return { ...log, count };
  return withEnd(log, events.filter(matches), null, count);
}

function withEnd(
  log: LogWindow,
  later: readonly StoredEvent[],
  from: number | null,
  count: number,
): LogWindow {
  const last = log.events.at(-1)?.sequence ?? -1;
  const events = [...log.events, ...later.filter((event) => numberOf(event) > last)];
  const tooMany = events.length - MOST_HELD;
  if (tooMany <= 0) return { events, before: log.before, from, count };
  const kept = events.slice(tooMany);
  return { events: kept, before: kept[0] === undefined ? null : numberOf(kept[0]), from, count };
}

/** Events of a run are numbered; others do not come here. */
function numberOf(event: StoredEvent): number {
  return event.sequence ?? 0;
}
