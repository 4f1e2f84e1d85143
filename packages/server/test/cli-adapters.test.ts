/** The verbs about agents, by the real command line. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createCliFixture } from './cli-fixture.ts';
import type { CliFixture } from './cli-fixture.ts';

let cli: CliFixture;
beforeAll(() => {
  cli = createCliFixture();
});
afterAll(async () => {
  await cli.run('stop');
  cli.remove();
});

describe('ccdash adapters', () => {
  test('[CL46] lists the agents with their versions, for people and for scripts', async () => {
    const { exitCode, documents } = await cli.json('adapters');
    expect(exitCode).toBe(0);
    const [adapters] = documents as unknown as readonly (readonly Record<string, unknown>[])[];
    expect(adapters?.find(({ id }) => id === 'claude')).toMatchObject({
      status: 'ready',
      programVersion: '2.1.330',
      capabilities: { permission: 'callback', resume: true },
    });
    const { stdout } = await cli.run('adapters');
    expect(stdout).toMatch(/claude +ready\n +adapter 1, SDK 0\.3\.330, program 2\.1\.330/);
  });

  test('[CL47] check holds one to its cases, and knows nobody else', async () => {
    const { exitCode, documents, stderr } = await cli.json('adapters', 'check', 'scripted');
    expect([exitCode, documents]).toMatchObject([0, [{ adapter: 'scripted', ok: true }]]);
    expect(stderr).toMatch(/held +AG1 /);
    const unknown = await cli.run('adapters', 'check', 'nobody');
    expect(unknown.exitCode).toBe(5);
    expect(unknown.stderr).toContain('it has: ');
  });
});

describe('ccdash tell', () => {
  test('[CL48] says why a step cannot be told, and knows no other run', async () => {
    cli.write('p.yaml', 'version: 1\nname: p\nsteps: [{ id: one, argv: ["true"] }]\n');
    const launched = await cli.json('run', 'p.yaml');
    const run = String(launched.documents.at(-1)?.['id']);
    const told = await cli.json('tell', run, 'one', 'Use tabs.', '--restart');
    expect([told.exitCode, told.documents]).toMatchObject([
      6,
      [{ error: { type: expect.stringMatching(/CannotBeTold|RunOver/) as string } }],
    ]);
    expect((await cli.run('tell', 'run_none', 'one', 'x')).exitCode).toBe(5);
    expect((await cli.run('tell', run)).exitCode).toBe(2);
  });
});
