import { describe, expect, test } from 'vitest';

import { testAgent, testCommand, testPlan } from '../testing/plan-fixtures.ts';
import {
  COMMANDS as C,
  EVENTS as E,
  GONE,
  NEVER_STARTED,
  RITA,
  STOPPED,
  testSuccess,
  told,
} from '../testing/run-fixtures.ts';
import { given } from '../testing/scenario.ts';
import { effectsOf } from '../schedule/effects.ts';
import type { RunState } from './state.ts';

const PLAN = testPlan([testAgent('a'), testCommand('b', { needs: ['a'] })]);
const AT_WORK = [E.begun(PLAN), E.running('a')];
const CORRECTED = E.requeued('a', {
  ...{ cause: 'resume', mode: 'continue', reason: 'a correction' },
});

const messages = (state: RunState | null) =>
  state?.steps.get('a')?.messages.map(({ id, status, takenBy }) => [id, status, takenBy]);
const wanted = (state: RunState | null): readonly string[] =>
  state === null ? [] : effectsOf(state, 0).map(({ type }) => type);

describe('a message to an agent', () => {
  test('[AG99] is an event of the person, and waits until the agent has taken it', () => {
    const tells = given(AT_WORK).when(C.tell('a'), RITA);
    const waiting = tells.thenEvents(E.told('a'));
    expect([messages(waiting), wanted(waiting)]).toEqual([
      [['m1', 'waiting', null]],
      ['SuperviseAttempt', 'TellAttempt'],
    ]);
    const taken = E.reported('a', 1, [told(1, 'm1')]);
    const { state } = given(AT_WORK, E.told('a'), taken);
    expect([messages(state), wanted(state)]).toEqual([[['m1', 'taken', 1]], ['SuperviseAttempt']]);
  });

  test('[AG99] is taken once, whoever says it again', () => {
    given(AT_WORK, E.told('a')).when(C.tell('a'), RITA).thenEvents();
  });

  test('[AG99] that nobody took before the step was done is missed, and one of an attempt that never began still waits', () => {
    const done = given(AT_WORK, E.told('a')).when(
      C.end('a', 1, { outcome: 'succeeded', ...testSuccess() }),
    );
    expect(messages(done.state)).toEqual([['m1', 'missed', null]]);
    const begun = [E.interrupted('a', 1), CORRECTED, E.readied('a'), E.attemptStarted('a', 2)];
    const again = given(AT_WORK, E.told('a', 'restart'), begun);
    expect(messages(again.state)).toEqual([['m1', 'taken', 2]]);
    const never = again.when(C.end('a', 2, NEVER_STARTED));
    expect(messages(never.state)).toEqual([['m1', 'waiting', null]]);
  });

  test('[AG100] with a restart stops the agent, which then goes on with it in its session', () => {
    const stops = given(AT_WORK, E.told('a', 'restart'));
    expect(wanted(stops.state)).toEqual(['SuperviseAttempt', 'StopAttempt']);
    for (const end of [STOPPED, GONE]) {
      const after = stops.when(C.end('a', 1, end));
      expect(after.events.map(({ type }) => type)).toEqual(['AttemptInterrupted', 'StepRequeued']);
      expect(after.events.at(-1)).toMatchObject({ actor: RITA, data: CORRECTED.data });
    }
  });

  test('[AG100] sets an interrupted agent going', () => {
    given(AT_WORK, E.interrupted('a', 1))
      .when(C.tell('a', 'restart'), RITA)
      .thenEvents(E.told('a', 'restart'), CORRECTED);
  });

  test('[AG99] finds nobody in a step that is no agent, does not work, or runs again, or in a run that is over', () => {
    const refused = (run: ReturnType<typeof given>, step = 'a', how?: 'now' | 'restart') =>
      run.when(C.tell(step, how), RITA).thenRefused('CannotBeTold');
    refused(given(E.begun(PLAN)));
    const done = E.succeeded('a', 1);
    refused(given(AT_WORK, done), 'a', 'restart');
    refused(given(AT_WORK, done, E.running('b')), 'b', 'restart');
    refused(given(AT_WORK, E.interrupted('a', 1)), 'a', 'now');
    given(AT_WORK)
      .when({ ...C.tell('a'), text: ' ' } as never)
      .thenRefused('CannotBeTold');
    given(AT_WORK).when(C.tell('x')).thenRefused('StepNotFound');
    given(AT_WORK, E.cancelRequested()).when(C.tell('a')).thenRefused('RunOver');
  });
});

describe('a message that cannot be given', () => {
  test('[AG99] says why', () => {
    const detailOf = (step: string, from = given(AT_WORK), how: 'now' | 'restart' = 'now') =>
      from.when(C.tell(step, how), RITA).thenRefused('CannotBeTold').detail;
    expect(detailOf('b')).toBe('it is no agent');
    expect(detailOf('a', given(E.begun(PLAN)))).toBe('it is pending');
    expect(detailOf('a', given(AT_WORK, E.invalidated('a')))).toBe('it is to run again');
    expect(detailOf('a', given(AT_WORK, E.interrupted('a', 1)))).toBe('it is interrupted');
    expect(detailOf('a', given(E.begun(PLAN), E.done('a')), 'restart')).toBe('it is succeeded');
    const empty = { ...C.tell('a'), text: ' ' } as ReturnType<typeof C.tell>;
    expect(given(AT_WORK).when(empty, RITA).thenRefused('CannotBeTold').detail).toBe(
      'the message is empty',
    );
  });

  test('[AG99] is not the one before it', () => {
    given(AT_WORK, E.told('a'))
      .when(C.tell('a', 'now', 'm2'), RITA)
      .thenEvents(E.told('a', 'now', 1, 'm2'));
  });

  test('[AG99] that one attempt has taken is not put back by another that never began', () => {
    const taken = [E.told('a'), E.reported('a', 1, [told(1, 'm1')]), E.interrupted('a', 1)];
    const { state } = given(
      ...[AT_WORK, taken, E.requeued('a', { cause: 'resume', mode: 'continue' })],
      ...[E.readied('a'), E.attemptStarted('a', 2), E.neverStarted('a', 2)],
    );
    expect(messages(state)).toEqual([['m1', 'taken', 1]]);
  });

  test('[AG99] does not change what was taken or missed before when a later one is', () => {
    const { state } = given(
      ...[AT_WORK, E.told('a'), E.reported('a', 1, [told(1, 'm1')])],
      ...[E.told('a', 'restart', 1, 'm2'), E.interrupted('a', 1)],
      ...[E.requeued('a', { cause: 'resume', mode: 'continue' }), E.readied('a')],
      E.attemptStarted('a', 2),
    );
    expect(messages(state)).toEqual([
      ['m1', 'taken', 1],
      ['m2', 'taken', 2],
    ]);
  });

  test('[AG99] stops the attempt, and says why', () => {
    const { state } = given(AT_WORK, E.told('a', 'restart'));
    expect(state && effectsOf(state, 0)).toContainEqual(
      expect.objectContaining({ type: 'StopAttempt', reason: 'a person corrects it' }),
    );
    const over = given(AT_WORK, E.told('a', 'restart'), E.interrupted('a', 1), CORRECTED);
    expect(wanted(over.state)).not.toContain('StopAttempt');
  });
});
