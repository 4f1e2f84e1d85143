import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, test } from 'vitest';
import {
  appendTo,
  errorOf,
  newEvent,
  openLog,
  tamper,
  testLog,
  valueOf,
} from '../../test/log-fixture.ts';
import type { TestLog } from '../../test/log-fixture.ts';
import { dropDerived } from './derived-tables.ts';
import { openLogToRead } from './read-log.ts';
import { SIGNING_KEY_FILE } from './signing-key.ts';
import { openSqliteEventStore } from './sqlite-event-store.ts';
import { MIGRATIONS, SCHEMA_VERSION } from './migrations/migrations.ts';
import { leafHash } from './tree.ts';
import { verifyStore } from './verify-log.ts';

/** A closed log of six events, the last two in no head yet; some more of them in its write-ahead log. */
async function closedLog(): Promise<TestLog> {
  const log = testLog();
  const store = openLog(log);
  await appendTo(store, 'run_a', 0, ['one', 'two'], true);
  await appendTo(store, 'run_a', 2, ['three', 'four'], true);
  await appendTo(store, 'run_a', 4, ['five', 'six']);
  store.close();
  return log;
}

/** Heads of a log with another key. */
async function otherHeads(): Promise<{ readonly heads: readonly string[] }> {
  const store = openLog(await closedLog());
  return { heads: store.heads() };
}

/** Bytes of each file; SQLite's index in shared memory says nothing that lasts. */
function bytesIn(dir: string): Readonly<Record<string, string>> {
  const files = readdirSync(dir, { withFileTypes: true, recursive: true });
  return Object.fromEntries(
    files
      .filter((file) => file.isFile() && !file.name.endsWith('-shm'))
      .map(({ parentPath, name }) => [
        join(parentPath, name),
        readFileSync(join(parentPath, name), 'hex'),
      ]),
  );
}

function expectRefusal(log: TestLog, type: string): void {
  const before = bytesIn(log.dir);
  const error = errorOf(openSqliteEventStore(log));
  expect(error.type).toBe(type);
  expect('hint' in error ? error.hint : '').toMatch(/\w{4}/);
  expect(bytesIn(log.dir)).toEqual(before);
}

describe('opening a log', () => {
  test('[LG12] refuses a file that is no database', () => {
    for (const content of ['', 'a letter to my aunt\n', 'SQLite format 3']) {
      const log = testLog();
      writeFileSync(log.path, content);
      expectRefusal(log, 'NotALog');
    }
  });

  test('[LG12] refuses a folder, a link, and the database of another program', () => {
    const [folder, link, foreign] = [testLog(), testLog(), testLog()];
    mkdirSync(folder.path);
    expectRefusal(folder, 'NotALog');
    symlinkSync('/dev/null', link.path);
    expectRefusal(link, 'NotALog');
    const db = new DatabaseSync(foreign.path);
    db.exec('CREATE TABLE event (position INTEGER PRIMARY KEY)');
    db.close();
    expectRefusal(foreign, 'NotALog');
  });

  test('[LG12] refuses a damaged database', async () => {
    const log = await closedLog();
    const bytes = readFileSync(log.path);
    // The second page holds the first table.
    bytes.fill(0xff, 4096, 4196);
    writeFileSync(log.path, bytes);
    expectRefusal(log, 'LogCorrupt');
    truncateSync(log.path, 5000);
    expectRefusal(log, 'LogCorrupt');
  });

  test('[LG12] refuses the schema of a newer version, with its write-ahead log as it was', async () => {
    const log = await closedLog();
    const db = new DatabaseSync(log.path);
    db.exec(`PRAGMA user_version = ${SCHEMA_VERSION + 1}`);
    const copy = { ...log, dir: join(log.dir, 'copy'), path: join(log.dir, 'copy/log.db') };
    mkdirSync(copy.dir);
    // As a crash leaves it.
    for (const suffix of ['', '-wal']) copyFileSync(log.path + suffix, copy.path + suffix);
    db.close();
    expect(statSync(`${copy.path}-wal`).size).toBeGreaterThan(0);
    expectRefusal(copy, 'LogTooNew');
  });

  test('[LG12] refuses to begin anew beside what is left of a log', async () => {
    const log = await closedLog();
    rmSync(log.path);
    expectRefusal(log, 'LogRolledBack');
    expect(existsSync(log.path)).toBe(false);
    rmSync(join(log.dir, 'heads'));
    writeFileSync(`${log.path}-wal`, 'frames');
    expectRefusal(log, 'LogRolledBack');
  });

  test('[LG11] refuses a log that is shorter than its heads say', async () => {
    const log = await closedLog();
    tamper(log.path, (db) => {
      db.exec('DELETE FROM event WHERE position >= 3; DELETE FROM head WHERE size > 3');
      dropDerived(db);
    });
    expectRefusal(log, 'LogRolledBack');
  });

  test('[LG11] refuses an older copy of the log, and the older copy after it has grown', async () => {
    const log = testLog();
    const older = { ...log, path: join(log.dir, 'older/log.db') };
    const store = openLog(log);
    await appendTo(store, 'run_a', 0, ['one'], true);
    store.close();
    mkdirSync(join(log.dir, 'older'));
    copyFileSync(log.path, older.path);
    await appendTo(openLog(log), 'run_a', 1, ['two'], true);
    for (const data of [[], ['another two'], ['another three']]) {
      const grown = openLog(older);
      await appendTo(grown, 'run_a', grown.size(), data, true);
      grown.close();
      copyFileSync(join(log.dir, 'heads'), join(log.dir, 'older/heads.kept'));
      renameSync(join(log.dir, 'older/heads'), join(log.dir, 'older/heads.own'));
      renameSync(join(log.dir, 'older/heads.kept'), join(log.dir, 'older/heads'));
      expectRefusal({ ...older, dir: join(log.dir, 'older') }, 'LogRolledBack');
      renameSync(join(log.dir, 'older/heads.own'), join(log.dir, 'older/heads'));
    }
  });

  test('[LG11] mends a file of heads that a crash cut off, and refuses one that was changed', async () => {
    const log = await closedLog();
    const heads = join(log.dir, 'heads');
    const whole = readFileSync(heads);
    for (let size = whole.length - 1; size >= 0; size -= 7) {
      writeFileSync(heads, whole.subarray(0, size));
      openLog(log).close();
      expect(readFileSync(heads)).toEqual(whole);
    }
    rmSync(heads);
    openLog(log).close();
    expect(readFileSync(heads)).toEqual(whole);

    const text = whole.toString();
    writeFileSync(heads, text.replace('\n2\n', '\n\n2\n'));
    expectRefusal(log, 'LogCorrupt');
    writeFileSync(heads, text.replace(/\n4\n/, '\n3\n'));
    expectRefusal(log, 'LogCorrupt');
  });

  const CHANGES: Readonly<Record<string, string>> = {
    'a word': `UPDATE event SET body = replace(body, 'three', 'seven')`,
    'a word that no head covers': `UPDATE event SET body = replace(body, 'five', 'eight')`,
    'a word, with its hash': `UPDATE event SET body = replace(body, 'three', 'seven'),
       leaf = rehash(replace(body, 'three', 'seven'))`,
    'two entries, swapped': `UPDATE event SET leaf = (SELECT leaf FROM event WHERE position = 5 - 2)
       WHERE position = 2`,
    'an entry in the middle, taken out': 'DELETE FROM event WHERE position = 2',
    'the tree': `UPDATE tree SET hashes = zeroblob(length(hashes))`,
  };
  for (const [name, sql] of Object.entries(CHANGES)) {
    test(`[LG21] refuses a log that was changed by hand: ${name}`, async () => {
      const log = await closedLog();
      tamper(log.path, (db) => {
        db.function('rehash', (body) => leafHash(Buffer.from(String(body))));
        db.exec(sql);
      });
      expectRefusal(log, 'LogCorrupt');
      const error = errorOf(openSqliteEventStore(log));
      expect('hint' in error ? error.hint : '').toContain('ccdash audit');
    });
  }

  test('[LG21] of many entries is looked at while it is open, and takes no more once it is found changed', async () => {
    const log = testLog();
    const store = openLog(log);
    const data = Array.from({ length: 12_000 }, (_, i) => `entry ${i}`);
    await appendTo(store, 'run_a', 0, data, true);
    expect(await store.check()).toBe(null);
    store.close();
    tamper(log.path, (db) =>
      db.exec(`UPDATE event SET body = replace(body, 'entry 11000', 'entry 21000')`),
    );
    const opened = openLog(log);
    const before = opened.size();
    expect(await opened.check()).toContain('position 11000');
    const refused = errorOf(
      await opened.append({ runId: null, expectedSequence: null, events: [newEvent('x')] }),
    );
    expect(refused).toMatchObject({ type: 'StoreUnavailable' });
    expect('detail' in refused ? refused.detail : '').toContain('ccdash audit');
    expect(opened.heartbeat().ok).toBe(false);
    expect(opened.size()).toBe(before);
  });

  test('[LG22] that is refused can be verified and taken away, and keeps every byte', async () => {
    const log = await closedLog();
    const sound = valueOf(openLogToRead(log));
    expect((await sound.verify()).problem).toBe(null);
    sound.close();
    tamper(log.path, (db) => db.exec(`UPDATE event SET body = replace(body, 'three', 'seven')`));
    const before = bytesIn(log.dir);
    const read = valueOf(openLogToRead(log));
    expect((await read.verify()).problem).toMatchObject({ position: 2 });
    expect([...read.lines()].filter((line) => line.includes('"event"'))).toHaveLength(6);
    read.close();
    expect(bytesIn(log.dir)).toEqual(before);
  });

  test('[LG14] makes the tree and the heads again when they were dropped', async () => {
    const log = await closedLog();
    const before = openLog(log);
    const [heads, summary] = [before.heads(), await verifyStore(before)];
    before.close();
    for (const drop of [
      dropDerived,
      (db: DatabaseSync) => db.exec('DROP TABLE head'),
      (db: DatabaseSync) => db.exec('DROP TABLE tree'),
    ]) {
      const db = new DatabaseSync(log.path);
      drop(db);
      db.close();
      const store = openLog(log);
      expect(store.heads().slice(0, heads.length)).toEqual(heads);
      expect(await verifyStore(store)).toEqual(summary);
      store.close();
    }
  });

  test('[LG14] refuses to make them from a log that does not fit', async () => {
    const log = await closedLog();
    const pristine = readFileSync(log.path);
    const changes = [
      `UPDATE event SET body = replace(body, 'three', 'seven')`,
      // Under no head yet.
      `UPDATE event SET body = replace(body, 'five', 'eight')`,
      `UPDATE event SET body = replace(body, 'three', 'seven'), leaf = rehash(replace(body, 'three', 'seven'))`,
    ];
    for (const sql of changes) {
      writeFileSync(log.path, pristine);
      tamper(log.path, (db) => {
        db.function('rehash', (body) => leafHash(Buffer.from(String(body))));
        db.exec(sql);
        dropDerived(db);
      });
      expectRefusal(log, 'LogCorrupt');
    }
  });

  test('[LG14] refuses to make the heads from notes that the key did not sign', async () => {
    const log = await closedLog();
    const heads = join(log.dir, 'heads');
    const [first = '', ...rest] = readFileSync(heads, 'utf8').split('\n\ntest');
    const { heads: strange } = await otherHeads();
    writeFileSync(heads, [strange[0]?.trimEnd() ?? first, ...rest].join('\n\ntest'));
    tamper(log.path, dropDerived);
    expectRefusal(log, 'LogCorrupt');
  });

  test('[LG14] refuses a tree of another size than the log', async () => {
    const log = await closedLog();
    tamper(log.path, (db) => db.exec('UPDATE tree SET size = 7'));
    expectRefusal(log, 'LogCorrupt');
  });

  test('[LG20] makes its signing key once, for its owner only', async () => {
    const log = await closedLog();
    const path = join(log.keyDir, SIGNING_KEY_FILE);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    const pem = readFileSync(path, 'utf8');
    openLog(log).close();
    expect(readFileSync(path, 'utf8')).toBe(pem);
  });

  test('[LG20] never replaces a key that is missing, too open, not its own, or no key', async () => {
    const log = await closedLog();
    const path = join(log.keyDir, SIGNING_KEY_FILE);
    const other = await closedLog();
    chmodSync(path, 0o640);
    expectRefusal(log, 'SigningKeyUnusable');
    chmodSync(path, 0o600);
    cpSync(join(other.keyDir, SIGNING_KEY_FILE), path);
    expectRefusal(log, 'LogCorrupt');
    writeFileSync(path, 'no key');
    expectRefusal(log, 'SigningKeyUnusable');
    rmSync(path);
    expectRefusal(log, 'SigningKeyUnusable');
    symlinkSync(join(other.keyDir, SIGNING_KEY_FILE), path);
    expectRefusal(log, 'SigningKeyUnusable');
  });

  test('[LG12] has the schema of the snapshot, in versions without gaps', async () => {
    const log = await closedLog();
    expect(MIGRATIONS.map(({ version }) => version)).toEqual(MIGRATIONS.map((_, i) => i + 1));
    const db = new DatabaseSync(log.path, { readOnly: true });
    const sql = db
      .prepare("SELECT sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%' ORDER BY type, name")
      .all()
      .map((row) => `${String(row['sql'])};\n`)
      .join('\n');
    db.close();
    await expect(sql).toMatchFileSnapshot('migrations/schema.sql');
  });
});
