import { fileURLToPath } from 'node:url';
import type { AgentLaunch } from '@ccdash/core';
import { AGENT_ADAPTER_CASES } from '@ccdash/core/testing';
import { format } from 'prettier';
import { describe, expect, test } from 'vitest';
import { capabilityTable } from './capability-table.ts';
import { createAdapters } from './registry.ts';

const DOCUMENT = fileURLToPath(new URL('../../../../docs/adapters.md', import.meta.url));

/** Stands for any that a project names. */
const NAMED: AgentLaunch = {
  command: [process.execPath],
  env: { MODEL_URL: '{{ gateway }}' },
  read: [],
  mode: null,
  session: {},
};
const adapters = createAdapters({ '<name>': NAMED });

describe('the table of the agents', () => {
  // To make it anew: npm test -- --only=unit capability-table -u
  test('[AG90] in the documents is what the adapters declare', async () => {
    const table = capabilityTable(await adapters.describe());
    const formatted = await format(table, { parser: 'markdown' });
    await expect(formatted).toMatchFileSnapshot(DOCUMENT);
  });

  test('[AG91] names cases that there are, each with a reason', async () => {
    const names = AGENT_ADAPTER_CASES.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    for (const { id, skipped } of await adapters.describe()) {
      for (const { name, reason } of skipped) {
        expect(names, id).toContain(name);
        expect(reason.length, `${id}: ${name}`).toBeGreaterThan(20);
      }
    }
  });
});
