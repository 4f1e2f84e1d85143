/**
 * One connection that follows the whole log, for everything on the page. Its position is the id of the stream: after a
 * cut it goes on behind the last event it has had, so that none is lost and none comes twice.
 */
import { readSse } from '@ccdash/api/client';
import type { ClientError, EventPage, Result, StoredEvent } from '@ccdash/api/client';
import type { QueryClient } from '@tanstack/react-query';
import { useSyncExternalStore } from 'react';
import { client } from './client.ts';

export type Connection = 'connecting' | 'live' | 'offline' | 'logged-out';

let connection: Connection = 'connecting';
const watchers = new Set<() => void>();
const listeners = new Set<(event: StoredEvent) => void>();

export function useConnection(): Connection {
  return useSyncExternalStore(
    (watcher) => {
      watchers.add(watcher);
      return () => watchers.delete(watcher);
    },
    () => connection,
  );
}

/** Calls back with each event as it comes. Returns how to stop. */
export function onEvent(listener: (event: StoredEvent) => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

function setConnection(next: Connection): void {
  if (connection === next) return;
  connection = next;
  for (const watcher of watchers) watcher();
}

const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 4000;

/** Follows until `signal` aborts. */
export async function followLog(queries: QueryClient, signal: AbortSignal): Promise<void> {
  let next: number | null = null;
  let pauseMs = FIRST_PAUSE_MS;
  const refresh = coalesced((events) => invalidate(queries, events));
  while (!signal.aborted) {
    const page: Result<EventPage, ClientError> | null =
      next === null ? await client.eventWindow(null, { before: 1e15, limit: 1 }) : null;
    if (page?.ok === true) next = page.value.count;
    const outcome =
      next === null
        ? outcomeOf(page)
        : await stream(
            next,
            signal,
            (event) => {
              next = event.position + 1;
              pauseMs = FIRST_PAUSE_MS;
              for (const listener of listeners) listener(event);
              refresh(event);
            },
            () => {
              // What was missed while nobody listened is asked for.
              if (connection !== 'live') void queries.invalidateQueries();
              setConnection('live');
            },
          );
    if (isAborted(signal)) return;
    setConnection(outcome);
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
    pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS);
  }
}

function outcomeOf(page: Result<EventPage, ClientError> | null): Connection {
  return page?.ok === false && page.error.error === 'NotAuthenticated' ? 'logged-out' : 'offline';
}

function isAborted(signal: AbortSignal): boolean {
  return signal.aborted;
}

async function stream(
  from: number,
  signal: AbortSignal,
  onNext: (event: StoredEvent) => void,
  onOpen: () => void,
): Promise<Connection> {
  let expected = from;
  try {
    const headers: Record<string, string> = { accept: 'text/event-stream' };
    if (from > 0) headers['last-event-id'] = String(from - 1);
    const response = await fetch('/api/v1/audit', { headers, signal });
    if (response.status === 401) return 'logged-out';
    if (!response.ok || response.body === null) return 'offline';
    onOpen();
    for await (const frame of readSse(response.body)) {
      const event = JSON.parse(frame.data) as StoredEvent;
      if (event.position !== expected) continue;
      expected += 1;
      onNext(event);
    }
  } catch (error) {
    if (!(error instanceof TypeError) && !(error instanceof DOMException)) throw error;
  }
  return 'offline';
}

const COALESCE_MS = 40;

function coalesced(act: (events: readonly StoredEvent[]) => void): (event: StoredEvent) => void {
  let waiting: StoredEvent[] = [];
  return (event) => {
    waiting.push(event);
    if (waiting.length > 1) return;
    setTimeout(() => {
      const events = waiting;
      waiting = [];
      act(events);
    }, COALESCE_MS);
  };
}

/** Names of queries by what happened; what agents report changes their run alone. */
function invalidate(queries: QueryClient, events: readonly StoredEvent[]): void {
  const names = new Set<string>();
  for (const { type, runId } of events) {
    if (runId === null) names.add(type.startsWith('Plan') ? 'plans' : 'people');
    else if (type !== 'AttemptReported')
      for (const name of ['runs', 'approvals', 'metrics']) names.add(name);
  }
  for (const name of names) void queries.invalidateQueries({ queryKey: [name] });
  for (const runId of new Set(events.map((event) => event.runId))) {
    if (runId !== null) void queries.invalidateQueries({ queryKey: ['run', runId] });
  }
}
