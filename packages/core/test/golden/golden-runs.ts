/** How the recorded logs came about: real commands, one after the other. Only used to record anew. */
import { decide } from '@ccdash/core';
import type { Actor, RunCommand, RunEvent, RunState } from '@ccdash/core';
import {
  ALLOW,
  ANN,
  ASK,
  BOB,
  COMMANDS as C,
  FAILED_RETRYABLE,
  GONE,
  RITA,
  STOPPED,
  TEST_ENGINE,
  gateAnswered,
  gateRaised,
  testAgent,
  testApproval,
  testCommand,
  testCommit,
  testPlan,
  testReader,
  testSuccess,
  testToken,
  testValidation,
  toGate,
  toStart,
} from '@ccdash/core/testing';

type Turn = readonly [command: RunCommand, actor?: Actor];

/** Events oldest first; each command is a second later than the one before. */
function play(name: string, turns: readonly Turn[]): readonly RunEvent[] {
  const log: RunEvent[] = [];
  let state: RunState | null = null;
  for (const [index, [command, actor = TEST_ENGINE]] of turns.entries()) {
    const nowMs = Date.UTC(2026, 0, 2) + index * 1000;
    const context = { at: new Date(nowMs).toISOString(), nowMs, actor };
    const decided = decide(`run_${name}`, state, command, context);
    if (!decided.ok) throw new Error(`${name}: ${command.type} ${decided.error.type}`);
    log.push(...decided.value.events);
    state = decided.value.state;
  }
  return log;
}

const good = (commit: string) =>
  ({ outcome: 'succeeded', ...testSuccess(testCommit(commit)) }) as const;
const second = { subjectDigest: 'digest-2' };
const from = (commit: string) => ({ checkpoint: `commit-${commit}` });

export const GOLDEN_RUNS: Readonly<Record<string, () => readonly RunEvent[]>> = {
  /** Asked, retried, gated, sent back once, approved by two, succeeded. */
  'sent-back': () => {
    const plan = testPlan([
      testCommand('build', { retry: { attempts: 2, backoffMs: 0 } }),
      testValidation('check', { needs: ['build'] }),
      testApproval('review', {
        needs: ['check'],
        form: { version: { type: 'string', required: true } },
        onReject: { restart: 'build', max: 1 },
      }),
      testReader('publish', { needs: ['review'], when: 'inputs.publish' }),
    ]);
    return play('sent-back', [
      [C.create(plan), RITA],
      [C.startRun()],
      [C.evaluate('build', toStart(ASK))],
      [C.approve('apr_1'), ANN],
      [C.start('build', { verdict: ASK })],
      [C.end('build', 1, FAILED_RETRYABLE)],
      [C.start('build')],
      [C.end('build', 2, good('1'))],
      [C.evaluate('check')],
      [C.start('check', from('1'))],
      [C.end('check', 1, good('1'))],
      [C.evaluate('review', toGate({ count: 2 }, { approvalId: 'apr_2' }))],
      [C.reject('apr_2'), BOB],
      [C.evaluate('build')],
      [C.start('build', from('1'))],
      [C.end('build', 3, good('2'))],
      [C.evaluate('check')],
      [C.start('check', from('2'))],
      [C.end('check', 2, good('2'))],
      [C.evaluate('review', toGate({ count: 2 }, { approvalId: 'apr_3', ...second }))],
      [C.approve('apr_3', { ...second, form: { version: '1' } }), ANN],
      [C.approve('apr_3', { ...second, form: { version: '2' } }), BOB],
      [C.evaluate('publish', { outcome: 'condition-false' })],
    ]);
  },
  /** An agent asks for tools, its host dies, it is resumed, and people cancel the run. */
  'interrupted-canceled': () => {
    const plan = testPlan([testAgent('agent'), testReader('other'), testCommand('waits')]);
    return play('interrupted-canceled', [
      [C.create(plan), RITA],
      [C.startRun()],
      [C.evaluate('agent')],
      [C.evaluate('other', toStart(ALLOW))],
      [C.start('agent', { session: testToken('session-1') })],
      [C.report('agent', 1, [gateRaised(1, 'g1'), gateRaised(2, 'g2')])],
      [C.decideGate('agent', 1, 'g1', ALLOW)],
      [C.report('agent', 1, [gateAnswered(3, 'g1')])],
      [C.decideGate('agent', 1, 'g2', ASK)],
      [C.end('agent', 1, GONE)],
      [C.resume(), RITA],
      [C.evaluate('waits')],
      [C.evaluate('agent')],
      [C.start('agent', { session: testToken('session-1') })],
      [C.start('other')],
      [C.cancel(), RITA],
      [C.end('other', 1, good('0'))],
      [C.end('agent', 2, STOPPED)],
    ]);
  },
  /** A step is skipped with leave, then the rest of the plan is another one. */
  'skipped-replanned': () => {
    const [a, b, c] = [testCommand('a'), testReader('b', { needs: ['a'] }), testCommand('c')];
    const other = testPlan([a, { ...b, risk: 'high' }, testCommand('d', { needs: ['b'] })]);
    return play('skipped-replanned', [
      [C.create(testPlan([a, b, c])), RITA],
      [C.startRun()],
      [C.evaluate('a')],
      [C.start('a')],
      [C.end('a', 1, { ...FAILED_RETRYABLE })],
      [C.skip('a', { verdict: ASK }), RITA],
      [C.approve('apr_s'), ANN],
      [C.evaluate('b')],
      [C.start('b')],
      [C.end('b', 1, good('0'))],
      [C.replan(other, { verdict: ASK }), RITA],
      [C.approve('apr_p'), BOB],
    ]);
  },
  /** A failure that stops the run, retried by hand; people are still waited for. */
  'stopped-retried': () => {
    const plan = testPlan([testCommand('a'), testReader('b'), testApproval('c', { needs: ['a'] })], {
      onFailure: 'stop',
    });
    return play('stopped-retried', [
      [C.create(plan), RITA],
      [C.failStart()],
      [C.retry(), RITA],
      [C.startRun()],
      [C.evaluate('a')],
      [C.start('a')],
      [C.end('a', 1, { ...FAILED_RETRYABLE })],
      [C.retry('a'), RITA],
      [C.evaluate('a')],
      [C.start('a')],
      [C.end('a', 2, good('1'))],
      [C.evaluate('b', toStart(ASK, 'digest-1', { approvalId: 'apr_b' }))],
      [C.evaluate('c', toGate({ roles: ['approver'] }, { approvalId: 'apr_c', expiresAtMs: 1e15 }))],
    ]);
  },
};
