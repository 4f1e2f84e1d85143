/** Events in their order, by the number that clients know them by: of a run, or of the whole log. */
import type { StoredEvent } from '@ccdash/core';
import type { Workbench } from '../base/workbench.ts';

export interface EventSource {
  /** From the number `from` on, at most `limit`; numbers are dense. */
  read(from: number, limit: number): readonly StoredEvent[];
  count(): number;
  /** Null when the event is not one of these. */
  numberOf(event: StoredEvent): number | null;
  /** Calls back with each event once it is durable, also those that are not of these. Returns how to stop. */
  subscribe(listener: (event: StoredEvent) => void): () => void;
}

type Log = Pick<Workbench, 'runEvents' | 'auditEvents' | 'eventCount' | 'subscribe'>;

export function eventsOfRun(workbench: Omit<Log, 'auditEvents'>, runId: string): EventSource {
  return {
    read: (from, limit) => workbench.runEvents(runId, from, limit),
    count: () => workbench.eventCount(runId),
    numberOf: (event) => (event.runId === runId ? event.sequence : null),
    subscribe: (listener) => workbench.subscribe(listener),
  };
}

export function eventsOfLog(workbench: Omit<Log, 'runEvents'>): EventSource {
  return {
    read: (from, limit) => workbench.auditEvents(from, limit),
    count: () => workbench.eventCount(null),
    numberOf: ({ position }) => position,
    subscribe: (listener) => workbench.subscribe(listener),
  };
}
