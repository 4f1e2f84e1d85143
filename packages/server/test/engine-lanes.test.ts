/** Steps that write beside each other: each in a workspace of its own, joined in plan order, and what does not merge. */
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { killIfAlive, openBench, stepOf } from './engine-fixture.ts';
import type { Bench } from './engine-fixture.ts';

const POLL = { timeout: 60_000 };
const LINES = Array.from({ length: 20 }, (_, index) => `line ${String(index)}\n`).join('');
const benches: Bench[] = [];

async function newBench(): Promise<Bench> {
  const bench = await openBench({ 'a.txt': LINES });
  benches.push(bench);
  return bench;
}

afterEach(async () => {
  for (const bench of benches.splice(0)) await bench.close();
});

function read(bench: Bench, runId: string, path: string): string {
  return readFileSync(bench.inTree(runId, path), 'utf8');
}

/** Waits until the others have begun too, so that all of them are at work at once. Each sees its own file only. */
const MEETS = `
  - id: one
    needs: []
    run: sed -i 's/^line 1$/first/' a.txt; touch one.txt; until test -e go; do sleep 0.05; done; rm go
  - id: two
    needs: []
    run: sed -i 's/^line 18$/second/' a.txt; touch two.txt; test ! -e one.txt; until test -e go; do sleep 0.05; done; rm go
  - id: three
    needs: [one, two]
    run: grep first a.txt && grep second a.txt && cat one.txt two.txt
`;

function laneFile(bench: Bench, runId: string, step: string, path: string): string {
  return join(bench.stateDir, 'workspaces', runId, 'lanes', step, 'tree', path);
}

describe('steps that write and are ready together', () => {
  test('[WS47] [WS48] work at once, each in a workspace of its own, and are joined for whoever needs them', async () => {
    const bench = await newBench();
    const runId = await bench.launch(MEETS);
    await expect.poll(() => existsSync(bench.inTree(runId, 'one.txt')), POLL).toBe(true);
    await expect.poll(() => existsSync(laneFile(bench, runId, 'two', 'two.txt')), POLL).toBe(true);
    writeFileSync(laneFile(bench, runId, 'two', 'go'), '');
    await bench.until(runId, (run) => stepOf(run, 'two').status === 'succeeded');
    // It has ended, and waits: the one before it in the plan has the workspace of the run.
    expect(existsSync(bench.inTree(runId, 'two.txt'))).toBe(false);
    writeFileSync(bench.inTree(runId, 'go'), '');
    const run = await bench.rest(runId);
    expect(run.status).toBe('succeeded');
    expect(read(bench, runId, 'a.txt')).toBe(
      LINES.replace('line 1\n', 'first\n').replace('line 18\n', 'second\n'),
    );
    expect(bench.events(runId, 'WorkJoined').map(({ data }) => data)).toMatchObject([
      { step: 'two' },
    ]);
    expect(run.steps.map(({ attempts }) => attempts[0]?.lane)).toEqual([false, true, false]);
    const diff = await bench.workbench().diff(runId, 'two', null);
    expect(diff.ok && diff.value.files.map(({ path }) => path)).toEqual(['a.txt', 'two.txt']);
    expect((await bench.workbench().auditVerify()).bypasses).toBe(0);
  });

  test('[WS47] one after the other in one workspace, where the plan lets one run at a time', async () => {
    const bench = await newBench();
    const runId = await bench.launch(
      `  - { id: one, needs: [], run: touch one.txt }\n  - { id: two, needs: [], run: cat one.txt }\n`,
      "concurrency: 1\nscope: { tools: [exec], write: ['**'] }",
    );
    expect((await bench.rest(runId)).status).toBe('succeeded');
    expect(existsSync(join(bench.stateDir, 'workspaces', runId, 'lanes'))).toBe(false);
  });

  test('[WS51] begin with what the setup of the run has left, also what checkpoints leave out', async () => {
    const bench = await newBench();
    const runId = await bench.launch(
      `  - { id: one, needs: [], run: cat node_modules/tool; echo one > node_modules/tool; sleep 1 }
  - { id: two, needs: [], run: grep whole node_modules/tool; sleep 1; grep whole node_modules/tool }
`,
      "setup: { run: ['mkdir node_modules', 'echo whole > node_modules/tool'] }\nscope: { tools: [exec], write: ['**'] }",
    );
    const run = await bench.rest(runId);
    expect(run.steps.map(({ status }) => status)).toEqual(['succeeded', 'succeeded', 'succeeded']);
    expect(stepOf(run, 'two').attempts[0]?.lane).toBe(true);
  });

  test('[WS47] an interrupted one goes on in its own workspace', async () => {
    const bench = await newBench();
    const runId = await bench.launch(`
  - { id: one, needs: [], run: 'touch up; sleep 600', onInterrupt: ask }
  - { id: two, needs: [], run: 'if test -e half; then touch whole; else touch half; sleep 600; fi', onInterrupt: resume }
`);
    await expect.poll(() => existsSync(bench.inTree(runId, 'up')), POLL).toBe(true);
    await expect.poll(() => existsSync(laneFile(bench, runId, 'two', 'half')), POLL).toBe(true);
    const pid = bench.hostPid();
    if (pid === null) throw new Error('no host');
    killIfAlive(pid);
    await bench.until(runId, (run) => stepOf(run, 'two').status === 'succeeded');
    expect(existsSync(laneFile(bench, runId, 'two', 'whole'))).toBe(true);
    const run = await bench.rest(runId);
    expect(run.blocked.map(({ reason, step }) => [reason, step])).toEqual([['interrupted', 'one']]);
  });
});

const CONFLICT = `
  - { id: one, needs: [], run: "sed -i 's/^line 5$/by one/' a.txt; touch one.txt; sleep 1" }
  - { id: two, needs: [], run: "sed -i 's/^line 5$/by two/' a.txt; touch two.txt; sleep 1" }
  - { id: three, needs: [one, two], run: cat a.txt one.txt two.txt }
`;

async function inConflict(bench: Bench): Promise<string> {
  const runId = await bench.launch(CONFLICT);
  const run = await bench.rest(runId);
  expect(run.status).toBe('blocked');
  expect(run.blocked).toEqual([{ reason: 'merge_conflict', step: 'two', approval: null }]);
  expect(run.conflict).toEqual({ step: 'two', with: ['one'], files: ['a.txt'] });
  return runId;
}

describe('parallel work that does not merge', () => {
  test('[WS49] waits with the files and both steps named, for what a person makes of the files', async () => {
    const bench = await newBench();
    const runId = await inConflict(bench);
    expect(read(bench, runId, 'a.txt')).toMatch(/^<{7} [^]*by one[^]*by two[^]*^>{7} /m);
    const again = { type: 'resume', step: null, reason: 'mended' } as const;
    expect(await bench.ask(runId, again)).toBe('ok');
    // They had not mended it.
    expect((await bench.rest(runId)).conflict?.files).toEqual(['a.txt']);
    writeFileSync(bench.inTree(runId, 'a.txt'), LINES.replace('line 5\n', 'by both\n'));
    expect(await bench.ask(runId, again)).toBe('ok');
    expect((await bench.rest(runId)).status).toBe('succeeded');
    expect(read(bench, runId, 'a.txt')).toContain('by both\n');
    expect(bench.events(runId, 'WorkJoined')[0]?.data).toMatchObject({
      conflicts: { files: ['a.txt'], take: null },
    });
  });

  test.each(['one', 'two'])('[WS49] is settled by the side of %s', async (take) => {
    const bench = await newBench();
    const runId = await inConflict(bench);
    const asked = { type: 'resume', step: null, reason: null } as const;
    expect(await bench.ask(runId, { ...asked, take: 'three' })).toBe('StepNotFound');
    expect(await bench.ask(runId, { ...asked, take })).toBe('ok');
    expect((await bench.rest(runId)).status).toBe('succeeded');
    expect(read(bench, runId, 'a.txt')).toBe(LINES.replace('line 5\n', `by ${take}\n`));
    expect(existsSync(bench.inTree(runId, 'one.txt'))).toBe(true);
    expect(existsSync(bench.inTree(runId, 'two.txt'))).toBe(true);
  });

  test('[WS49] [WS50] is over when a side is made again, over a restart of the engine too', async () => {
    const bench = await newBench();
    const runId = await inConflict(bench);
    await bench.letGo();
    await bench.open();
    expect(bench.workbench().run(runId)?.conflict?.step).toBe('two');
    expect(await bench.ask(runId, { type: 'restart', step: 'two', reason: null })).toBe('ok');
    const run = await bench.until(runId, ({ conflict }) => conflict === null);
    expect(run.conflict).toBe(null);
    // Both were begun from where the run began, so both are made again, and meet again.
    expect((await bench.rest(runId)).blocked[0]?.reason).toBe('merge_conflict');
    expect(readdirSync(join(bench.stateDir, 'workspaces', runId, 'lanes'))).toContain('two');
  });
});
