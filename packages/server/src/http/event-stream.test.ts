import type { StoredEvent } from '@ccdash/core';
import { expect, test } from 'vitest';
import { eventsOfRun } from './event-source.ts';
import { createEventStream, numberAfter } from './event-stream.ts';

function eventAt(sequence: number, runId: string = 'run_1'): StoredEvent {
  const actor = { kind: 'engine', id: 'test' } as const;
  const at = '2026-01-02T03:04:05.000Z';
  return { position: sequence, runId, sequence, at, type: 'Tick', actor, data: null };
}

function follow(logged: readonly StoredEvent[], from = 0) {
  let announce: (event: StoredEvent) => void = () => undefined;
  const log = [...logged];
  const source = eventsOfRun(
    {
      runEvents: (_runId, first, limit) => log.slice(first).slice(0, limit),
      eventCount: () => log.length,
      subscribe: (listener) => {
        announce = listener;
        return () => undefined;
      },
    },
    'run_1',
  );
  const stream = createEventStream({
    source,
    from,
    matches: () => true,
    heartbeatMs: 60_000,
    maxPending: 100,
    disconnect: () => undefined,
    ending: new AbortController().signal,
  });
  // As the engine does: what is announced is in the log.
  const publish = (event: StoredEvent): void => {
    if (event.runId === 'run_1' && event.sequence === log.length) log.push(event);
    announce(event);
  };
  return { reader: stream.getReader(), publish };
}

test('[HT18] an event that was logged and is still to be announced is told once', async () => {
  const { reader, publish } = follow([eventAt(0), eventAt(1)]);
  for (const sequence of [1, 2]) publish(eventAt(sequence));
  publish(eventAt(3, 'run_2'));
  publish(eventAt(3));
  const ids: string[] = [];
  while (ids.length < 4) {
    const { value } = await reader.read();
    ids.push(new TextDecoder().decode(value).split('\n')[0]!);
  }
  expect(ids).toEqual(['id: 0', 'id: 1', 'id: 2', 'id: 3']);
  await reader.cancel();
});

test('[HT20] an event is encoded once, however many follow', async () => {
  const event = eventAt(0);
  const [one, other] = [follow([event]), follow([])];
  other.publish(event);
  const [first, second] = [await one.reader.read(), await other.reader.read()];
  expect(first.value).toBe(second.value);
});

test.each([
  ['0', 1],
  ['41', 42],
  ['', null],
  ['-1', null],
  ['1e3', null],
  ['1 ', null],
])('[HT18] behind Last-Event-ID %j comes %j', (id, next) => {
  expect(numberAfter(id)).toBe(next);
});
