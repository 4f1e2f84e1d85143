/**
 * The decider: what a command does to a run. Pure, total, and alone in saying yes or no.
 *
 * Owns: every rule of SPEC.md about what may follow what. Does not own: time, ids, digests and verdicts (they come with
 * the command), and work in the world (`effectsOf` names it).
 * 1. A refusal changes nothing.
 * 2. Events come out in the order in which they hold, and the state beside them is their fold.
 * 3. No event is emitted that the transition table does not list.
 */
import { assertInvariant, unreachable } from '../base/invariant.ts';
import { err, ok } from '../base/result.ts';
import type { Result } from '../base/result.ts';
import type { StepId } from '../plan/plan.ts';
import { hasSlot } from '../schedule/effects.ts';
import { decideApproval, expireApprovals, usableApprovals } from './approvals.ts';
import type {
  AttemptReportEnd,
  CommandContext,
  Evaluation,
  Refusal,
  RunCommand,
} from './commands.ts';
import { askChange } from './change.ts';
import { newDraft } from './draft.ts';
import type { Draft } from './draft.ts';
import { createdState } from './evolve.ts';
import type { Actor, AttemptEnd, RunEvent, RunEventData } from './events.ts';
import { joinWork, settleJoin } from './joins.ts';
import { restartFrom } from './restart.ts';
import { askOverride, expireOverrides, reviewOverride, usableOverride } from './override.ts';
import { dropApprovals, resolveApproval } from './requests.ts';
import { settle } from './settle.ts';
import {
  awaitNeeds,
  changedFields,
  dropOutdated,
  refreshValidations,
  rejectionOf,
  staleApproval,
} from './staleness.ts';
import {
  approvalState,
  lastAttempt,
  lastWorked,
  liveAttempt,
  planStep,
  stepState,
  waitingCorrection,
} from './state.ts';
import type { AttemptState, RunState, StepState } from './state.ts';
import {
  goesOnInLane,
  isEligible,
  runStatus,
  stopsOnFailure,
  waitsUntil,
  workspaceFor,
} from './status.ts';

export interface Decided {
  /** What happened, in order; empty when the command had nothing to add. */
  readonly events: readonly RunEvent[];
  /** The fold of them onto the state that was given. */
  readonly state: RunState;
}

/** How often a step goes on by itself after interruptions before it waits for a person. */
export const MAX_AUTOMATIC_RESUMES = 3;

/** Decides `command` on the run as it stands (null: there is none yet). `state` is left as it was. */
export function decide(
  runId: string,
  state: RunState | null,
  command: RunCommand,
  context: CommandContext,
): Result<Decided, Refusal> {
  if (command.type === 'CreateRun') {
    if (state !== null) return err({ type: 'RunExists', runId });
    const { at, actor } = context;
    const event: RunEvent = { type: 'RunCreated', at, actor, data: command.created };
    return ok({ events: [event], state: createdState(runId, event) });
  }
  if (state === null) return err({ type: 'RunNotFound', runId });
  const draft = newDraft(state, context);
  const refusal = apply(draft, command);
  if (refusal !== null) return err(refusal);
  settle(draft);
  return ok({ events: draft.events, state: draft.state });
}

function apply(draft: Draft, command: Exclude<RunCommand, { type: 'CreateRun' }>): Refusal | null {
  switch (command.type) {
    case 'StartRun':
      return startRun(draft, command);
    case 'FailRunStart':
      return failRunStart(draft, command);
    case 'EvaluateStep':
      return evaluateStep(draft, command.step, command.evaluation);
    case 'StartStep':
      return startStep(draft, command);
    case 'ReportAttempt':
      return reportAttempt(draft, command);
    case 'DecideGate':
      return decideGate(draft, command);
    case 'EndAttempt':
      return endAttempt(draft, command);
    case 'DecideApproval':
      return decideApproval(draft, command);
    case 'OverrideStep':
      return standingStill(draft) ?? knownStep(draft, command.step) ?? askOverride(draft, command);
    case 'ReviewOverride':
      return reviewOverride(draft, command.approvalId, command.note);
    case 'TellAgent':
      return tellAgent(draft, command);
    case 'Tick':
      expireApprovals(draft);
      expireOverrides(draft);
      return null;
    case 'CancelRun':
      return cancelRun(draft, command.reason);
    case 'ApplyResult':
      return applyResult(draft, command.asked);
    case 'EndApply':
      return endApply(draft, command.outcome);
    case 'AdoptPolicy':
      return adoptPolicy(draft, command.policyDigest);
    case 'PauseRun':
      return pauseRun(draft, command.reason);
    case 'RestartFrom':
      return restartFrom(draft, command.step, command.reason);
    case 'JoinWork':
      return joinWork(draft, command);
    case 'ResumeRun':
      return resume(draft, command);
    case 'ChangeRun':
      return askChange(draft, command);
    case 'RetryRun':
      return retryRun(draft, command.step, command.reason);
    default:
      return unreachable(command);
  }
}

type Of<T extends RunCommand['type']> = Extract<RunCommand, { type: T }>;

function overRefusal(draft: Draft): Refusal | null {
  const { state } = draft;
  if (state.ended === null && state.cancelRequest === null) return null;
  return { type: 'RunOver', runId: state.runId, status: state.ended ?? 'canceling' };
}

/** Nothing begins in a run that is over or paused. */
function standingStill(draft: Draft): Refusal | null {
  const { runId, paused } = draft.state;
  return overRefusal(draft) ?? (paused === null ? null : { type: 'RunPaused', runId });
}

function startRun(draft: Draft, { started }: Of<'StartRun'>): Refusal | null {
  const { state } = draft;
  if (state.startedAt !== null || state.startFailure !== null) {
    return { type: 'RunOver', runId: state.runId, status: runStatus(state) };
  }
  const over = overRefusal(draft);
  if (over !== null) return over;
  draft.emit({ type: 'RunStarted', data: started });
  for (const { step, skipped } of state.created.forkedFrom?.steps ?? []) {
    draft.emit({ type: skipped === null ? 'StepCarried' : 'SkipCarried', data: { step } });
  }
  return null;
}

function failRunStart(draft: Draft, { failure }: Of<'FailRunStart'>): Refusal | null {
  const { state } = draft;
  if (state.startedAt !== null || state.startFailure !== null) {
    return { type: 'RunOver', runId: state.runId, status: runStatus(state) };
  }
  const over = overRefusal(draft);
  if (over !== null) return over;
  draft.emit({ type: 'RunStartFailed', data: { failure } });
  return null;
}

function knownStep(draft: Draft, step: StepId): Refusal | null {
  const { runId, steps } = draft.state;
  return steps.has(step) ? null : { type: 'StepNotFound', runId, step };
}

function evaluateStep(draft: Draft, id: StepId, evaluation: Evaluation): Refusal | null {
  const refusal = standingStill(draft) ?? knownStep(draft, id);
  if (refusal !== null) return refusal;
  const step = stepState(draft.state, id);
  if (
    step.status !== 'pending' ||
    draft.state.startedAt === null ||
    stopsOnFailure(draft.state) ||
    !isEligible(draft.state, step)
  ) {
    return { type: 'StepNotReady', step: id, status: step.status };
  }
  const isGate = planStep(draft.state.created.plan, id).kind === 'approval';
  assertInvariant(
    evaluation.outcome !== (isGate ? 'start' : 'gate'),
    `step ${id} was evaluated as a ${evaluation.outcome}`,
  );
  switch (evaluation.outcome) {
    case 'condition-false':
      draft.emit({ type: 'StepSkipped', data: { step: id, cause: 'condition' } });
      return null;
    case 'blocked': {
      const { reason, failure } = evaluation;
      draft.emit({ type: 'StepBlocked', data: { step: id, reason, failure } });
      return null;
    }
    case 'start':
      evaluateStart(draft, id, evaluation);
      return null;
    case 'gate':
      requestGate(draft, id, evaluation);
      return null;
    default:
      return unreachable(evaluation);
  }
}

function evaluateStart(
  draft: Draft,
  step: StepId,
  evaluation: Extract<Evaluation, { outcome: 'start' }>,
): void {
  const { subjectDigest, verdict } = evaluation;
  const { nowMs } = draft.context;
  const start = { step, subjectDigest, verdict, nowMs, revoked: evaluation.revoked ?? [] };
  const override = verdict.verdict === 'allow' ? null : usableOverride(draft.state, start);
  if (override !== null) {
    const approvals = [override];
    draft.emit({ type: 'StepReadied', data: { step, subjectDigest, verdict, approvals } });
    return;
  }
  if (verdict.verdict === 'deny') {
    draft.emit({ type: 'StepDenied', data: { step, subjectDigest, verdict } });
    return;
  }
  dropOutdated(draft, step, { ...evaluation, policy: verdict.policyDigest });
  const needed = verdict.verdict === 'requires_approval';
  const approvals = needed ? usableApprovals(draft.state, start) : [];
  if (approvals !== null) {
    draft.emit({ type: 'StepReadied', data: { step, subjectDigest, verdict, approvals } });
    return;
  }
  const { approvalId, expiresAtMs, subject } = evaluation;
  const { why, requires, policyDigest, risk } = verdict;
  const asked = { subjectDigest, subject, why, requires, policyDigest, risk, expiresAtMs };
  askPeople(draft, { approvalId, step, kind: 'start', gateId: null, ...asked });
}

/** Asks about a step, unless exactly that was rejected before, or a validation it rests on must look again first. */
function askPeople(draft: Draft, asked: RunEventData['ApprovalRequested']): void {
  const { step, subjectDigest } = asked;
  const rejected = rejectionOf(draft.state, step, subjectDigest);
  if (rejected !== null) draft.emit({ type: 'StepFailed', data: { step, failure: rejected } });
  else if (!refreshValidations(draft, step)) draft.emit({ type: 'ApprovalRequested', data: asked });
}

function requestGate(
  draft: Draft,
  step: StepId,
  evaluation: Extract<Evaluation, { outcome: 'gate' }>,
): void {
  const { approvalId, expiresAtMs, subject, subjectDigest, requires, verdict } = evaluation;
  if (verdict.verdict === 'deny') {
    draft.emit({ type: 'StepDenied', data: { step, subjectDigest, verdict } });
    return;
  }
  const { why, policyDigest, risk } = verdict;
  const { escalation } = evaluation;
  const asked = { subjectDigest, subject, why, requires, policyDigest, risk, expiresAtMs };
  askPeople(draft, {
    ...{ approvalId, step, kind: 'gate', gateId: null, ...asked },
    ...(escalation === undefined ? {} : { escalation }),
  });
}

function startStep(draft: Draft, command: Of<'StartStep'>): Refusal | null {
  const { step: id, subjectDigest, verdict } = command;
  const refusal = standingStill(draft) ?? knownStep(draft, id);
  if (refusal !== null) return refusal;
  const step = stepState(draft.state, id);
  const waits = waitsUntil(draft.state, step, draft.context.nowMs) !== null;
  if (step.status !== 'ready' || waits || stopsOnFailure(draft.state)) {
    return { type: 'StepNotReady', step: id, status: step.status };
  }
  if (!hasSlot(draft.state, step)) return { type: 'SlotTaken', step: id };
  const back = reasonToAskAgain(draft, step, command);
  if (back !== null) {
    for (const approvalId of step.granted) {
      if (back.changed.length > 0) staleApproval(draft, approvalId, back.changed);
      else resolveApproval(draft, approvalId, 'stale', back.detail);
    }
    draft.emit({
      type: 'StepRequeued',
      data: { step: id, cause: back.cause, mode: step.next, reason: back.detail, automatic: true },
    });
    return null;
  }
  const { checkpoint } = draft.state;
  assertInvariant(checkpoint !== null, `run ${draft.state.runId} started without a checkpoint`);
  const worked = lastWorked(step);
  const resumedFrom = step.next === 'continue' ? (worked?.number ?? null) : null;
  const isLane = workspaceFor(draft.state, step) === 'lane';
  // Its own workspace is what it was begun from, however far the run has come since.
  const begun = goesOnInLane(step) ? worked?.inputCheckpoint : undefined;
  draft.emit({
    type: 'AttemptStarted',
    data: {
      step: id,
      attempt: step.attempts.length + 1,
      epoch: command.epoch,
      subjectDigest,
      verdict,
      approvals: step.granted,
      inputCheckpoint: begun ?? checkpoint,
      mode: resumedFrom === null ? 'fresh' : 'continue',
      sandbox: command.sandbox,
      session: command.session,
      versions: command.versions,
      resumedFrom,
      ...(isLane ? { lane: true } : {}),
    },
  });
  return null;
}

/** The world has moved between the evaluation and the start: which part of it, or null. */
function reasonToAskAgain(
  { state, context: { nowMs } }: Draft,
  step: StepState,
  { subjectDigest, subject, verdict, checkpoint, revoked = [] }: Of<'StartStep'>,
): {
  cause: 'subject_changed' | 'verdict_changed' | 'approval_stale';
  detail: string;
  changed: readonly string[];
} | null {
  const granted = step.granted.map((id) => approvalState(state, id));
  if (subjectDigest !== step.subjectDigest || checkpoint !== state.checkpoint?.commit) {
    const asked = granted[0]?.subject;
    const known = asked !== undefined && subject !== undefined;
    return {
      cause: 'subject_changed',
      detail: 'what would run has changed since it was evaluated',
      changed: known ? changedFields(asked, subject) : [],
    };
  }
  const none = { changed: [] };
  const start = { step: step.id, subjectDigest, verdict, nowMs, revoked };
  const override = verdict.verdict === 'allow' ? null : usableOverride(state, start);
  if (override !== null && step.granted.includes(override)) return null;
  if (verdict.verdict === 'deny') {
    return { cause: 'verdict_changed', detail: 'the policy now denies this step', ...none };
  }
  if (verdict.verdict === 'allow') return null;
  const usable = usableApprovals(state, start);
  if (
    usable === null ||
    !step.granted.every((id) => usable.includes(id)) ||
    step.granted.length === 0
  ) {
    const lost = granted
      .flatMap(({ decisions }) => decisions.map(({ approver }) => approver))
      .filter((approver) => revoked.includes(approver));
    const detail =
      lost.length > 0
        ? `${[...new Set(lost)].join(', ')} may not decide any more`
        : granted.some(({ expiresAtMs }) => expiresAtMs !== null && expiresAtMs <= nowMs)
          ? 'it was approved, and not used before its time was up'
          : 'the policy asks for an approval that is not there';
    return { cause: 'approval_stale', detail, ...none };
  }
  return null;
}

type Numbered = { readonly step: StepId; readonly attempt: number; readonly epoch: number };

/** The attempt a report speaks of, while it is the live one of its step and of the same epoch. */
function reporting(draft: Draft, { step, attempt, epoch }: Numbered): AttemptState | Refusal {
  const unknown = knownStep(draft, step);
  if (unknown !== null) return unknown;
  const live = liveAttempt(stepState(draft.state, step));
  if (live === undefined || live.number !== attempt || live.epoch !== epoch) {
    return { type: 'AttemptFenced', step, attempt };
  }
  return live;
}

function reportAttempt(draft: Draft, command: Of<'ReportAttempt'>): Refusal | null {
  const live = reporting(draft, command);
  if ('type' in live) return live;
  let { reportedSeq } = live;
  const facts = command.facts.filter(({ seq }) => {
    if (seq <= reportedSeq) return false;
    reportedSeq = seq;
    return true;
  });
  if (facts.length === 0) return null;
  const { step, attempt, epoch } = command;
  draft.emit({
    type: 'AttemptReported',
    actor: { kind: 'agent', id: `${step}#${String(attempt)}` },
    data: { step, attempt, epoch, facts },
  });
  for (const fact of facts) {
    if (fact.type === 'gate-answered') withdrawToolQuestions(draft, step, fact.gateId);
  }
  return null;
}

function decideGate(draft: Draft, command: Of<'DecideGate'>): Refusal | null {
  const live = reporting(draft, command);
  if ('type' in live) return live;
  const { step, attempt, gateId, verdict } = command;
  const gate = live.gates.find((candidate) => candidate.gateId === gateId);
  const { cancelRequest, paused, runId } = draft.state;
  if (paused !== null) return { type: 'RunPaused', runId };
  const stops = cancelRequest !== null || stepState(draft.state, step).invalidated;
  if (gate?.status !== 'raised' || stops) return { type: 'GateNotOpen', step, gateId };
  if (verdict.verdict === 'requires_approval') {
    const { approvalId, subjectDigest, subject, expiresAtMs } = command;
    const { why, requires, policyDigest, risk } = verdict;
    const asked = { subjectDigest, subject, why, requires, policyDigest, risk, expiresAtMs };
    draft.emit({
      type: 'ApprovalRequested',
      data: { approvalId, step, kind: 'tool', gateId, ...asked },
    });
    return null;
  }
  const decision = verdict.verdict === 'allow' ? 'allow' : 'deny';
  const reason = verdict.why.map((rule) => rule.text).join('; ');
  draft.emit({
    type: 'ToolDecided',
    actor: { kind: 'policy', id: verdict.policyDigest },
    data: { step, attempt, gateId, decision, reason, verdict, approvalId: null },
  });
  return null;
}

function endAttempt(draft: Draft, command: Of<'EndAttempt'>): Refusal | null {
  const live = reporting(draft, command);
  if ('type' in live) return live;
  const { end } = command;
  const id = command.step;
  const ref = { step: id, attempt: command.attempt };
  withdrawToolQuestions(draft, id, null);
  const step = stepState(draft.state, id);
  if (end.outcome === 'never-started') {
    draft.emit({ type: 'AttemptNeverStarted', data: ref });
    if (step.invalidated) dropApprovals(draft, id, 'a step it depends on runs again');
    return null;
  }
  if (step.invalidated) {
    draft.emit({ type: 'AttemptSuperseded', data: { ...ref, ...endWithout(end, 'superseded') } });
    return null;
  }
  if (end.outcome === 'succeeded') {
    const { outcome: _, ...success } = end;
    draft.emit({ type: 'AttemptSucceeded', data: { ...ref, ...success } });
    return null;
  }
  if (draft.state.cancelRequest !== null) {
    draft.emit({ type: 'AttemptCanceled', data: { ...ref, ...endWithout(end, 'canceled') } });
    return null;
  }
  if (end.outcome === 'failed') {
    failAttempt(draft, ref, end);
    return null;
  }
  if (end.outcome === 'exhausted') {
    const { outcome: _, ...ended } = end;
    draft.emit({ type: 'AttemptExhausted', data: { ...ref, ...ended } });
    return null;
  }
  const detail = end.outcome === 'interrupted' ? end.detail : end.failure.message;
  const { exitCode = null, output = null, usage = null } = end;
  const known = {
    ...(exitCode === null ? {} : { exitCode }),
    ...(output === null ? {} : { output }),
    ...(usage === null ? {} : { usage }),
  };
  draft.emit({ type: 'AttemptInterrupted', data: { ...ref, detail, ...known } });
  if (!resumeCorrected(draft, id)) resumeByItself(draft, id);
  return null;
}

/** What was stopped for a person's correction goes on with it. */
function resumeCorrected(draft: Draft, id: StepId): boolean {
  const correction = waitingCorrection(stepState(draft.state, id));
  if (correction === undefined) return false;
  requeueCorrected(draft, id, correction.by);
  return true;
}

function requeueCorrected(draft: Draft, step: StepId, by: Actor): void {
  draft.emit({
    type: 'StepRequeued',
    actor: by,
    data: { step, cause: 'resume', mode: 'continue', reason: 'a correction', automatic: false },
  });
}

function tellAgent(draft: Draft, command: Of<'TellAgent'>): Refusal | null {
  const { step: id, messageId, text, how } = command;
  const refusal = overRefusal(draft) ?? knownStep(draft, id);
  if (refusal !== null) return refusal;
  const step = stepState(draft.state, id);
  const cannot = (detail: string): Refusal => ({ type: 'CannotBeTold', step: id, detail });
  if (planStep(draft.state.created.plan, id).kind !== 'agent') return cannot('it is no agent');
  if (text.trim() === '') return cannot('the message is empty');
  if (step.messages.some((message) => message.id === messageId)) return null;
  const attempt = lastAttempt(step);
  const isLive = step.status === 'running' && !step.invalidated;
  if (attempt === undefined || (!isLive && step.status !== 'interrupted')) {
    return cannot(`it is ${step.invalidated ? 'to run again' : step.status}`);
  }
  if (!isLive && how === 'now') return cannot('it is interrupted');
  draft.emit({
    type: 'AgentTold',
    data: { step: id, attempt: attempt.number, messageId, text, how },
  });
  if (!isLive) requeueCorrected(draft, id, draft.context.actor);
  return null;
}

/** How an attempt ended, when what it did does not count: `code` says why. */
function endWithout(
  end: Exclude<AttemptReportEnd, { outcome: 'never-started' }>,
  code: 'canceled' | 'superseded',
): AttemptEnd {
  if (end.outcome === 'failed' || end.outcome === 'stopped' || end.outcome === 'exhausted') {
    const { failure, exitCode, output, usage, checks, setAside } = end;
    return { failure, exitCode, output, usage, checks, setAside };
  }
  const message = end.outcome === 'interrupted' ? end.detail : 'it ended well, too late to count';
  const failure = { code, message, hint: null };
  if (end.outcome === 'interrupted') {
    const { exitCode = null, output = null, usage = null } = end;
    return { failure, exitCode, output, usage, checks: [], setAside: null };
  }
  const { exitCode, output, usage, checks, checkpoint } = end;
  return { failure, exitCode, output, usage, checks, setAside: checkpoint };
}

function failAttempt(
  draft: Draft,
  ref: { readonly step: StepId; readonly attempt: number },
  end: Extract<AttemptReportEnd, { outcome: 'failed' }>,
): void {
  const planned = planStep(draft.state.created.plan, ref.step);
  const { outcome: _, retryable, ...ended } = end;
  const tries = stepState(draft.state, ref.step).tries + 1;
  const hasRetry = planned.kind === 'command' || planned.kind === 'agent';
  if (hasRetry && retryable && tries < planned.retry.attempts) {
    const notBeforeMs = draft.context.nowMs + planned.retry.backoffMs * 2 ** (tries - 1);
    draft.emit({ type: 'AttemptRetrying', data: { ...ref, ...ended, notBeforeMs } });
    awaitNeeds(draft, ref.step);
  } else {
    draft.emit({ type: 'AttemptFailed', data: { ...ref, ...ended } });
  }
}

/** An interrupted step goes on without a person where its plan says so, a few times at most. */
function resumeByItself(draft: Draft, id: StepId): void {
  const planned = planStep(draft.state.created.plan, id);
  // A validation changes nothing and costs nothing: it may always run again.
  const way = 'onInterrupt' in planned ? planned.onInterrupt : 'retry';
  const step = stepState(draft.state, id);
  if (way === 'ask' || step.automaticResumes >= MAX_AUTOMATIC_RESUMES) return;
  const mode = way === 'resume' ? 'continue' : 'restore';
  draft.emit({
    type: 'StepRequeued',
    data: { step: id, cause: way, mode, reason: 'onInterrupt', automatic: true },
  });
}

/** Questions about tools that nobody waits for any more: at `gateId`, or all of the step. */
function withdrawToolQuestions(draft: Draft, step: StepId, gateId: string | null): void {
  for (const { id, ...approval } of draft.state.approvals.values()) {
    if (approval.step !== step || approval.kind !== 'tool' || approval.status !== 'open') continue;
    if (gateId === null) {
      resolveApproval(draft, id, 'withdrawn', 'the attempt that asked has ended');
    } else if (approval.gateId === gateId) {
      resolveApproval(draft, id, 'withdrawn', 'the tool call was answered without a decision');
    }
  }
}

function cancelRun(draft: Draft, reason: string): Refusal | null {
  const { state } = draft;
  if (state.ended === 'succeeded' || state.ended === 'canceled') {
    return { type: 'RunOver', runId: state.runId, status: state.ended };
  }
  if (state.cancelRequest === null) draft.emit({ type: 'RunCancelRequested', data: { reason } });
  return null;
}

/** Whatever the status of the run: what has succeeded so far may be taken. */
function applyResult(draft: Draft, asked: Of<'ApplyResult'>['asked']): Refusal | null {
  const { runId, applying, checkpoint } = draft.state;
  if (applying !== null) return { type: 'ApplyUnderWay', runId, branch: applying.asked.branch };
  const isPerson = draft.context.actor.kind === 'person';
  if (!isPerson || asked.result.commit !== checkpoint?.commit) {
    return { type: 'NothingToApply', runId };
  }
  draft.emit({ type: 'ResultApplying', data: asked });
  return null;
}

function endApply(draft: Draft, outcome: Of<'EndApply'>['outcome']): Refusal | null {
  const { runId, applying } = draft.state;
  if (applying === null) return { type: 'NothingToApply', runId };
  const { branch } = applying.asked;
  if (outcome.applied) {
    draft.emit({ type: 'ResultApplied', data: { branch, commit: outcome.commit } });
  } else {
    draft.emit({ type: 'ResultNotApplied', data: { branch, failure: outcome.failure } });
  }
  return null;
}

function pauseRun(draft: Draft, reason: string | null): Refusal | null {
  const { state, context } = draft;
  const over = overRefusal(draft);
  if (over !== null) return over;
  if (state.startFailure !== null) return { type: 'RunOver', runId: state.runId, status: 'failed' };
  if (state.paused === null)
    draft.emit({ type: 'RunPaused', data: { reason, atMs: context.nowMs } });
  return null;
}

/** Nothing that was asked or granted under another policy counts under this one; what has begun goes on. */
function adoptPolicy(draft: Draft, policyDigest: string): Refusal | null {
  const { state } = draft;
  const over = overRefusal(draft);
  if (over !== null) return over;
  if (state.policyDigest === policyDigest) return null;
  draft.emit({ type: 'PolicyChanged', data: { from: state.policyDigest, policyDigest } });
  for (const { id, kind, status, usedBy } of state.approvals.values()) {
    const isGranted = kind === 'start' && status === 'approved' && usedBy === null;
    if (status === 'open' || isGranted) staleApproval(draft, id, ['policy']);
  }
  for (const { id, status, waiting, next, notBeforeMs } of state.steps.activeSteps()) {
    const waits = waiting?.reason === 'approval' || waiting?.reason === 'policy_denied';
    // What waits out a back-off keeps its time: its start is judged by the new policy anyway.
    const isReady = status === 'ready' && notBeforeMs === null;
    if (!isReady && !(status === 'blocked' && waits)) continue;
    const reason = 'the policy has changed';
    const data = { step: id, cause: 'verdict_changed', mode: next, reason } as const;
    draft.emit({ type: 'StepRequeued', data: { ...data, automatic: true } });
  }
  return null;
}

/** A conflict that is settled is enough; whatever else is interrupted goes on with it. */
function resume(draft: Draft, command: Of<'ResumeRun'>): Refusal | null {
  const settled = settleJoin(draft, command);
  if (settled !== null && settled !== 'settled') return settled;
  const refusal = resumeRun(draft, command.step, command.reason);
  return settled === 'settled' ? null : refusal;
}

/** Lifts a pause, and sets interrupted steps going: all of them, or the one named. */
function resumeRun(draft: Draft, only: StepId | null, reason: string | null): Refusal | null {
  const { state } = draft;
  const refusal = only === null ? null : knownStep(draft, only);
  if (refusal !== null) return refusal;
  const steps = [...state.steps.values()].filter(
    (step) => canResume(step) && (only === null || step.id === only),
  );
  const { paused } = state;
  if ((steps.length === 0 && (paused === null || only !== null)) || state.cancelRequest !== null) {
    return { type: 'NothingToResume', runId: state.runId, status: runStatus(state) };
  }
  if (paused !== null) {
    const heldMs = Math.max(0, draft.context.nowMs - paused.atMs);
    draft.emit({ type: 'RunUnpaused', data: { reason, heldMs } });
  }
  for (const { id } of steps) {
    const planned = planStep(state.created.plan, id);
    const mode =
      'onInterrupt' in planned && planned.onInterrupt === 'retry' ? 'restore' : 'continue';
    draft.emit({
      type: 'StepRequeued',
      data: { step: id, cause: 'resume', mode, reason, automatic: false },
    });
  }
  return null;
}

/** What was interrupted; also when it could not go on, for a want that has been seen to since. */
function canResume(step: StepState): boolean {
  if (step.status === 'interrupted') return true;
  const wants = step.status === 'blocked' ? (step.waiting?.reason ?? 'approval') : 'approval';
  const isOutside =
    wants === 'configuration' || wants === 'adapter_unavailable' || wants === 'budget_exceeded';
  return isOutside && step.next === 'continue' && lastWorked(step)?.status === 'interrupted';
}

function retryRun(draft: Draft, only: StepId | null, reason: string | null): Refusal | null {
  const { state } = draft;
  const refusal = only === null ? null : knownStep(draft, only);
  if (refusal !== null) return refusal;
  if (state.startFailure !== null && only === null && state.cancelRequest === null) {
    draft.emit({ type: 'RunRequeued', data: { reason: reason ?? 'retry' } });
    return null;
  }
  const steps = [...state.steps.values()].filter(
    (step) => canRetry(step, only !== null) && (only === null || step.id === only),
  );
  if (steps.length === 0 || state.cancelRequest !== null) {
    const isNamable = state.cancelRequest === null && only === null;
    const interrupted = isNamable ? interruptedSteps(state) : [];
    return { type: 'NothingToRetry', runId: state.runId, status: runStatus(state), interrupted };
  }
  for (const { id } of steps) {
    draft.emit({
      type: 'StepRequeued',
      data: { step: id, cause: 'retry', mode: 'restore', reason, automatic: false },
    });
  }
  return null;
}

function interruptedSteps(state: RunState): readonly StepId[] {
  return [...state.steps.values()]
    .filter(({ status }) => status === 'interrupted')
    .map(({ id }) => id);
}

/** A whole run retries what failed or waits for a repair outside; an interrupted step only when it is named. */
function canRetry(step: StepState, named: boolean): boolean {
  if (step.status === 'failed') return true;
  if (step.status === 'blocked') return step.waiting?.reason !== 'approval';
  return named && step.status === 'interrupted';
}
