/** What follows by itself once a command has been decided, until nothing more does. */
import { lastWorked, planStep } from './state.ts';
import type { RunState, StepState } from './state.ts';
import type { Draft } from './draft.ts';
import { settleChange } from './change.ts';
import { resolveApproval } from './requests.ts';
import { settleOverrides } from './override.ts';
import { dropPassedBy } from './staleness.ts';
import { blockedReasons, hasMotion, isEligible, stepsSucceeded } from './status.ts';

const ENGINE = { kind: 'engine', id: 'engine' } as const;

export function settle(draft: Draft): void {
  const { state } = draft;
  if (state.ended === 'canceled') return;
  if (state.cancelRequest !== null) {
    finishCancel(draft, state.cancelRequest.reason);
    return;
  }
  if (state.startedAt === null) return;
  dropPassedBy(draft);
  settleOverrides(draft);
  settleChange(draft);
  requeueStale(draft);
  while (skipAfterSkipped(draft));
  if (state.paused !== null) return;
  if (state.ended === null && !hasMotion(state) && blockedReasons(state).length === 0) {
    const status = stepsSucceeded(state) ? 'succeeded' : 'failed';
    draft.emit({ type: 'RunEnded', actor: ENGINE, data: { status } });
  }
}

/** A canceled run is canceled once no process of it lives. */
function finishCancel(draft: Draft, reason: string): void {
  const { state } = draft;
  if (state.steps.count('running') > 0) return;
  for (const approval of state.approvals.values()) {
    if (approval.status === 'open') {
      resolveApproval(draft, approval.id, 'withdrawn', 'the run is canceled');
    }
  }
  draft.emit({ type: 'RunCanceled', actor: ENGINE, data: { reason } });
}

function requeueStale(draft: Draft): void {
  for (const step of draft.state.steps.activeSteps()) {
    if (step.status !== 'stale') continue;
    draft.emit({
      type: 'StepRequeued',
      actor: ENGINE,
      data: {
        step: step.id,
        cause: 'invalidated',
        // What an interrupted attempt left is given up: what it stood on changes.
        mode: step.anew || lastWorked(step)?.status === 'interrupted' ? 'restore' : 'continue',
        reason: null,
        automatic: true,
      },
    });
  }
}

function skipAfterSkipped(draft: Draft): boolean {
  let changed = false;
  for (const step of draft.state.steps.activeSteps()) {
    if (step.status !== 'pending' || !inheritsSkip(draft.state, step)) continue;
    draft.emit({ type: 'StepSkipped', actor: ENGINE, data: { step: step.id, cause: 'condition' } });
    changed = true;
  }
  return changed;
}

/** A step without a condition of its own goes the way of a step it needs that a condition skipped. */
function inheritsSkip(state: RunState, step: StepState): boolean {
  const planned = planStep(state.created.plan, step.id);
  return (
    planned.when === null &&
    isEligible(state, step) &&
    planned.needs.some((id) => state.steps.get(id)?.skipped === 'condition')
  );
}
