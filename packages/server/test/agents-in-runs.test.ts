/** Agents in runs over everything real, with the scripted agent: what is recorded of them, and what they are told. */
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parsePlan } from '@ccdash/api/plan';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { OWNER, killIfAlive, openBench, stepOf } from './engine-fixture.ts';
import type { Bench } from './engine-fixture.ts';
import { until } from './host-fixture.ts';

const SCRIPT = `version: 1
scripts:
  - when: be told
    turns:
      - calls: [{ write: { path: first.txt, content: one } }]
      - waitFor: told
        say: All written.
  - when: wait here
    turns:
      - calls: [{ write: { path: first.txt, content: one } }]
      - waitFor: go
        calls: [{ write: { path: second.txt, content: two } }]
      - say: All written.
  - when: use it up
    turns:
      - calls: [{ write: { path: spent.txt, content: one } }]
      - calls: [{ write: { path: spent.txt, content: two } }]
      - say: All spent.
  - turns:
      - say: Hello.
`;
const HEAD = "scope: { tools: [read, edit, exec], write: ['**'] }";

let bench: Bench;
beforeAll(async () => {
  bench = await openBench({ 'a.txt': 'a\n' });
  await bench.letGo();
  const script = join(bench.folder, 'script.yaml');
  writeFileSync(script, SCRIPT);
  process.env['CCDASH_SCRIPTED_MODEL'] = script;
  await bench.open();
});
afterAll(async () => {
  delete process.env['CCDASH_SCRIPTED_MODEL'];
  await bench.close();
});

const agent = (prompt: string, more = ''): string =>
  `  - { id: work, agent: scripted, prompt: ${prompt}${more} }\n`;

/** Ends the host of the step's newest attempt as a crash would. */
function killHost(runId: string, attempt: number): void {
  const path = join(bench.stateDir, 'attempts', runId, 'work', String(attempt), 'lease.json');
  const { host } = JSON.parse(readFileSync(path, 'utf8')) as { host: { pid: number } };
  killIfAlive(host.pid);
}

describe('an attempt of an agent', () => {
  test('[AG94] has the versions it was made with in its first event, and in the view of the run', async () => {
    const runId = await bench.launch(agent('say hello'), HEAD);
    const run = await bench.rest(runId);
    const versions = { interface: 1, adapter: '1', sdk: null, program: null };
    expect(bench.events(runId, 'AttemptStarted')).toMatchObject([{ data: { versions } }]);
    expect(stepOf(run, 'work').attempts).toMatchObject([{ versions, model: null }]);
  });

  test('[AG106] [AG107] that has used up its budget blocks its step, with its work in the workspace, and begins no more', async () => {
    const runId = await bench.launch(agent('use it up', ', budget: { turns: 1 }'), HEAD);
    const blocked = await bench.rest(runId);
    expect(blocked.blocked).toMatchObject([{ reason: 'budget_exceeded', step: 'work' }]);
    expect(stepOf(blocked, 'work')).toMatchObject({
      status: 'blocked',
      reason: 'the agent has used its 1 turns before it had finished',
      hint: expect.stringContaining('raise its budget') as string,
      attempts: [{ usage: { turns: 1 } }],
    });
    expect(bench.events(runId, 'AttemptExhausted')).toHaveLength(1);
    expect(readFileSync(bench.inTree(runId, 'spent.txt'), 'utf8')).toBe('one');
    for (const type of ['resume', 'retry'] as const) {
      expect(await bench.ask(runId, { type, step: 'work', reason: null })).toBe('ok');
      const again = await bench.rest(runId);
      expect(stepOf(again, 'work')).toMatchObject({
        status: 'blocked',
        reason: expect.stringContaining('no turns left') as string,
      });
      expect(bench.events(runId, 'AttemptStarted')).toHaveLength(1);
    }
  });

  test('[AG95] does not begin with an option that its agent does not know', async () => {
    for (const [ext, problem] of [
      ['scripted: { loud: true }', /work: ext\.scripted.*loud/],
      ['claude: { effort: low }', /ext\.claude is for another agent than scripted/],
    ] as const) {
      const steps = agent('say hello', `, ext: { ${ext} }`);
      const read = parsePlan(`version: 1\nname: x\n${HEAD}\nsteps:\n${steps}`, { file: 'x.yaml' });
      if (!read.ok) throw new Error(JSON.stringify(read.problems));
      const saved = await bench.workbench().savePlan(read.plan, 'x', OWNER);
      expect(saved).toMatchObject({
        ok: false,
        error: { type: 'PlanInvalid', detail: expect.stringMatching(problem) as string },
      });
      expect(await bench.workbench().dryRun(read.plan, null, OWNER)).toMatchObject({ ok: false });
    }
  });

  test('[AG96] that cannot go on leaves the choice, and goes on once what it lacks is there', async () => {
    const runId = await bench.launch(agent('wait here'), HEAD);
    await until(() => existsSync(bench.inTree(runId, 'first.txt')));
    killHost(runId, 1);
    await bench.until(runId, (run) => stepOf(run, 'work').status === 'interrupted');
    const sessions = join(bench.stateDir, 'agents', runId, 'work');
    renameSync(sessions, `${sessions}.away`);
    expect(await bench.ask(runId, { type: 'resume', step: 'work', reason: null })).toBe('ok');
    const blocked = await bench.until(runId, (run) => stepOf(run, 'work').status === 'blocked');
    expect(stepOf(blocked, 'work')).toMatchObject({
      reason: expect.stringContaining('is no longer in') as string,
      hint: `begin anew from its checkpoint: ccdash retry ${runId} work`,
    });
    renameSync(`${sessions}.away`, sessions);
    writeFileSync(join(bench.folder, 'go'), '');
    expect(await bench.ask(runId, { type: 'resume', step: 'work', reason: null })).toBe('ok');
    const run = await bench.rest(runId);
    expect(stepOf(run, 'work').attempts).toMatchObject([
      { status: 'interrupted' },
      { status: 'succeeded', resumedFrom: 1 },
    ]);
    expect(readFileSync(bench.inTree(runId, 'second.txt'), 'utf8')).toBe('two');
  });
});

describe('a person who tells an agent something', () => {
  test('[AG100] stops it and goes on in its session with the message, which is in the log', async () => {
    const runId = await bench.launch(agent('be told'), HEAD);
    await until(() => existsSync(bench.inTree(runId, 'first.txt')));
    const tell = { type: 'tell', step: 'work', text: 'Use tabs.\n# not a heading' } as const;
    expect(await bench.ask(runId, { ...tell, restart: false })).toBe('CannotBeTold');
    expect(await bench.ask(runId, { ...tell, restart: true })).toBe('ok');
    await bench.until(runId, (each) => stepOf(each, 'work').attempts.length === 2);
    writeFileSync(join(bench.folder, 'told'), '');
    const run = await bench.rest(runId);
    expect(stepOf(run, 'work')).toMatchObject({
      status: 'succeeded',
      attempts: [{ status: 'interrupted' }, { status: 'succeeded', resumedFrom: 1 }],
      messages: [{ text: tell.text, by: OWNER.actor, status: 'taken', takenBy: 2 }],
    });
    expect(bench.events(runId, 'AgentTold')).toMatchObject([{ actor: OWNER.actor }]);
    const spec = join(bench.stateDir, 'attempts', runId, 'work', '2', 'spec.json');
    const { work } = JSON.parse(readFileSync(spec, 'utf8')) as { work: { prompt: string } };
    expect(work.prompt).toContain('> Use tabs.\n> # not a heading');
    expect(await bench.ask(runId, { ...tell, restart: true })).toMatch(/CannotBeTold|RunOver/);
  });
});
