/** What engine and host say to each other: JSON lines over a Unix socket. Facts go by the spool file, not this way. */
import type { Socket } from 'node:net';
import { StringDecoder } from 'node:string_decoder';

import type { AttemptRef, AttemptSpec } from '@ccdash/core';

export type EngineMessage =
  /** First on every connection. `attempt`: whose news to tell; null for the pool itself. */
  | {
      readonly type: 'hello';
      readonly token: string;
      readonly epoch: number;
      readonly attempt: AttemptRef | null;
    }
  | {
      readonly type: 'start';
      readonly spec: AttemptSpec;
      readonly secretByName: Readonly<Record<string, string>>;
    }
  | {
      readonly type: 'answer';
      readonly gateId: string;
      readonly decision: 'allow' | 'deny';
      readonly reason: string;
    }
  /** No model call begins while it is held; those under way end. */
  | { readonly type: 'tell'; readonly messageId: string; readonly text: string }
  | { readonly type: 'hold'; readonly isHeld: boolean }
  | { readonly type: 'stop'; readonly reason: string }
  /** To the pool: go once nothing runs and nobody is connected. */
  | { readonly type: 'retire' };

export type HostMessage =
  | { readonly type: 'welcome' }
  /** The token is wrong, or an engine of a higher epoch has been here. */
  | { readonly type: 'refused'; readonly epoch: number }
  /** This host does not (or no longer) run that attempt; what there is to know is in the spool. */
  | { readonly type: 'unknown' }
  | { readonly type: 'grown' }
  | { readonly type: 'started'; readonly attempt: AttemptRef };

const LONGEST_LINE = 16 * 1024 * 1024;

export function send(socket: Socket, message: EngineMessage | HostMessage): void {
  if (!socket.destroyed) socket.write(`${JSON.stringify(message)}\n`);
}

/** Calls back with each message of an engine. A line that is no JSON, or has no end, closes the connection. */
export function onEngineMessage(socket: Socket, callback: (message: EngineMessage) => void): void {
  onJsonLine(socket, (value) => callback(value as EngineMessage));
}

/** Calls back with each message of a host, likewise. */
export function onHostMessage(socket: Socket, callback: (message: HostMessage) => void): void {
  onJsonLine(socket, (value) => callback(value as HostMessage));
}

function onJsonLine(socket: Socket, callback: (value: unknown) => void): void {
  const decoder = new StringDecoder('utf8');
  let rest = '';
  socket.on('data', (data: Buffer) => {
    rest += decoder.write(data);
    for (let end = rest.indexOf('\n'); end >= 0; end = rest.indexOf('\n')) {
      const line = rest.slice(0, end);
      rest = rest.slice(end + 1);
      let value: unknown;
      try {
        value = JSON.parse(line);
      } catch (error) {
        socket.destroy(error instanceof Error ? error : new Error(String(error)));
        return;
      }
      callback(value);
    }
    if (rest.length > LONGEST_LINE) socket.destroy(new Error('a message has no end'));
  });
}
