import type { IncomingMessage, ServerResponse } from 'node:http';
import { errorBody } from './protocol.ts';
import type { Protocol, Provider } from './protocol.ts';
import type { CallMeter } from './token-meter.ts';

/** A call that has passed the gateway's door. */
export interface ModelCall {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** Path and query, as the provider knows them. */
  readonly path: string;
  readonly provider: Provider;
  /** What makes the model work, in which words; null for what is only looked up. */
  readonly generates: Protocol | null;
  /** What was sent; at most `LARGEST_REQUEST` bytes. */
  readonly body: Buffer;
  /** For calls that use tokens: to be started once the model begins to answer. */
  readonly startMeter: (() => CallMeter) | null;
  /** Aborted when the caller goes away or the gateway is cut. */
  readonly signal: AbortSignal;
  /** This came from the model. */
  readonly onData: (chunk: Uint8Array) => void;
}

/** More than any provider takes. */
export const LARGEST_REQUEST: number = 64 * 1024 * 1024;

/** Answers a call whole, or rejects. */
export type Upstream = (call: ModelCall) => Promise<void>;

/** An error in the provider's words, so that agents' programs understand it. */
export function sendModelError(
  response: ServerResponse,
  provider: Provider,
  status: number,
  type: string,
  message: string,
  headers: Readonly<Record<string, string>> = {},
): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  response.writeHead(status, {
    'content-type': 'application/json',
    ...(mayPass(status) ? { 'x-should-retry': 'true' } : FINAL),
    ...headers,
  });
  response.end(JSON.stringify(errorBody(provider, type, message)));
}

/** Asked again, it would answer the same; programs that ask all the same need not wait for it. */
export const FINAL: Readonly<Record<string, string>> = {
  'x-should-retry': 'false',
  'retry-after': '0',
};

function mayPass(status: number): boolean {
  return status === 429 || status >= 500;
}
