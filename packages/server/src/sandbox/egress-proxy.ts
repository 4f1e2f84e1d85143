/**
 * The only way out of a sandbox with a network scope: an HTTP proxy on a Unix socket, in the host process.
 *
 * 1. A name must be on the list, and every address it resolves to must be public; the address that was checked is the
 *    one that is dialed.
 * 2. Only ports 80 and 443. Bytes of a tunnel are not looked at.
 */
import { lookup } from 'node:dns/promises';
import { createServer, request as httpRequest } from 'node:http';
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';

import { err, ok } from '@ccdash/core';
import type { Result } from '@ccdash/core';
import { isHostAllowed, isPublicAddress, plainHostName } from './host-rules.ts';

export interface Reach {
  /** All addresses of a name. Rejects when it has none. */
  resolve(host: string): Promise<readonly string[]>;
  dial(address: string, port: number): Socket;
}

export const INTERNET: Reach = {
  resolve: async (host) => (await lookup(host, { all: true })).map(({ address }) => address),
  dial: (address, port) => connect({ host: address, port }),
};

export interface EgressProxyOptions {
  /** Path of the Unix socket to listen on. */
  readonly socket: string;
  /** Exact names, or `*.example.com`. */
  readonly hosts: readonly string[];
  readonly reach: Reach;
}

interface Refused {
  readonly status: 403 | 502;
  readonly detail: string;
}

const HOP_BY_HOP = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

export async function createEgressProxy(
  options: EgressProxyOptions,
): Promise<{ close(): Promise<void> }> {
  const open = new Set<Duplex>();
  const server = createServer((request, response) => {
    void passOn(options, request, response);
  });
  server.on('connect', (request: IncomingMessage, client: Duplex, head: Buffer) => {
    keep(open, client);
    void tunnel(options, request.url ?? '', client, head, open);
  });
  server.on('connection', (socket) => keep(open, socket));
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.socket, resolve);
  });
  return {
    close: () =>
      new Promise((resolve) => {
        for (const socket of open) socket.destroy();
        server.close(() => resolve());
      }),
  };
}

async function tunnel(
  options: EgressProxyOptions,
  authority: string,
  client: Duplex,
  head: Buffer,
  open: Set<Duplex>,
): Promise<void> {
  const [, host = '', port = ''] = /^([^:]+):(\d{1,5})$/.exec(authority) ?? [];
  const address = await permit(options, host, Number(port), [80, 443]);
  if (!address.ok) {
    const { status, detail } = address.error;
    const reason = status === 403 ? 'Forbidden' : 'Bad Gateway';
    client.end(
      `HTTP/1.1 ${status} ${reason}\r\nContent-Type: text/plain\r\nContent-Length: ${Buffer.byteLength(detail)}\r\nConnection: close\r\n\r\n${detail}`,
    );
    return;
  }
  const upstream = options.reach.dial(address.value, Number(port));
  keep(open, upstream);
  upstream.on('close', () => client.destroy());
  client.on('close', () => upstream.destroy());
  upstream.once('connect', () => {
    client.write('HTTP/1.1 200 Connection Established\r\n\r\n');
    upstream.write(head);
    client.pipe(upstream).pipe(client);
  });
}

/** Plain HTTP: the absolute form names the host. */
async function passOn(
  options: EgressProxyOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const url = URL.parse(request.url ?? '');
  if (url?.protocol !== 'http:') {
    refuse(response, { status: 403, detail: 'This proxy takes http:// addresses and CONNECT.\n' });
    return;
  }
  const port = url.port === '' ? 80 : Number(url.port);
  const address = await permit(options, url.hostname, port, [80]);
  if (!address.ok) {
    refuse(response, address.error);
    return;
  }
  const upstream = httpRequest({
    createConnection: () => options.reach.dial(address.value, port),
    method: request.method,
    path: url.pathname + url.search,
    headers: { ...endToEnd(request.headers), host: url.host },
  });
  upstream.on('response', (answer) => {
    response.writeHead(answer.statusCode ?? 502, endToEnd(answer.headers));
    answer.on('error', () => response.destroy());
    answer.pipe(response);
  });
  upstream.on('error', (error) => {
    if (response.headersSent) response.destroy();
    else refuse(response, { status: 502, detail: `${url.host}: ${error.message}\n` });
  });
  response.on('close', () => upstream.destroy());
  request.pipe(upstream);
}

/** The address to dial for a host that is allowed. */
async function permit(
  { hosts, reach }: EgressProxyOptions,
  host: string,
  port: number,
  ports: readonly number[],
): Promise<Result<string, Refused>> {
  const name = plainHostName(host);
  if (name === null || !isHostAllowed(name, hosts)) {
    const detail = `${host || 'This address'} is not among the hosts of this step's network scope (${hosts.join(', ')}). Add it to scope.network.hosts in the plan if the step needs it.\n`;
    return err({ status: 403, detail });
  }
  if (!ports.includes(port)) {
    return err({
      status: 403,
      detail: `Port ${port} of ${name} is closed: use ${ports.join(' or ')}.\n`,
    });
  }
  let addresses: readonly string[];
  try {
    addresses = await reach.resolve(name);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return err({ status: 502, detail: `${name} does not resolve: ${why}\n` });
  }
  const [first] = addresses;
  if (first === undefined || !addresses.every(isPublicAddress)) {
    const detail = `${name} resolves to an address of a private network, which steps may not reach.\n`;
    return err({ status: 403, detail });
  }
  return ok(first);
}

function refuse(response: ServerResponse, { status, detail }: Refused): void {
  response.writeHead(status, { 'content-type': 'text/plain', connection: 'close' }).end(detail);
}

/** Without what is between two neighbours only. */
function endToEnd(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  const named = (headers.connection ?? '').split(',').map((name) => name.trim().toLowerCase());
  return Object.fromEntries(
    Object.entries(headers).filter(([name]) => !HOP_BY_HOP.has(name) && !named.includes(name)),
  );
}

function keep(open: Set<Duplex>, socket: Duplex): void {
  open.add(socket);
  // The failure of one side ends the other through `close`; there is nobody else to tell.
  socket.on('error', () => socket.destroy());
  socket.on('close', () => open.delete(socket));
}
