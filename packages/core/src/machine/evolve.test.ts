import { describe, expect, test } from 'vitest';

import { testAgent, testCommand, testPlan } from '../testing/plan-fixtures.ts';
import {
  COMMANDS as C,
  EVENTS as E,
  TEST_RUN,
  gateRaised,
  testContext,
} from '../testing/run-fixtures.ts';
import { given, stateToText } from '../testing/scenario.ts';
import { decide } from './decide.ts';
import type { RunEvent } from './events.ts';
import { applyEvent, evolve, foldRun } from './evolve.ts';
import { approvalState, forkState, planStep, stepState } from './state.ts';
import type { RunState } from './state.ts';
import { STEP_STATUSES, STEP_TRANSITIONS, requireStatusAfter, statusAfter } from './transitions.ts';

const PLAN = testPlan([testCommand('a'), testAgent('b')]);

describe('folding', () => {
  const log = [...E.begun(PLAN), ...E.done('a'), ...E.running('b')];

  test('[DE2] one event at a time, or all at once', () => {
    let state: RunState | null = null;
    for (const event of log) state = evolve(TEST_RUN, state, event);
    expect(state?.sequence).toBe(log.length);
    expect(stateToText(state!)).toBe(stateToText(foldRun(TEST_RUN, log)!));
  });

  test('[DE2] evolve leaves the state it is given alone', () => {
    const { state } = given(log.slice(0, 3));
    const before = stateToText(state!);
    const next = evolve(TEST_RUN, state, log[3]!);
    expect(stateToText(state!)).toBe(before);
    expect(stateToText(next)).not.toBe(before);
  });

  test('[DE2] the decider answers with the fold of its events', () => {
    const state = foldRun(TEST_RUN, log)!;
    const decided = decide(
      TEST_RUN,
      state,
      C.end('b', 1, { outcome: 'interrupted', detail: 'x' }),
      testContext(),
    );
    if (!decided.ok) throw new Error(decided.error.type);
    const folded = forkState(state);
    for (const event of decided.value.events) applyEvent(folded, event);
    expect(stateToText(folded)).toBe(stateToText(decided.value.state));
    expect(stateToText(foldRun(TEST_RUN, [...log, ...decided.value.events])!)).toBe(
      stateToText(folded),
    );
  });

  test('[DE2] nothing has happened in an empty log', () => {
    expect(foldRun(TEST_RUN, [])).toBeNull();
  });
});

describe('a log that is corrupt', () => {
  const folding =
    (...events: readonly (RunEvent | readonly RunEvent[])[]) =>
    () =>
      foldRun(TEST_RUN, events.flat());

  test.each([
    ['begins otherwise', [E.runStarted()], 'run run_1 begins with RunStarted, not RunCreated'],
    ['creates the run twice', [E.created(PLAN), E.created(PLAN)], 'run run_1 was created twice'],
    [
      'skips a status',
      [E.begun(PLAN), E.attemptStarted('a', 1)],
      'step a: AttemptStarted cannot happen while pending',
    ],
    [
      'skips an attempt',
      [E.begun(PLAN), E.readied('a'), E.attemptStarted('a', 2)],
      'step a: attempt 2 follows 0 others',
    ],
    [
      'ends an attempt that never was',
      [E.begun(PLAN), E.readied('a'), E.succeeded('a', 1)],
      'step a has no attempt 1',
    ],
    [
      'ends an attempt twice',
      [E.begun(PLAN), E.done('a'), E.failed('a', 1)],
      'step a: attempt 1 has ended as succeeded',
    ],
    [
      'reports on no attempt',
      [E.begun(PLAN), E.reported('b', 1, [gateRaised(1, 'g')])],
      'step b has no such attempt',
    ],
    [
      'asks for a tool without an attempt',
      [E.begun(PLAN), E.asked('b', { kind: 'tool', gateId: 'g' })],
      'step b asks for a tool without an attempt',
    ],
    [
      'decides a tool call that was not raised',
      [E.begun(PLAN), E.running('b'), E.toolDecided('b', 'g', 'allow')],
      'step b: no gate g was raised',
    ],
    [
      'decides another tool call than was raised',
      [
        E.begun(PLAN),
        E.running('b'),
        E.reported('b', 1, [gateRaised(1, 'g')]),
        E.toolDecided('b', 'h', 'allow'),
      ],
      'step b: no gate h was raised',
    ],
    [
      'decides a tool call of no attempt',
      [E.begun(PLAN), E.toolDecided('b', 'g', 'allow')],
      'step b: no gate g was raised',
    ],
    ['speaks of another step', [E.begun(PLAN), E.readied('z')], 'run run_1 has no step z'],
    [
      'asks twice under one id',
      [E.begun(PLAN), E.asked('a'), E.asked('b')],
      'approval apr_1 was asked for twice',
    ],
    [
      'speaks of another request',
      [E.begun(PLAN), E.resolved('apr_9', 'stale', 'x')],
      'run run_1 has no approval apr_9',
    ],
  ])('[DE4] %s', (_what, events, message) => {
    expect(folding(...(events as (RunEvent | RunEvent[])[]))).toThrow(message);
  });

  test('[DE4] holds an event of a type that nobody knows', () => {
    const event = { ...E.runStarted(), type: 'RunForgotten' } as unknown as RunEvent;
    expect(folding(E.created(PLAN), event)).toThrow('unexpected value');
  });
});

describe('transitions', () => {
  test('[ST1] a pair that the table does not list has no status after it', () => {
    const listed = new Set(STEP_TRANSITIONS.map(({ from, event }) => `${from} ${event}`));
    expect(listed.size).toBe(STEP_TRANSITIONS.length);
    const events = [...new Set(STEP_TRANSITIONS.map(({ event }) => event))];
    for (const from of STEP_STATUSES) {
      for (const event of events) {
        const row = STEP_TRANSITIONS.find((each) => each.from === from && each.event === event);
        expect(statusAfter(from, event)).toBe(row?.to ?? null);
      }
    }
    expect(requireStatusAfter('a', 'ready', 'AttemptStarted')).toBe('running');
    expect(() => requireStatusAfter('a', 'pending', 'AttemptStarted')).toThrow(
      'step a: AttemptStarted cannot happen while pending',
    );
  });
});

describe('looking up', () => {
  test('[DE4] what is not there throws', () => {
    const { state } = given(E.begun(PLAN));
    expect(stepState(state!, 'a').id).toBe('a');
    expect(() => stepState(state!, 'z')).toThrow('run run_1 has no step z');
    expect(() => approvalState(state!, 'apr_9')).toThrow('run run_1 has no approval apr_9');
    expect(planStep(PLAN, 'a').id).toBe('a');
    expect(() => planStep(PLAN, 'z')).toThrow('plan test has no step z');
  });
});
