/** Listens on loopback and serves the workbench there. */
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import { getRequestListener } from '@hono/node-server';
import { assertInvariant, err, ok } from '@ccdash/core';
import type { Clock, Failure, Result } from '@ccdash/core';
import type { People } from '../base/people.ts';
import type { Workbench } from '../base/workbench.ts';
import type { Features } from '../base/features.ts';
import type { PolicyDesk } from '../base/policy-desk.ts';
import { createHttpApp } from './create-http-app.ts';
import { createCredentials } from './credentials.ts';
import { openRestartFile } from './restart-file.ts';
import { allowedHosts } from './guards.ts';
import type { HandlerOptions, ReadPlan } from './handlers.ts';
import { loginUrl } from './people-handlers.ts';
import { openToken } from './token-file.ts';
import type { WebFiles } from './web-files.ts';

export interface HttpServerOptions {
  readonly workbench: Workbench;
  readonly people: People;
  /** The person whose machine this is: who can read the token of the state folder. */
  readonly owner: string;
  readonly features: Features;
  readonly policy: PolicyDesk;
  readonly readPlan: ReadPlan;
  readonly report: HandlerOptions['report'];
  readonly artifactPath: HandlerOptions['artifactPath'];
  /** Of mode 0700; holds the token. */
  readonly stateDir: string;
  /** `127.0.0.1`, `::1` or `localhost`. */
  readonly host: string;
  /** 0: any that is free. */
  readonly port: number;
  readonly web: WebFiles;
  readonly isReady: () => boolean;
  readonly requestShutdown: () => void;
  readonly reportBug: (error: unknown) => void;
  readonly clock: Pick<Clock, 'now'>;
  readonly heartbeatMs?: number;
  readonly maxPending?: number;
}

export interface HttpServer {
  readonly url: string;
  readonly port: number;
  readonly token: string;
  /** Opens the pages in a browser, once, within 15 minutes. */
  readonly loginUrl: string;
  /** Ends streams of events, lets other requests finish for a moment, and frees the port. May be called again. */
  close(): Promise<void>;
}

const LOOPBACK: readonly string[] = ['127.0.0.1', '::1', 'localhost'];
const HEARTBEAT_MS = 15_000;
const MAX_PENDING = 1000;
const CLOSE_PATIENCE_MS = 1000;
const CLOSE_POLL_MS = 20;

/** Errors: Failure `host_not_loopback`, `port_in_use`, `cannot_listen`, `state_unusable`. */
export async function openHttpServer(
  options: HttpServerOptions,
): Promise<Result<HttpServer, Failure>> {
  if (!LOOPBACK.includes(options.host)) {
    return err({
      code: 'host_not_loopback',
      message: `${options.host} is not an address of this machine alone.`,
      hint: 'Leave --host out, or give 127.0.0.1, ::1 or localhost.',
    });
  }
  const token = openToken(options.stateDir);
  if (!token.ok) return token;
  const server = createServer({ requireHostHeader: false });
  const kept = openRestartFile(options.stateDir);
  const port = await listenAgain(server, options, kept.state.port);
  if (!port.ok) return port;
  kept.change({ port: port.value });
  const url = `http://${options.host === '::1' ? '[::1]' : options.host}:${port.value}`;
  const credentials = createCredentials({
    token: token.value,
    owner: options.owner,
    people: options.people,
    clock: options.clock,
    kept,
  });
  const ending = new AbortController();
  const app = createHttpApp({
    ...options,
    ending: ending.signal,
    credentials,
    hosts: allowedHosts(port.value),
    baseUrl: url,
    heartbeatMs: options.heartbeatMs ?? HEARTBEAT_MS,
    maxPending: options.maxPending ?? MAX_PENDING,
  });
  const handle = getRequestListener((request, env) => app.fetch(request, env), {
    overrideGlobalObjects: false,
    hostname: 'localhost',
  });
  server.on('request', (incoming, outgoing) => {
    void handle(incoming, outgoing);
  });
  let closing: Promise<void> | null = null;
  return ok({
    url,
    port: port.value,
    token: token.value,
    loginUrl: loginUrl(url, credentials.createCode(options.owner).code),
    close: () => {
      ending.abort();
      return (closing ??= closeServer(server));
    },
  });
}

/** Where none is named, on the port of the last server: pages that are open find this one there. */
async function listenAgain(
  server: Server,
  { host, port }: Pick<HttpServerOptions, 'host' | 'port'>,
  last: number | null,
): Promise<Result<number, Failure>> {
  const again = port === 0 && last !== null ? await listen(server, host, last) : null;
  return again?.ok === true ? again : listen(server, host, port);
}

function listen(server: Server, host: string, port: number): Promise<Result<number, Failure>> {
  return new Promise((resolve) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const isTaken = error.code === 'EADDRINUSE';
      resolve(
        err({
          code: isTaken ? 'port_in_use' : 'cannot_listen',
          message: `The server cannot listen on ${host}, port ${port} (${error.code ?? error.message}).`,
          hint: isTaken ? 'Give another --port, or none.' : 'Give another --host or --port.',
        }),
      );
    });
    server.listen(port, host, () => {
      const address = server.address();
      assertInvariant(address !== null && typeof address === 'object', 'it listens on a port');
      resolve(ok(address.port));
    });
  });
}

/** Connections are kept open for a next request: each is closed once it waits for one. */
function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    const idle = setInterval(() => server.closeIdleConnections(), CLOSE_POLL_MS);
    const impatient = setTimeout(() => server.closeAllConnections(), CLOSE_PATIENCE_MS);
    server.close(() => {
      clearInterval(idle);
      clearTimeout(impatient);
      resolve();
    });
  });
}
