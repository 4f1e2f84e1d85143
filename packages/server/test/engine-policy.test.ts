import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { afterAll, beforeAll, expect, test } from 'vitest';

import { trustProject } from '../src/app.ts';
import { readAsset } from '../src/base/assets.ts';
import { openBench, OWNER } from './engine-fixture.ts';
import type { Bench } from './engine-fixture.ts';

let bench: Bench;

beforeAll(async () => {
  bench = await openBench({ 'a.txt': 'a\n' });
});
afterAll(async () => {
  await bench.close();
});

test('[RK1] a step asks for what its command does, and what was found is part of what is approved', async () => {
  const runId = await bench.launch(`  - id: calm
    run: grep -c a a.txt
  - id: push
    run: git push origin HEAD
`);
  const run = await bench.rest(runId);
  expect(run.steps.map(({ id, status }) => [id, status])).toEqual([
    ['calm', 'succeeded'],
    ['push', 'blocked'],
  ]);
  const asked = bench.openRequest(runId, 'push');
  expect(asked.why.map(({ rule }) => rule)).toEqual(['ask-publishes', 'ask-uses-network']);
  expect(asked.subject['does']).toMatchObject({
    effects: ['network', 'publishes'],
    because: expect.arrayContaining(['publishes: git push sends commits to others']) as unknown,
  });
  expect(asked.risk).toBe('high');
});

test('[PO22] another policy makes what was asked stale, says so in the run, and asks by its own rules', async () => {
  const runId = await bench.launch('  - id: push\n    run: git push origin HEAD\n');
  await bench.rest(runId);
  const before = bench.openRequest(runId, 'push');
  await bench.letGo();
  mkdirSync(join(bench.projectDir, '.ccdash/policy'), { recursive: true });
  const strict = readAsset('policy/strict.cedar');
  writeFileSync(join(bench.projectDir, '.ccdash/policy/strict.cedar'), strict);
  const trusted = await trustProject(bench.projectDir, bench.stateDir, 'owner');
  if (!trusted.ok) throw new Error(trusted.error.message);
  await bench.open();
  await bench.until(runId, () => bench.events(runId, 'ApprovalRequested').length === 2);
  const [changed] = bench.events(runId, 'PolicyChanged');
  expect(changed).toMatchObject({
    actor: { kind: 'policy' },
    data: { from: before.subject['policy'], policyDigest: trusted.value.policy },
  });
  const after = bench.openRequest(runId, 'push');
  expect(after.subject['policy']).toBe(trusted.value.policy);
  expect(after.requires).toMatchObject({ count: 2, assurance: 'passkey', excludeRequester: true });
  const old = bench
    .workbench()
    .approvals()
    .find(({ id }) => id === before.id);
  expect(old?.status).toBe('stale');
  expect(await bench.decide(before, 'approve')).toBe('ApprovalNotOpen');
});

test('[PO17] a result is applied by who may decide on it, and the log has what the policy said', async () => {
  const apply = async (runId: string): Promise<unknown> => {
    const asked = { as: 'branch', branch: null, message: null } as const;
    const summary = await bench.workbench().previewApply(runId, asked);
    if (!summary.ok) return summary.error;
    const { digest } = summary.value;
    const done = await bench.workbench().apply(runId, { ...asked, digest, reason: null }, OWNER);
    return done.ok ? 'applied' : done.error;
  };
  // The strict policy is in force by now: whoever asked for a run does not bring it in.
  const runId = await bench.launch('  - id: edit\n    run: echo b > a.txt\n');
  expect((await bench.rest(runId)).status).toBe('succeeded');
  expect(await apply(runId)).toMatchObject({
    type: 'NotApplicable',
    failure: {
      code: 'approval_needed',
      message: expect.stringContaining('(ask-apply)') as unknown,
    },
  });
  expect(bench.events(runId, 'ResultApplying')).toEqual([]);
  await bench.letGo();
  rmSync(join(bench.projectDir, '.ccdash'), { recursive: true });
  expect((await trustProject(bench.projectDir, bench.stateDir, 'owner')).ok).toBe(true);
  await bench.open();
  expect(await apply(runId)).toBe('applied');
  expect(bench.events(runId, 'ResultApplying')).toMatchObject([
    { data: { verdict: { verdict: 'requires_approval', why: [{ rule: 'ask-apply' }] } } },
  ]);
});
