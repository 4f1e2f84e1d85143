import { readFileSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { BENCH_TOKEN, createAgentBench } from '../src/agents/conformance/agent-bench.ts';
import type { OpenBench } from '../src/agents/conformance/agent-bench.ts';

const benches: OpenBench[] = [];
afterEach(async () => {
  for (const bench of benches.splice(0)) await bench.close();
});

/** Into its own environment, and that of everything that it can see. */
const LOOK = `env | grep MODEL_TOK; cat /proc/[0-9]*/environ | tr '\\0' '\\n' | grep MODEL_TOK; true`;

async function openBench(): Promise<OpenBench> {
  const bench = await createAgentBench('codex');
  benches.push(bench);
  return bench;
}

function filesBelow(folder: string): readonly string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => join(folder, name))
    .filter((path) => statSync(path, { throwIfNoEntry: false })?.isFile() === true);
}

describe('the real Codex', () => {
  test('[AG34] asks for each command, and what would leave its sandbox is declined unasked, and told', async () => {
    const bench = await openBench();
    const input = {
      cmd: 'touch out.txt',
      sandbox_permissions: 'require_escalated',
      justification: 'I want to',
    };
    const script = {
      turns: [
        { calls: [{ bash: 'pwd' }] },
        { calls: [{ tool: { name: 'exec_command', input } }] },
        // Without a reason it looks like any other command, but for the program's own record.
        {
          calls: [
            { tool: { name: 'exec_command', input: { ...input, justification: undefined } } },
          ],
        },
        { say: 'Done.' },
      ],
    };
    const { handle, facts, questions } = bench.start({ turns: [], scripts: [script] });
    expect((await handle.done).status).toBe('succeeded');
    expect(questions.map(({ title }) => title)).toEqual(['Run pwd']);
    expect(bench.read('out.txt')).toBeNull();
    const ends = facts.flatMap((fact) => (fact.type === 'tool-ended' ? [fact.status] : []));
    expect(ends).toEqual(['ok', 'denied', 'denied']);
  });

  test('[AG34] tells what each command ended with', async () => {
    const bench = await openBench();
    const { handle, facts } = bench.start({
      turns: [{ calls: [{ bash: 'echo one' }] }, { calls: [{ bash: 'exit 3' }] }, { say: 'x' }],
    });
    await handle.done;
    const ends = facts.flatMap((fact) =>
      fact.type === 'tool-ended' ? [[fact.status, fact.summary]] : [],
    );
    expect(ends).toEqual([
      ['ok', 'one\nexit 0'],
      ['error', 'exit 3'],
    ]);
  });

  test('[AG35] has its token in no variable of its commands and in no file', async () => {
    const bench = await openBench();
    const { handle, facts } = bench.start({
      turns: [{ calls: [{ bash: LOOK }] }, { say: 'Done.' }],
    });
    expect((await handle.done).status).toBe('succeeded');
    expect(JSON.stringify(facts)).not.toContain(BENCH_TOKEN);
    expect(bench.wasSent(BENCH_TOKEN)).toBe(true);
    for (const file of filesBelow(bench.stateDir)) {
      expect(readFileSync(file).includes(BENCH_TOKEN), file).toBe(false);
    }
  });

  test('[AG113] tells every call that its own record has, those included that were refused or were none', async () => {
    const bench = await openBench();
    const calls = [
      { bash: 'true' },
      { bash: 'touch denied.txt' },
      {
        tool: {
          name: 'exec_command',
          input: { cmd: 'id', sandbox_permissions: 'require_escalated' },
        },
      },
      { write: { path: 'denied.txt', content: 'x' } },
      { edit: { path: 'missing.txt', old: 'a', new: 'b' } },
      { write: { path: '../outside/x.txt', content: 'x' } },
      { tool: { name: 'no_such_tool', input: { a: 1 } } },
      { tool: { name: 'exec_command', input: { cmd: 7 } } },
    ];
    const script = { turns: [...calls.map((call) => ({ calls: [call] })), { say: 'Done.' }] };
    const { handle, facts } = bench.start({
      turns: [],
      scripts: [script],
      gate: async ({ title }) =>
        title.includes('denied') ? { decision: 'deny', reason: 'no' } : { decision: 'allow' },
    });
    expect((await handle.done).status).toBe('succeeded');
    const rollout = filesBelow(bench.stateDir).find((file) => /rollout-.*\.jsonl$/.test(file));
    const recorded = readFileSync(rollout ?? '', 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => (JSON.parse(line) as { payload: { type?: string; call_id?: string } }).payload)
      .filter(({ type = '' }) => /^(function|custom_tool)_call$/.test(type))
      .map(({ call_id: id }) => id);
    expect(recorded).toHaveLength(calls.length);
    const told = facts.flatMap((fact) => (fact.type === 'tool-ended' ? [fact.callId] : []));
    expect(told.toSorted()).toEqual(recorded.toSorted());
    const wrong = facts.filter((fact) => fact.type === 'tool-ended' && fact.status === 'ok');
    expect(wrong).toHaveLength(1);
  });
});
