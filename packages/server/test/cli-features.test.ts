/** The verbs about features, by the real command line. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createCliFixture } from './cli-fixture.ts';
import type { CliFixture } from './cli-fixture.ts';

let cli: CliFixture;
beforeAll(() => {
  cli = createCliFixture();
  const plans = 'docs/project_plans/implementation_plans/features';
  mkdirSync(join(cli.projectDir, plans), { recursive: true });
  mkdirSync(join(cli.projectDir, '.claude/progress/limits-v1'), { recursive: true });
  cli.write(`${plans}/limits-v1.md`, '---\ntitle: Rate \u001b[31mlimits\nstatus: approved\n---\n');
  cli.write(
    '.claude/progress/limits-v1/phase-1-progress.md',
    '---\nphase: 1\nstatus: pending\ntasks:\n  - { id: T1, title: Count, depends_on: [ADR-1] }\n---\n',
  );
  cli.write('docs/broken.md', '---\na: `b`\n---\n');
});
afterAll(async () => {
  await cli.run('stop');
  cli.remove();
});

test('[FC30] lists features with their next step, and broken documents with their place', async () => {
  const { exitCode, stdout } = await cli.run('features');
  expect(exitCode).toBe(0);
  expect(stdout).toContain('limits-v1  backlog  0/1 tasks');
  expect(stdout).toContain('Start with phase 1');
  expect(stdout).toContain('docs/broken.md:2:4:');
  expect(stdout).not.toContain('\u001b');
  const { documents } = await cli.json('features');
  expect(documents).toMatchObject([{ documents: 3, features: [{ slug: 'limits-v1' }] }]);
});

test('[FC30] shows one with tasks, runs and evidence, and says when there is none', async () => {
  await cli.run('exec', '--feature', 'limits-v1', '--detach', '--', 'true');
  const [run] = (await cli.json('runs')).documents as unknown as readonly { id: string }[][];
  const { stdout, exitCode } = await cli.run('feature', 'show', 'limits-v1');
  expect(exitCode).toBe(0);
  expect(stdout).toContain('T1  Count  pending  after ADR-1 (external)');
  expect(stdout).toContain('[R2_START_PHASE_1]');
  expect(stdout).toContain('because no phase is finished');
  const { documents } = await cli.json('feature', 'show', 'limits-v1');
  expect(documents).toMatchObject([{ runs: [run?.[0]?.id] }]);
  expect(await cli.run('feature', 'show', 'nothing')).toMatchObject({ exitCode: 5 });
});
