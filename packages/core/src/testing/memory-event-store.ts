import { InvariantError } from '../base/invariant.ts';
import { err, ok } from '../base/result.ts';
import type { EventStore, StoredEvent } from '../ports/event-store.ts';

/** The log in memory: the port's rules and nothing else. Events are copied on the way in. */
export function createMemoryEventStore(): EventStore {
  const events: StoredEvent[] = [];
  const ofRun = (runId: string): StoredEvent[] => events.filter((each) => each.runId === runId);
  let isClosed = false;

  return {
    async append({ runId, expectedSequence, events: added }) {
      if (isClosed) return err({ type: 'StoreUnavailable', detail: 'the log is closed' });
      const length = runId === null ? null : ofRun(runId).length;
      if (runId !== null && length !== null && length !== expectedSequence) {
        return err({
          type: 'VersionConflict',
          runId,
          expectedSequence: expectedSequence ?? -1,
          actualSequence: length,
        });
      }
      const stored = added.map((event, i) => ({
        ...toJson(event),
        position: events.length + i,
        runId,
        sequence: length === null ? null : length + i,
      }));
      events.push(...stored);
      return ok(stored);
    },
    readRun: (runId, fromSequence = 0) => ofRun(runId).slice(fromSequence),
    lastOf: (runId) => ofRun(runId).at(-1) ?? null,
    readGlobal: () => events.filter(({ runId }) => runId === null),
    readAll: (fromPosition, limit) => events.slice(fromPosition, fromPosition + limit),
    runIds: () =>
      events.flatMap(({ runId, sequence }) => (runId !== null && sequence === 0 ? [runId] : [])),
    size: () => events.length,
    close() {
      isClosed = true;
    },
  };
}

/** What JSON keeps of `value`; other things are the caller's bug, as they are for a log on a disk. */
function toJson<T>(value: T): T {
  const text = JSON.stringify(value, (_key, part: unknown) => {
    if (typeof part === 'number' && !Number.isFinite(part)) {
      throw new InvariantError(`an event cannot be written: ${part}`);
    }
    return part;
  });
  return JSON.parse(text) as T;
}
