/**
 * What a state wants done, as data. The engine starts each effect once, and what comes of it returns as a command;
 * after a restart the same state names the same effects, so nothing has to be remembered beside the log.
 */
import type { StepId } from '../plan/plan.ts';
import { isWriter } from '../plan/plan.ts';
import { liveAttempt, planStep, waitingCorrection } from '../machine/state.ts';
import type { RunState, StepState } from '../machine/state.ts';
import {
  isEligible,
  stopsOnFailure,
  waitsUntil,
  workToJoin,
  workspaceFor,
} from '../machine/status.ts';

export type Effect =
  | { readonly type: 'PrepareWorkspace' }
  | { readonly type: 'ApplyResult' }
  /** Make what a step has done in a workspace of its own part of the run's. */
  | { readonly type: 'JoinWork'; readonly step: StepId }
  | { readonly type: 'EvaluateStep'; readonly step: StepId }
  | { readonly type: 'StartStep'; readonly step: StepId }
  /** Watch over a live attempt: launch it, find it again, take its facts, record its end. */
  | { readonly type: 'SuperviseAttempt'; readonly step: StepId; readonly attempt: number }
  | {
      readonly type: 'StopAttempt';
      readonly step: StepId;
      readonly attempt: number;
      readonly reason: string;
    }
  | {
      readonly type: 'EvaluateGate';
      readonly step: StepId;
      readonly attempt: number;
      readonly gateId: string;
    }
  | {
      readonly type: 'AnswerGate';
      readonly step: StepId;
      readonly attempt: number;
      readonly gateId: string;
      readonly decision: 'allow' | 'deny';
      readonly reason: string;
    }
  /** Hand on what a person told a live agent. */
  | {
      readonly type: 'TellAttempt';
      readonly step: StepId;
      readonly attempt: number;
      readonly messageId: string;
    }
  /** The host of a live agent lets no further model call begin, or lets them begin again. */
  | {
      readonly type: 'HoldAttempt' | 'UnholdAttempt';
      readonly step: StepId;
      readonly attempt: number;
    }
  | { readonly type: 'WakeAt'; readonly atMs: number };

/** Names an effect; two effects with the same key are the same work. */
export function effectKey(effect: Effect): string {
  switch (effect.type) {
    case 'PrepareWorkspace':
    case 'ApplyResult':
      return effect.type;
    case 'EvaluateStep':
    case 'StartStep':
    case 'JoinWork':
      return `${effect.type} ${effect.step}`;
    case 'SuperviseAttempt':
    case 'StopAttempt':
    case 'HoldAttempt':
    case 'UnholdAttempt':
      return `${effect.type} ${effect.step} ${String(effect.attempt)}`;
    case 'TellAttempt':
      return `${effect.type} ${effect.step} ${String(effect.attempt)} ${effect.messageId}`;
    case 'EvaluateGate':
    case 'AnswerGate':
      return `${effect.type} ${effect.step} ${String(effect.attempt)} ${effect.gateId}`;
    case 'WakeAt':
      return `${effect.type} ${String(effect.atMs)}`;
  }
}

/** Everything `state` wants done at `nowMs`, in plan order. */
export function effectsOf(state: RunState, nowMs: number): readonly Effect[] {
  const effects: Effect[] = [];
  // In whatever status the run is, ended ones too.
  if (state.applying !== null) effects.push({ type: 'ApplyResult' });
  if (state.startedAt === null) {
    const wanted =
      state.startFailure === null && state.cancelRequest === null && state.paused === null;
    return wanted ? [{ type: 'PrepareWorkspace' }] : [];
  }
  const stands = state.cancelRequest !== null || state.paused !== null;
  const begins = !stands && !stopsOnFailure(state);
  const work = stands ? undefined : workToJoin(state);
  if (work !== undefined) effects.push({ type: 'JoinWork', step: work.step });
  const slots = startSlots(state);
  for (const step of state.steps.activeSteps()) {
    effects.push(...attemptEffects(state, step));
    if (!begins) continue;
    if (step.status === 'pending' && isEligible(state, step)) {
      effects.push({ type: 'EvaluateStep', step: step.id });
    } else if (step.status === 'ready') {
      const atMs = waitsUntil(state, step, nowMs);
      if (atMs !== null) {
        effects.push({ type: 'WakeAt', atMs });
      } else if (slots.take(step)) {
        effects.push({ type: 'StartStep', step: step.id });
      }
    }
  }
  if (stands) return effects;
  for (const approval of state.approvals.values()) {
    const unused = approval.kind === 'override' && approval.usedBy === null && state.ended === null;
    if (approval.status !== 'open' && !(unused && approval.status === 'approved')) continue;
    const { escalation, escalated, expiresAtMs } = approval;
    const atMs = escalation !== null && !escalated ? escalation.atMs : expiresAtMs;
    if (atMs !== null) effects.push({ type: 'WakeAt', atMs });
  }
  return effects;
}

/** Whether `step` may begin next to what runs: a slot is free, and no writer is in its workspace. */
export function hasSlot(state: RunState, step: StepState): boolean {
  return startSlots(state).take(step);
}

function startSlots(state: RunState): { take(step: StepState): boolean } {
  let free = state.created.plan.concurrency - state.steps.count('running');
  // One writer at a time is given the workspace of the run; what comes after it sees that it is taken.
  let isGiven = false;
  return {
    take: (step) => {
      const where = free <= 0 ? null : workspaceFor(state, step);
      if (where === null) return false;
      if (where === 'run' && isWriter(planStep(state.created.plan, step.id))) {
        if (isGiven) return false;
        isGiven = true;
      }
      free -= 1;
      return true;
    },
  };
}

function attemptEffects(state: RunState, step: StepState): readonly Effect[] {
  const attempt = liveAttempt(step);
  if (attempt === undefined) return [];
  const ref = { step: step.id, attempt: attempt.number };
  const effects: Effect[] = [{ type: 'SuperviseAttempt', ...ref }];
  if (state.cancelRequest !== null) {
    effects.push({ type: 'StopAttempt', ...ref, reason: 'the run is canceled' });
    return effects;
  }
  if (step.invalidated) {
    effects.push({ type: 'StopAttempt', ...ref, reason: 'a step it depends on runs again' });
    return effects;
  }
  if (waitingCorrection(step) !== undefined) {
    effects.push({ type: 'StopAttempt', ...ref, reason: 'a person corrects it' });
    return effects;
  }
  for (const { id: messageId, status } of step.messages) {
    if (status === 'waiting') effects.push({ type: 'TellAttempt', ...ref, messageId });
  }
  if (state.wasPaused && planStep(state.created.plan, step.id).kind === 'agent') {
    effects.push({ type: state.paused === null ? 'UnholdAttempt' : 'HoldAttempt', ...ref });
  }
  if (state.paused !== null) return effects;
  for (const gate of attempt.gates) {
    if (gate.status === 'raised') {
      effects.push({ type: 'EvaluateGate', ...ref, gateId: gate.gateId });
    } else if (gate.status === 'decided') {
      const decision = gate.decision ?? 'deny';
      const reason = gate.reason ?? '';
      effects.push({ type: 'AnswerGate', ...ref, gateId: gate.gateId, decision, reason });
    }
  }
  return effects;
}
