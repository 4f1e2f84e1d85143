import { createHash, createPublicKey, verify } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import canonicalize from 'canonicalize';
import fc from 'fast-check';
import type { EventStore, Json, NewEvent, StoreUnavailable } from '@ccdash/core';
import { describe, expect, onTestFinished, test } from 'vitest';
import {
  appendTo,
  errorOf,
  newEvent,
  openLog,
  tamper,
  testLog,
  valueOf,
} from '../../test/log-fixture.ts';
import { ENTRIES_PER_HEAD } from './log-writer.ts';
import { CorruptEventError, bodyToLeaf } from './stored-row.ts';
import { leafHash, rootOf } from './tree.ts';

function connect(path: string): DatabaseSync {
  const db = new DatabaseSync(path);
  onTestFinished(() => db.close());
  return db;
}

describe('the log', () => {
  test('[LG4] keeps an event as RFC 8785 JSON and gives back what it was', async () => {
    const log = testLog();
    const store = openLog(log);
    const db = connect(log.path);
    const property = fc.asyncProperty(fc.jsonValue(), fc.boolean(), async (value, isOfRun) => {
      const position = store.size();
      const runId = isOfRun ? `run_${position}` : null;
      const sequence = isOfRun ? 0 : null;
      await appendTo(store, runId, sequence, [value as Json]);
      const expected = { ...newEvent(value as Json), position, runId, sequence };
      const row = db.prepare('SELECT body, leaf FROM event WHERE position = ?').get(position);
      expect(row?.['body']).toBe(canonicalize({ ...expected, v: 1 }));
      expect(row?.['leaf']).toEqual(new Uint8Array(leafHash(Buffer.from(String(row?.['body'])))));
      const read: unknown = JSON.parse(canonicalize(store.readAll(position, 1)[0]) ?? '');
      expect(read).toEqual(JSON.parse(canonicalize(expected) ?? ''));
    });
    await fc.assert(property, { numRuns: 60 });
  });

  test('[LG4] refuses what is no event as the bug of its caller, and of no other', async () => {
    const store = openLog(testLog());
    const sound = newEvent('sound');
    const wrong: readonly unknown[] = [
      newEvent('\ud800'),
      { ...sound, at: 7 },
      { ...sound, type: undefined },
      { ...sound, actor: 'me' },
    ];
    const results = await Promise.allSettled([
      ...wrong.map((event) => appendWith(store, 'run_a', event as NewEvent)),
      appendWith(store, '\ud800', sound),
      appendWith(store, 'run_b', sound),
    ]);
    expect(results.map(({ status }) => status)).toEqual([
      ...Array.from({ length: 5 }, () => 'rejected'),
      'fulfilled',
    ]);
    expect(store.runIds()).toEqual(['run_b']);
  });

  test('[LG5] commits the appends that meet in one transaction', async () => {
    const store = openLog(testLog());
    const appends = Array.from({ length: 20 }, (_, i) => appendTo(store, `run_${i}`, 0, [i], true));
    await Promise.all(appends);
    expect(sizesOf(store.heads())).toEqual([0, 20]);
    await appendTo(store, 'run_0', 1, ['x'], true);
    await appendTo(store, 'run_0', 2, ['x'], true);
    expect(sizesOf(store.heads())).toEqual([0, 20, 21, 22]);
  });

  test('[LG5] commits what is waiting before it closes', async () => {
    const log = testLog();
    const store = openLog(log);
    const appended = appendTo(store, null, null, ['last words']);
    store.close();
    await appended;
    expect(
      openLog(log)
        .readAll(0, 9)
        .map(({ data }) => data),
    ).toEqual(['last words']);
  });

  test('[LG6] answers StoreUnavailable to all that met while it cannot write, and then goes on', async () => {
    const log = testLog();
    const faults: StoreUnavailable[] = [];
    const store = openLog({ ...log, onFault: (fault) => faults.push(fault) });
    await appendTo(store, 'run_a', 0, ['before']);
    const other = connect(log.path);
    other.exec('BEGIN IMMEDIATE');
    const append = { runId: 'run_a', expectedSequence: 1, events: [newEvent('late')], seal: true };
    const results = await Promise.all([store.append(append), store.append(append)]);
    expect(results.map((result) => errorOf(result).type)).toEqual([
      'StoreUnavailable',
      'StoreUnavailable',
    ]);
    expect(errorOf(store.heartbeat()).type).toBe('StoreUnavailable');
    expect(faults.length).toBeGreaterThan(0);
    other.exec('ROLLBACK');
    expect(store.size()).toBe(1);
    expect(valueOf(await store.append(append))[0]?.position).toBe(1);
    expect(sizesOf(store.heads())).toEqual([0, 2]);
  });

  test.each([
    "UPDATE event SET body = '{}' WHERE position = 1",
    'UPDATE event SET position = 9 WHERE position = 2',
    'DELETE FROM event WHERE position = 2',
    "INSERT OR REPLACE INTO event VALUES (1, 'run_a', 1, '{}', x'00')",
    "INSERT INTO event VALUES (9, 'run_a', 3, '{}', x'00')",
    "INSERT INTO event VALUES (NULL, 'run_a', 3, '{}', x'00')",
    "INSERT INTO event VALUES (3, 'run_a', 4, '{}', x'00')",
    "INSERT INTO event VALUES (3, 'run_b', 1, '{}', x'00')",
  ])('[LG7] refuses "%s"', async (sql) => {
    const log = testLog();
    const store = openLog(log);
    await appendTo(store, 'run_a', 0, ['one', 'two', 'three']);
    const db = connect(log.path);
    expect(() => db.exec(sql)).toThrow(/the log is append-only/);
  });

  test('[LG8] leaves its files to their owner only', async () => {
    const log = testLog();
    const store = openLog({ ...log, path: join(log.dir, 'new/log.db') });
    await appendTo(store, null, null, ['x']);
    for (const file of ['new/log.db', 'new/log.db-wal', 'new/heads', 'new', 'keys']) {
      expect([file, statSync(join(log.dir, file)).mode & 0o077]).toEqual([file, 0]);
    }
  });

  test('[LG13] names the position of an event that it cannot read', async () => {
    const log = testLog();
    const store = openLog(log);
    await appendTo(store, 'run_a', 0, ['one', 'two', 'three']);
    store.close();
    const [one] = openLog(log).readAll(0, 1);
    const bodies = [
      'not JSON',
      '[]',
      '{"v":2}',
      '{"v":1}',
      JSON.stringify({ ...one, v: 1 }),
      JSON.stringify({ ...one, position: 1, sequence: 1, type: 7, v: 1 }),
      JSON.stringify({ ...one, position: 1, sequence: 1, actor: 'me', v: 1 }),
    ];
    // Changed behind the back of a log that is open: one that is closed is not opened again.
    const opened = openLog(log);
    const sound = JSON.stringify({ ...one, position: 1, sequence: 1, v: 1 });
    const changes = [
      ...bodies.map((body) => ({ body, leaf: bodyToLeaf(body) })),
      // It says what an event says: only its hash can tell.
      { body: sound, leaf: bodyToLeaf('other') },
    ];
    for (const { body, leaf } of changes) {
      tamper(log.path, (db) =>
        db.prepare('UPDATE event SET body = ?, leaf = ? WHERE position = 1').run(body, leaf),
      );
      expect(opened.readAll(0, 1)).toEqual([one]);
      for (const read of [() => opened.readAll(0, 3), () => [...opened.readRun('run_a')]]) {
        const error = thrownBy(read);
        expect(error).toBeInstanceOf(CorruptEventError);
        expect(error).toMatchObject({ type: 'CorruptEvent', position: 1 });
      }
    }
  });

  test('[LG13] reads through the given decoder, whose refusals are corrupt events', async () => {
    const log = testLog();
    await appendTo(openLog(log), 'run_a', 0, [1, 2]);
    const store = openLog({
      ...log,
      decode: (event) =>
        event.data === 1
          ? { ok: true, value: { ...event, data: 'upcast' } }
          : { ok: false, error: { detail: 'no such thing' } },
    });
    expect(store.readAll(0, 1)[0]?.data).toBe('upcast');
    expect(() => store.readAll(1, 1)).toThrow(/position 1 cannot be read: no such thing/);
  });
});

describe('signed heads', () => {
  test('[LG10] are C2SP checkpoints that Ed25519 verifies', async () => {
    const store = openLog(testLog());
    await appendTo(store, 'run_a', 0, ['one', 'two'], true);
    const note = store.heads().at(-1) ?? '';
    const [origin, size, root, blank, signature = ''] = note.split('\n');
    expect([origin, size, blank]).toEqual(['test/log', '2', '']);
    const bodies = [...valueOf(store.exportLog())]
      .map((line) => JSON.parse(line) as { body?: string })
      .flatMap(({ body }) => (body === undefined ? [] : [leafHash(Buffer.from(body))]));
    expect(root).toBe(rootOf(bodies).toString('base64'));

    const [, name, encoded = ''] = signature.split(' ');
    const signed = Buffer.from(encoded, 'base64');
    const [, keyName, keyId, typed = ''] = /^(.*?)\+(.*?)\+(.*)$/.exec(store.publicKey) ?? [];
    const bytes = Buffer.from(typed, 'base64');
    const id = createHash('sha256').update('test/log\n').update(bytes).digest().subarray(0, 4);
    expect([name, keyName]).toEqual(['test/log', 'test/log']);
    expect([keyId, store.keyId, signed.subarray(0, 4)]).toEqual([
      id.toString('hex'),
      id.toString('hex'),
      id,
    ]);
    const x = bytes.subarray(1).toString('base64url');
    const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' });
    const body = Buffer.from(note.slice(0, note.indexOf('\n\n') + 1));
    expect(verify(null, body, key, signed.subarray(4))).toBe(true);
  });

  test('[LG10] come when an append asks, after 256 entries, and by heartbeat, never twice', async () => {
    const store = openLog(testLog());
    expect(sizesOf(store.heads())).toEqual([0]);
    expect(store.heartbeat()).toEqual({ ok: true, value: null });
    await appendTo(store, 'run_a', 0, ['one']);
    expect(sizesOf(store.heads())).toEqual([0]);
    await appendTo(store, 'run_a', 1, ['two'], true);
    expect(store.heartbeat()).toEqual({ ok: true, value: null });
    for (let i = 2; i < ENTRIES_PER_HEAD + 2; i += 1) await appendTo(store, 'run_a', i, [i]);
    await appendTo(store, 'run_a', ENTRIES_PER_HEAD + 2, ['last']);
    expect(valueOf(store.heartbeat())).toBe(store.heads().at(-1));
    expect(sizesOf(store.heads())).toEqual([0, 2, ENTRIES_PER_HEAD + 2, ENTRIES_PER_HEAD + 3]);
  });

  test('[LG10] of a refused append are not signed', async () => {
    const store = openLog(testLog());
    await appendTo(store, 'run_a', 0, ['one']);
    const append = { runId: 'run_a', expectedSequence: 0, events: [newEvent('x')], seal: true };
    expect(errorOf(await store.append(append)).type).toBe('VersionConflict');
    expect(sizesOf(store.heads())).toEqual([0]);
  });

  test('[LG11] are kept in a file beside the database, each as it was signed', async () => {
    const log = testLog();
    const store = openLog(log);
    await appendTo(store, 'run_a', 0, ['one'], true);
    await appendTo(store, 'run_a', 1, ['two'], true);
    expect(store.keptHeads()).toEqual(store.heads());
    const text = readFileSync(join(log.dir, 'heads'), 'utf8');
    expect(text).toBe(
      store
        .heads()
        .map((note) => `${note}\n`)
        .join(''),
    );
  });
});

async function appendWith(store: EventStore, runId: string, event: NewEvent): Promise<unknown> {
  return valueOf(await store.append({ runId, expectedSequence: 0, events: [event] }));
}

function sizesOf(notes: readonly string[]): readonly number[] {
  return notes.map((note) => Number(note.split('\n')[1]));
}

function thrownBy(work: () => unknown): unknown {
  try {
    work();
  } catch (error) {
    return error;
  }
  return undefined;
}
