/** What people do to the folders around a run that is not finished: they rename, move and tidy them. */
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { openBench, statuses } from './engine-fixture.ts';
import type { Bench } from './engine-fixture.ts';

const benches: Bench[] = [];

afterEach(async () => {
  for (const bench of benches.splice(0)) await bench.close();
});

async function atItsGate(): Promise<{ readonly bench: Bench; readonly runId: string }> {
  const bench = await openBench({ 'a.txt': 'a\n' });
  benches.push(bench);
  const runId = await bench.launch(`  - { id: one, run: echo one >> a.txt }
  - { id: gate, approve: Go on? }
  - { id: two, run: git log -1 --format=%s >> a.txt && git status --porcelain }
`);
  expect((await bench.rest(runId)).status).toBe('blocked');
  return { bench, runId };
}

function gitOf(bench: Bench, ...args: readonly string[]): string {
  const done = spawnSync('git', ['-C', bench.projectDir, ...args], { encoding: 'utf8' });
  if (done.status !== 0) throw new Error(done.stderr);
  return done.stdout;
}

/** To its end, and into the project; with the log as it should be. */
async function comesToItsEnd(bench: Bench, runId: string): Promise<void> {
  expect(await bench.decide(bench.openRequest(runId, 'gate'), 'approve')).toBe('ok');
  const run = await bench.rest(runId);
  expect([run.status, statuses(run)]).toEqual([
    'succeeded',
    ['succeeded', 'succeeded', 'succeeded'],
  ]);
  expect(readFileSync(bench.inTree(runId, 'a.txt'), 'utf8')).toBe('a\none\nbegin\n');
  const target = { as: 'branch', branch: null, message: null } as const;
  const preview = await bench.workbench().previewApply(runId, target);
  if (!preview.ok) throw new Error(JSON.stringify(preview.error));
  expect(preview.value.files).toEqual([{ path: 'a.txt', change: 'modified' }]);
  expect(await bench.workbench().auditVerify()).toMatchObject({ ok: true, bypasses: 0 });
}

test('[EN27] a run goes on where its project was renamed', async () => {
  const { bench, runId } = await atItsGate();
  await bench.moveTo({ project: 'elsewhere/renamed' });
  await comesToItsEnd(bench, runId);
});

test('[EN27] a run goes on where the folder of its state was moved and has another name', async () => {
  const { bench, runId } = await atItsGate();
  await bench.moveTo({ state: 'another home/renamed' });
  await comesToItsEnd(bench, runId);
});

test('[EN27] a run goes on where its project lost the branch that it began on, and was tidied', async () => {
  const { bench, runId } = await atItsGate();
  const identity = ['-c', 'user.name=T', '-c', 'user.email=t@localhost'];
  gitOf(bench, 'checkout', '-q', '--orphan', 'other');
  writeFileSync(join(bench.projectDir, 'b.txt'), 'b\n');
  gitOf(bench, 'add', '--all');
  gitOf(bench, ...identity, 'commit', '-qm', 'other');
  const begun = gitOf(bench, 'rev-parse', 'main').trim();
  gitOf(bench, 'branch', '-q', '-D', 'main');
  gitOf(bench, 'reflog', 'expire', '--expire=now', '--all');
  gitOf(bench, 'gc', '--quiet', '--prune=now');
  expect(() => gitOf(bench, 'cat-file', '-e', begun)).toThrow();
  await comesToItsEnd(bench, runId);
});
