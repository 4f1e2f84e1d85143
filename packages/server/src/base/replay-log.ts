/** Replays every run of a log, to say whether anything happened without the decisions it needed. */
import { decodeRunEvent } from '@ccdash/api';
import { auditRun } from '@ccdash/core';
import type { RunEvent, StoredEvent } from '@ccdash/core';

export interface Replayed {
  readonly bypasses: number;
  /** The first entry that does not hold, in words; null when all do. */
  readonly problem: { readonly position: number; readonly detail: string } | null;
}

/** `events` of the whole log, oldest first. */
export function replayLog(events: Iterable<StoredEvent>): Replayed {
  const eventsByRun = new Map<string, StoredEvent[]>();
  for (const event of events) {
    if (event.runId === null) continue;
    const known = eventsByRun.get(event.runId);
    if (known === undefined) eventsByRun.set(event.runId, [event]);
    else known.push(event);
  }
  let bypasses = 0;
  let problem: Replayed['problem'] = null;
  for (const [runId, stored] of eventsByRun) {
    const read: RunEvent[] = [];
    const note = (index: number, detail: string): void => {
      const position = stored[index]?.position ?? 0;
      if (problem !== null && problem.position <= position) return;
      problem = { position, detail: `entry ${String(position)}, run ${runId}: ${detail}` };
    };
    for (const [index, event] of stored.entries()) {
      const decoded = decodeRunEvent(event);
      if (decoded.ok) read.push(decoded.value);
      else {
        note(index, decoded.error.detail);
        break;
      }
    }
    for (const { sequence, kind, detail } of auditRun(runId, read, Date.parse)) {
      if (kind === 'bypass') bypasses += 1;
      note(sequence, detail);
    }
  }
  return { bypasses, problem };
}
