import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, request } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { connect, createServer as createTcpServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';

import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { createEgressProxy } from './egress-proxy.ts';

const PUBLIC = '93.184.216.34';
let socket = '';
let dialed: string[] = [];
const addressesByHost: Record<string, readonly string[]> = {
  'ok.example.com': [PUBLIC],
  'inside.example.com': ['127.0.0.1'],
  'mixed.example.com': [PUBLIC, '10.0.0.1'],
  'empty.example.com': [],
};

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  return (server.address() as AddressInfo).port;
}

beforeEach(async () => {
  const dir = mkdtempSync(join(tmpdir(), 'ccdash-proxy-'));
  onTestFinished(() => rmSync(dir, { recursive: true }));
  socket = join(dir, 'proxy');
  dialed = [];
  const web = await listen(
    createServer((asked, response) => {
      response.setHeader('connection', 'keep-alive, x-hop');
      response.setHeader('x-hop', '1');
      response.end(JSON.stringify({ url: asked.url, headers: asked.headers }));
    }),
  );
  const echo = await listen(createTcpServer((peer) => peer.pipe(peer)));
  const proxy = await createEgressProxy({
    socket,
    hosts: ['ok.example.com', '*.example.com'],
    reach: {
      resolve: async (host) => {
        const addresses = addressesByHost[host];
        if (addresses === undefined) throw new Error('not found');
        return addresses;
      },
      dial: (address, port) => {
        dialed.push(`${address}:${port}`);
        return connect(port === 80 ? web : echo, '127.0.0.1');
      },
    },
  });
  onTestFinished(() => proxy.close());
});

function tunnel(
  authority: string,
): Promise<{ readonly status: number; readonly peer: Socket; readonly response: IncomingMessage }> {
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath: socket, method: 'CONNECT', path: authority });
    asked.on('connect', (response, peer: Socket, head) => {
      peer.unshift(head);
      resolve({ status: response.statusCode!, peer, response });
    });
    asked.on('error', reject);
    asked.end();
  });
}

function get(
  path: string,
  headers: Record<string, string> = {},
): Promise<{
  readonly status: number;
  readonly body: string;
  readonly headers: IncomingMessage['headers'];
}> {
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath: socket, path, headers });
    asked.on('response', (response) => {
      void text(response).then((body) =>
        resolve({ status: response.statusCode!, body, headers: response.headers }),
      );
    });
    asked.on('error', reject);
    asked.end();
  });
}

test('[SB9] a tunnel to an allowed host carries bytes both ways', async () => {
  const { status, peer } = await tunnel('OK.example.com:443');
  expect(status).toBe(200);
  peer.end('hello');
  expect(await text(peer)).toBe('hello');
  expect(dialed).toEqual([`${PUBLIC}:443`]);
});

test('[SB9] tunnels to other hosts, other ports and bare addresses are refused, with what to do', async () => {
  const refused = [
    'evil.org:443',
    'example.com:443',
    'ok.example.com:22',
    '127.0.0.1:443',
    '[::1]:443',
    '2130706433:80',
    'ok.example.com',
    'ok.example.com:443@evil.org:443',
  ];
  for (const authority of refused) {
    const { status, peer } = await tunnel(authority);
    expect(status, authority).toBe(403);
    expect(await text(peer)).toMatch(/scope\.network\.hosts|closed/);
  }
  expect(dialed).toEqual([]);
});

test('[SB10] an allowed name that resolves to a private address, even among others, is refused', async () => {
  for (const host of ['inside.example.com', 'mixed.example.com', 'empty.example.com']) {
    expect((await tunnel(`${host}:443`)).status, host).toBe(403);
  }
  expect((await tunnel('unknown.example.com:443')).status).toBe(502);
  expect(dialed).toEqual([]);
});

test('[SB9] plain HTTP reaches an allowed host, under the name it was asked for', async () => {
  const { status, body, headers } = await get('http://ok.example.com/path?q=1', {
    host: 'evil.org',
    'proxy-authorization': 'x',
    connection: 'x-mine',
    'x-mine': '1',
    accept: 'a/b',
  });
  expect(status).toBe(200);
  const asked = JSON.parse(body) as {
    readonly url: string;
    readonly headers: Record<string, string>;
  };
  expect(asked.url).toBe('/path?q=1');
  expect(asked.headers).toMatchObject({ host: 'ok.example.com', accept: 'a/b' });
  expect(Object.keys(asked.headers)).not.toEqual(
    expect.arrayContaining([expect.stringMatching(/^(x-mine|proxy-authorization)$/)]),
  );
  expect(headers['x-hop']).toBeUndefined();
});

test('[SB9] plain HTTP to other hosts and ports, or with no host at all, is refused', async () => {
  for (const path of [
    'http://evil.org/',
    'http://ok.example.com:8080/',
    'http://ok.example.com:443/',
    'http://127.0.0.1/',
    '/local',
    'https://ok.example.com/',
  ]) {
    expect((await get(path)).status, path).toBe(403);
  }
  expect(dialed).toEqual([]);
});
