/**
 * Writes what happens in an attempt, a JSON line a fact, with dense numbers from 1, before anybody is told.
 * A line that must not be lost with the machine is on disk when `write` returns; the others within `SYNC_EVERY_MS`.
 */
import { closeSync, fdatasync, fdatasyncSync, openSync, writeSync } from 'node:fs';

import type { HostFact } from '@ccdash/core';

export const SYNC_EVERY_MS = 200;

type Unnumbered<T> = T extends unknown ? Omit<T, 'seq' | 'at'> : never;
export type HostFactBody = Unnumbered<HostFact>;

export interface SpoolWriter {
  write(fact: HostFactBody, durable: boolean): void;
  close(): void;
}

export function createSpoolWriter(path: string, onGrown: () => void): SpoolWriter {
  const descriptor = openSync(path, 'ax', 0o600);
  let seq = 0;
  let timer: NodeJS.Timeout | null = null;
  let closed = false;

  function syncSoon(): void {
    timer ??= setTimeout(() => {
      timer = null;
      // A disk that fails here also fails the next durable write, which throws.
      if (!closed) fdatasync(descriptor, () => undefined);
    }, SYNC_EVERY_MS);
  }

  return {
    write: (fact, durable) => {
      const line = Buffer.from(
        `${JSON.stringify({ seq: seq + 1, at: new Date().toISOString(), ...fact })}\n`,
      );
      let written = 0;
      while (written < line.length) written += writeSync(descriptor, line, written);
      seq += 1;
      if (durable) fdatasyncSync(descriptor);
      else syncSoon();
      onGrown();
    },
    close: () => {
      closed = true;
      if (timer !== null) clearTimeout(timer);
      closeSync(descriptor);
    },
  };
}
