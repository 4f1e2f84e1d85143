import { describe, expect, test } from 'vitest';

import { effectsOf } from '../schedule/effects.ts';
import {
  testAgent,
  testApproval,
  testCommand,
  testPlan,
  testReader,
} from '../testing/plan-fixtures.ts';
import {
  ALLOW,
  ANN,
  COMMANDS as C,
  EVENTS as E,
  GONE,
  RITA,
  SUCCEEDED,
  TEST_ENGINE,
  gateRaised,
} from '../testing/run-fixtures.ts';
import { given } from '../testing/scenario.ts';
import type { RunState } from './state.ts';
import { runStatus } from './status.ts';

const TWO = testPlan([testCommand('a'), testReader('b', { needs: ['a'] })]);
const GATE = testPlan([testCommand('a'), testApproval('b', { needs: ['a'] })]);
const AGENT = testPlan([testAgent('a')]);

function wanted(state: RunState | null, nowMs = 0): readonly string[] {
  if (state === null) throw new Error('there is no run');
  return effectsOf(state, nowMs).map(({ type }) => type);
}

describe('a paused run', () => {
  test('[PA1] lets what runs end, and begins nothing', () => {
    const paused = given(E.begun(TWO), E.running('a')).when(C.pause(), RITA, 100);
    const state = paused.thenEvents(E.paused(100));
    expect([runStatus(state), wanted(state)]).toEqual(['paused', ['SuperviseAttempt']]);
    const ended = paused.and().when(C.end('a', 1, SUCCEEDED));
    expect(runStatus(ended.thenEvents(E.succeeded('a', 1)))).toBe('paused');
    expect(wanted(ended.state)).toEqual([]);
    ended
      .and()
      .when(C.evaluate('b', { outcome: 'condition-false' }))
      .thenRefused('RunPaused');
  });

  test('[PA1] starts no step that was ready', () => {
    const ready = given(E.begun(TWO), E.readied('a'), E.paused(0));
    expect(wanted(ready.state)).toEqual([]);
    ready.when(C.start('a')).thenRefused('RunPaused');
  });

  test('[PA1] makes no workspace, and does not end', () => {
    expect(wanted(given(E.created(TWO), E.paused(0)).state)).toEqual([]);
    const last = given(E.begun(AGENT), E.running('a'), E.paused(0)).when(C.end('a', 1, SUCCEEDED));
    expect(last.thenEvents(E.succeeded('a', 1)).ended).toBeNull();
    last.and().when(C.resume(), RITA, 50).thenEvents(E.unpaused(50), E.ended('succeeded'));
  });

  test('[PA2] keeps tool gates closed and tells hosts of agents to call no model', () => {
    const asks = [E.begun(AGENT), E.running('a'), E.reported('a', 1, [gateRaised(1, 'g1')])];
    const held = given(...asks, E.paused(0));
    expect(wanted(held.state)).toEqual(['SuperviseAttempt', 'HoldAttempt']);
    held.when(C.decideGate('a', 1, 'g1', ALLOW)).thenRefused('RunPaused');
    const goesOn = held.when(C.resume(), RITA, 5).thenEvents(E.unpaused(5));
    expect(wanted(goesOn)).toEqual(['SuperviseAttempt', 'UnholdAttempt', 'EvaluateGate']);
    expect(wanted(given(...asks).state)).toEqual(['SuperviseAttempt', 'EvaluateGate']);
  });

  test('[PA3] takes decisions, and deadlines stand still', () => {
    const asked = E.asked('b', { kind: 'gate', expiresAtMs: 1000 });
    const paused = given(E.begun(GATE), E.done('a'), asked, E.paused(900));
    expect(wanted(paused.state)).toEqual([]);
    paused.when(C.tick(), TEST_ENGINE, 5000).thenEvents();
    const approved = paused.when(C.approve('apr_1'), ANN, 5000).state;
    expect([approved.steps.get('b')?.status, runStatus(approved)]).toEqual(['succeeded', 'paused']);
    const goesOn = paused.when(C.resume(), RITA, 5000).thenEvents(E.unpaused(4100));
    expect(goesOn.approvals.get('apr_1')?.expiresAtMs).toBe(5100);
    expect(wanted(goesOn, 5000)).toEqual(['WakeAt']);
  });

  test('[PA3] takes no decision whose time was up before it was paused', () => {
    const asked = E.asked('b', { kind: 'gate', expiresAtMs: 1000 });
    given(E.begun(GATE), E.done('a'), asked, E.paused(1000))
      .when(C.approve('apr_1'), ANN, 5000)
      .thenRefused('ApprovalNotOpen');
  });

  test('[PA4] goes on by a resume, interrupted steps as well', () => {
    const paused = given(E.begun(TWO), E.running('a'), E.paused(0))
      .when(C.end('a', 1, GONE))
      .and();
    const requeued = E.requeued('a', { cause: 'resume', mode: 'continue' });
    paused.when(C.resume(), RITA, 0).thenEvents(E.unpaused(0), requeued);
    paused.when(C.resume('b'), RITA, 0).thenRefused('NothingToResume');
  });

  test('[PA4] is paused once, and not when it has ended', () => {
    const paused = given(E.begun(TWO), E.running('a'), E.paused(0));
    paused.when(C.pause(), RITA).thenEvents();
    given(E.begun(AGENT), E.done('a'), E.ended('succeeded'))
      .when(C.pause(), RITA)
      .thenRefused('RunOver');
    paused.when(C.cancel(), RITA).and().when(C.pause(), RITA).thenRefused('RunOver');
  });

  test('[PA4] can be canceled', () => {
    const state = given(E.begun(TWO), E.paused(0)).when(C.cancel(), RITA).state;
    expect([runStatus(state), state.paused]).toEqual(['canceled', null]);
  });
});

describe('deadlines of a paused run', () => {
  const plan = testPlan([testApproval('a'), testApproval('b'), testApproval('c')]);
  const escalation = { atMs: 700, roles: ['lead'], people: [] };

  test('[PA3] move by the time it was held, those that are open, and no others', () => {
    const paused = given(
      ...[E.begun(plan), E.asked('a', { kind: 'gate', expiresAtMs: 900, escalation })],
      E.asked('b', { kind: 'gate', approvalId: 'apr_2' }),
      E.asked('c', { kind: 'gate', approvalId: 'apr_3', expiresAtMs: 800 }),
      ...[E.decided('apr_3', ANN), E.resolved('apr_3', 'approved', 'enough'), E.paused(100)],
    );
    const { approvals } = paused.when(C.resume(), RITA, 350).state;
    const times = [...approvals.values()].map((one) => [one.expiresAtMs, one.escalation?.atMs]);
    expect(times).toEqual([
      [1150, 950],
      [null, undefined],
      [800, undefined],
    ]);
  });

  test('[PA1] is not one that never began', () => {
    const refusal = given(E.created(TWO))
      .when(C.failStart())
      .and()
      .when(C.pause(), RITA)
      .thenRefused('RunOver');
    expect(refusal).toEqual({ type: 'RunOver', runId: 'run_1', status: 'failed' });
  });
});
