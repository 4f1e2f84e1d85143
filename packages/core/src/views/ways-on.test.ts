import { describe, expect, test } from 'vitest';

import { testAgent, testApproval, testCommand, testPlan } from '../testing/plan-fixtures.ts';
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
  });
});
