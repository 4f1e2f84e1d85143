/**
 * Events as `text/event-stream`: what the log has, then what comes, without a gap or a double.
 *
 * 1. Each event is encoded once, however many clients follow.
 * 2. A client takes frames at its own pace; one that falls too far behind is cut off, and goes on from Last-Event-ID.
 * 3. What the log has is read in parts as the client takes it: a long log is never held as a whole.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { StoredEvent } from '@ccdash/core';
import type { EventSource } from './event-source.ts';

export interface EventStreamOptions {
  readonly source: Pick<EventSource, 'read' | 'numberOf' | 'subscribe'>;
  /** The number of the first event. */
  readonly from: number;
  readonly matches: (event: StoredEvent) => boolean;
  readonly heartbeatMs: number;
  /** Live events that a client may be behind with. */
  readonly maxPending: number;
  /** Ends the connection at once, whatever is still to be written to it. */
  readonly disconnect: () => void;
  /** The server closes: the stream ends here. */
  readonly ending: AbortSignal;
}

/** Events of the log that are read at once. */
const CHUNK = 250;

const encoder = new TextEncoder();
const HEARTBEAT = encoder.encode(': still here\n\n');
const framesByEvent = new WeakMap<StoredEvent, Map<number, Uint8Array>>();

export function createEventStream(options: EventStreamOptions): ReadableStream<Uint8Array> {
  const { source, from, matches, heartbeatMs, maxPending, disconnect, ending } = options;
  let next = from;
  let chunk: readonly StoredEvent[] = [];
  let taken = 0;
  /** Until the log has nothing more: what is announced meanwhile is in the log, and read from there. */
  let isReplaying = true;
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

  function announce(event: StoredEvent): void {
    if (isReplaying || source.numberOf(event) === null || !matches(event)) return;
    live.push(event);
    if (live.length > maxPending) {
      close();
      disconnect();
    } else wake?.();
  }

  async function take(): Promise<StoredEvent | undefined> {
    while (isReplaying && isOpen) {
      if (taken < chunk.length) return chunk[taken++];
      if (taken > 0) await nextTurn();
      taken = 0;
      // An empty chunk and the switch to live in one turn: nothing is appended in between.
      chunk = source.read(next, CHUNK);
      isReplaying = chunk.length > 0;
    }
    return live.shift();
  }

  return new ReadableStream<Uint8Array>(
    {
      start: (controller) => {
        unsubscribe = source.subscribe(announce);
        // Only while the client keeps up: a heartbeat must not add to what it is behind with.
        heartbeat = setInterval(() => {
          if (isOpen && (controller.desiredSize ?? 0) > 0) controller.enqueue(HEARTBEAT);
        }, heartbeatMs);
        heartbeat.unref();
        ending.addEventListener('abort', close);
      },
      pull: async (controller) => {
        while (isOpen) {
          const event = await take();
          if (event === undefined) {
            await new Promise<void>((resolve) => {
              wake = resolve;
              // Something may have come, or the end, since nothing was there.
              if (live.length > 0 || !isOpen) resolve();
            });
            wake = null;
            continue;
          }
          const number = source.numberOf(event);
          if (number === null || number < next) continue;
          next = number + 1;
          if (!matches(event)) continue;
          controller.enqueue(frameOf(event, number));
          return;
        }
        if (ending.aborted) controller.close();
      },
      cancel: close,
    },
    { highWaterMark: 1 },
  );
}

/** Where a stream begins after Last-Event-ID; null when that is not a number. */
export function numberAfter(lastEventId: string): number | null {
  return /^\d{1,15}$/.test(lastEventId) ? Number(lastEventId) + 1 : null;
}

/** An event has one number in its run and another in the log. */
function frameOf(event: StoredEvent, number: number): Uint8Array {
  const frames = framesByEvent.get(event) ?? new Map<number, Uint8Array>();
  framesByEvent.set(event, frames);
  let frame = frames.get(number);
  if (frame === undefined) {
    frame = encoder.encode(`id: ${number}\ndata: ${JSON.stringify(event)}\n\n`);
    frames.set(number, frame);
  }
  return frame;
}
