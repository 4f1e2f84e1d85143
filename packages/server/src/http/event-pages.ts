/**
 * Windows of a log, filtered here: a page of the log of a long run must not load the rest of it. A search looks through
 * a bounded part of the log a request, in turns that let others be served, and says where the next one goes on.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { AuditQuery } from '@ccdash/api';
import type { Json, JsonObject, StoredEvent } from '@ccdash/core';
import type { EventSource } from './event-source.ts';

export interface EventPage {
  readonly events: readonly StoredEvent[];
  readonly next: number | null;
  readonly previous: number | null;
  readonly count: number;
}

/** Events that are read in one turn. */
const CHUNK = 250;
/** Events that one request looks through. */
const MOST_SCANNED = 20_000;

export async function readEventPage(source: EventSource, query: AuditQuery): Promise<EventPage> {
  const count = source.count();
  return query.before === undefined
    ? readForward(source, query, query.from ?? 0, count)
    : readBackward(source, query, Math.min(query.before, count), count);
}

async function readForward(
  source: EventSource,
  query: AuditQuery,
  from: number,
  count: number,
): Promise<EventPage> {
  const matches = eventFilter(query);
  const events: StoredEvent[] = [];
  let next = from;
  while (next < count && events.length < query.limit && next - from < MOST_SCANNED) {
    if (next > from) await nextTurn();
    for (const event of source.read(next, Math.min(CHUNK, count - next))) {
      next += 1;
      if (matches(event)) events.push(event);
      if (events.length === query.limit) break;
    }
  }
  const isEnd = next >= count;
  return { events, next: isEnd ? null : next, previous: from > 0 ? from : null, count };
}

async function readBackward(
  source: EventSource,
  query: AuditQuery,
  before: number,
  count: number,
): Promise<EventPage> {
  const matches = eventFilter(query);
  const events: StoredEvent[] = [];
  let end = before;
  while (end > 0 && events.length < query.limit && before - end < MOST_SCANNED) {
    if (end < before) await nextTurn();
    const start = Math.max(0, end - CHUNK);
    for (const event of source.read(start, end - start).toReversed()) {
      end -= 1;
      if (matches(event)) events.push(event);
      if (events.length === query.limit) break;
    }
  }
  events.reverse();
  return { events, next: before < count ? before : null, previous: end > 0 ? end : null, count };
}

type Filter = Omit<AuditQuery, 'from' | 'before' | 'limit'>;

/** Whether an event is one that a query asks for. */
export function eventFilter(filter: Filter): (event: StoredEvent) => boolean {
  const { run, types, step, attempt, errors, actor } = filter;
  const text = filter.find?.toLowerCase();
  return (event) => {
    if (run !== undefined && event.runId !== run) return false;
    if (types !== undefined && !types.includes(event.type)) return false;
    if (actor !== undefined && event.actor.id !== actor) return false;
    if (step !== undefined && fieldOf(event.data, 'step') !== step) return false;
    if (attempt !== undefined && fieldOf(event.data, 'attempt') !== attempt) return false;
    if (errors && !isError(event)) return false;
    return text === undefined || hasText([event.type, event.actor.id, event.data], text);
  };
}

const ERRORS: ReadonlySet<string> = new Set([
  'RunStartFailed',
  'ResultNotApplied',
  'StepDenied',
  'StepBlocked',
  'StepFailed',
  'AttemptFailed',
  'AttemptRetrying',
  'AttemptInterrupted',
]);

function isError({ type, data }: StoredEvent): boolean {
  if (ERRORS.has(type)) return true;
  if (type === 'ToolDecided') return fieldOf(data, 'decision') === 'deny';
  const facts = type === 'AttemptReported' ? fieldOf(data, 'facts') : undefined;
  return Array.isArray(facts) && facts.some(isErrorFact);
}

/** What a fact of an agent says went wrong. */
function isErrorFact(fact: Json): boolean {
  const type = fieldOf(fact, 'type');
  if (type === 'notice') return fieldOf(fact, 'level') === 'error';
  return type === 'tool-ended' && fieldOf(fact, 'status') !== 'ok';
}

function fieldOf(value: Json, name: string): Json | undefined {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return undefined;
  const object = value as JsonObject;
  return Object.hasOwn(object, name) ? object[name] : undefined;
}

/** Without recursion: what agents say may be nested as deep as they like. */
function hasText(value: Json, text: string): boolean {
  const open: Json[] = [value];
  for (let one = open.pop(); one !== undefined; one = open.pop()) {
    if (typeof one === 'string' && one.toLowerCase().includes(text)) return true;
    if (one !== null && typeof one === 'object') {
      for (const inner of Object.values<Json>(one)) open.push(inner);
    }
  }
  return false;
}
