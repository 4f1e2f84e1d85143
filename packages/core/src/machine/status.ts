/** The status of a run, and everything it waits for: folds over its steps. */
import { isWriter } from '../plan/plan.ts';
import type { StepId } from '../plan/plan.ts';
import { isOfChange } from './requests.ts';
import { lastWorked, planStep } from './state.ts';
import type { RunState, StepState } from './state.ts';

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
  const stopping = stopsOnFailure(state);
  const holder = workspaceHolder(state);
  for (const step of state.steps.activeSteps()) {
    if (step.status === 'running' || step.status === 'stale') return true;
    if (stopping) continue;
    if (step.status === 'ready') {
      // A writer that must wait moves when the holder of the workspace does.
      const waits = holder !== undefined && holder.id !== step.id;
      if (!waits || !isWriter(planStep(state.created.plan, step.id))) return true;
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

/** Every step it needs has succeeded or was skipped. */
export function isEligible(state: RunState, step: StepState): boolean {
  return state.steps.isEligible(step.id);
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

/** The step whose half-done work is in the workspace: until it is gone on with or set back, no other writer begins. */
export function workspaceHolder(state: RunState): StepState | undefined {
  for (const step of state.steps.activeSteps()) {
    if (holdsWork(step) && isWriter(planStep(state.created.plan, step.id))) return step;
  }
  return undefined;
}

/** From its start, over an interruption, to the start of the attempt that goes on from there; of steps not yet settled. */
function holdsWork(step: StepState): boolean {
  if (step.status === 'running' || step.status === 'interrupted') return true;
  return step.next === 'continue' && lastWorked(step)?.status === 'interrupted';
}
