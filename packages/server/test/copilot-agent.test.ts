import { readFileSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { AgentFactBody } from '@ccdash/core';
import { afterEach, describe, expect, test } from 'vitest';
import { BENCH_TOKEN, createAgentBench } from '../src/agents/conformance/agent-bench.ts';
import type { OpenBench } from '../src/agents/conformance/agent-bench.ts';

const benches: OpenBench[] = [];
afterEach(async () => {
  for (const bench of benches.splice(0)) await bench.close();
});

async function openBench(): Promise<OpenBench> {
  const bench = await createAgentBench('copilot');
  benches.push(bench);
  return bench;
}

function ends(facts: readonly AgentFactBody[]) {
  return facts.flatMap((fact) =>
    fact.type === 'tool-ended' ? [[fact.status, fact.summary, fact.exitCode]] : [],
  );
}

describe('the real Copilot', () => {
  test('[AG67] tells what each call did: exit codes, lines that were read, files that were edited', async () => {
    const bench = await openBench();
    const { handle, facts } = bench.start({
      turns: [
        { calls: [{ write: { path: bench.workspace + '/a.txt', content: 'one\ntwo\n' } }] },
        { calls: [{ read: bench.workspace + '/a.txt' }] },
        { calls: [{ edit: { path: bench.workspace + '/a.txt', old: 'two', new: 'three' } }] },
        { calls: [{ bash: 'echo hey' }] },
        { calls: [{ bash: 'exit 3' }] },
        { say: 'Done.' },
      ],
    });
    expect((await handle.done).status).toBe('succeeded');
    expect(ends(facts)).toEqual([
      ['ok', '+2', undefined],
      ['ok', expect.stringMatching(/lines?$/), undefined],
      ['ok', '+1 −1', undefined],
      ['ok', 'hey', 0],
      ['error', 'exit 3', 3],
    ]);
    expect(bench.read('a.txt')).toBe('one\nthree\n');
  });

  test('[AG67] speaks to models of others by Chat and by Responses', async () => {
    for (const ext of [{}, { copilot: { protocol: 'responses' } }]) {
      const bench = await openBench();
      const turns = [{ calls: [{ bash: 'touch it' }] }, { say: 'Done.' }];
      const outcome = await bench.start({ turns, model: 'gpt-5.5', ext }).handle.done;
      expect([outcome.status, outcome.text, bench.read('it')]).toEqual(['succeeded', 'Done.', '']);
    }
  });

  test('[AG67] needs a model, and knows no option but how that is spoken to', async () => {
    const bench = await openBench();
    const turns = [{ say: 'Done.' }];
    const none = await bench.start({ turns, model: null }).handle.done;
    expect(none.failure?.code).toBe('invalid_options');
    const odd = await bench.start({ turns, ext: { copilot: { yolo: true } } }).handle.done;
    expect(odd.failure?.code).toBe('invalid_options');
  });

  test('[AG68] has its token in no variable of its commands and in no file', async () => {
    const bench = await openBench();
    const look = `env; cat /proc/self/environ /proc/$PPID/environ | tr '\\0' '\\n'; true`;
    const { handle, facts } = bench.start({ turns: [{ calls: [{ bash: look }] }, { say: 'x' }] });
    expect((await handle.done).status).toBe('succeeded');
    expect(JSON.stringify(facts)).not.toContain(BENCH_TOKEN);
    expect(bench.wasSent(BENCH_TOKEN)).toBe(true);
    for (const name of readdirSync(bench.stateDir, { recursive: true, encoding: 'utf8' })) {
      const file = join(bench.stateDir, name);
      if (statSync(file, { throwIfNoEntry: false })?.isFile() !== true) continue;
      expect(readFileSync(file).includes(BENCH_TOKEN), file).toBe(false);
    }
  });
});
