import type { GateAnswer, GateQuestion } from '@ccdash/core';
import { describe, expect, test } from 'vitest';
import { createToolGate } from './tool-gate.ts';
import type { ToolGate } from './tool-gate.ts';

const ALLOW: GateAnswer = { decision: 'allow' };

function openGate(
  ask: (question: GateQuestion) => Promise<GateAnswer>,
  fileRules: () => string | null = () => null,
): ToolGate {
  return createToolGate({ workspace: '/work', tools: ['edit', 'exec'], fileRules, ask });
}

const decide = (gate: ToolGate, name = 'Bash'): Promise<GateAnswer> =>
  gate.decide('c1', name, { command: 'npm test' }, '/work');

describe('the gate of an agent', () => {
  test('[AG3] asks with the canonical name, a title and the whole input', async () => {
    const asked: GateQuestion[] = [];
    const gate = openGate(async (question) => {
      asked.push(question);
      return ALLOW;
    });
    expect(await decide(gate)).toEqual(ALLOW);
    const input = { command: 'npm test' };
    expect(asked).toEqual([
      { callId: 'c1', tool: 'exec', name: 'Bash', title: 'Run npm test', input },
    ]);
  });

  test('[AG5] refuses tools outside the scope and those nobody knows, and asks nobody', async () => {
    const gate = openGate(() => Promise.reject(new Error('it was asked')));
    for (const name of ['Read', 'WebFetch', 'mcp__evil__exec', 'constructor', '']) {
      const reason = expect.stringContaining('outside the scope') as string;
      expect(await decide(gate, name)).toEqual({ decision: 'deny', reason });
    }
  });

  test('[AG4] takes anything but a plain yes for a no', async () => {
    for (const answer of [{ decision: 'perhaps' }, {}, undefined, null, 'allow']) {
      const gate = openGate(async () => answer as unknown as GateAnswer);
      expect((await decide(gate)).decision).toBe('deny');
    }
  });

  test('[AG7] that was closed asks nobody, and a yes on its way comes too late', async () => {
    let answer: (answer: GateAnswer) => void = () => undefined;
    let asked = 0;
    const gate = openGate(() => {
      asked += 1;
      return new Promise((resolve) => (answer = resolve));
    });
    const waiting = decide(gate);
    gate.close();
    answer(ALLOW);
    expect((await waiting).decision).toBe('deny');
    expect((await decide(gate)).decision).toBe('deny');
    expect(asked).toBe(1);
  });

  test('[AG6] looks at the files again after the yes, for which people may take days', async () => {
    let refusal: string | null = null;
    const gate = openGate(
      async () => {
        refusal = 'it is a link now';
        return ALLOW;
      },
      () => refusal,
    );
    expect(await decide(gate, 'Write')).toEqual({ decision: 'deny', reason: 'it is a link now' });
  });
});
