import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { Append, Json, NewEvent, Result, StoredEvent } from '@ccdash/core';
import { onTestFinished } from 'vitest';
import { openSqliteEventStore } from '../src/store/sqlite-event-store.ts';
import type { SqliteEventStore, SqliteEventStoreOptions } from '../src/store/sqlite-event-store.ts';

/** A folder that goes when the test ends. */
export function testFolder(): string {
  const dir = mkdtempSync(join(tmpdir(), 'ccdash-log-'));
  onTestFinished(() => rmSync(dir, { recursive: true }));
  return dir;
}

/** Where a log of a test lives, and its options. */
export interface TestLog extends SqliteEventStoreOptions {
  readonly dir: string;
}

export function testLog(): TestLog {
  const dir = testFolder();
  return { dir, path: join(dir, 'log.db'), keyDir: join(dir, 'keys'), origin: 'test/log' };
}

/** Opens a log that must open; closed when the test ends. */
export function openLog(options: SqliteEventStoreOptions): SqliteEventStore {
  const store = valueOf(openSqliteEventStore(options));
  onTestFinished(() => store.close());
  return store;
}

/** Runs `work` on the database of a closed log, with nothing in its way. */
export function tamper(path: string, work: (db: DatabaseSync) => void): void {
  const db = new DatabaseSync(path);
  try {
    const triggers = db.prepare("SELECT name FROM sqlite_schema WHERE type = 'trigger'").all();
    for (const { name } of triggers) db.exec(`DROP TRIGGER ${String(name)}`);
    work(db);
  } finally {
    db.close();
  }
}

export function newEvent(data: Json): NewEvent {
  const actor = { kind: 'engine', id: 'engine_1' } as const;
  return { type: 'Noted', at: '2026-01-02T03:04:05.678Z', actor, data };
}

/** Appends `data`, an event each, to a run (or to none) that has `expectedSequence` events. */
export async function appendTo(
  store: SqliteEventStore,
  runId: string | null,
  expectedSequence: number | null,
  data: readonly Json[],
  seal = false,
): Promise<readonly StoredEvent[]> {
  const append: Append = { runId, expectedSequence, events: data.map(newEvent), seal };
  return valueOf(await store.append(append));
}

export function valueOf<T, E>(result: Result<T, E>): T {
  if (!result.ok) throw new Error(JSON.stringify(result.error));
  return result.value;
}

export function errorOf<T, E>(result: Result<T, E>): E {
  if (result.ok) throw new Error('expected a refusal');
  return result.error;
}
