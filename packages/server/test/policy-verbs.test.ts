import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { createCliFixture } from './cli-fixture.ts';
import type { CliFixture } from './cli-fixture.ts';
import { until } from './http-fixture.ts';

let cli: CliFixture;

beforeEach(() => {
  cli = createCliFixture();
});
afterEach(() => {
  cli.remove();
});

describe('trust', () => {
  afterEach(async () => {
    await cli.run('stop');
  });

  test('[PO23] [CL29] shows what has changed since it was accepted, accepts just that, and has it in force at once', async () => {
    await cli.run('init');
    const first = await cli.run('trust');
    expect([first.exitCode, first.stdout]).toEqual([0, expect.stringContaining('trusted  policy')]);
    expect((await cli.run('trust')).stdout).toContain('Nothing to accept');
    await cli.run('runs');
    cli.write(
      '.ccdash/policy/team.cedar',
      '@id("no-tests") @doc("No tests today.")\nforbid (principal, action in Action::"attempt", resource)\nwhen { resource.does.runsWorkspaceCode };\n',
    );
    const looked = await cli.run('trust', '--dry-run');
    expect(looked.stdout).toContain('+++ .ccdash/policy/team.cedar');
    expect(looked.stdout).toContain('+@id("no-tests") @doc("No tests today.")');
    expect(looked.stdout).not.toContain('default.cedar');
    const { exitCode, documents } = await cli.json('trust');
    expect([exitCode, documents]).toMatchObject([0, [{ isTrusted: true }]]);
    const again = await cli.run('exec', '--', 'npm', 'test');
    expect([again.exitCode, again.stdout]).toEqual([4, expect.stringContaining('no-tests')]);
  });

  test('[PO23] leaves a server alone that somebody looks after in a terminal, and says what to do', async () => {
    await cli.run('init');
    const served = cli.start('serve');
    await until(() => served.stdout().includes('code='));
    const refused = await cli.run('trust');
    expect([refused.exitCode, refused.stderr]).toEqual([6, expect.stringContaining('ccdash stop')]);
    served.child.kill('SIGINT');
    await served.ended;
    expect((await cli.run('trust')).exitCode).toBe(0);
  });
});

describe('policy check', () => {
  test('[PO21] tells verdict, rules, effects and reasons of a command, and exits by the verdict', async () => {
    const asked = await cli.json('policy', 'check', '--command', 'git push && npm test');
    expect(asked.exitCode).toBe(3);
    expect(asked.documents).toMatchObject([
      {
        verdict: 'requires_approval',
        risk: 'high',
        effects: ['runs-workspace-code', 'network', 'publishes'],
        programs: ['git', 'npm'],
        requires: { count: 1, roles: ['approver'] },
        policy: { source: 'shipped' },
      },
    ]);
    const allowed = await cli.run('policy', 'check', '--command', 'npm test');
    expect(allowed.exitCode).toBe(0);
    expect(allowed.stdout).toContain('(permit-in-scope)');
    expect(allowed.stdout).toContain('runs-workspace-code');
  });

  test('[PO21] judges a step of a plan file, and denies what lies outside of its scope', async () => {
    cli.write(
      'p.yaml',
      'version: 1\nname: x\nscope: { tools: [read] }\nsteps:\n  - id: a\n    agent: scripted\n    prompt: hi\n',
    );
    expect((await cli.run('policy', 'check', '--step', 'p.yaml#a')).exitCode).toBe(0);
    const wrong = await cli.run('policy', 'check', '--step', 'p.yaml#b');
    expect([wrong.exitCode, wrong.stderr]).toMatchObject([2, expect.stringContaining('it has: a')]);
  });

  test('[PO21] tells a mistake in the rules with file, line and column', async () => {
    put(
      'team.cedar',
      '@id("a") @doc("A.")\npermit (principal, action, resource)\nwhen { resource.does.publishs };',
    );
    const text = await cli.run('policy', 'check');
    expect(text.exitCode).toBe(2);
    expect(text.stderr).toContain('.ccdash/policy/team.cedar:3:');
    const { exitCode, documents } = await cli.json('policy', 'check', '--command', 'ls');
    expect(exitCode).toBe(2);
    expect(documents).toMatchObject([
      { error: { type: 'PolicyInvalid', at: { file: '.ccdash/policy/team.cedar', line: 3 } } },
    ]);
  });

  test('[PO21] tries the files as they are, before anybody has trusted them', async () => {
    put(
      'team.cedar',
      '@id("deny-all") @doc("Nothing runs.")\nforbid (principal, action, resource);',
    );
    const { exitCode, stdout } = await cli.run('policy', 'check', '--command', 'ls');
    expect(exitCode).toBe(4);
    expect(stdout).toContain('Nothing runs. (deny-all)');
    expect((await cli.run('policy', 'check')).stdout).toContain('.ccdash/policy/team.cedar');
  });
});

describe('policy test', () => {
  test.each(['default', 'strict'])(
    '[PO21] passes the cases that init writes: %s',
    async (policy) => {
      expect((await cli.run('init', '--policy', policy)).exitCode).toBe(0);
      const { exitCode, stdout } = await cli.run('policy', 'test');
      expect([exitCode, stdout]).toEqual([0, '15 of 15 cases pass\n']);
    },
  );

  test('[PO21] names the case that fails with its line, and exits 1', async () => {
    put(
      'cases.yaml',
      'cases:\n  - { command: ls, expect: allow }\n  - { command: ls, expect: deny }\n',
    );
    const { exitCode, stdout } = await cli.run('policy', 'test');
    expect(exitCode).toBe(1);
    expect(stdout).toContain('.ccdash/policy/cases.yaml:3: ls');
    expect(stdout).toContain('the verdict is allow, not deny');
  });

  test('[PO21] has an answer of its own for a missing file and for a mistake', async () => {
    const missing = await cli.run('policy', 'test', 'nowhere.yaml');
    expect([missing.exitCode, missing.stderr]).toMatchObject([
      2,
      expect.stringContaining('nowhere.yaml cannot be read'),
    ]);
    put('cases.yaml', 'cases:\n  - { comand: ls, expect: allow }\n');
    const wrong = await cli.run('policy', 'test');
    expect([wrong.exitCode, wrong.stderr]).toMatchObject([
      2,
      expect.stringContaining('.ccdash/policy/cases.yaml:2:'),
    ]);
  });
});

function put(name: string, text: string): void {
  mkdirSync(join(cli.projectDir, '.ccdash/policy'), { recursive: true });
  writeFileSync(join(cli.projectDir, '.ccdash/policy', name), text);
}
