/** What the machine does to an engine: hosts that die, folders that go, logs that cannot be written. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, describe, expect, test } from 'vitest';
import { openWorkbench } from '../src/app.ts';
import { killIfAlive, openBench, OWNER, stepOf } from './engine-fixture.ts';
import type { Bench } from './engine-fixture.ts';

const POLL = { timeout: 60_000 };
/** A disk of its own needs a mount, which not every machine permits. */
const MOUNT = ['--user', '--map-root-user', '--mount'] as const;
const canMount =
  spawnSync('unshare', [...MOUNT, 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt']).status === 0;
const benches: Bench[] = [];

async function newBench(): Promise<Bench> {
  const bench = await openBench({ 'a.txt': 'a\n' });
  benches.push(bench);
  return bench;
}

afterEach(async () => {
  for (const bench of benches.splice(0)) await bench.close();
});

function killHost(bench: Bench): void {
  const pid = bench.hostPid();
  if (pid === null) throw new Error('no host to kill');
  killIfAlive(pid);
}

/** Once the work writes that it is up: only then has its host got it. */
async function seen(bench: Bench, runId: string, path: string): Promise<void> {
  await expect.poll(() => existsSync(bench.inTree(runId, path)), POLL).toBe(true);
}

describe('a host that is killed', () => {
  test('[EN21] leaves its step interrupted, until a person resumes it in the same workspace', async () => {
    const bench = await newBench();
    const runId = await bench.launch(`  - id: work
    run: if test -e half; then echo done > whole; else touch half; sleep 600; fi
    onInterrupt: ask
`);
    await seen(bench, runId, 'half');
    killHost(bench);
    const run = await bench.until(runId, ({ status }) => status === 'blocked');
    expect(run.blocked.map(({ reason }) => reason)).toEqual(['interrupted']);
    expect(await bench.ask(runId, { type: 'resume', step: null, reason: 'go on' })).toBe('ok');
    const ended = await bench.until(runId, ({ endedAt }) => endedAt !== null);
    expect(ended.status).toBe('succeeded');
    expect(
      stepOf(ended, 'work').attempts.map(({ status, resumedFrom }) => [status, resumedFrom]),
    ).toEqual([
      ['interrupted', null],
      ['succeeded', 1],
    ]);
    expect(existsSync(bench.inTree(runId, 'whole'))).toBe(true);
  });

  test('[EN21] lets its step go on by itself when the plan says resume', async () => {
    const bench = await newBench();
    const runId = await bench.launch(`  - id: work
    run: if test -e half; then echo done > whole; else touch half; sleep 600; fi
    onInterrupt: resume
`);
    await seen(bench, runId, 'half');
    killHost(bench);
    const run = await bench.until(runId, ({ endedAt }) => endedAt !== null);
    expect(run.status).toBe('succeeded');
    expect(bench.events(runId, 'StepRequeued')[0]?.data).toMatchObject({
      ...{ cause: 'resume', mode: 'continue', automatic: true },
    });
  });

  test('[EN21] lets its step begin anew, from its checkpoint, when the plan says retry', async () => {
    const bench = await newBench();
    const runId = await bench.launch(`  - id: work
    run: |
      if test -e half; then exit 9; fi
      touch half; mkdir -p venv; test -e venv/once && touch venv/twice; touch venv/once
      until test -e go; do sleep 0.1; done
    onInterrupt: retry
`);
    await seen(bench, runId, 'venv/once');
    killHost(bench);
    // No checkpoint has the folder venv, so it tells the second attempt that it is one.
    await seen(bench, runId, 'venv/twice');
    expect(bench.checkpointGit(runId, 'for-each-ref', '--format=%(refname)')).toContain(
      'work/2-before',
    );
    writeFileSync(bench.inTree(runId, 'go'), '');
    const run = await bench.until(runId, ({ endedAt }) => endedAt !== null);
    expect(stepOf(run, 'work').attempts.map(({ status }) => status)).toEqual([
      'interrupted',
      'succeeded',
    ]);
    expect(bench.events(runId, 'StepRequeued')[0]?.data).toMatchObject({
      ...{ cause: 'retry', mode: 'restore', automatic: true },
    });
  });
});

describe('a run that was canceled', () => {
  test('[EN10] stays as it is when its engine comes back', async () => {
    const bench = await newBench();
    const runId = await bench.launch('  - { id: work, run: touch up && exec sleep 600 }\n');
    await seen(bench, runId, 'up');
    expect(await bench.ask(runId, { type: 'cancel', reason: 'enough' })).toBe('ok');
    await bench.until(runId, ({ status }) => status === 'canceled');
    const before = bench.events(runId);
    await bench.letGo();
    await bench.open();
    expect(await bench.ask(runId, { type: 'resume', step: null, reason: null })).not.toBe('ok');
    expect(bench.events(runId)).toEqual(before);
    expect(existsSync(bench.inTree(runId, 'up'))).toBe(true);
  });
});

describe('a project', () => {
  test('[EN8] that is gone refuses new runs with what to do, and keeps those it has', async () => {
    const bench = await newBench();
    const runId = await bench.launch("  - { id: gate, approve: 'Ship?' }\n");
    await bench.rest(runId);
    rmSync(bench.projectDir, { recursive: true });
    const { id: planId, revision } = bench.workbench().run(runId)?.plan ?? { id: '', revision: 0 };
    const request = { planId, revision, feature: null, inputs: {} };
    const refused = await bench.workbench().launch(request, OWNER);
    if (refused.ok || refused.error.type !== 'ProjectUnusable') throw new Error('not refused');
    expect(refused.error.failure.hint).not.toBe(null);
    expect(refused.error.failure.message).not.toMatch(/\n {4}at /);
    expect(await bench.decide(bench.openRequest(runId, 'gate'), 'approve')).toBe('ok');
    expect((await bench.rest(runId)).status).toBe('succeeded');
  });
});

describe('a log', () => {
  test('[EN12] that another program has locked refuses people, and holds up its runs, until it is free', async () => {
    const bench = await newBench();
    const runId = await bench.launch(`  - { id: gate, approve: 'Ship?' }
  - { id: work, run: touch up && exec sleep 600 }
`);
    await bench.rest(runId);
    expect(await bench.decide(bench.openRequest(runId, 'gate'), 'approve')).toBe('ok');
    await seen(bench, runId, 'up');
    const other = new DatabaseSync(join(bench.stateDir, 'log.db'));
    other.exec('BEGIN IMMEDIATE');
    try {
      const count = bench.events(runId).length;
      expect(await bench.ask(runId, { type: 'cancel', reason: 'now' })).toBe('StoreUnavailable');
      expect(bench.workbench().run(runId)?.canceling).toBe(false);
      expect(bench.events(runId).length).toBe(count);
    } finally {
      other.exec('ROLLBACK');
      other.close();
    }
    expect(await bench.ask(runId, { type: 'cancel', reason: 'now' })).toBe('ok');
    expect((await bench.until(runId, ({ status }) => status === 'canceled')).endedAt).not.toBe(
      null,
    );
    expect((await bench.workbench().auditVerify()).ok).toBe(true);
  });

  test('[EN12] that cannot be written while work ends has the end once it can', async () => {
    const bench = await newBench();
    const runId = await bench.launch(`  - id: work
    run: touch up; until test -e go; do sleep 0.1; done; touch b.txt
`);
    await seen(bench, runId, 'up');
    const other = new DatabaseSync(join(bench.stateDir, 'log.db'));
    other.exec('BEGIN IMMEDIATE');
    writeFileSync(bench.inTree(runId, 'go'), '');
    await seen(bench, runId, 'b.txt');
    // The end is known to the engine once it has made the checkpoint, but must not show before it is durable.
    await expect
      .poll(() => bench.checkpointGit(runId, 'log', '--all', '--name-only', '--format='), POLL)
      .toContain('b.txt');
    expect(bench.workbench().run(runId)?.status).toBe('running');
    other.exec('ROLLBACK');
    other.close();
    expect((await bench.until(runId, ({ endedAt }) => endedAt !== null)).status).toBe('succeeded');
  });

  test('[EN12] of a newer program is refused, said so, and left as it is', async () => {
    const bench = await newBench();
    await bench.letGo();
    const path = join(bench.stateDir, 'log.db');
    const db = new DatabaseSync(path);
    db.exec('PRAGMA user_version = 999');
    db.close();
    const before = readFileSync(path);
    const { projectDir, stateDir } = bench;
    const refused = await openWorkbench({ projectDir, stateDir });
    expect(refused.ok ? null : refused.error).toMatchObject({ code: 'LogTooNew' });
    expect(refused.ok ? null : refused.error.hint).toContain('newer');
    expect(readFileSync(path).equals(before)).toBe(true);
    // The folder is let go of: a second look says the same, not that it is taken.
    const again = await openWorkbench({ projectDir, stateDir });
    expect(again.ok ? null : again.error.code).toBe('LogTooNew');
  });
});

describe('a full disk', () => {
  test.runIf(canMount)(
    '[EN12] refuses a decision, shows none, and takes it once there is room',
    { timeout: 120_000 },
    () => {
      const disk = mkdtempSync(join(tmpdir(), 'ccdash-full-'));
      try {
        const script = 'mount -t tmpfs -o size=8m tmpfs "$TMPDIR" && exec "$@"';
        const child = join(import.meta.dirname, 'children/full-disk-engine.ts');
        const node = [process.execPath, '--conditions=ccdash-source', child];
        const ended = spawnSync('unshare', [...MOUNT, 'sh', '-c', script, 'sh', ...node], {
          env: { ...process.env, TMPDIR: disk },
          encoding: 'utf8',
        });
        expect(JSON.parse(ended.stdout || ended.stderr)).toEqual({
          full: 'StoreUnavailable',
          shown: ['blocked', 'pending'],
          again: 'ok',
          status: 'succeeded',
          failures: [null, null],
          logHolds: true,
        });
      } finally {
        rmSync(disk, { recursive: true });
      }
    },
  );
});

describe('plans', () => {
  test('[EN13] have the ids, revisions and sources that they had, when an engine comes back', async () => {
    const bench = await newBench();
    const first = await bench.launch("  - { id: a, run: 'true' }\n");
    await bench.rest(first);
    const { plan } = bench.workbench().run(first) ?? {};
    const before = bench.workbench().plan(plan?.id ?? '');
    await bench.letGo();
    await bench.open();
    expect(bench.workbench().plan(plan?.id ?? '')).toEqual(before);
    const same = await bench.launch("  - { id: a, run: 'true' }\n");
    expect(bench.workbench().run(same)?.plan).toEqual(plan);
    const other = await bench.launch("  - { id: b, run: 'true' }\n");
    expect(bench.workbench().run(other)?.plan).toMatchObject({ id: plan?.id, revision: 2 });
    expect(bench.workbench().plan(plan?.id ?? '', 1)).toEqual(before);
    await bench.rest(same);
    await bench.rest(other);
  });
});
