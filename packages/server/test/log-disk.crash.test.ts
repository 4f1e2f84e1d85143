import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openSqliteEventStore } from '../src/store/sqlite-event-store.ts';
import { verifyStore } from '../src/store/verify-log.ts';
import { TRACED_CALLS, imageAfter, parseTrace, writeImage } from './disk-trace.ts';
import type { LossMode } from './disk-trace.ts';

const CHILD = join(import.meta.dirname, 'children/append-child.ts');
const EVENTS = 24;
const FILES = [
  ...['', '-wal', '-shm', '.next', '.next-wal', '.next-shm', '.next-journal'].map(
    (suffix) => `log.db${suffix}`,
  ),
  ...['heads', 'heads.next'],
];

/** All points instead of a sample: minutes instead of seconds. */
const isFullSweep = process.env['CCDASH_FULL_SWEEP'] === '1';
const seed = Number(process.env['CCDASH_SEED'] ?? Date.now() % 2 ** 31);
const canTrace = spawnSync('strace', ['-f', '-o', '/dev/null', 'true']).status === 0;

let root: string;
let keyDir: string;
let folders = 0;

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'ccdash-disk-'));
  keyDir = join(root, 'keys');
  // The key is there before anything is traced.
  openStore(newFolder()).close();
});
afterAll(() => rmSync(root, { recursive: true }));

// Where strace is missing or may not trace there is no way to make a disk refuse.
describe.runIf(canTrace)(`the log on a failing disk (CCDASH_SEED=${seed})`, () => {
  const modes = [
    { rule: 'LG17', what: 'SIGKILL', inject: 'signal=KILL', forever: false, sample: 40 },
    { rule: 'LG18', what: 'EIO', inject: 'error=EIO', forever: false, sample: 32 },
    { rule: 'LG18', what: 'ENOSPC', inject: 'error=ENOSPC', forever: false, sample: 32 },
    { rule: 'LG18', what: 'EIO for good', inject: 'error=EIO', forever: true, sample: 20 },
    { rule: 'LG18', what: 'ENOSPC for good', inject: 'error=ENOSPC', forever: true, sample: 20 },
  ];

  test.each(modes)(
    '[$rule] $what at any write or sync of its files loses nothing that was acknowledged',
    async ({ inject, forever, sample }) => {
      const calls = await listCalls();
      const points = sampleOf(calls.length, sample);
      const problems: string[] = [];
      let hit = 0;
      await twoAtATime(points, async (k) => {
        const dir = newFolder();
        const faults = forever ? faultsFrom(calls, k, inject) : [faultAt(calls, k, inject)];
        const { lines, died } = await runChild(dir, [
          ...watch(dir),
          ...faults.flatMap((fault) => ['-e', fault]),
        ]);
        const isDone = lines.includes('DONE');
        const wasRefused = lines.some((line) => line.startsWith('NAK'));
        if (died || wasRefused) hit += 1;
        // One refusal is got over; a disk that stays broken is given up on.
        if (!died && !isDone && !forever) problems.push(`k=${k}: gave up: ${lines.join(' | ')}`);
        const problem = await problemOf(dir, ackedIn(lines), isDone ? EVENTS : null);
        if (problem !== null) problems.push(`k=${k}: ${problem}: ${lines.join(' | ')}`);
        rmSync(dir, { recursive: true });
      });
      expect(problems).toEqual([]);
      // A fault may meet something that has no need of the disk (an unlink, a checkpoint that is tried again).
      expect(hit).toBeGreaterThan(points.length / 4);
    },
  );

  test('[LG19] the power fails at any moment and nothing that was acknowledged is lost', async () => {
    const { images, problems } = await loseThePower();
    expect(problems).toEqual([]);
    expect(images).toBeGreaterThanOrEqual(300);
  });

  test.each(['NORMAL', 'OFF'])(
    '[LG19] with synchronous=%s the same images lose what was acknowledged, so the test can fail',
    async (synchronous) => {
      const { problems } = await loseThePower(synchronous);
      expect(problems.length).toBeGreaterThan(10);
    },
  );
});

/** Options with which strace looks at the calls that write or sync what is in `dir`, and at no others. */
function watch(dir: string): readonly string[] {
  const paths = [dir, ...FILES.map((file) => join(dir, file))];
  return [...paths.flatMap((path) => ['-P', path]), '-e', `trace=${TRACED_CALLS}`];
}

/** Names of those calls in the life of a child that nothing happens to. */
async function listCalls(): Promise<readonly string[]> {
  const dir = newFolder();
  const file = join(root, 'calls');
  const { lines } = await runChild(dir, [...watch(dir), '-o', file]);
  expect(lines.at(-1)).toBe('DONE');
  const trace = readFileSync(file, 'utf8');
  return [...trace.matchAll(/^\d+ +(\w+)\(/gm)].map(([, call = '']) => call);
}

/** A fault at the k-th call. strace counts each kind of call for itself. */
function faultAt(calls: readonly string[], k: number, fault: string): string {
  const call = calls[k - 1] ?? '';
  const nth = calls.slice(0, k).filter((each) => each === call).length;
  return `inject=${call}:${fault}:when=${nth}`;
}

/** A fault at the k-th call and at all that follow, of any kind. */
function faultsFrom(calls: readonly string[], k: number, fault: string): readonly string[] {
  const before = calls.slice(0, k - 1);
  return TRACED_CALLS.split(',').map((call) => {
    const nth = before.filter((each) => each === call).length + 1;
    return `inject=${call}:${fault}:when=${nth}+`;
  });
}

async function loseThePower(
  synchronous = '',
): Promise<{ readonly images: number; readonly problems: readonly string[] }> {
  const dir = newFolder();
  const file = join(root, `trace-${synchronous}`);
  const options = ['-y', '-xx', '-s', '200000', '-o', file, '-e', `trace=${TRACED_CALLS}`];
  const { lines } = await runChild(dir, options, synchronous);
  expect(lines.at(-1)).toBe('DONE');
  const operations = parseTrace(readFileSync(file, 'latin1'), dir);
  const draw = createRandom(seed);
  const modes: LossMode[] = ['nothing unsynced', 'some of it', 'some of it, torn'];
  const cuts = sampleOf(operations.length, 130);
  const problems: string[] = [];
  for (const cut of cuts) {
    const before = operations.slice(0, cut);
    const said = before.flatMap((each) => (each.kind === 'said' ? [each.line] : []));
    for (const mode of modes) {
      const image = newFolder();
      writeImage(imageAfter(before, mode, draw), image);
      const problem = await problemOf(image, ackedIn(said), null);
      if (problem !== null) problems.push(`after operation ${cut}, ${mode}: ${problem}`);
      rmSync(image, { recursive: true });
    }
  }
  return { images: cuts.length * modes.length, problems };
}

/** What is wrong with the log in `dir`, of whose events `acked` were acknowledged. */
async function problemOf(
  dir: string,
  acked: number,
  exactly: number | null,
): Promise<string | null> {
  const opened = openSqliteEventStore({ path: join(dir, 'log.db'), keyDir, origin: 'test/log' });
  if (!opened.ok) return `not opened: ${JSON.stringify(opened.error)}`;
  const store = opened.value;
  try {
    const size = store.size();
    if (size < acked) return `acknowledged ${acked}, found ${size}`;
    if (exactly !== null && size !== exactly) return `expected ${exactly}, found ${size}`;
    const numbers = [...store.readRun('run_a')].map(({ data }) => (data as { i: number }).i);
    if (numbers.some((number, i) => number !== i)) return `events ${numbers.join()}`;
    const verified = await verifyStore(store);
    if (!verified.ok) return `not verified: ${JSON.stringify(verified.error)}`;
    const event = {
      type: 'Noted',
      at: '2026-01-02T03:04:05.678Z',
      actor: { kind: 'engine' as const, id: 'engine_2' },
      data: { i: size },
    };
    const next = { runId: 'run_a', expectedSequence: size, events: [event], seal: true };
    const appended = await store.append(next);
    return appended.ok ? null : `not appended: ${JSON.stringify(appended.error)}`;
  } catch (error) {
    return `threw: ${String(error)}`;
  } finally {
    store.close();
  }
}

function openStore(dir: string): { close(): void } {
  const opened = openSqliteEventStore({ path: join(dir, 'log.db'), keyDir, origin: 'test/log' });
  if (!opened.ok) throw new Error(opened.error.detail);
  return opened.value;
}

/** The child under strace; `died` when it was killed, else it ended by itself. */
async function runChild(
  dir: string,
  straceOptions: readonly string[],
  synchronous = '',
): Promise<{ readonly lines: readonly string[]; readonly died: boolean }> {
  const output = straceOptions.includes('-o') ? [] : ['-o', '/dev/null'];
  // Twice as fast, but then strace does not deliver the signals that it is asked to inject.
  const filter = straceOptions.some((each) => each.includes('signal=')) ? [] : ['--seccomp-bpf'];
  const child = spawn(
    'strace',
    [
      ...['-f', '-qq', ...filter, ...output, ...straceOptions, process.execPath],
      ...['--conditions=source', CHILD, dir, keyDir, String(EVENTS), synchronous],
    ],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  const died = await new Promise<boolean>((resolve) => {
    child.on('close', (code, signal) => resolve(signal === 'SIGKILL' || code === 137));
  });
  // 0 and 3 are its own; anything else is a bug of the child or of strace, and its words say which.
  const isExpected = died || child.exitCode === 0 || child.exitCode === 3;
  if (!isExpected) throw new Error(`child ended with ${child.exitCode}: ${stderr}`);
  return { lines: stdout.trim().split('\n'), died };
}

function ackedIn(lines: readonly string[]): number {
  const last = lines.findLast((line) => line.startsWith('ACK '));
  return last === undefined ? 0 : Number(last.slice(4));
}

/** Numbers from 1 to `count`, all of them or as many as asked for, in order. */
function sampleOf(count: number, size: number): readonly number[] {
  const all = Array.from({ length: count }, (_, i) => i + 1);
  if (isFullSweep || size >= count) return all;
  const draw = createRandom(seed);
  while (all.length > size) all.splice(Math.floor(draw() * all.length), 1);
  return all;
}

async function twoAtATime<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const rest = [...items];
  const worker = async (): Promise<void> => {
    for (let item = rest.shift(); item !== undefined; item = rest.shift()) await work(item);
  };
  await Promise.all([worker(), worker()]);
}

function newFolder(): string {
  folders += 1;
  const dir = join(root, String(folders));
  mkdirSync(dir);
  return dir;
}

/** Numbers in [0, 1) that a seed repeats (mulberry32). */
function createRandom(from: number): () => number {
  let state = from;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
