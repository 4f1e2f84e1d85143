import { AGENT_ADAPTER_CASES } from '@ccdash/core/testing';
import { describe, expect, test } from 'vitest';
import { checkAdapter } from './check-adapter.ts';
import type { CaseResult } from './check-adapter.ts';

describe('an agent that is held to the cases', () => {
  test('[AG93] is told case by case, each once', async () => {
    const told: CaseResult[] = [];
    const checked = await checkAdapter('scripted', (result) => told.push(result));
    expect(checked).toEqual({ ok: true, value: told });
    expect(told.map(({ rule, name }) => ({ rule, name }))).toEqual(
      AGENT_ADAPTER_CASES.map(({ rule, name }) => ({ rule, name })),
    );
    expect(told.filter(({ status }) => status === 'broken')).toEqual([]);
  });

  test('[AG93] must be one that there is', async () => {
    expect(await checkAdapter('nobody', () => undefined)).toMatchObject({
      ok: false,
      error: { code: 'unknown_adapter', hint: expect.stringContaining('scripted') as string },
    });
  });
});
