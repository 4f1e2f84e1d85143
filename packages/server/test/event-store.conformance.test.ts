import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EVENT_STORE_CASES, createMemoryEventStore } from '@ccdash/core/testing';
import type { EventStore } from '@ccdash/core';
import { afterEach, describe, test } from 'vitest';
import { openSqliteEventStore } from '../src/store/sqlite-event-store.ts';

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

const STORES: Readonly<Record<string, () => EventStore>> = {
  memory: createMemoryEventStore,
  SQLite() {
    const dir = mkdtempSync(join(tmpdir(), 'ccdash-log-'));
    cleanups.push(() => rmSync(dir, { recursive: true }));
    const path = join(dir, 'log.db');
    const opened = openSqliteEventStore({ path, keyDir: join(dir, 'keys'), origin: 'test/log' });
    if (!opened.ok) throw new Error(opened.error.detail);
    return opened.value;
  },
};

describe.each(Object.entries(STORES))('an event store in %s', (_name, open) => {
  test.each(EVENT_STORE_CASES)('[$rule] $name', async ({ run }) => {
    const createStore = (): EventStore => {
      const store = open();
      cleanups.unshift(() => store.close());
      return store;
    };
    await run({ createStore });
  });
});
