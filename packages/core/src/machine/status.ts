/** The status of a run, and everything it waits for: folds over its steps. */
import { isWriter } from '../plan/plan.ts';
import type { StepId } from '../plan/plan.ts';
import { isOfChange } from './requests.ts';
import { lastWorked, planStep } from './state.ts';
import type { RunState, StepState, Unjoined } from './state.ts';

export const RUN_STATUSES = [
  'queued',
  'paused',
  'running',
  'blocked',
  'failed',
  'succeeded',
  'canceled',
] as const;
export type RunStatus = (typeof RUN_STATUSES)[number];

export interface BlockedReason {
  readonly reason:
    | 'approval'
    | 'policy_denied'
    | 'merge_conflict'
    | 'interrupted'
    | 'adapter_unavailable'
    | 'configuration'
    | 'budget_exceeded';
  readonly step: StepId;
  readonly approval: string | null;
}

/** The first line that holds, in the order of SPEC.md's table of run statuses. */
export function runStatus(state: RunState): RunStatus {
  if (state.ended === 'canceled') return 'canceled';
  if (state.paused !== null) return 'paused';
  if (state.startFailure !== null) return 'failed';
  if (state.startedAt === null) return 'queued';
  if (state.ended !== null) return state.ended;
  if (hasMotion(state)) return 'running';
  if (blockedReasons(state).length > 0) return 'blocked';
  return stepsSucceeded(state) ? 'succeeded' : 'failed';
}

/** Every reason a run waits for people, whatever its status, in plan order. */
export function blockedReasons(state: RunState): readonly BlockedReason[] {
  const reasons: BlockedReason[] = [];
  if (state.ended !== null) return reasons;
  for (const step of state.steps.activeSteps()) {
    if (step.status === 'interrupted') {
      reasons.push({ reason: 'interrupted', step: step.id, approval: null });
    } else if (step.waiting !== null) {
      const approval = step.waiting.reason === 'approval' ? step.waiting.approvalId : null;
      reasons.push({ reason: step.waiting.reason, step: step.id, approval });
    }
  }
  const { conflict } = state;
  if (conflict?.settled === null) {
    reasons.push({ reason: 'merge_conflict', step: conflict.step, approval: null });
  }
  for (const approval of state.approvals.values()) {
    const isAside = approval.kind === 'tool' || isOfChange(approval);
    if (isAside && approval.status === 'open') {
      reasons.push({ reason: 'approval', step: approval.step, approval: approval.id });
    }
  }
  return reasons;
}

export function stepsSucceeded(state: RunState): boolean {
  const { steps } = state;
  return steps.count('succeeded') + steps.count('skipped') === steps.size;
}

/** Something goes on, or will without anybody's help. */
export function hasMotion(state: RunState): boolean {
  if (workToJoin(state) !== undefined) return true;
  const stopping = stopsOnFailure(state);
  for (const step of state.steps.activeSteps()) {
    if (step.status === 'running' || step.status === 'stale') return true;
    if (stopping) continue;
    if (step.status === 'ready') {
      // A writer that must wait moves when the holder of the workspace does, and all do once a conflict is settled.
      if (workspaceFor(state, step) !== null) return true;
    }
    if (step.status === 'pending' && isEligible(state, step)) return true;
  }
  return false;
}

/** A step has failed, and the plan says that nothing new begins after that. */
export function stopsOnFailure(state: RunState): boolean {
  if (state.created.plan.onFailure !== 'stop') return false;
  return state.steps.count('failed') > 0;
}

/** Every step it needs has succeeded or was skipped, and what they made is part of the run's workspace. */
export function isEligible(state: RunState, step: StepState): boolean {
  if (!state.steps.isEligible(step.id)) return false;
  if (state.unjoined.length === 0) return true;
  const { needs } = planStep(state.created.plan, step.id);
  return !state.unjoined.some((work) => needs.includes(work.step));
}

/**
 * Where `step` may begin as things are: in the workspace of the run, or in a `lane`, one of its own, because another
 * writer has that. Null: nowhere yet.
 */
export function workspaceFor(state: RunState, step: StepState): 'run' | 'lane' | null {
  // The files are being put together, or a person does that.
  if (state.conflict !== null) return null;
  if (!isWriter(planStep(state.created.plan, step.id))) return 'run';
  if (workToJoin(state) !== undefined) return null;
  if (goesOnInLane(step)) return 'lane';
  const holder = workspaceHolder(state);
  if (holder === undefined || holder.id === step.id) return 'run';
  return state.created.plan.concurrency > 1 ? 'lane' : null;
}

/** It was interrupted in a workspace of its own, and goes on there. */
export function goesOnInLane(step: StepState): boolean {
  const worked = lastWorked(step);
  return step.next === 'continue' && worked?.status === 'interrupted' && worked.lane;
}

/**
 * The work that is to be joined now, first in plan order; undefined while there is none, while the workspace of the run
 * is in use, or a step that comes before it in the plan is still at work beside it.
 */
export function workToJoin(state: RunState): Unjoined | undefined {
  const { conflict } = state;
  if (state.unjoined.length === 0 || conflict?.settled === null) return undefined;
  if (workspaceHolder(state) !== undefined) return undefined;
  const work =
    conflict === null
      ? state.unjoined[0]
      : state.unjoined.find(({ step }) => step === conflict.step);
  if (work === undefined) return undefined;
  for (const { id } of state.created.plan.steps) {
    if (id === work.step) return work;
    const step = state.steps.get(id);
    if (step?.status === 'running' && isWriter(planStep(state.created.plan, id))) return undefined;
  }
  return work;
}

/**
 * Until when a ready step waits out its back-off; null when it may start. A clock that was set back makes nobody wait
 * longer than the plan says.
 */
export function waitsUntil(state: RunState, step: StepState, nowMs: number): number | null {
  const { notBeforeMs, tries } = step;
  if (notBeforeMs === null || notBeforeMs <= nowMs) return null;
  const planned = planStep(state.created.plan, step.id);
  const longestMs = 'retry' in planned ? planned.retry.backoffMs * 2 ** (tries - 1) : 0;
  return notBeforeMs - nowMs > longestMs ? null : notBeforeMs;
}

/** The step whose half-done work is in the run's workspace: until it is gone on with or set back, no other writer begins there. */
export function workspaceHolder(state: RunState): StepState | undefined {
  for (const step of state.steps.activeSteps()) {
    if (!holdsWork(step) || lastWorked(step)?.lane === true) continue;
    if (isWriter(planStep(state.created.plan, step.id))) return step;
  }
  return undefined;
}

/** From its start, over an interruption, to the start of the attempt that goes on from there; of steps not yet settled. */
function holdsWork(step: StepState): boolean {
  if (step.status === 'running' || step.status === 'interrupted') return true;
  return step.next === 'continue' && lastWorked(step)?.status === 'interrupted';
}
