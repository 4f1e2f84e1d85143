/** What steps, and whoever else can write there, do to the workspace of a run between its attempts. */
import { existsSync, rmSync } from 'node:fs';
import { afterEach, describe, expect, test } from 'vitest';
import { openBench, statuses, stepOf } from './engine-fixture.ts';
import type { Bench } from './engine-fixture.ts';

/** As files of the project: written out in a plan, the policy would ask people about them first. */
const SCRIPTS = {
  // The folder venv is no part of checkpoints, so a restore leaves it: it tells the second attempt that it is one.
  'work.sh': `
    if test -d venv; then test "$(git log -1 --format=%s)" = begin; exit; fi
    mkdir venv
    git commit -q --allow-empty -m bad
    rm -r .git/HEAD .git/refs .git/index
    exit 9
  `,
  'ruin.sh': 'rm .git/HEAD\n',
  'link-in.sh': 'echo log > real.txt && ln -s real.txt latest.log\n',
  'link-out.sh': 'ln -s /etc/hostname latest.log\n',
};

const benches: Bench[] = [];

async function newBench(): Promise<Bench> {
  const bench = await openBench({ 'a.txt': 'a\n', ...SCRIPTS });
  benches.push(bench);
  return bench;
}

afterEach(async () => {
  for (const bench of benches.splice(0)) await bench.close();
});

const retry = { type: 'retry', step: null, reason: 'again' } as const;

describe('the clone of a run', () => {
  test('[EN22] that a step has ruined is whole for its next attempt, and for steps that only read', async () => {
    const bench = await newBench();
    const runId = await bench.launch(`  - id: work
    run: sh work.sh
    retry: { attempts: 2 }
  - { id: ruin, run: sh ruin.sh }
  - { id: look, run: git status --porcelain && git log --oneline, scope: { write: [] } }
`);
    const run = await bench.until(runId, ({ endedAt }) => endedAt !== null);
    expect(statuses(run)).toEqual(['succeeded', 'succeeded', 'succeeded']);
    expect(stepOf(run, 'work').attempts.map(({ exitCode }) => exitCode)).toEqual([9, 0]);
  });
});

describe('a work tree that vanished', () => {
  test('[EN22] fails a step that only reads, by name, and comes back with a retry', async () => {
    const bench = await newBench();
    const runId = await bench.launch(`  - { id: work, run: echo b > b.txt }
  - { id: ask, approve: Go on? }
  - { id: look, run: cat b.txt, scope: { write: [] } }
`);
    await bench.rest(runId);
    rmSync(bench.inTree(runId, ''), { recursive: true });
    expect(await bench.decide(bench.openRequest(runId, 'ask'), 'approve')).toBe('ok');
    const failed = await bench.until(runId, ({ status }) => status === 'failed');
    const failure = stepOf(failed, 'look').attempts[0]?.failure;
    expect(failure?.code).toBe('workspace_missing');
    expect(failure?.hint).toContain(`ccdash retry ${runId}`);
    expect(await bench.ask(runId, retry)).toBe('ok');
    const ended = await bench.until(runId, ({ endedAt }) => endedAt !== null);
    expect(ended.status).toBe('succeeded');
    expect(existsSync(bench.inTree(runId, 'b.txt'))).toBe(true);
  });
});

describe('artifacts that are links', () => {
  test('[EN16] are kept when they lead to a file of the workspace, and fail their step by name when they do not', async () => {
    const bench = await newBench();
    const inside = await bench.launch(`  - id: work
    run: sh link-in.sh
    artifacts: ['*.log']
`);
    const kept = await bench.rest(inside);
    expect(stepOf(kept, 'work').artifacts.map(({ name }) => name)).toEqual(['latest.log']);
    const outside = await bench.launch(`  - id: work
    run: sh link-out.sh
    artifacts: ['*.log']
`);
    const failed = await bench.rest(outside);
    const failure = stepOf(failed, 'work').attempts[0]?.failure;
    expect([failure?.code, failure?.message.includes('latest.log')]).toEqual(['leads_out', true]);
  });
});
