/** The engine's connection to the host process that runs commands: found again, or started when first needed. */
import { rmSync } from 'node:fs';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { dirname } from 'node:path';

import type { AttemptSpec } from '@ccdash/core';
import { isAlive } from '../base/process-identity.ts';
import { attemptKey } from './attempt-folder.ts';
import { PROTOCOL, readLease } from './lease.ts';
import type { Lease } from './lease.ts';
import { onHostMessage, send } from './messages.ts';
import { poolLease, poolLog } from './pool-folder.ts';
import { startHost } from './start-host.ts';
import type { HostCommand } from './start-host.ts';

/** This engine has been replaced: it may start nothing more. */
export class DisplacedError extends Error {
  override readonly name = 'DisplacedError';
}

export interface PoolLinkOptions {
  readonly stateDir: string;
  readonly host: HostCommand;
  readonly epoch: number;
  /** How long a pool without work and without an engine stays. */
  readonly idleLimitMs: number;
}

export interface PoolLink {
  /** Resolves when the pool has the attempt in hand. Rejects when no pool can be started, or it died with the request; with DisplacedError when it obeys a later engine. */
  start(spec: AttemptSpec, secretByName: Readonly<Record<string, string>>): Promise<void>;
  /** Lets the pool go when its work is done. */
  close(): void;
}

interface Waiting {
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

export function createPoolLink(options: PoolLinkOptions): PoolLink {
  const waitingByAttempt = new Map<string, Waiting>();
  let linked: Promise<Socket> | null = null;

  async function link(): Promise<Socket> {
    const { stateDir, host, epoch, idleLimitMs } = options;
    const known = readLease(poolLease(stateDir));
    if (known !== null && !isAlive(known.host)) {
      rmSync(dirname(known.socket), { recursive: true, force: true });
    } else if (known?.protocol === PROTOCOL) {
      const socket = await greet(known);
      if (socket !== null) return socket;
    } else if (known !== null) {
      sendAway(known, epoch);
    }
    await startHost(host, { kind: 'pool', stateDir, epoch, idleLimitMs }, poolLog(stateDir));
    const fresh = readLease(poolLease(stateDir));
    const socket = fresh === null ? null : await greet(fresh);
    if (socket === null)
      throw new Error('the host process for commands is gone as soon as it came');
    return socket;
  }

  /** null when the pool is about to go. Rejects when a later engine has it. */
  function greet(lease: Lease): Promise<Socket | null> {
    const socket = connect(lease.socket);
    return new Promise((resolve, reject) => {
      // An error is followed by `close`, which settles.
      socket.on('error', () => undefined);
      socket.on('close', () => {
        resolve(null);
        linked = null;
        for (const { reject: fail } of waitingByAttempt.values()) {
          fail(new Error('the host process for commands is gone'));
        }
        waitingByAttempt.clear();
      });
      onHostMessage(socket, (message) => {
        if (message.type === 'welcome') {
          resolve(socket);
        } else if (message.type === 'refused') {
          reject(new DisplacedError(`an engine of epoch ${message.epoch} has taken over`));
        } else if (message.type === 'started') {
          const key = attemptKey(message.attempt);
          waitingByAttempt.get(key)?.resolve();
          waitingByAttempt.delete(key);
        }
      });
      send(socket, { type: 'hello', token: lease.token, epoch: options.epoch, attempt: null });
    });
  }

  return {
    start: async (spec, secretByName) => {
      linked ??= link().catch((error: unknown) => {
        linked = null;
        throw error;
      });
      const socket = await linked;
      await new Promise<void>((resolve, reject) => {
        if (socket.destroyed) {
          reject(new Error('the host process for commands is gone'));
          return;
        }
        waitingByAttempt.set(attemptKey(spec), { resolve, reject });
        send(socket, { type: 'start', spec, secretByName });
      });
    },
    close: () => {
      // A link that failed has told whoever asked for it.
      void linked?.then(retire, () => undefined);
    },
  };
}

/** A host of another version ends once its work is done; the next command has one of this version. */
function sendAway(lease: Lease, epoch: number): void {
  const socket = connect(lease.socket);
  // It cannot be reached, then, and ends by itself when nothing has come for long.
  socket.on('error', () => undefined);
  send(socket, { type: 'hello', token: lease.token, epoch, attempt: null });
  retire(socket);
}

function retire(socket: Socket): void {
  send(socket, { type: 'retire' });
  socket.end();
}
