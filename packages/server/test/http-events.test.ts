import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { createClient } from '@ccdash/api/client';
import type { Client } from '@ccdash/api/client';
import type { StoredEvent } from '@ccdash/core';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openHttpFixture, planText, until } from './http-fixture.ts';
import type { HttpFixture } from './http-fixture.ts';

let http: HttpFixture;
let client: Client;
const sockets: Socket[] = [];

async function open(options: Parameters<typeof openHttpFixture>[0] = {}): Promise<void> {
  http = await openHttpFixture(options);
  client = createClient({ baseUrl: http.server.url, token: http.server.token });
}

beforeEach(() => open());

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  expect(http.bugs).toEqual([]);
  await http.close();
});

async function launch(programs: Readonly<Record<string, string>>): Promise<string> {
  const saved = await client.savePlan(planText(programs), 'p.yaml');
  if (!saved.ok) throw new Error(saved.error.detail);
  const launched = await client.launch(saved.value.id, {});
  if (!launched.ok) throw new Error(launched.error.detail);
  return launched.value.id;
}

/** A stream as its bytes; reading can be left off. */
function stream(
  runId: string,
  headers = '',
): { text(): string; socket: Socket; isClosed(): boolean } {
  let text = '';
  let closed = false;
  const socket = connect(http.server.port, '127.0.0.1');
  sockets.push(socket);
  socket.on('data', (chunk) => (text += chunk.toString('utf8')));
  socket.on('close', () => (closed = true));
  socket.on('error', () => (closed = true));
  socket.write(
    `GET /api/v1/runs/${runId}/events HTTP/1.1\r\nHost: 127.0.0.1:${http.server.port}\r\n` +
      `Authorization: Bearer ${http.server.token}\r\nAccept: text/event-stream\r\n${headers}\r\n`,
  );
  return { socket, text: () => text, isClosed: () => closed };
}

function idsIn(text: string): number[] {
  return [...text.matchAll(/^id: (\d+)$/gm)].map(([, id]) => Number(id));
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, i) => from + i);
}

test('[HT18] a stream has what was, then what comes, each event once and in order', async () => {
  const id = await launch({ a: 'hold' });
  const before = http.workbench.runEvents(id, 0).length;
  const one = stream(id);
  const other = stream(id);
  await until(() => idsIn(one.text()).length === before && idsIn(other.text()).length === before);
  await http.workbench.report(id, 'a', ['one', 'two']);
  await client.cancel(id, {});
  const all = http.workbench.runEvents(id, 0);
  await until(() => idsIn(one.text()).length >= all.length);
  await until(() => idsIn(other.text()).length >= all.length);
  expect(idsIn(one.text())).toEqual(range(0, all.length));
  expect(idsIn(other.text())).toEqual(range(0, all.length));
  expect(one.text()).toContain('content-type: text/event-stream');
  const data = [...one.text().matchAll(/^data: (.*)$/gm)].map(
    ([, json = '']) => JSON.parse(json) as StoredEvent,
  );
  expect(data).toEqual(all);
});

test('[HT18] a stream goes on behind the event that its client has seen last', async () => {
  const id = await launch({ a: 'true', b: 'true' });
  const all = http.workbench.runEvents(id, 0).length;
  const resumed = stream(id, 'Last-Event-ID: 3\r\n');
  await until(() => idsIn(resumed.text()).length >= all - 4);
  expect(idsIn(resumed.text())).toEqual(range(4, all));
  const headers = { accept: 'text/event-stream', 'last-event-id': 'x' };
  const refused = await http.send({ path: `runs/${id}/events`, headers });
  expect(refused.status).toBe(400);
});

test('[HT18] a stream of a run that does not exist is refused', async () => {
  const refused = await http.send({
    path: 'runs/run_9/events',
    headers: { accept: 'text/event-stream' },
  });
  expect(refused.json()).toMatchObject({ error: 'RunNotFound' });
});

test('[HT19] a quiet stream shows that it lives', async () => {
  await http.close();
  await open({ heartbeatMs: 20 });
  const id = await launch({ a: 'hold' });
  const quiet = stream(id);
  await until(() => quiet.text().split(': still here\n\n').length > 3);
  expect(quiet.isClosed()).toBe(false);
});

test('[HT20] a client that reads nothing is cut off, and others are not held up', async () => {
  await http.close();
  await open({ maxPending: 5 });
  const id = await launch({ a: 'hold' });
  const quick = stream(id);
  const slow = stream(id);
  await until(() => idsIn(quick.text()).length > 0 && http.workbench.followers() === 2);
  slow.socket.pause();
  const text = 'x'.repeat(1_000_000);
  let sent = 0;
  while (http.workbench.followers() === 2) {
    await http.workbench.report(id, 'a', [text]);
    sent = http.workbench.runEvents(id, 0).length;
    await until(() => idsIn(quick.text()).length === sent || http.workbench.followers() < 2);
    expect(sent).toBeLessThan(200);
  }
  await until(() => idsIn(quick.text()).length === sent);
  expect(idsIn(quick.text())).toEqual(range(0, sent));
  expect(quick.isClosed()).toBe(false);
  slow.socket.resume();
  await until(() => slow.isClosed());
  expect(idsIn(slow.text()).length).toBeLessThan(sent);
});

test('[HT20] a client that goes leaves nothing behind', async () => {
  const id = await launch({ a: 'hold' });
  const one = stream(id);
  await until(() => http.workbench.followers() === 1);
  one.socket.destroy();
  await until(() => http.workbench.followers() === 0);
});

test('[HT21] closing the server ends its streams as streams end', async () => {
  const id = await launch({ a: 'hold' });
  const one = stream(id);
  await until(() => idsIn(one.text()).length > 0);
  await http.server.close();
  await until(() => one.isClosed());
  // The last chunk of a chunked answer: a client is told that this is all, not that the line broke.
  expect(one.text().endsWith('0\r\n\r\n')).toBe(true);
  expect(http.workbench.followers()).toBe(0);
});

test('[HT22] the client takes up a stream that was cut, without a gap or a double', async () => {
  const id = await launch({ a: 'hold' });
  const seen: number[] = [];
  let cuts = 0;
  const cutting = createClient({
    baseUrl: http.server.url,
    token: http.server.token,
    fetch: async (...args) => {
      const response = await fetch(...args);
      if (response.headers.get('content-type') !== 'text/event-stream' || cuts === 3)
        return response;
      cuts += 1;
      return new Response(cutInTheMiddle(response.body!), response);
    },
  });
  const stop = new AbortController();
  const reading = (async () => {
    for await (const event of cutting.events(id, 0, stop.signal)) {
      seen.push(Number(event.sequence));
      if (event.type === 'RunCanceled') stop.abort();
    }
  })();
  await until(() => seen.length > 0);
  await http.workbench.report(id, 'a', ['one', 'two', 'three']);
  await client.cancel(id, {});
  await reading;
  expect(cuts).toBe(3);
  expect(seen).toEqual(range(0, http.workbench.runEvents(id, 0).length));
});

test('[HT22] the client gives up on a server that is gone, and on one that refuses', async () => {
  const id = await launch({ a: 'hold' });
  const read = async (runId: string): Promise<void> => {
    const events = client.events(runId, 0, AbortSignal.timeout(20_000));
    while ((await events.next()).done !== true);
  };
  await expect(read('run_9')).rejects.toMatchObject({ reason: { error: 'RunNotFound' } });
  await http.server.close();
  await expect(read(id)).rejects.toMatchObject({ reason: { error: 'Unreachable' } });
  expect(await client.isAlive()).toBe(false);
});

/** Most of the first chunk, and then an error. */
function cutInTheMiddle(body: ReadableStream<Uint8Array>): ReadableStream<Uint8Array> {
  const reader = body.getReader();
  let isCut = false;
  return new ReadableStream({
    pull: async (controller) => {
      if (isCut) {
        await reader.cancel();
        controller.error(new TypeError('cut'));
        return;
      }
      const { value } = await reader.read();
      isCut = true;
      controller.enqueue(value!.subarray(0, Math.floor(value!.length * 0.8)));
    },
  });
}
