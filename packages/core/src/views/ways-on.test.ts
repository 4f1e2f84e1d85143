import { describe, expect, test } from 'vitest';

import {
  testAgent,
  testApproval,
  testCommand,
  testPlan,
  testValidation,
} from '../testing/plan-fixtures.ts';
import {
  COMMANDS as C,
  EVENTS as E,
  RITA,
  testCommit,
  testContext,
} from '../testing/run-fixtures.ts';
import { given } from '../testing/scenario.ts';
import type { Told } from '../testing/scenario.ts';
import { decide } from '../machine/decide.ts';
import type { RunCommand } from '../machine/commands.ts';
import { runToView } from './run-view.ts';
import type { RunView } from './run-view.ts';
import { waysOn } from './ways-on.ts';
import type { Way } from './ways-on.ts';

const PLAN = testPlan([testAgent('build'), testApproval('ship', { needs: ['build'] })]);
const BUILT = [E.begun(PLAN), E.running('build')];

const STORIES: Readonly<Record<string, readonly Told[]>> = {
  failed: [...BUILT, E.failed('build', 1), E.ended('failed')],
  interrupted: [...BUILT, E.interrupted('build', 1)],
  denied: [E.begun(testPlan([testCommand('build')])), E.denied('build')],
  asked: [
    ...BUILT,
    E.succeeded('build', 1, { checkpoint: testCommit('1') }),
    E.asked('ship', { kind: 'gate' }),
  ],
  blocked: [E.begun(PLAN), E.blocked('build')],
  canceled: [...BUILT, E.cancelRequested(), E.canceled('build', 1), E.runCanceled()],
  paused: [E.begun(PLAN), E.paused(0)],
};

/** The command of a way that needs nothing more than the run to say what it does. */
function commandOf({ verb, of }: Way): RunCommand | null {
  switch (verb) {
    case 'resume':
      return C.resume(of);
    case 'retry':
      return C.retry(of);
    case 'skip':
      return C.skip(of ?? '');
    case 'cancel':
      return C.cancel();
    case 'approve':
      return C.approve(of ?? '');
    case 'restart':
    case 'replan':
    case 'override':
    case 'fork':
    case 'apply':
      return null;
  }
}

describe('the ways on', () => {
  test.each(Object.entries(STORIES))('[RC46] of a run that is %s are taken', (_name, story) => {
    const { state } = given(...story);
    const ways = waysOn(runToView(state!));
    expect(ways.length).toBeGreaterThan(0);
    for (const way of ways) {
      const command = commandOf(way);
      if (command === null) continue;
      expect(decide('run_1', state, command, testContext(RITA)), way.verb).toMatchObject({
        ok: true,
      });
    }
  });

  test('[RC46] of a canceled run are a fork and what was done', () => {
    const { state } = given(...STORIES['canceled']!);
    expect(waysOn(runToView(state!)).map(({ verb }) => verb)).toEqual(['fork', 'apply']);
  });

  test('[RC46] are none while something moves', () => {
    expect(waysOn(runToView(given(...BUILT).state!))).toEqual([]);
    expect(waysOn(runToView(given(E.created(PLAN)).state!))).toEqual([]);
  });
});

/** `verb of [takes]: does`, as people read them. */
function told(...story: readonly Told[]): readonly string[] {
  return lines(runToView(given(...story).state!));
}

function lines(run: RunView): readonly string[] {
  return waysOn(run).map(({ verb, of, takes, does }) =>
    [verb, of, takes]
      .filter((each) => each !== null)
      .join(' ')
      .concat(`: ${does}`),
  );
}

const REPLAN = 'replan FILE: goes on with another plan; steps that it leaves as they are stay done';
const RESTART =
  'restart STEP: goes back to before that step; it and what was built on it run again';
const FORK = 'fork [--at STEP]: begins a new run that has what was done; this one stays';
const APPLY = 'apply: brings what was done so far into your repository';
const CANCEL = 'cancel: ends it and keeps its work; from then on only a fork goes on';
const skipOf = (step: string): string =>
  `skip ${step} --reason …: goes on without ${step}, by the policy's leave`;
const again = (takes: string): string =>
  `retry build${takes}: runs it again from where it began, what it left is set aside`;

describe('[RC46] the words for', () => {
  const done = E.succeeded('build', 1, { checkpoint: testCommit('1') });

  test('a failed agent, whose prompt, model and budget may change', () => {
    expect(told(...STORIES['failed']!)).toEqual([
      again(' [--prompt-file, --model or --budget]'),
      skipOf('build'),
      ...[RESTART, REPLAN, FORK, APPLY, CANCEL],
    ]);
  });

  test('a failed command, which may become another one', () => {
    const plan = testPlan([testCommand('build'), testCommand('later', { needs: ['build'] })]);
    const story = [E.begun(plan), E.running('build'), E.failed('build', 1), E.ended('failed')];
    expect(told(...story)).toEqual([
      again(' [--command]'),
      skipOf('build'),
      ...[RESTART, REPLAN, FORK, APPLY, CANCEL],
    ]);
  });

  test('a failed validation, of which nothing can be changed', () => {
    const plan = testPlan([testValidation('build')]);
    const story = [E.begun(plan), E.running('build'), E.failed('build', 1), E.ended('failed')];
    expect(told(...story)[0]).toBe(again(''));
  });

  test('an interrupted step, to go on with or begin anew', () => {
    expect(told(...STORIES['interrupted']!)).toEqual([
      'resume build: goes on in its workspace as it is, an agent in its session',
      'retry build: begins it anew, what it left is set aside',
      skipOf('build'),
      ...[RESTART, REPLAN, FORK, APPLY, CANCEL],
    ]);
  });

  test('a denied step, which only an override starts; nothing has begun that could be restarted', () => {
    expect(told(...STORIES['denied']!)).toEqual([
      'override build --reason …: lets it start once although the policy denies it',
      skipOf('build'),
      ...[REPLAN, FORK, APPLY, CANCEL],
    ]);
  });

  test('a request, by its id; of another step nothing is asked', () => {
    expect(told(...STORIES['asked']!)).toEqual([
      'approve apr_1 --reason …: agrees to what ship asks',
      skipOf('ship'),
      ...[RESTART, REPLAN, FORK, APPLY, CANCEL],
    ]);
  });

  test('what is missing, and two steps that wait for different things', () => {
    expect(told(...STORIES['blocked']!).slice(0, 2)).toEqual([
      'retry build: tries again once what is missing is there',
      skipOf('build'),
    ]);
    const plan = testPlan([testCommand('one'), testCommand('two', { needs: [] })]);
    expect(told(E.begun(plan), E.denied('one'), E.blocked('two')).slice(0, 4)).toEqual([
      'override one --reason …: lets it start once although the policy denies it',
      skipOf('one'),
      'retry two: tries again once what is missing is there',
      skipOf('two'),
    ]);
  });

  test('a used-up budget, which is raised', () => {
    const view = runToView(given(...STORIES['blocked']!).state!);
    const blocked = view.blocked.map((each) => ({ ...each, reason: 'budget_exceeded' as const }));
    expect(lines({ ...view, blocked }).slice(0, 2)).toEqual([
      'resume build --budget usd=…: raises its budget and goes on in its session',
      skipOf('build'),
    ]);
  });

  test('a tool that an agent asks for: the request and nothing about the step, which runs', () => {
    const view = runToView(given(...STORIES['asked']!).state!);
    const steps = view.steps.map((step) => ({ ...step, status: 'running' as const }));
    expect(lines({ ...view, steps })[0]).toBe('approve apr_1 --reason …: agrees to what ship asks');
    expect(lines({ ...view, steps })).not.toContain(skipOf('ship'));
  });

  test('a pause, an end, and a run that a bug has stopped', () => {
    expect(told(...STORIES['paused']!)).toEqual([
      'resume: lets steps and model calls begin again',
      ...[FORK, APPLY, CANCEL],
    ]);
    const over = [E.begun(testPlan([testAgent('build')])), E.running('build'), done];
    expect(told(...over, E.ended('succeeded'))).toEqual([APPLY, FORK]);
    expect(told(...STORIES['canceled']!)).toEqual([FORK, APPLY]);
    const stopped = runToView(given(...STORIES['failed']!).state!, 'a bug');
    expect(lines(stopped)).toEqual([FORK, APPLY]);
  });

  test('a run that never got a workspace has none to fork, and one that changed nothing none to apply', () => {
    const view = runToView(given(...STORIES['paused']!).state!);
    expect(lines({ ...view, checkpoint: null })).toEqual([
      'resume: lets steps and model calls begin again',
      CANCEL,
    ]);
    const unchanged = { ...view, baseCommit: view.checkpoint!.commit };
    expect(lines(unchanged)).toEqual([
      'resume: lets steps and model calls begin again',
      ...[FORK, CANCEL],
    ]);
  });
});
