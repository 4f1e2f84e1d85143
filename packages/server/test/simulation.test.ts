/**
 * A million events of runs in one process, by a clock that nobody waits for: plans of up to 40 steps, attempts that end in
 * every way, people who decide, pause, go back and give up, and now and then a clock that jumps. The history of each run
 * is judged by `check-history.ts`, which shares nothing with the core. CCDASH_SIMULATED says another number of events,
 * CCDASH_SEED does again what has failed.
 */
import { decide, effectKey, effectsOf, planStep } from '@ccdash/core';
import type {
  Actor,
  AttemptReportEnd,
  Checkpoint,
  Effect,
  Plan,
  RunCommand,
  RunEvent,
  RunState,
  Step,
} from '@ccdash/core';
import {
  ALLOW,
  ANYBODY,
  ASK,
  COMMANDS as C,
  DENY,
  EXHAUSTED,
  FAILED,
  FAILED_RETRYABLE,
  GONE,
  NEVER_STARTED,
  RITA,
  STOPPED,
  TEST_ENGINE,
  gateAnswered,
  gateRaised,
  testAgent,
  testApproval,
  testCommand,
  testCommit,
  testContext,
  testPlan,
  testReader,
  testSuccess,
  testValidation,
  toGate,
  toStart,
  told,
} from '@ccdash/core/testing';
import { expect, test } from 'vitest';
import { RunHistory } from './chaos/check-history.ts';
import type { LoggedEvent } from './chaos/check-history.ts';
import { between, pick, randomNumbers } from './random-numbers.ts';
import type { Random } from './random-numbers.ts';

const EVENTS = Number(process.env['CCDASH_SIMULATED'] ?? '1000000');
const SEED = Number(process.env['CCDASH_SEED'] ?? '1');
const MOST_STEPS = 40;
/** Commands after which a run that has not come to its end never will. */
const MOST_COMMANDS = 20_000;
/** People have their whims so often, for so many commands. */
const WHIM = 0.02;
const WHIMS_END = 1_000;

function randomPlan(random: Random): Plan {
  const count = between(random, 1, MOST_STEPS);
  const steps = Array.from({ length: count }, (_, index): Step => {
    const id = `s${String(index)}`;
    const some = Array.from({ length: between(random, 0, 3) }, () => between(random, 0, index - 1));
    const needs = index === 0 ? [] : [...new Set(some)].map((need) => `s${String(need)}`);
    const onInterrupt = pick(random, ['ask', 'resume', 'retry'] as const);
    const retry = { attempts: between(random, 1, 3), backoffMs: 1000 };
    const when = random() < 0.05 ? 'inputs.x' : null;
    const makers = [testCommand, testCommand, testCommand, testReader] as const;
    switch (between(random, 0, 9)) {
      case 0:
      case 1:
        return testAgent(id, { needs, onInterrupt, retry, when });
      case 2:
        return testValidation(id, { needs, when });
      case 3: {
        const target = needs[0];
        const onReject = target === undefined ? null : { restart: target, max: 2 };
        return testApproval(id, { needs, onReject, when });
      }
      default:
        return pick(random, makers)(id, { needs, onInterrupt, retry, when });
    }
  });
  const onFailure = random() < 0.2 ? 'stop' : 'continue';
  return testPlan(steps, { concurrency: between(random, 1, 5), onFailure });
}

interface Simulated {
  readonly events: number;
  readonly interrupted: boolean;
  readonly wrong: readonly string[];
}

function simulate(seed: number): Simulated {
  const random = randomNumbers(seed);
  const runId = 'run_1';
  const history = new RunHistory();
  const wrong: string[] = [];
  let state: RunState | null = null;
  let nowMs = 1_000_000;
  let events = 0;
  let interrupted = false;
  let approvals = 0;
  let commits = 0;

  function send(command: RunCommand, actor: Actor): string {
    const decided = decide(runId, state, command, testContext(actor, nowMs));
    if (!decided.ok) return decided.error.type;
    for (const event of decided.value.events) {
      history.take(toLogged(event, events));
      if (event.type === 'AttemptInterrupted') interrupted = true;
      events += 1;
    }
    ({ state } = decided.value);
    return decided.value.events.length > 0 ? 'ok' : 'nothing';
  }
  const commit = (): Checkpoint => testCommit(String((commits += 1)));
  const approvalId = (): string => `apr_${String((approvals += 1))}`;

  function answerTo(run: RunState, effect: Effect): RunCommand | null {
    const { checkpoint } = run;
    switch (effect.type) {
      case 'PrepareWorkspace':
        return random() < 0.02 ? C.failStart() : C.startRun();
      case 'ApplyResult':
        return C.endApply(random() < 0.8);
      case 'JoinWork': {
        const settled = run.conflict !== null;
        const joins = settled || random() < 0.9;
        return C.join(effect.step, checkpoint, joins ? commit() : null, settled ? ['a.txt'] : []);
      }
      case 'EvaluateStep': {
        const slot = {
          approvalId: approvalId(),
          expiresAtMs: random() < 0.1 ? nowMs + 5000 : null,
        };
        const step = planStep(run.created.plan, effect.step);
        if (step.when !== null && random() < 0.5)
          return C.evaluate(step.id, { outcome: 'condition-false' });
        if (step.kind === 'approval') {
          // What was rejected is not asked again: another round is another digest.
          const digest = `digest-${String(approvals)}`;
          const what = { subject: { what: digest }, subjectDigest: digest };
          return C.evaluate(step.id, toGate(ANYBODY, { ...slot, ...what }));
        }
        const verdict = pick(random, [ALLOW, ALLOW, ALLOW, ALLOW, ASK, DENY]);
        return C.evaluate(step.id, toStart(verdict, `digest-${checkpoint?.commit ?? ''}`, slot));
      }
      case 'StartStep': {
        const step = run.steps.get(effect.step);
        return C.start(effect.step, {
          checkpoint: checkpoint?.commit ?? '',
          subjectDigest: random() < 0.02 ? 'another' : (step?.subjectDigest ?? ''),
          verdict: step?.verdict ?? ALLOW,
        });
      }
      case 'SuperviseAttempt': {
        if (random() < 0.5) return null;
        const { step, attempt } = effect;
        const live = run.steps.get(step)?.attempts[attempt - 1];
        const planned = planStep(run.created.plan, step);
        const seq = (live?.reportedSeq ?? 0) + 1;
        const isAgent = planned.kind === 'agent';
        if (isAgent && random() < 0.3) {
          return C.report(step, attempt, [gateRaised(seq, `g${String(seq)}`)]);
        }
        if (live?.gates.some(({ status }) => status !== 'answered') && random() < 0.7) return null;
        const writes = (isAgent || planned.kind === 'command') && planned.scope.write.length > 0;
        const seen = writes ? commit() : (live?.inputCheckpoint ?? commit());
        const well: AttemptReportEnd = { outcome: 'succeeded', ...testSuccess(seen) };
        const badly = [FAILED, FAILED_RETRYABLE, GONE, GONE, NEVER_STARTED, STOPPED] as const;
        if (random() < 0.75) return C.end(step, attempt, well);
        if (isAgent && random() < 0.1) return C.end(step, attempt, EXHAUSTED);
        return C.end(step, attempt, pick(random, badly));
      }
      case 'StopAttempt':
        return C.end(effect.step, effect.attempt, pick(random, [STOPPED, GONE, NEVER_STARTED]));
      case 'EvaluateGate': {
        const verdict = pick(random, [ALLOW, ASK, DENY]);
        const { step, attempt, gateId } = effect;
        return C.decideGate(step, attempt, gateId, verdict, { approvalId: approvalId() });
      }
      case 'AnswerGate': {
        const seq = (run.steps.get(effect.step)?.attempts.at(-1)?.reportedSeq ?? 0) + 1;
        return C.report(effect.step, effect.attempt, [
          gateAnswered(seq, effect.gateId, effect.decision),
        ]);
      }
      case 'TellAttempt': {
        const seq = (run.steps.get(effect.step)?.attempts.at(-1)?.reportedSeq ?? 0) + 1;
        return C.report(effect.step, effect.attempt, [told(seq, effect.messageId)]);
      }
      case 'HoldAttempt':
      case 'UnholdAttempt':
      case 'WakeAt':
        return null;
    }
  }

  /** What keeps a run from its end, a person sees to; false when there was nothing to do. */
  function help(run: RunState): boolean {
    const open = [...run.approvals.values()].filter(({ status }) => status === 'open');
    for (const { id, subjectDigest, kind } of open) {
      const said = { subjectDigest, ...(kind === 'override' ? { roles: ['admin'] } : {}) };
      const yes = random() < 0.9;
      if (send(yes ? C.approve(id, said) : C.reject(id, said), RITA) === 'ok') return true;
    }
    const waits = [...run.steps.values()].some(({ status }) => status === 'interrupted');
    const isStopped = run.paused !== null || waits || run.conflict?.settled === null;
    if (isStopped && run.cancelRequest === null && run.ended === null) {
      const open = run.conflict?.settled === null ? run.conflict : null;
      const takes = open !== null && random() < 0.5;
      const answer = send(takes ? C.settle(open.step) : C.resume(), RITA);
      if (answer !== 'ok') wrong.push(`it does not go on: ${answer}`);
      return answer === 'ok';
    }
    return send(C.retry(), RITA) === 'ok';
  }

  function whim(run: RunState): void {
    const step = pick(random, run.created.plan.steps as [Step, ...Step[]]).id;
    const wishes = [C.pause(), C.pause(), C.resume(), C.retry(), C.retry(step), C.restart(step)];
    wishes.push(C.tell(step, pick(random, ['now', 'restart']), `m${String(events)}`), C.tick());
    if (random() < 0.02) wishes.push(C.cancel());
    if (run.checkpoint !== null) wishes.push(C.applyResult(run.checkpoint));
    send(pick(random, wishes as [RunCommand, ...RunCommand[]]), RITA);
  }

  send(C.create(randomPlan(random)), RITA);
  const isOver = (): boolean => state?.ended === 'succeeded' || state?.ended === 'canceled';
  let commands = 0;
  for (; commands < MOST_COMMANDS && !isOver(); commands += 1) {
    const run = state as RunState | null;
    if (run === null) break;
    nowMs += between(random, 0, 50);
    if (random() < 0.002) nowMs += between(random, -600_000, 600_000);
    if (commands < WHIMS_END && random() < WHIM) {
      whim(run);
      continue;
    }
    const wanted = effectsOf(run, nowMs);
    const due = wanted.filter(
      ({ type }) => type !== 'WakeAt' && !type.endsWith('holdAttempt') && type !== 'HoldAttempt',
    );
    const [first, ...rest] = due;
    if (first !== undefined) {
      const effect = pick(random, [first, ...rest]);
      const command = answerTo(run, effect);
      const answer = command === null ? 'nothing' : send(command, TEST_ENGINE);
      if (answer !== 'ok' && answer !== 'nothing') wrong.push(`${effectKey(effect)}: ${answer}`);
      continue;
    }
    const times = wanted.flatMap((effect) => (effect.type === 'WakeAt' ? [effect.atMs] : []));
    if (help(run)) continue;
    const next = Math.min(...times);
    if (Number.isFinite(next)) nowMs = Math.max(nowMs, next);
    send(C.tick(), TEST_ENGINE);
  }
  if (!isOver()) wrong.push(`it does not come to its end: ${history.ended ?? 'open'}`);
  wrong.push(...history.wrong);
  return {
    events,
    interrupted,
    wrong: wrong.slice(0, 3).map((what) => `seed ${String(seed)}: ${what}`),
  };
}

function toLogged(event: RunEvent, position: number): LoggedEvent {
  return { ...event, position, runId: 'run_1' } as unknown as LoggedEvent;
}

test(`[CH3] ${String(EVENTS)} events by a clock of their own, seed ${String(SEED)}: every run goes on and ends`, () => {
  const wrong: string[] = [];
  const sum = { events: 0, runs: 0, interrupted: 0 };
  for (let seed = SEED; sum.events < EVENTS && wrong.length < 10; seed += 1) {
    const run = simulate(seed);
    sum.events += run.events;
    sum.runs += 1;
    if (run.interrupted) sum.interrupted += 1;
    wrong.push(...run.wrong);
  }
  process.stdout.write(
    `simulation: ${String(sum.events)} events of ${String(sum.runs)} runs, ${String(sum.interrupted)} interrupted\n`,
  );
  expect(wrong).toEqual([]);
}, 900_000);
