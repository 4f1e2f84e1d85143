import { AGENT_ADAPTER_CASES } from '@ccdash/core/testing';
import { afterEach, beforeAll, describe, test } from 'vitest';
import { createAgentBench } from '../src/agents/conformance/agent-bench.ts';
import type { OpenBench } from '../src/agents/conformance/agent-bench.ts';
import { createAdapters } from '../src/agents/registry.ts';
import type { AgentAdapters } from '../src/agents/registry.ts';
import { claudeAgent, opencodeAgent } from './acp-programs.ts';

const benches: OpenBench[] = [];
afterEach(async () => {
  for (const bench of benches.splice(0)) await bench.close();
});

const AGENTS = { claude: claudeAgent, opencode: opencodeAgent } as const;
/** Hundreds of megabytes, once. */
const INSTALL_LIMIT_MS = 600_000;

describe.each(['claude', 'opencode'] as const)('the agent acp:%s', (name) => {
  const id = `acp:${name}`;
  let adapters: AgentAdapters;
  beforeAll(() => {
    adapters = createAdapters({ [name]: AGENTS[name]() });
  }, INSTALL_LIMIT_MS);

  test.for(AGENT_ADAPTER_CASES)('[$rule] $name', async ({ name: title, run }, { skip }) => {
    const declared = (await adapters.adapterOf(id))?.skipped ?? [];
    const skipped = declared.find((each) => each.name === title);
    if (skipped !== undefined) skip(skipped.reason);
    const createBench = async (): Promise<OpenBench> => {
      const bench = await createAgentBench(id, adapters);
      benches.push(bench);
      return bench;
    };
    await run({ createBench });
  });
});
