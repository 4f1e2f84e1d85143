/** The verbs about features, by the real command line. */
import { mkdirSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parsePlan } from '@ccdash/api/plan';
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

test('[PN8] a plan is made, made again with what changed, and left alone once it was edited', async () => {
  const plan = join(cli.projectDir, '.ccdash/plans/limits-v1.yaml');
  const make = (...args: readonly string[]): ReturnType<CliFixture['json']> =>
    cli.json('plan', 'new', '--feature', 'limits-v1', ...args);
  expect(await make()).toMatchObject({ exitCode: 0, documents: [{ file: plan, changes: null }] });
  expect(await cli.run('plan', 'check', plan)).toMatchObject({ exitCode: 0 });
  expect((await make()).documents).toMatchObject([{ changes: [] }]);
  cli.write(
    '.claude/progress/limits-v1/phase-1-progress.md',
    '---\nphase: 1\nstatus: pending\ntasks:\n  - { id: T1, title: Count all, depends_on: [ADR-1] }\n  - { id: T2 }\n---\n',
  );
  expect((await make()).documents).toMatchObject([
    {
      changes: [
        { what: 'document changed', name: '.claude/progress/limits-v1/phase-1-progress.md' },
        { what: 'step changed', name: 'p1-t1' },
        { what: 'step added', name: 'p1-t2' },
      ],
    },
  ]);
  const edited = `${readFileSync(plan, 'utf8')}# mine\n`;
  writeFileSync(plan, edited);
  expect(await make()).toMatchObject({ exitCode: 3 });
  expect(readFileSync(plan, 'utf8')).toBe(edited);
  expect(await make('--force')).toMatchObject({ exitCode: 0 });
});

test('[PN8] no plan is written through a link that the repository brings, or for what is not there', async () => {
  const outside = join(cli.stateHome, 'outside');
  mkdirSync(outside);
  rmSync(join(cli.projectDir, '.ccdash/plans'), { recursive: true });
  symlinkSync(outside, join(cli.projectDir, '.ccdash/plans'));
  expect((await cli.run('plan', 'new', '--feature', 'limits-v1')).exitCode).not.toBe(0);
  expect(readdirSync(outside)).toEqual([]);
  rmSync(join(cli.projectDir, '.ccdash/plans'));
  expect(await cli.run('plan', 'new', '--feature', 'nothing')).toMatchObject({ exitCode: 5 });
  const phase = await cli.run('plan', 'new', '--feature', 'limits-v1', '--phase', '7');
  expect([phase.exitCode, phase.stderr]).toEqual([6, expect.stringContaining('it has: 1')]);
});

test('[FC31] [FC32] plans are made of templates, shipped ones and those of the project', async () => {
  const folder = join(cli.projectDir, '.ccdash/templates');
  for (const name of ['feature', 'bugfix', 'refactor', 'release', 'upgrade']) {
    const file = new URL(`../assets/templates/${name}.yaml`, import.meta.url);
    const reading = parsePlan(readFileSync(file, 'utf8'), { file: name });
    expect(reading, name).toMatchObject({ ok: true, warnings: [] });
  }
  const made = await cli.json('plan', 'new', '--template', 'bugfix');
  expect(made).toMatchObject({ exitCode: 0, documents: [{ inputs: ['bug'] }] });
  expect((await cli.run('plan', 'new', '--template', 'bugfix')).exitCode).not.toBe(0);
  mkdirSync(folder);
  writeFileSync(
    join(folder, 'bugfix.yaml'),
    'version: 1\nname: Ours\nsteps: [{ id: a, run: "true" }]\n',
  );
  const own = await cli.run('plan', 'new', '--template', 'bugfix', '--out', '-');
  expect(own.stdout).toContain('name: Ours');
  for (const name of ['../plans/bugfix', 'nothing']) {
    expect(await cli.run('plan', 'new', '--template', name)).toMatchObject({ exitCode: 2 });
  }
  expect((await cli.run('plan', 'new')).exitCode).toBe(2);
});
