import { AGENT_ADAPTER_CASES } from '@ccdash/core/testing';
import { afterEach, beforeAll, describe, test } from 'vitest';
import { createAdapters } from '../src/agents/registry.ts';
import { createAgentBench } from '../src/agents/conformance/agent-bench.ts';
import type { OpenBench } from '../src/agents/conformance/agent-bench.ts';

const benches: OpenBench[] = [];
afterEach(async () => {
  for (const bench of benches.splice(0)) await bench.close();
});

async function createBench(adapter: string): Promise<OpenBench> {
  const bench = await createAgentBench(adapter);
  benches.push(bench);
  return bench;
}

describe.each(['scripted', 'claude', 'codex'])('the agent %s', (adapter) => {
  beforeAll(async () => {
    const probe = await createAdapters().probe(adapter);
    if (probe?.available === true) return;
    const { problem, install } = probe ?? { problem: 'there is no such adapter', install: null };
    throw new Error(`the agent ${adapter} cannot be tested: ${problem}. ${install ?? ''}`);
  });

  test.for(AGENT_ADAPTER_CASES)('[$rule] $name', async ({ name, run }, { skip }) => {
    const declared = (await createAdapters().adapterOf(adapter))?.skipped ?? [];
    const skipped = declared.find((each) => each.name === name);
    if (skipped !== undefined) skip(skipped.reason);
    await run({ createBench: () => createBench(adapter) });
  });
});
