/**
 * Everything that the outside can send to a run as it stands: engines that are right, late, or not the owner any more;
 * people who may decide, may not, and do so twice. Two moments are enough: `EARLY_MS`, before every deadline and
 * back-off, and `LATE_MS`, after them.
 */
import type { AttemptReportEnd, Evaluation, RequestSlot, RunCommand } from '../machine/commands.ts';
import type { Actor, Checkpoint, Fork, PolicyVerdict } from '../machine/events.ts';
import { lastAttempt, liveAttempt, planStep } from '../machine/state.ts';
import type { ApprovalState, RunState, StepState } from '../machine/state.ts';
import { isWriter } from '../plan/plan.ts';
import type { Plan, Step } from '../plan/plan.ts';
import type { Effect } from '../schedule/effects.ts';
import { testCommand } from './plan-fixtures.ts';
import {
  ALLOW,
  ANN,
  ANYBODY,
  BOB,
  COMMANDS,
  EXHAUSTED,
  FAILED,
  FAILED_RETRYABLE,
  GONE,
  NEVER_STARTED,
  RITA,
  STOPPED,
  TEST_ENGINE,
  TEST_EPOCH,
  gateAnswered,
  gateRaised,
  testCommit,
  testFailure,
  testSuccess,
  told,
  toGate,
  toStart,
} from './run-fixtures.ts';

export const EARLY_MS = 1000;
const ESCALATES_MS = 1200;
export const EXPIRES_MS = 1500;
export const LATE_MS = 2000;

type RequestedGate = Extract<Evaluation, { outcome: 'gate' }>;

export interface Move {
  readonly command: RunCommand;
  readonly actor: Actor;
  readonly nowMs: number;
}

/** What the policy and the world may say about the steps of a plan. */
export interface Surroundings {
  readonly verdicts: readonly PolicyVerdict[];
  readonly digests: readonly string[];
  readonly ends: readonly ('succeeded' | AttemptReportEnd)[];
  /** Different people that an approval step needs. */
  readonly gateCounts: readonly number[];
  /** Tool calls that an agent may ask for, for each attempt. */
  readonly toolCalls: number;
  /** Whether anything can be missing when a step is evaluated. */
  readonly blocks: boolean;
  /** Whether people pause the run. */
  readonly pauses: boolean;
  /** Whether people apply the result. */
  readonly applies: boolean;
  /** Whether people go back to earlier steps. */
  readonly restarts: boolean;
  /** Whether gates may ask further people. */
  readonly escalates?: boolean;
  /** Whether admins override what blocks a step, and how many of them it takes. */
  readonly overrides?: readonly number[];
  /** Where the run comes from, if it is a fork. */
  readonly forkedFrom?: Fork;
  /** Whether people skip steps, or replace the plan. */
  readonly changes?: 'skips' | 'all';
  /** Messages that people tell the agent of each step, at most. */
  readonly messages?: number;
}

export const ALL_ENDS: Surroundings['ends'] = [
  'succeeded',
  FAILED,
  FAILED_RETRYABLE,
  STOPPED,
  GONE,
  NEVER_STARTED,
  EXHAUSTED,
];

export function outsideMoves(state: RunState, around: Surroundings): readonly Move[] {
  const moves: Move[] = [];
  const add = (command: RunCommand, actor: Actor = TEST_ENGINE, nowMs: number = EARLY_MS): void => {
    moves.push({ command, actor, nowMs });
  };
  add(COMMANDS.startRun());
  add(COMMANDS.failStart());
  add(COMMANDS.tick());
  add(COMMANDS.tick(), TEST_ENGINE, LATE_MS);
  add(COMMANDS.cancel(), RITA);
  if (around.applies) {
    add(COMMANDS.applyResult(state.checkpoint), RITA);
    add(COMMANDS.applyResult(testCommit('another')), RITA);
    add(COMMANDS.endApply(true));
    add(COMMANDS.endApply(false));
  }
  if (around.pauses) add(COMMANDS.pause(), RITA);
  for (const { step } of state.unjoined) {
    add(COMMANDS.join(step, state.checkpoint, joinedCommit(state, step)));
    add(COMMANDS.join(step, state.checkpoint, null));
    add(COMMANDS.join(step, testCommit('another'), null));
    add(COMMANDS.settle(step), RITA);
    add(COMMANDS.settle('nowhere'), RITA);
  }
  add(COMMANDS.resume(), RITA);
  add(COMMANDS.retry(), RITA);
  const changing = { approvalId: nextApprovalId(state) };
  if (around.changes === 'all') {
    for (const plan of otherPlans(state)) {
      for (const verdict of around.verdicts) {
        add(COMMANDS.replan(plan, { ...changing, verdict }), RITA);
      }
    }
  }
  for (const step of state.steps.values()) {
    if (around.changes !== undefined) {
      for (const verdict of around.verdicts) {
        add(COMMANDS.skip(step.id, { ...changing, verdict }), RITA);
      }
      add(COMMANDS.skip(step.id, changing), { kind: 'agent', id: 'zoe' });
    }
    add(COMMANDS.resume(step.id), RITA);
    add(COMMANDS.retry(step.id), RITA);
    if (around.restarts) add(COMMANDS.restart(step.id), RITA);
    if (step.messages.length < (around.messages ?? 0)) {
      const messageId = `m${step.messages.length + 1}`;
      add(COMMANDS.tell(step.id, 'now', messageId), RITA);
      add(COMMANDS.tell(step.id, 'restart', messageId), RITA);
    }
    for (const evaluation of evaluations(state, step, around)) {
      add(COMMANDS.evaluate(step.id, evaluation));
    }
    for (const command of starts(state, step, around)) {
      add(command);
      if (step.notBeforeMs !== null) add(command, TEST_ENGINE, LATE_MS);
    }
    for (const command of reports(state, step, around)) add(command);
  }
  for (const step of state.steps.values()) {
    for (const count of step.status === 'blocked' ? (around.overrides ?? []) : []) {
      const startDigest = step.subjectDigest ?? '';
      const asked = { startDigest, approvalId: nextApprovalId(state), count };
      add(COMMANDS.override(step.id, asked), ANN);
      add(COMMANDS.override(step.id, { ...asked, roles: ['approver'] }), BOB);
      add(COMMANDS.override(step.id, { ...asked, reason: 'because' }), ANN);
      add(COMMANDS.override(step.id, { ...asked, startDigest: 'another' }), ANN);
    }
  }
  for (const approval of state.approvals.values()) moves.push(...decisions(approval));
  add(COMMANDS.approve('apr_unknown'), ANN);
  add(COMMANDS.evaluate('nowhere'));
  return moves;
}

/** What comes of joining the newest work of a step. */
function joinedCommit(state: RunState, step: string): Checkpoint {
  return testCommit(`${step}-${state.steps.get(step)?.attempts.length ?? 0}-joined`);
}

/** Plans that a person may want instead: one step otherwise, without its last step, with one more. */
function otherPlans(state: RunState): readonly Plan[] {
  const { plan } = state.created;
  const changed = plan.steps.map((step) => ({
    ...plan,
    steps: plan.steps.map((each): Step => {
      if (each.id !== step.id) return each;
      if (each.kind === 'approval') return { ...each, question: `${each.question}?` };
      return { ...each, risk: each.risk === 'high' ? null : 'high' };
    }),
  }));
  const shorter = plan.steps.length > 1 ? [{ ...plan, steps: plan.steps.slice(0, -1) }] : [];
  const more = testCommand('more', { needs: plan.steps.map(({ id }) => id) });
  const longer = state.steps.has('more') ? [] : [{ ...plan, steps: [...plan.steps, more] }];
  return [...changed, ...shorter, ...longer, plan];
}

/** An id that no request of this run has. */
export function nextApprovalId(state: RunState): string {
  return `apr_${state.approvals.size + 1}`;
}

function evaluations(
  state: RunState,
  step: StepState,
  around: Surroundings,
): readonly Evaluation[] {
  const planned = planStep(state.created.plan, step.id);
  const approvalId = nextApprovalId(state);
  const slots: RequestSlot[] = [null, EXPIRES_MS].map((expiresAtMs) => ({
    approvalId,
    expiresAtMs,
  }));
  if (around.escalates === true) {
    const escalation = { atMs: ESCALATES_MS, roles: ['admin'], people: [] };
    slots.push({ approvalId, expiresAtMs: EXPIRES_MS, escalation });
  }
  const wanted: Evaluation[] =
    planned.kind === 'approval'
      ? around.gateCounts.flatMap((count) =>
          slots.map((slot) => toGate({ count }, { ...slot, ...roundOf(step) })),
        )
      : around.verdicts.flatMap((verdict) =>
          around.digests.map((digest) => toStart(verdict, digest, slots[0])),
        );
  if (step.status !== 'pending') return wanted.slice(0, 1);
  if (planned.kind === 'approval') {
    const denied = around.verdicts.find(({ verdict }) => verdict === 'deny');
    if (denied !== undefined) {
      wanted.push(toGate({}, { ...slots[0], ...roundOf(step), verdict: denied }));
    }
  }
  if (planned.when !== null) wanted.push({ outcome: 'condition-false' });
  if (around.blocks) {
    const failure = testFailure('missing_output');
    wanted.push({ outcome: 'blocked', reason: 'configuration', failure });
    wanted.push({ outcome: 'blocked', reason: 'adapter_unavailable', failure });
  }
  return wanted;
}

/** What a gate asks about is never the same once it has sent work back. */
function roundOf(step: StepState | undefined): Pick<RequestedGate, 'subject' | 'subjectDigest'> {
  const subjectDigest = `digest-${(step?.rejections ?? 0) + 1}`;
  return { subject: { what: subjectDigest }, subjectDigest };
}

function starts(state: RunState, step: StepState, around: Surroundings): readonly RunCommand[] {
  const checkpoint = state.checkpoint?.commit ?? '';
  const wanted = around.digests.flatMap((subjectDigest) =>
    around.verdicts.map((verdict) =>
      COMMANDS.start(step.id, { subjectDigest, verdict, checkpoint }),
    ),
  );
  wanted.push(COMMANDS.start(step.id, { checkpoint: 'an older one' }));
  return step.status === 'ready' ? wanted : wanted.slice(0, 1);
}

function reports(
  state: RunState,
  step: StepState,
  { ends, toolCalls, verdicts }: Surroundings,
): readonly RunCommand[] {
  const { id } = step;
  const last = lastAttempt(step);
  if (last === undefined) return [COMMANDS.end(id, 1, FAILED)];
  const { number } = last;
  const success: AttemptReportEnd = {
    outcome: 'succeeded',
    ...testSuccess(successOf(state, step, `${id}-${number}`)),
  };
  const commands: RunCommand[] = [
    COMMANDS.end(id, number, success, TEST_EPOCH + 1),
    COMMANDS.end(id, number + 1, success),
    COMMANDS.end(id, number - 1, success),
    COMMANDS.report(id, number, [gateRaised(1, 'g1')], TEST_EPOCH + 1),
  ];
  if (liveAttempt(step) === undefined) {
    return [...commands, COMMANDS.end(id, number, success), COMMANDS.report(id, number, [])];
  }
  for (const end of ends) {
    commands.push(COMMANDS.end(id, number, end === 'succeeded' ? success : end));
  }
  if (planStep(state.created.plan, id).kind !== 'agent') return commands;
  const { gates, reportedSeq } = last;
  const seq = reportedSeq + 1;
  if (gates.length < toolCalls) {
    commands.push(COMMANDS.report(id, number, [gateRaised(seq, `g${gates.length + 1}`)]));
  }
  // A fact that is in the log already.
  if (reportedSeq > 0) commands.push(COMMANDS.report(id, number, [gateRaised(1, 'g1')]));
  for (const message of step.messages) {
    if (message.status === 'waiting') {
      commands.push(COMMANDS.report(id, number, [told(seq, message.id)]));
    }
  }
  for (const gate of gates) {
    if (gate.status !== 'answered') {
      commands.push(COMMANDS.report(id, number, [gateAnswered(seq, gate.gateId)]));
    }
    for (const verdict of verdicts) {
      const approvalId = nextApprovalId(state);
      commands.push(COMMANDS.decideGate(id, number, gate.gateId, verdict, { approvalId }));
    }
  }
  if (gates.length > 0) commands.push(COMMANDS.decideGate(id, number, 'g9', ALLOW));
  return commands;
}

/** Writers leave a commit of their own; others say which one they looked at. */
function successOf(state: RunState, step: StepState | undefined, name: string): Checkpoint {
  if (step === undefined || isWriter(planStep(state.created.plan, step.id))) {
    return testCommit(name);
  }
  return lastAttempt(step)?.inputCheckpoint ?? testCommit(name);
}

function decisions({ id, kind, status, subjectDigest }: ApprovalState): readonly Move[] {
  const said = { subjectDigest, ...(kind === 'override' ? { roles: ['admin'] } : {}) };
  const at = (command: RunCommand, actor: Actor, nowMs: number = EARLY_MS): Move => ({
    command,
    actor,
    nowMs,
  });
  const approve = COMMANDS.approve(id, said);
  if (status !== 'open') return [at(approve, ANN), at(COMMANDS.reject(id, said), BOB)];
  return [
    at(approve, ANN),
    at(approve, BOB),
    at(approve, { kind: 'agent', id: 'zoe' }),
    at(approve, ANN, LATE_MS),
    at(COMMANDS.approve(id, { subjectDigest: 'another' }), ANN),
    at(COMMANDS.reject(id, said), BOB),
    at(COMMANDS.reject(id, { ...said, reason: ' ' }), BOB),
  ];
}

/** What an engine that does its work sends for `effect`, when it is due. */
export function naturalMove(state: RunState, effect: Effect): Move {
  const engine = (command: RunCommand, nowMs: number = EARLY_MS): Move => ({
    command,
    actor: TEST_ENGINE,
    nowMs,
  });
  switch (effect.type) {
    case 'PrepareWorkspace':
      return engine(COMMANDS.startRun());
    case 'ApplyResult':
      return engine(COMMANDS.endApply(true));
    case 'JoinWork': {
      const joined = joinedCommit(state, effect.step);
      return engine(COMMANDS.join(effect.step, state.checkpoint, joined));
    }
    case 'EvaluateStep': {
      const slot = { approvalId: nextApprovalId(state), expiresAtMs: null };
      const isGate = planStep(state.created.plan, effect.step).kind === 'approval';
      const round = roundOf(state.steps.get(effect.step));
      const evaluation = isGate
        ? toGate(ANYBODY, { ...slot, ...round })
        : toStart(ALLOW, 'digest-1', slot);
      return engine(COMMANDS.evaluate(effect.step, evaluation));
    }
    case 'StartStep': {
      const step = state.steps.get(effect.step);
      const subjectDigest = step?.subjectDigest ?? '';
      const checkpoint = state.checkpoint?.commit ?? '';
      const verdict = step?.verdict ?? ALLOW;
      return engine(COMMANDS.start(effect.step, { checkpoint, subjectDigest, verdict }));
    }
    case 'SuperviseAttempt':
      return engine(
        COMMANDS.end(effect.step, effect.attempt, {
          outcome: 'succeeded',
          ...testSuccess(successOf(state, state.steps.get(effect.step), effect.step)),
        }),
      );
    case 'StopAttempt':
      return engine(COMMANDS.end(effect.step, effect.attempt, STOPPED));
    case 'EvaluateGate':
      return engine(COMMANDS.decideGate(effect.step, effect.attempt, effect.gateId, ALLOW));
    case 'TellAttempt': {
      const seq = (state.steps.get(effect.step)?.attempts.at(-1)?.reportedSeq ?? 0) + 1;
      return engine(COMMANDS.report(effect.step, effect.attempt, [told(seq, effect.messageId)]));
    }
    case 'HoldAttempt':
    case 'UnholdAttempt':
      // A host that has been told reports nothing.
      return engine(COMMANDS.tick());
    case 'AnswerGate': {
      const seq = (state.steps.get(effect.step)?.attempts.at(-1)?.reportedSeq ?? 0) + 1;
      const answered = gateAnswered(seq, effect.gateId, effect.decision);
      return engine(COMMANDS.report(effect.step, effect.attempt, [answered]));
    }
    case 'WakeAt':
      return engine(COMMANDS.tick(), effect.atMs);
  }
}
