/** What people change of a run while it runs, on real processes, git and log. */
import { readFileSync, rmSync } from 'node:fs';
import { parsePlan } from '@ccdash/api/plan';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import type { ControlRequest, ImpactSummary } from '../src/base/workbench.ts';
import { OWNER, openBench, statuses, stepOf } from './engine-fixture.ts';
import type { Bench } from './engine-fixture.ts';

let bench: Bench;
beforeEach(async () => {
  bench = await openBench({ 'log.txt': '' });
});
afterEach(() => bench.close());

const HEAD = "version: 1\nname: test\nscope: { tools: [exec], write: ['**'] }\nsteps:\n";

function planOf(steps: string): { plan: never; source: string; inputs: object } {
  const source = `${HEAD}${steps}`;
  const read = parsePlan(source, { file: 'plan.yaml' });
  if (!read.ok) throw new Error(JSON.stringify(read.problems));
  return { plan: read.plan as never, source, inputs: {} };
}

async function summaryOf(runId: string, asked: ControlRequest): Promise<ImpactSummary> {
  const summary = await bench.workbench().preview(runId, asked, OWNER);
  if (!summary.ok) throw new Error(JSON.stringify(summary.error));
  return summary.value;
}

async function agree(runId: string, asked: ControlRequest): Promise<ImpactSummary> {
  const summary = await summaryOf(runId, asked);
  const done = await bench.workbench().requestAgreed(runId, asked, summary.digest, OWNER);
  if (!done.ok) throw new Error(JSON.stringify(done.error));
  return summary;
}

async function bypasses(): Promise<unknown> {
  const { ok, bypasses: found } = await bench.workbench().auditVerify();
  return [ok, found];
}

const log = (runId: string): string => readFileSync(bench.inTree(runId, 'log.txt'), 'utf8');

describe('a skip', () => {
  test('[RC35] goes on without the step, and sets aside what it left in the workspace', async () => {
    const runId = await bench.launch(`  - { id: one, run: echo one >> log.txt; false }
  - { id: two, run: echo two >> log.txt }
`);
    expect((await bench.rest(runId)).status).toBe('failed');
    const skip = { type: 'skip', step: 'one', reason: 'flaky' } as const;
    const summary = await agree(runId, skip);
    expect(summary).toMatchObject({ skipped: ['one'], follows: [{ step: 'two', how: 'goes on' }] });
    const run = await bench.rest(runId);
    expect([run.status, statuses(run), stepOf(run, 'one').reason]).toEqual([
      'succeeded',
      ['skipped', 'succeeded'],
      'skipped: flaky',
    ]);
    expect(log(runId)).toBe('two\n');
    const { setAside } = stepOf(run, 'one').attempts[0]!;
    expect(bench.checkpointGit(runId, 'show', `${String(setAside?.commit)}:log.txt`)).toBe('one\n');
    expect(await bypasses()).toEqual([true, 0]);
  });

  test('[RC36] of a validation waits for an approver, also over a restart of the engine', async () => {
    const runId = await bench.launch(`  - { id: one, run: echo one >> log.txt }
  - { id: check, validate: [{ file: { path: none.txt } }] }
  - { id: two, run: echo two >> log.txt }
`);
    expect((await bench.rest(runId)).status).toBe('failed');
    const skip = { type: 'skip', step: 'check', reason: 'known to be so' } as const;
    expect((await summaryOf(runId, skip)).asks).toMatchObject([{ step: 'check' }]);
    await agree(runId, skip);
    expect((await bench.rest(runId)).blocked).toMatchObject([{ reason: 'approval' }]);
    await bench.letGo();
    await bench.open();
    const request = bench.openRequest(runId, 'check');
    expect(request).toMatchObject({ kind: 'skip', subject: { weakened: ['check'] } });
    expect(await bench.decide(request, 'approve')).toBe('ok');
    const run = await bench.rest(runId);
    expect([run.status, statuses(run)]).toEqual([
      'succeeded',
      ['succeeded', 'skipped', 'succeeded'],
    ]);
    expect(await bypasses()).toEqual([true, 0]);
  });
});

describe('another plan', () => {
  const STEPS = `  - { id: one, run: echo one >> log.txt }
  - { id: two, run: echo two >> log.txt }
  - { id: three, run: grep -q never log.txt }
`;

  test('[RC37] [IM6] replaces the rest, and runs nothing again that is as it was', async () => {
    const runId = await bench.launch(STEPS);
    await bench.rest(runId);
    const wanted = planOf(`  - { id: one, run: echo one >> log.txt }
  - { id: two, run: echo deux >> log.txt }
  - { id: four, run: grep -q deux log.txt }
`);
    const replan = {
      type: 'replan',
      ...wanted,
      reason: 'en français',
    } as unknown as ControlRequest;
    const summary = await agree(runId, replan);
    expect(summary).toMatchObject({
      ...{ kept: ['one'], again: ['two'], removed: ['three'] },
      files: [{ path: 'log.txt', change: 'modified' }],
      ...{ lines: { added: 0, removed: 1 }, keptAt: 'refs/ccdash/checkpoints/two/1' },
    });
    expect(bench.checkpointGit(runId, 'show', `${summary.keptAt ?? ''}:log.txt`)).toBe(
      'one\ntwo\n',
    );
    const run = await bench.rest(runId);
    expect([run.status, run.plan.revision, statuses(run)]).toEqual([
      ...['succeeded', 2],
      ['succeeded', 'succeeded', 'succeeded'],
    ]);
    expect(log(runId)).toBe('one\ndeux\n');
    expect(stepOf(run, 'one').attempts).toHaveLength(1);
    // What the step that is gone has printed can still be read.
    expect(bench.workbench().outputPath(runId, 'three', 1)).not.toBeNull();
    expect(run.removed.map(({ id }) => id)).toEqual(['three']);
    expect(await bypasses()).toEqual([true, 0]);
    await bench.letGo();
    await bench.open();
    expect(bench.workbench().run(runId)).toEqual(run);
  });

  test('[RC38] is not done when the run is not what was looked at', async () => {
    const runId = await bench.launch(STEPS);
    await bench.rest(runId);
    const wanted = planOf(`  - { id: one, run: echo one >> log.txt }
  - { id: three, run: "true" }
`);
    const replan = { type: 'replan', ...wanted, reason: null } as unknown as ControlRequest;
    const { digest } = await summaryOf(runId, replan);
    const change = { command: 'grep -q none log.txt' };
    await bench.ask(runId, { type: 'retry', step: 'three', change, reason: null });
    await bench.rest(runId);
    const late = await bench.workbench().requestAgreed(runId, replan, digest, OWNER);
    expect(late).toMatchObject({ ok: false, error: { type: 'SummaryMoved' } });
    expect(bench.workbench().run(runId)?.plan.revision).toBe(2);
  });

  test('[RC39] comes with a retry that has another command; each revision stays to be read', async () => {
    const runId = await bench.launch(STEPS);
    await bench.rest(runId);
    const change = { command: 'grep -q two log.txt' };
    const retry = { type: 'retry', step: 'three', reason: 'a typo', change } as const;
    const before = bench.workbench().run(runId)!.plan;
    const summary = await agree(runId, retry);
    expect(summary).toMatchObject({ kept: ['one', 'two'], again: ['three'] });
    expect(summary.plan?.steps).toMatchObject([{ step: 'three', fields: [{ name: 'program' }] }]);
    const run = await bench.rest(runId);
    expect([run.status, run.plan.revision]).toEqual(['succeeded', 2]);
    expect(stepOf(run, 'three').attempts.map(({ status }) => status)).toEqual([
      'failed',
      'succeeded',
    ]);
    expect(bench.workbench().plan(before.id, 1)?.digest).toBe(before.digest);
    expect(bench.workbench().plan(run.plan.id, 2)?.digest).toBe(run.plan.digest);
    const odd = { ...retry, change: { model: 'x' } } as const;
    expect(await bench.ask(runId, odd)).toBe('PlanUnfit');
  });

  test('[IM5] names what is known to have been done beyond the workspace and will be done again', async () => {
    const runId = await bench.launch(`  - { id: one, run: "git push origin HEAD || true" }
  - { id: two, run: "false" }
`);
    const request = bench.openRequest((await bench.rest(runId)).id, 'one');
    await bench.decide(request, 'approve');
    await bench.rest(runId);
    const summary = await summaryOf(runId, { type: 'restart', step: 'one', reason: null });
    expect(summary.sideEffects).toMatchObject([
      { step: 'one', did: [{ what: 'git push origin HEAD || true' }] },
    ]);
    expect(summary.sideEffects[0]?.did[0]?.effects).toContain('publishes');
  });
});

describe('a fork', () => {
  test('[RC43] [RC45] goes on from a canceled run, whose work tree is gone, with its work', async () => {
    const runId =
      await bench.launch(`  - { id: one, run: "echo one >> log.txt; echo said; echo n=1 >> $CCDASH_OUTPUT" }
  - { id: two, run: echo two >> log.txt }
  - { id: three, run: grep -q never log.txt }
`);
    await bench.rest(runId);
    expect(await bench.ask(runId, { type: 'cancel', reason: 'enough' })).toBe('ok');
    await bench.until(runId, ({ status }) => status === 'canceled');
    expect(await bench.ask(runId, { type: 'retry', step: null, reason: null })).not.toBe('ok');
    rmSync(bench.inTree(runId, '.'), { recursive: true });
    const summary = await bench.workbench().previewFork(runId, 'one');
    if (!summary.ok) throw new Error(summary.error.type);
    expect(summary.value).toMatchObject({
      ...{ kept: ['one'], again: ['two', 'three'], stale: ['two'] },
      files: [{ path: 'log.txt' }],
    });
    const { digest } = summary.value;
    const asked = { at: 'one', reason: 'look again', digest };
    const late = { ...asked, digest: 'sha256:other' };
    expect(await bench.workbench().fork(runId, late, OWNER)).toMatchObject({
      error: { type: 'SummaryMoved' },
    });
    const made = await bench.workbench().fork(runId, asked, OWNER);
    if (!made.ok) throw new Error(made.error.type);
    const { id } = made.value;
    const run = await bench.rest(id);
    expect([run.forkedFrom?.runId, run.forkedFrom?.steps]).toEqual([runId, ['one']]);
    expect(statuses(run)).toEqual(['succeeded', 'succeeded', 'failed']);
    expect(log(id)).toBe('one\ntwo\n');
    // Taken over, not made again: what it printed is read where it was printed.
    const printed = bench.workbench().outputPath(id, 'one', 1);
    expect(readFileSync(printed ?? '', 'utf8')).toContain('said');
    expect(bench.workbench().run(runId)?.status).toBe('canceled');
    const again = { type: 'restart', step: 'one', reason: null } as const;
    expect(await bench.ask(id, again)).toBe('ok');
    await bench.rest(id);
    expect(log(id)).toBe('one\ntwo\n');
    expect(await bypasses()).toEqual([true, 0]);
    await bench.letGo();
    await bench.open();
    expect(bench.workbench().run(id)?.status).toBe('failed');
  });
});
