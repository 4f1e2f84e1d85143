import { appendFileSync } from 'node:fs';
import type { StoredEvent } from '@ccdash/core';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openHttpFixture, planText, until } from './http-fixture.ts';
import type { HttpFixture } from './http-fixture.ts';

let http: HttpFixture;

beforeEach(async () => {
  http = await openHttpFixture();
});

afterEach(async () => {
  expect(http.bugs).toEqual([]);
  await http.close();
});

interface Page {
  readonly events: readonly StoredEvent[];
  readonly next: number | null;
  readonly previous: number | null;
  readonly count: number;
}

async function launch(programs: Readonly<Record<string, string>>): Promise<string> {
  const body = { text: planText(programs) };
  const saved = (await http.send({ method: 'POST', path: 'plans', body })).json();
  const path = `plans/${String(saved['id'])}/runs`;
  return String((await http.send({ method: 'POST', path, body: {} })).json()['id']);
}

async function page(path: string): Promise<Page> {
  const answer = await http.send({ path });
  expect(answer.status, answer.text).toBe(200);
  return answer.json() as unknown as Page;
}

function numbersOf({ events }: Page): readonly number[] {
  return events.map(({ sequence }) => Number(sequence));
}

test('[HT24] a window of a long run is read from either end, page by page', async () => {
  const id = await launch({ a: 'hold' });
  await http.workbench.report(
    id,
    'a',
    Array.from({ length: 700 }, (_, i) => `line ${String(i)}`),
  );
  const { length } = http.workbench.runEvents(id, 0);
  const last = await page(`runs/${id}/events?before=${length}&limit=10`);
  expect(numbersOf(last)).toEqual(Array.from({ length: 10 }, (_, i) => length - 10 + i));
  expect(last).toMatchObject({ next: null, previous: length - 10, count: length });
  const seen: number[] = [];
  for (let before: number | null = length; before !== null;) {
    const one: Page = await page(`runs/${id}/events?before=${before}&limit=300`);
    seen.unshift(...numbersOf(one));
    before = one.previous;
  }
  expect(seen).toEqual(Array.from({ length }, (_, i) => i));
  const middle = await page(`runs/${id}/events?from=300&limit=5`);
  expect(numbersOf(middle)).toEqual([300, 301, 302, 303, 304]);
  expect(middle).toMatchObject({ next: 305, previous: 300, count: length });
});

test('[HT24] types, steps, errors and text are looked for on the server', async () => {
  const id = await launch({ a: 'hold' });
  await http.workbench.report(id, 'a', ['a plain word', 'The Needle of it', 'nothing']);
  const found = await page(`runs/${id}/events?find=needle%20of`);
  expect(found.events).toHaveLength(1);
  expect(JSON.stringify(found.events)).toContain('The Needle of it');
  const failed = await launch({ a: 'true', b: 'false' });
  const ofB = await page(`runs/${failed}/events?step=b`);
  expect(ofB.events.length).toBeGreaterThan(2);
  for (const { data } of ofB.events) expect(data).toMatchObject({ step: 'b' });
  const wrong = await page(`runs/${failed}/events?errors=true`);
  expect(wrong.events.map(({ type }) => type)).toEqual(['AttemptFailed']);
  const started = await page(`runs/${failed}/events?types=RunStarted,AttemptStarted&before=9999`);
  expect(started.events.map(({ type }) => type)).toEqual([
    'RunStarted',
    'AttemptStarted',
    'AttemptStarted',
  ]);
  const ofRun = await page(`audit?run=${id}&types=RunStarted&actor=test`);
  expect(ofRun.events).toHaveLength(1);
  const both = await http.send({ path: `runs/${id}/events?from=1&before=3` });
  expect(both.json()).toMatchObject({ error: 'QueryInvalid' });
});

async function idsOf(stream: Response, isEnough: (ids: readonly number[]) => boolean) {
  const ids: number[] = [];
  let text = '';
  const decoder = new TextDecoder();
  for await (const bytes of stream.body ?? []) {
    text += decoder.decode(bytes as Uint8Array, { stream: true });
    ids.splice(0, ids.length, ...[...text.matchAll(/^id: (\d+)$/gm)].map(([, id]) => Number(id)));
    if (isEnough(ids)) break;
  }
  return ids;
}

function follow(path: string, headers: Record<string, string> = {}): Promise<Response> {
  const { url, token } = http.server;
  return fetch(`${url}/api/v1/${path}`, {
    headers: { authorization: `Bearer ${token}`, accept: 'text/event-stream', ...headers },
  });
}

test('[HT25] the whole log is followed by position, behind what was seen, and filtered', async () => {
  const id = await launch({ a: 'hold' });
  const count = http.workbench.eventCount(null);
  const all = await follow('audit', { 'last-event-id': '1' });
  const ends = await follow('audit?types=RunCanceled');
  await http.workbench.report(id, 'a', ['one']);
  await http.send({ method: 'POST', path: `runs/${id}/cancel`, body: {} });
  const last = http.workbench.eventCount(null) - 1;
  expect(last).toBeGreaterThan(count);
  expect(await idsOf(all, (ids) => ids.at(-1) === last)).toEqual(
    Array.from({ length: last - 1 }, (_, i) => i + 2),
  );
  const canceled = http.workbench.auditEvents(0, 1000).find(({ type }) => type === 'RunCanceled');
  expect(await idsOf(ends, (ids) => ids.length > 0)).toEqual([canceled?.position]);
});

test('[HT26] output is read along from a byte on, until its attempt has ended', async () => {
  const id = await launch({ a: 'hold' });
  const response = await follow(`runs/${id}/steps/a/attempts/1/output?follow=true`, {
    range: 'bytes=6-',
  });
  expect(response.headers.get('content-type')).toBe('text/plain; charset=utf-8');
  let text = '';
  const reading = (async () => {
    for await (const bytes of response.body ?? [])
      text += Buffer.from(bytes as Uint8Array).toString();
  })();
  await until(() => text.includes('second line'));
  appendFileSync(http.workbench.outputFile, 'third line\n');
  await until(() => text.includes('third line'));
  appendFileSync(http.workbench.outputFile, 'last line\n');
  await http.send({ method: 'POST', path: `runs/${id}/cancel`, body: {} });
  await reading;
  expect(text).toBe('line\nsecond line\nthird line\nlast line\n');
});

test('[WB52] the figures are told as JSON and to Prometheus, to who has a credential', async () => {
  await launch({ a: 'true', b: 'hold' });
  const { status } = await http.send({ path: '/metrics', token: null });
  expect(status).toBe(401);
  const told = await http.send({ path: '/metrics' });
  expect(told.headers['content-type']).toBe('text/plain; version=0.0.4; charset=utf-8');
  expect(told.text).toContain('\nccdash_runs{status="running"} 1\n');
  expect(told.text).toContain('\nccdash_gate_bypasses 0\n');
  // Nothing was launched for a feature yet: a share of nothing is no figure.
  expect(told.text).not.toContain('ccdash_orchestration_share');
  const json = (await http.send({ path: 'metrics?since=2026-01-01T00:00:00Z' })).json();
  expect(json).toMatchObject({ runs: { total: 1 }, orchestration: { value: null, of: 0 } });
  expect((await http.send({ path: 'metrics?since=2999-01-01T00:00:00Z' })).json()).toMatchObject({
    runs: { total: 0 },
  });
  expect((await http.send({ path: 'metrics?since=yesterday' })).status).toBe(400);
});
