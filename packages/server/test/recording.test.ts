/** Runs of real agents, recorded and played again. */
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { RunView } from '@ccdash/core';
import { createCliFixture } from './cli-fixture.ts';
import { openBench, stepOf } from './engine-fixture.ts';
import type { Bench } from './engine-fixture.ts';
import { filesWith } from './host-fixture.ts';

const SECRET = 'a-secret-of-the-step-4711';
const FIRST = {
  version: 1,
  scripts: [
    {
      when: 'Write the notes',
      turns: [
        {
          say: 'I write, and look.',
          calls: [
            { write: { path: 'notes.txt', content: 'one\n' } },
            { bash: 'cp notes.txt copy.txt; echo $A_SECRET > told.txt' },
          ],
          usage: { input: 1234, output: 56 },
        },
        { calls: [{ edit: { path: 'notes.txt', old: 'one', new: 'two' } }], say: SECRET },
        { say: 'The notes are written.' },
      ],
    },
  ],
};
/** Codex has its tools for models that it knows. */
const MODEL: Readonly<Record<string, string>> = { claude: 'claude-sonnet-4-5', codex: 'gpt-5.5' };
const PLAN = (adapter: string): string =>
  `  - { id: work, agent: ${adapter}, model: ${MODEL[adapter] ?? ''}, prompt: "Write the notes of ${adapter}.", secrets: [A_SECRET] }\n`;
const HEAD = "scope: { tools: [read, edit, exec], write: ['**'] }";

let bench: Bench;
beforeAll(async () => {
  process.env['A_SECRET'] = SECRET;
  bench = await openBench({ 'a.txt': 'a\n' });
});
afterAll(async () => {
  delete process.env['CCDASH_SCRIPTED_MODEL'];
  delete process.env['A_SECRET'];
  await bench.close();
});

async function openWith(name: string, script: object): Promise<void> {
  await bench.letGo();
  const file = join(bench.folder, name);
  writeFileSync(file, JSON.stringify(script));
  process.env['CCDASH_SCRIPTED_MODEL'] = file;
  await bench.open();
}

function toldOf(runId: string): readonly unknown[] {
  return bench.events(runId, 'AttemptReported').flatMap(({ data }) => {
    const { facts } = data as unknown as {
      facts: { type: string; text?: string; title?: string }[];
    };
    return facts.flatMap(({ type, text, title }) =>
      type === 'message' || type === 'tool-started' ? [text ?? title] : [],
    );
  });
}

/** To its end, with a yes to all that it asks for. */
async function play(adapter: string): Promise<RunView> {
  const runId = await bench.launch(PLAN(adapter), HEAD);
  for (;;) {
    const run = await bench.until(runId, ({ status, blocked }) => {
      return blocked.length > 0 || !['queued', 'running'].includes(status);
    });
    const [wait] = run.blocked;
    if (wait === undefined) return run;
    await bench.decide(bench.openRequest(runId, wait.step), 'approve');
  }
}

describe.each(['claude', 'codex'])('a run of %s', (adapter) => {
  test('[AG108] is recorded as a script without secrets, which another run plays to the same end', async () => {
    await openWith(`${adapter}-first.json`, FIRST);
    const played = await play(adapter);
    const first = played.id;
    expect(stepOf(played, 'work')).toMatchObject({ status: 'succeeded' });
    const recording = bench.workbench().recording(first);
    expect(recording).toMatchObject({ answers: 3, leftOut: [] });
    expect(JSON.stringify(recording)).not.toContain(SECRET);
    expect(filesWith(join(bench.stateDir, 'attempts'), SECRET)).toEqual([]);

    await openWith(`${adapter}-again.json`, recording?.script ?? {});
    const again = await play(adapter);
    const second = again.id;
    const [attempt] = stepOf(played, 'work').attempts;
    expect(stepOf(again, 'work')).toMatchObject({
      status: 'succeeded',
      outputs: { text: 'The notes are written.' },
      attempts: [{ usage: attempt?.usage }],
    });
    expect(readFileSync(bench.inTree(second, 'notes.txt'), 'utf8')).toBe('two\n');
    expect(readFileSync(bench.inTree(second, 'copy.txt'), 'utf8')).toBe('one\n');
    expect(toldOf(second)).toEqual(toldOf(first));
    expect(bench.workbench().recording(second)?.script).toEqual(recording?.script);
  });
});

test('[AG108] a run that there is none of has no recording', () => {
  expect(bench.workbench().recording('run_none')).toBeNull();
});

describe('ccdash record', () => {
  test('[AG109] writes a script that plays the run again, and never over a file', async () => {
    const cli = createCliFixture();
    try {
      const write = { write: { path: 'made.txt', content: 'made' } };
      const turns = [{ calls: [write] }, { say: 'Made.' }];
      cli.write('model.json', JSON.stringify({ version: 1, scripts: [{ turns }] }));
      const step = "{ id: make, agent: claude, prompt: 'Make it.' }";
      const scope = "scope: { tools: [edit], write: ['**'] }";
      cli.write('p.yaml', `version: 1\nname: p\n${scope}\nsteps:\n  - ${step}\n`);
      cli.write('q.yaml', 'version: 1\nname: q\nsteps: [{ id: one, argv: ["true"] }]\n');
      cli.env['CCDASH_SCRIPTED_MODEL'] = join(cli.projectDir, 'model.json');
      const runId = String((await cli.json('run', 'p.yaml')).documents.at(-1)?.['id']);
      const recorded = await cli.run('record', runId, '--out', 'again.yaml');
      expect([recorded.exitCode, recorded.stdout]).toEqual([
        0,
        expect.stringContaining('2 answers of the model are in again.yaml'),
      ]);
      const file = join(cli.projectDir, 'again.yaml');
      expect(statSync(file).mode & 0o777).toBe(0o600);
      expect(await cli.run('record', runId, '--out', 'again.yaml')).toMatchObject({
        exitCode: 2,
        stderr: expect.stringContaining('is there already') as string,
      });
      const other = String((await cli.json('run', 'q.yaml')).documents.at(-1)?.['id']);
      expect(await cli.run('record', other, '--out', 'none.yaml')).toMatchObject({
        exitCode: 2,
        stderr: expect.stringContaining('has no answer of a model') as string,
      });
      expect((await cli.run('record', 'run_none', '--out', 'none.yaml')).exitCode).toBe(5);
      await cli.run('stop');
      cli.env['CCDASH_SCRIPTED_MODEL'] = file;
      const { documents } = await cli.json('run', 'p.yaml');
      expect(documents.at(-1)).toMatchObject({ status: 'succeeded' });
    } finally {
      await cli.run('stop');
      cli.remove();
    }
  });
});
