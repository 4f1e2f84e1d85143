/**
 * Appends to a log until it has COUNT events, and says on stdout what it was told:
 * `ACK size` after each append, `NAK detail` for each refusal, `DONE` at the end.
 *
 *   node append-child.ts DIR KEY_DIR COUNT [SYNCHRONOUS]
 *
 * SYNCHRONOUS (`NORMAL`, `OFF`) weakens the connection of the store from outside, for tests that must see losses.
 */
import { writeSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { openSqliteEventStore } from '../../src/store/sqlite-event-store.ts';
import type { SqliteEventStore } from '../../src/store/sqlite-event-store.ts';

/** Tries of one thing before the disk is taken to refuse for good. */
const MAX_TRIES = 4;

const [dir = '', keyDir = '', count = '', synchronous = ''] = process.argv.slice(2);

const connections = trackConnections();
const store = open();
// Small, so that a short life sees checkpoints, too.
for (const db of connections) {
  if (!db.isOpen) continue;
  db.exec('PRAGMA wal_autocheckpoint = 8');
  if (synchronous !== '') db.exec(`PRAGMA synchronous = ${synchronous}`);
}
while (store.size() < Number(count)) await appendNext(store);
store.close();
say('DONE');

function open(): SqliteEventStore {
  const path = join(dir, 'log.db');
  for (let tries = 1; ; tries += 1) {
    const opened = openSqliteEventStore({ path, keyDir, origin: 'test/log' });
    if (opened.ok) return opened.value;
    refused(opened.error.detail, tries);
  }
}

/** Every fourth append has three events and is sealed. */
async function appendNext(to: SqliteEventStore): Promise<void> {
  const size = to.size();
  const seal = size % 6 === 3;
  const events = Array.from({ length: seal ? 3 : 1 }, (_, i) => ({
    type: 'Noted',
    at: '2026-01-02T03:04:05.678Z',
    actor: { kind: 'engine' as const, id: 'engine_1' },
    data: { i: size + i, text: 'x'.repeat(200) },
  }));
  for (let tries = 1; ; tries += 1) {
    const appended = await to.append({ runId: 'run_a', expectedSequence: size, events, seal });
    if (appended.ok) {
      say(`ACK ${size + events.length}`);
      return;
    }
    if (appended.error.type === 'VersionConflict') throw new Error(JSON.stringify(appended.error));
    refused(appended.error.detail, tries);
  }
}

function refused(detail: string, tries: number): void {
  say(`NAK ${detail}`);
  if (tries < MAX_TRIES) return;
  say('GAVE UP');
  process.exit(3);
}

function trackConnections(): ReadonlySet<DatabaseSync> {
  const seen = new Set<DatabaseSync>();
  // Taken out to be called with its own `this` below.
  // eslint-disable-next-line @typescript-eslint/unbound-method
  const { exec } = DatabaseSync.prototype;
  DatabaseSync.prototype.exec = function (this: DatabaseSync, sql: string) {
    seen.add(this);
    exec.call(this, sql);
  };
  return seen;
}

function say(line: string): void {
  writeSync(1, `${line}\n`);
}
