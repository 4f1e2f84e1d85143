import { describe, expect, test } from 'vitest';

import { effectsOf } from '../schedule/effects.ts';
import { testCommand, testPlan } from '../testing/plan-fixtures.ts';
import {
  COMMANDS as C,
  EVENTS as E,
  RITA,
  TEST_ENGINE,
  testCommit,
  testFailure,
} from '../testing/run-fixtures.ts';
import { given } from '../testing/scenario.ts';
import { runToView } from '../views/run-view.ts';

const ONE = testPlan([testCommand('a')]);
const RESULT = testCommit('0');
const DONE = [E.begun(ONE), E.done('a'), E.ended('succeeded')];

describe('applying a result', () => {
  test('[AR1] is in the log before it is done, also in a run that has ended', () => {
    const state = given(...DONE)
      .when(C.applyResult(RESULT), RITA)
      .thenEvents(E.applying(RESULT));
    expect(effectsOf(state, 0)).toEqual([{ type: 'ApplyResult' }]);
    expect(runToView(state)).toMatchObject({
      status: 'succeeded',
      applying: { as: 'branch', branch: 'ccdash/run_1' },
    });
  });

  test('[AR1] [AR3] has an end, good or bad, which is kept', () => {
    const begun = given(...DONE, E.applying(RESULT));
    const bad = begun.when(C.endApply(false)).thenEvents(E.notApplied());
    const again = begun.when(C.endApply(false)).and().when(C.applyResult(RESULT), RITA).and();
    const good = again.when(C.endApply(true)).thenEvents(E.applied());
    expect(bad.applied).toMatchObject([{ commit: null, failure: testFailure('conflicts') }]);
    expect(good.applied.map(({ commit, by }) => [commit, by])).toEqual([
      [null, RITA],
      ['applied-commit', RITA],
    ]);
    expect(effectsOf(good, 0)).toEqual([]);
    given(...DONE)
      .when(C.endApply(true))
      .thenRefused('NothingToApply');
  });

  test('[AR2] is a person’s, for the result as it is, and one at a time', () => {
    const done = given(...DONE);
    done.when(C.applyResult(testCommit('an older one')), RITA).thenRefused('NothingToApply');
    done.when(C.applyResult(RESULT), TEST_ENGINE).thenRefused('NothingToApply');
    done.when(C.applyResult(RESULT), { kind: 'agent', id: 'a#1' }).thenRefused('NothingToApply');
    given(...DONE, E.applying(RESULT))
      .when(C.applyResult(RESULT), RITA)
      .thenRefused('ApplyUnderWay');
  });
});
