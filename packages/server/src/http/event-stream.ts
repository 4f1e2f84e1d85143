/**
 * Events of a run as `text/event-stream`: what the log has, then what comes, without a gap or a double.
 *
 * 1. Each event is encoded once, however many clients follow.
 * 2. A client takes frames at its own pace; one that falls too far behind is cut off, and goes on from Last-Event-ID.
 */
import type { StoredEvent } from '@ccdash/core';
import type { Workbench } from '../base/workbench.ts';

export interface EventStreamOptions {
  readonly workbench: Pick<Workbench, 'runEvents' | 'subscribe'>;
  readonly runId: string;
  readonly fromSequence: number;
  readonly heartbeatMs: number;
  /** Live events that a client may be behind with. */
  readonly maxPending: number;
  /** Ends the connection at once, whatever is still to be written to it. */
  readonly disconnect: () => void;
  /** The server closes: the stream ends here. */
  readonly ending: AbortSignal;
}

const encoder = new TextEncoder();
const HEARTBEAT = encoder.encode(': still here\n\n');
const frameByEvent = new WeakMap<StoredEvent, Uint8Array>();

export function createEventStream(options: EventStreamOptions): ReadableStream<Uint8Array> {
  const { workbench, runId, fromSequence, heartbeatMs, maxPending, disconnect } = options;
  const { ending } = options;
  let next = fromSequence;
  let replay: readonly StoredEvent[] = [];
  let replayed = 0;
  const live: StoredEvent[] = [];
  let wake: (() => void) | null = null;
  let unsubscribe = (): void => undefined;
  let heartbeat: NodeJS.Timeout | null = null;
  let isOpen = true;

  function close(): void {
    isOpen = false;
    unsubscribe();
    ending.removeEventListener('abort', close);
    if (heartbeat !== null) clearInterval(heartbeat);
    wake?.();
  }

  function take(): StoredEvent | undefined {
    if (replayed < replay.length) return replay[replayed++];
    replay = [];
    replayed = 0;
    return live.shift();
  }

  return new ReadableStream<Uint8Array>(
    {
      start: (controller) => {
        // Both in one turn: nothing is appended in between, and what overlaps is left out by its number.
        unsubscribe = workbench.subscribe((event) => {
          if (event.runId !== runId) return;
          live.push(event);
          if (live.length > maxPending) {
            close();
            disconnect();
          } else wake?.();
        });
        replay = workbench.runEvents(runId, fromSequence);
        // Only while the client keeps up: a heartbeat must not add to what it is behind with.
        heartbeat = setInterval(() => {
          if (isOpen && (controller.desiredSize ?? 0) > 0) controller.enqueue(HEARTBEAT);
        }, heartbeatMs);
        heartbeat.unref();
        ending.addEventListener('abort', close);
      },
      pull: async (controller) => {
        while (isOpen) {
          const event = take();
          if (event === undefined) {
            await new Promise<void>((resolve) => {
              wake = resolve;
            });
            wake = null;
          } else if ((event.sequence ?? -1) >= next) {
            next = (event.sequence ?? 0) + 1;
            controller.enqueue(frameOf(event));
            return;
          }
        }
        if (ending.aborted) controller.close();
      },
      cancel: close,
    },
    { highWaterMark: 1 },
  );
}

/** Where a stream begins after Last-Event-ID; null when that is not a sequence number. */
export function sequenceAfter(lastEventId: string): number | null {
  return /^\d{1,15}$/.test(lastEventId) ? Number(lastEventId) + 1 : null;
}

function frameOf(event: StoredEvent): Uint8Array {
  let frame = frameByEvent.get(event);
  if (frame === undefined) {
    frame = encoder.encode(`id: ${event.sequence ?? ''}\ndata: ${JSON.stringify(event)}\n\n`);
    frameByEvent.set(event, frame);
  }
  return frame;
}
