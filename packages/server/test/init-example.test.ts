import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { parsePlan } from '@ccdash/api/plan';
import type { Plan } from '@ccdash/core';
import { afterEach, beforeEach, expect, test } from 'vitest';

import { commandFacts, startPolicyFacts } from '../src/engine/facts.ts';
import { loadProjectPolicy } from '../src/policy/project-policy.ts';
import { initProject } from '../src/project-config/init-project.ts';
import { loadProjectConfig } from '../src/project-config/load-project-config.ts';
import { classifyCommand } from '../src/risk/classify-command.ts';

let project = '';

beforeEach(() => {
  project = mkdtempSync(join(tmpdir(), 'ccdash-example-'));
  git('init', '--quiet');
  git('commit', '--quiet', '--allow-empty', '-m', 'first');
  expect(initProject(project).ok).toBe(true);
});

afterEach(() => {
  rmSync(project, { recursive: true });
});

test('[PO16] what init writes is in force as it is: no notice, nothing to trust', () => {
  expect(loadProjectPolicy(project, null)).toMatchObject({ ok: true, value: { notice: null } });
  expect(loadProjectConfig(project, null)).toMatchObject({ ok: true, value: { notice: null } });
});

test('[PO16] the example plan has a command, a validation and an approval, and no warning', () => {
  const { plan, warnings } = readExample();
  expect(plan.steps.map(({ kind }) => kind)).toEqual(['command', 'validation', 'approval']);
  expect(warnings).toEqual([]);
});

test('[PO16] the policy in force lets every step of the example plan start without asking', () => {
  const loaded = loadProjectPolicy(project, null);
  if (!loaded.ok) throw new Error(loaded.error.message);
  const { plan } = readExample();
  const ann = { kind: 'person', id: 'ann', roles: ['operator'] } as const;
  const verdicts = plan.steps.map((step) => {
    const does = commandFacts({ classify: classifyCommand }, step);
    return loaded.value.policy.evaluate(
      startPolicyFacts(plan, step, ann, true, does?.effects ?? []),
    );
  });
  expect(verdicts.map(({ verdict }) => verdict)).toEqual(['allow', 'allow', 'allow']);
});

test('[PO16] the command of the example plan passes and leaves what the plan checks', () => {
  const [step] = readExample().plan.steps;
  if (step?.kind !== 'command' || !('script' in step.program)) throw new Error('not a script');
  const bash = ['--norc', '--noprofile', '-e', '-o', 'pipefail', '-c', step.program.script];
  const output = execFileSync('bash', bash, { cwd: project, encoding: 'utf8' });
  expect(output).toBe('Files under version control: 0\nLast commit: first\n');
  expect(git('status', '--porcelain')).toBe('?? .ccdash/\n?? ccdash-example.txt\n');
});

function readExample(): { plan: Plan; warnings: readonly unknown[] } {
  const path = '.ccdash/plans/example.yaml';
  const reading = parsePlan(readFileSync(join(project, path), 'utf8'), { file: path });
  if (!reading.ok) throw new Error(JSON.stringify(reading.problems));
  return reading;
}

function git(...args: readonly string[]): string {
  const identity = ['-c', 'user.name=Ann', '-c', 'user.email=ann@example.com'];
  return execFileSync('git', ['-C', project, ...identity, ...args], { encoding: 'utf8' });
}
