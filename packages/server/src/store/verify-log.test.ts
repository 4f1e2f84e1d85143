import { spawnSync } from 'node:child_process';
import { generateKeyPairSync, sign } from 'node:crypto';
import { copyFileSync, cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { appendTo, openLog, tamper, testFolder, testLog, valueOf } from '../../test/log-fixture.ts';
import { formatHead, formatPublicKey, parsePublicKey } from '../../assets/verify-log.mjs';
import type { TestLog } from '../../test/log-fixture.ts';
import { openSqliteEventStore } from './sqlite-event-store.ts';
import type { SqliteEventStore } from './sqlite-event-store.ts';
import { createCompactRange, leafHash } from './tree.ts';
import { verifyLog, verifyStore } from './verify-log.ts';
import type { Finding } from './verify-log.ts';

const SCRIPT = join(import.meta.dirname, '../../assets/verify-log.mjs');

/** 25 events of two runs and of none, under heads of 0, 7, 16 and 25. */
async function fill(store: SqliteEventStore, word = 'x'): Promise<void> {
  const lengths = { run_a: 0, run_b: 0 };
  for (let i = 0; i < 25; i += 1) {
    const runId = i % 5 === 4 ? null : i % 2 === 0 ? 'run_a' : 'run_b';
    const expected = runId === null ? null : lengths[runId]++;
    await appendTo(store, runId, expected, [{ i, word: `${word}\u2028ä` }], i === 6 || i === 15);
  }
  valueOf(store.heartbeat());
}

interface Export {
  readonly log: TestLog;
  readonly lines: readonly string[];
  readonly publicKey: string;
  readonly heads: readonly string[];
}

async function exportOf(log: TestLog, word?: string): Promise<Export> {
  const store = openLog(log);
  await fill(store, word);
  const exported = {
    log,
    lines: [...valueOf(store.exportLog())],
    publicKey: store.publicKey,
    heads: store.heads(),
  };
  store.close();
  return exported;
}

async function findingIn(
  lines: readonly string[],
  options: { readonly publicKey?: string; readonly heads?: readonly string[] } = {},
): Promise<Finding | null> {
  const verified = await verifyLog(lines, options);
  return verified.ok ? null : verified.error.finding;
}

/** Changes the body of an event line, and its leaf so that it fits. */
function rewrite(line: string, change: (body: string) => string): string {
  const { body } = JSON.parse(line) as { body: string };
  const changed = change(body);
  const leaf = leafHash(Buffer.from(changed)).toString('base64');
  return JSON.stringify({ type: 'event', body: changed, leaf });
}

function runScript(...args: readonly string[]): {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
} {
  return spawnSync(process.execPath, [SCRIPT, ...args], { encoding: 'utf8' });
}

/** An export with these bodies, and heads where an entry has a `size`, by a writer who does not follow the rules. */
function signedExport(entries: readonly unknown[]): readonly string[] {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const bytes = publicKey.export({ type: 'spki', format: 'der' }).subarray(-32);
  const key = parsePublicKey(formatPublicKey('test/log', bytes))!;
  const range = createCompactRange();
  const lines: string[] = [
    JSON.stringify({ type: 'ccdash-log', v: 1, origin: key.name, publicKey: key.text }),
  ];
  let n = 0;
  const addHead = (size: number, name = key.name, again = false): void => {
    const signer = { ...key, name };
    const note = formatHead(size, range.root(), signer, (body) => sign(null, body, privateKey));
    const twice = note + note.slice(note.indexOf('\u2014'));
    lines.push(JSON.stringify({ type: 'head', n, note: again ? twice : note }));
    n += 1;
  };
  for (const entry of entries) {
    const { size, origin, again } = entry as { size?: number; origin?: string; again?: boolean };
    if (size !== undefined) {
      addHead(size, origin, again);
      continue;
    }
    const body = JSON.stringify(entry);
    const leaf = leafHash(Buffer.from(body));
    range.append(leaf);
    lines.push(JSON.stringify({ type: 'event', body, leaf: leaf.toString('base64') }));
  }
  if (!lines.at(-1)!.startsWith('{"type":"head"')) addHead(range.size());
  return lines;
}

const toText = (lines: readonly string[]): string => lines.map((line) => `${line}\n`).join('');

describe('verification of an export', () => {
  test('[LG15] accepts what was exported, with its key and every head kept from earlier', async () => {
    const { lines, publicKey, heads } = await exportOf(testLog());
    expect(heads).toHaveLength(4);
    const summary = valueOf(await verifyLog(lines, { publicKey, heads }));
    expect(summary).toEqual({
      size: 25,
      root: heads.at(-1)?.split('\n')[2],
      heads: 4,
      origin: 'test/log',
      publicKey,
    });
  });

  test('[LG15] finds any character that was changed, added or left out', async () => {
    const { lines } = await exportOf(testLog());
    const property = fc.asyncProperty(
      fc.nat(lines.length - 1),
      fc.nat(),
      fc.constantFrom('replace', 'insert', 'delete'),
      fc.constantFrom('0', 'a', 'A', '"', ' ', '=', '\\', '\u2014', '\t'),
      async (index, at, kind, char) => {
        const line = lines[index]!;
        const point = at % line.length;
        const skipped = kind === 'insert' ? 0 : 1;
        const added = kind === 'delete' ? '' : char;
        const changed = line.slice(0, point) + added + line.slice(point + skipped);
        fc.pre(changed !== line);
        expect(await findingIn(lines.with(index, changed))).not.toBeNull();
      },
    );
    await fc.assert(property, { numRuns: 300 });
  });

  test('[LG15] finds any line that was left out, repeated or moved', async () => {
    const { lines, heads } = await exportOf(testLog());
    for (let i = 0; i < lines.length; i += 1) {
      const line = lines[i]!;
      const changes = [
        lines.toSpliced(i, 1),
        lines.toSpliced(i, 0, line),
        ...lines.map((_, j) => lines.toSpliced(i, 1).toSpliced(j, 0, line)),
      ].filter((each) => toText(each) !== toText(lines));
      for (const changed of changes) {
        expect(await findingIn(changed, { heads })).not.toBeNull();
      }
    }
  });

  test('[LG15] finds any end that was cut off, given a later head', async () => {
    const { lines, heads } = await exportOf(testLog());
    for (let length = 0; length < lines.length; length += 1) {
      const finding = await findingIn(lines.slice(0, length), { heads: heads.slice(-1) });
      expect(finding).not.toBeNull();
    }
  });

  test('[LG15] finds any event that was rewritten with a hash that fits', async () => {
    const { lines } = await exportOf(testLog());
    for (const [i, line] of lines.entries()) {
      if (!line.startsWith('{"type":"event"')) continue;
      const changed = lines.with(
        i,
        rewrite(line, (body) => body.replace('"word":"x', '"word":"y')),
      );
      const finding = await findingIn(changed);
      expect(finding?.what).toBe('root of head');
      // Found at the next head, not before.
      expect(finding?.line).toBeGreaterThan(i + 1);
    }
  });

  test('[LG15] finds events renumbered over a gap', async () => {
    const { lines } = await exportOf(testLog());
    const renumbered = lines
      .toSpliced(3, 1)
      .map((line) =>
        line.startsWith('{"type":"event"')
          ? rewrite(line, (body) =>
              body.replace(
                /"position":(\d+)/,
                (_, n) => `"position":${Number(n) - (Number(n) > 2 ? 1 : 0)}`,
              ),
            )
          : line,
      );
    expect(await findingIn(renumbered)).not.toBeNull();
  });

  test('[LG15] finds a fork: a sound log, signed by the same key, that is not the one of the head', async () => {
    const { log, heads, publicKey } = await exportOf(testLog());
    const fork = testLog();
    cpSync(log.keyDir, fork.keyDir, { recursive: true });
    const { lines } = await exportOf(fork, 'another');
    expect(await findingIn(lines, { publicKey })).toBeNull();
    for (const head of heads.slice(1)) {
      const finding = await findingIn(lines, { publicKey, heads: [head] });
      expect(finding?.what).toMatch(/root at given head/);
    }
  });

  test('[LG15] refuses another key and a head of another key', async () => {
    const { lines, publicKey, heads } = await exportOf(testLog());
    const stranger = await exportOf(testLog());
    expect((await findingIn(lines, { publicKey: stranger.publicKey }))?.what).toBe('public key');
    expect((await findingIn(stranger.lines, { publicKey }))?.what).toBe('public key');
    expect((await findingIn(lines, { heads: stranger.heads }))?.what).toBe('given head');
    expect((await findingIn(stranger.lines, { heads }))?.what).toBe('given head');
  });

  test('[LG15] finds what is wrong with a log that its own writer signed', async () => {
    const sound = { v: 1, position: 0, runId: 'run_a', sequence: 0 };
    const next = { ...sound, position: 1, sequence: 1 };
    const cases: readonly (readonly [readonly unknown[], string | null])[] = [
      [[sound, next], null],
      [[sound, { ...next, sequence: 2 }], 'sequence in run run_a'],
      [[sound, { ...next, sequence: 0 }], 'sequence in run run_a'],
      [[sound, { ...next, runId: 'run_b' }], 'sequence in run run_b'],
      [[sound, { ...next, runId: null }], 'sequence'],
      [[sound, { ...next, runId: 7 }], 'run id'],
      [[sound, { ...next, position: 2 }], 'position'],
      [[sound, { ...next, v: 2 }], 'event version'],
      [[sound, []], 'body'],
      [[sound, { size: 1 }, next, { size: 2 }], null],
      [[sound, { size: 1 }, { size: 1 }], 'size of head'],
      [[sound, { size: 5 }], 'size of head'],
      [[sound, { size: 1, again: true }], 'signatures of head'],
      [[sound, { size: 1, origin: 'other/log' }], 'head'],
    ];
    for (const [entries, what] of cases) {
      expect([entries, (await findingIn(signedExport(entries)))?.what ?? null]).toEqual([
        entries,
        what,
      ]);
    }
  });

  test('[LG15] finds a signature that is spelled in another way', async () => {
    const { lines } = await exportOf(testLog());
    for (const [i, line] of lines.entries()) {
      const changed = line.replace(/([A-Za-z0-9+/])=(\\n"})$/, (_, char: string, end: string) => {
        const digits = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
        return `${digits[digits.indexOf(char) ^ 1]}=${end}`;
      });
      if (!line.startsWith('{"type":"head"')) continue;
      expect(changed).not.toBe(line);
      expect((await findingIn(lines.with(i, changed)))?.what).toBe('head');
    }
  });

  test('[LG15] says which entry is bad, what was expected and what is there', async () => {
    const { lines } = await exportOf(testLog());
    const changed = lines.with(5, lines[5]!.replace('\\"i\\":3', '\\"i\\":4'));
    const { body, leaf } = JSON.parse(changed[5]!) as { body: string; leaf: string };
    expect(await findingIn(changed)).toEqual({
      line: 6,
      position: 3,
      what: 'leaf hash',
      expected: leafHash(Buffer.from(body)).toString('base64'),
      actual: leaf,
    });
  });

  test('[LG15] lets a further check judge each entry', async () => {
    const { lines } = await exportOf(testLog());
    const verified = await verifyLog(lines, {
      check: ({ position }) => (position === 9 ? 'a step started without its approval' : null),
    });
    const finding = verified.ok ? null : verified.error.finding;
    expect(finding).toMatchObject({ position: 9, what: 'a step started without its approval' });
  });

  describe('by the script alone', () => {
    test('[LG15] prints size and root and exits 0', async () => {
      const { lines, publicKey, heads } = await exportOf(testLog());
      const dir = testFolder();
      const [file, kept] = [join(dir, 'log.ndjson'), join(dir, 'heads')];
      writeFileSync(file, toText(lines));
      writeFileSync(kept, heads.map((note) => `${note}\n`).join(''));
      const trusted = runScript(file, '--public-key', publicKey, '--head', kept);
      const root = heads.at(-1)?.split('\n')[2];
      expect(trusted).toMatchObject({
        status: 0,
        stdout: `ok: size 25, root ${root}, heads 4\n`,
        stderr: '',
      });
      const untrusted = runScript(file);
      expect(untrusted.status).toBe(0);
      expect(untrusted.stderr).toContain('Pass --public-key');
    });

    test('[LG15] prints the first bad entry and exits 1', async () => {
      const { lines } = await exportOf(testLog());
      const file = join(testFolder(), 'log.ndjson');
      const bytes = Buffer.from(toText(lines));
      const cases: readonly (readonly [Buffer, RegExp])[] = [
        [
          Buffer.from(toText(lines.toSpliced(4, 1))),
          /^bad: line 5, position 2: position; expected 2; found 3\n$/,
        ],
        [bytes.subarray(0, -1), /^bad: line 30: last line is cut off\n$/],
        [Buffer.concat([Buffer.from('\ufeff'), bytes]), /^bad: line 1: line;/],
        [Buffer.from(toText(lines).replaceAll('\n', '\r\n')), /^bad: line 1: line;/],
        [
          Buffer.concat([bytes.subarray(0, 400), Buffer.from([0xff]), bytes.subarray(401)]),
          /^bad: line \d: not UTF-8\n$/,
        ],
        [Buffer.alloc(0), /^bad: line 1: end of file; expected a header\n$/],
      ];
      for (const [content, message] of cases) {
        writeFileSync(file, content);
        const { status, stdout } = runScript(file);
        expect([status, stdout]).toEqual([1, expect.stringMatching(message) as string]);
      }
    });

    test('[LG15] says how it is used and exits 2', async () => {
      const file = join(testFolder(), 'log.ndjson');
      const { lines, publicKey } = await exportOf(testLog());
      writeFileSync(file, toText(lines));
      const wrong = [
        [],
        [file, file],
        [`${file}.missing`],
        [file, '--public-key'],
        [file, '--public-key', 'mine'],
        [file, '--public-key', publicKey.replace(/\+.{8}\+/, '+00000000+')],
        [file, '--head', file],
        [file, '--heads', file],
      ];
      for (const args of wrong) {
        const { status, stdout, stderr } = runScript(...args);
        expect([args, status, stdout]).toEqual([args, 2, '']);
        expect(stderr).toMatch(/usage: node verify-log\.mjs FILE/);
      }
    });
  });

  describe('of the database itself', () => {
    const position = fc.nat(24);
    /** Ways to change the file with a connection of one's own. */
    const change = fc.oneof(
      position.map((at) => [`DELETE FROM event WHERE position = ${at}`]),
      position.map((at) => [`DELETE FROM event WHERE position >= ${at}`]),
      position.map((at) => [
        `DELETE FROM event WHERE position >= ${at}`,
        `DELETE FROM head WHERE size > ${at}`,
        'DROP TABLE tree',
      ]),
      fc
        .tuple(position, position)
        .filter(([a, b]) => a !== b)
        .map(([a, b]) => [
          `UPDATE event SET position = -1 WHERE position = ${a}`,
          `UPDATE event SET position = ${a} WHERE position = ${b}`,
          `UPDATE event SET position = ${b} WHERE position = -1`,
        ]),
      position.map((at) => [
        `UPDATE event SET body = replace(body, 'x', 'y') WHERE position = ${at}`,
      ]),
      position.map((at) => [
        `UPDATE event SET body = replace(body, 'x', 'y') WHERE position = ${at}`,
        `UPDATE event SET leaf = rehash(body) WHERE position = ${at}`,
      ]),
      position.map((at) => [
        `UPDATE event SET body = replace(body, 'x', 'y') WHERE position = ${at}`,
        'UPDATE event SET leaf = rehash(body)',
        'DROP TABLE tree',
      ]),
      position.map((at) => [`UPDATE event SET leaf = x'00' WHERE position = ${at}`]),
      position.map((at) => [
        `UPDATE event SET run_id = 'run_z', sequence = 0 WHERE position = ${at}`,
      ]),
      position.map((at) => [
        `UPDATE event SET run_id = NULL, sequence = NULL WHERE position = ${at} AND run_id IS NOT NULL`,
        `UPDATE event SET position = 25 WHERE position = ${at} AND run_id IS NULL`,
      ]),
      fc.constant([`UPDATE tree SET hashes = zeroblob(length(hashes))`]),
      fc
        .constantFrom(0, 7, 16, 25)
        .map((size) => [
          `UPDATE head SET note = replace(note, 'test', 'text') WHERE size = ${size}`,
        ]),
    );

    test('[LG15] finds whatever was done to it', async () => {
      const { log } = await exportOf(testLog());
      const property = fc.asyncProperty(change, async (statements) => {
        const dir = join(testFolder(), 'copy');
        mkdirSync(dir);
        const path = join(dir, 'log.db');
        copyFileSync(log.path, path);
        copyFileSync(join(log.dir, 'heads'), join(dir, 'heads'));
        tamper(path, (db: DatabaseSync) => {
          db.function('rehash', (body) => leafHash(Buffer.from(String(body))));
          for (const sql of statements) db.exec(sql);
        });
        const opened = openSqliteEventStore({ ...log, path });
        if (!opened.ok) {
          expect(['LogCorrupt', 'LogRolledBack']).toContain(opened.error.type);
          return;
        }
        const verified = await verifyStore(opened.value);
        opened.value.close();
        expect(verified).toMatchObject({ ok: false, error: { type: 'LogInvalid' } });
      });
      await fc.assert(property, { numRuns: 150 });
    });

    test('[LG15] finds a log that was cut off while it is open, by the heads kept beside it', async () => {
      const log = testLog();
      const store = openLog(log);
      await appendTo(store, 'run_a', 0, [1, 2], true);
      const db = new DatabaseSync(log.path);
      const { size, hashes } = db.prepare('SELECT size, hashes FROM tree').get()!;
      db.close();
      await appendTo(store, 'run_a', 2, [3], true);
      tamper(log.path, (open) => {
        open.exec('DELETE FROM event WHERE position = 2; DELETE FROM head WHERE size = 3');
        open.prepare('UPDATE tree SET size = ?, hashes = ?').run(size!, hashes!);
      });
      const verified = await verifyStore(store);
      const finding =
        !verified.ok && verified.error.type === 'LogInvalid' && verified.error.finding;
      expect(finding).toMatchObject({ what: 'size', actual: '2' });
    });

    test('[LG15] accepts a log that goes on while it is verified', async () => {
      const store = openLog(testLog());
      for (let i = 0; i < 1200; i += 100) {
        await appendTo(
          store,
          'run_a',
          i,
          Array.from({ length: 100 }, (_, j) => i + j),
        );
      }
      const verifying = verifyStore(store);
      for (let i = 1200; i < 1210; i += 1) await appendTo(store, 'run_a', i, [i], true);
      expect(valueOf(await verifying).size).toBe(1200);
      expect(valueOf(await verifyStore(store)).size).toBe(1210);
    });
  });
});
