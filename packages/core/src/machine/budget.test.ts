import { describe, expect, test } from 'vitest';
import { COMMANDS, EVENTS, EXHAUSTED, given, testAgent, testPlan } from '../testing/index.ts';
import { blockedReasons, runStatus, workspaceHolder } from './status.ts';
import { stepState } from './state.ts';

const PLAN = testPlan([testAgent('work', { retry: { attempts: 3, backoffMs: 0 } })]);
const exhausted = given(...EVENTS.begun(PLAN), ...EVENTS.running('work')).when(
  COMMANDS.end('work', 1, EXHAUSTED),
);

describe('an attempt whose budget is used up', () => {
  test('[AG106] leaves its step waiting for people, and is not tried again by itself', () => {
    const { state } = exhausted;
    expect(stepState(state, 'work')).toMatchObject({ status: 'blocked', next: 'continue' });
    expect(blockedReasons(state)).toEqual([
      { reason: 'budget_exceeded', step: 'work', approval: null },
    ]);
    expect(runStatus(state)).toBe('blocked');
    expect(workspaceHolder(state)?.id).toBe('work');
  });

  test('[AG106] is gone on with by a resume, in its session, and begun anew by a retry', () => {
    const resumed = exhausted.and().when(COMMANDS.resume('work'));
    expect(stepState(resumed.state, 'work')).toMatchObject({ status: 'pending', next: 'continue' });
    const retried = exhausted.and().when(COMMANDS.retry('work'));
    expect(stepState(retried.state, 'work')).toMatchObject({ status: 'pending', next: 'restore' });
  });
});
