/** Where a host process can be found, and what to kill should it be dead. Written by rename, mode 0600. */
import type { ProcessIdentity, ProcessRoot } from '../base/process-identity.ts';
import { readIfExists, replaceFile } from './whole-file.ts';

/** Of what engines and hosts say to each other; a host that speaks another is left to end its work. */
export const PROTOCOL = 1;

export interface Lease {
  readonly protocol: number;
  readonly host: ProcessIdentity;
  /** Unix socket in a folder of the host's own. */
  readonly socket: string;
  /** Shown when connecting: who can read the lease is the engine. */
  readonly token: string;
  /** What runs below the host for this attempt. */
  readonly roots: readonly ProcessRoot[];
}

export function writeLease(path: string, lease: Lease): void {
  replaceFile(path, JSON.stringify(lease));
}

/** null when there is none (yet). */
export function readLease(path: string): Lease | null {
  const text = readIfExists(path);
  return text === null ? null : (JSON.parse(text) as Lease);
}
