import { appendFileSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { HostFact } from '@ccdash/core';
import { expect, onTestFinished, test } from 'vitest';
import { createSpoolReader, hasEnd } from './spool-reader.ts';
import { createSpoolWriter } from './spool-writer.ts';

function spoolPath(): string {
  const dir = mkdtempSync(join(tmpdir(), 'ccdash-spool-'));
  onTestFinished(() => rmSync(dir, { recursive: true }));
  return join(dir, 'spool');
}

async function readAll(path: string): Promise<readonly HostFact[]> {
  const reader = createSpoolReader(path);
  const facts: HostFact[] = [];
  for (let next = await reader.next(); next.length > 0; next = await reader.next()) {
    facts.push(...next);
  }
  await reader.close();
  return facts;
}

const notice = (text: string) => ({ type: 'notice', level: 'info', text }) as const;

test('[AH10] facts are numbered from 1 without gaps, and read as they were written', async () => {
  const path = spoolPath();
  let told = 0;
  const spool = createSpoolWriter(path, () => (told += 1));
  const texts = Array.from({ length: 3000 }, (_, index) => `${'ü'.repeat(index % 90)} ${index}`);
  texts.push('long '.repeat(60_000));
  for (const text of texts) spool.write(notice(text), false);
  spool.close();
  const facts = await readAll(path);
  expect(facts.map(({ seq }) => seq)).toEqual(texts.map((_, index) => index + 1));
  expect(facts.map((fact) => fact.type === 'notice' && fact.text)).toEqual(texts);
  expect(told).toBe(texts.length);
});

test('[AH10] a line that is not whole yet is not read, and is when it is', async () => {
  const path = spoolPath();
  const reader = createSpoolReader(path);
  onTestFinished(() => reader.close());
  expect(await reader.next()).toEqual([]);
  const line = JSON.stringify({ seq: 1, at: '', ...notice('whole') });
  appendFileSync(path, line.slice(0, 20));
  expect(await reader.next()).toEqual([]);
  appendFileSync(path, `${line.slice(20)}\n`);
  expect(await reader.next()).toMatchObject([{ seq: 1, text: 'whole' }]);
});

test('[AH10] a spool is made by one host alone, readable for its user alone', async () => {
  const path = spoolPath();
  expect(await hasEnd(path)).toBe(false);
  createSpoolWriter(path, () => undefined).close();
  expect(() => createSpoolWriter(path, () => undefined)).toThrow('EEXIST');
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(await hasEnd(path)).toBe(false);
});
