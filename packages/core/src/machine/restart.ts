/** Going back to before a step: what runs again with it, and what the workspace is then. */
import { dependentsOf, isWriter } from '../plan/plan.ts';
import type { StepId } from '../plan/plan.ts';
import { dropApprovals } from './requests.ts';
import type { Refusal } from './commands.ts';
import type { Draft } from './draft.ts';
import type { Checkpoint } from './events.ts';
import { lastWorked, planStep, stepState } from './state.ts';
import type { RunState, StepState } from './state.ts';
import { runStatus } from './status.ts';

export function restartFrom(draft: Draft, id: StepId, reason: string | null): Refusal | null {
  const { state } = draft;
  const { runId } = state;
  if (!state.steps.has(id)) return { type: 'StepNotFound', runId, step: id };
  const isOver = state.ended === 'succeeded' || state.ended === 'canceled';
  if (isOver || state.cancelRequest !== null) {
    return { type: 'RunOver', runId, status: runStatus(state) };
  }
  const step = stepState(state, id);
  const reach = restartReach(state, step);
  if (reach === null) return { type: 'NothingToRestart', step: id, status: step.status };
  const { target, steps } = reach;
  const said = reason ?? `${id} is run again`;
  for (const each of steps) {
    dropApprovals(draft, each, `${id} runs again`);
    draft.emit({
      type: 'StepInvalidated',
      data: { step: each, cause: id, reason: said, gate: false, anew: true },
    });
  }
  if (target.commit !== state.checkpoint?.commit) {
    draft.emit({ type: 'RunRewound', data: { step: id, checkpoint: target } });
  }
  return null;
}

/** What going back to before `step` takes along, itself first; null when it has not begun. */
export function restartReach(
  state: RunState,
  step: StepState,
): { readonly target: Checkpoint; readonly steps: readonly StepId[] } | null {
  const target = beginningOf(state, step);
  return target && { target, steps: [step.id, ...builtOn(state, step.id, target)] };
}

/** The workspace as the step found it when it last began; null when it has not. What came before a rewind is over. */
function beginningOf(state: RunState, step: StepState): Checkpoint | null {
  const worked = lastWorked(step);
  switch (step.status) {
    case 'succeeded':
    case 'running':
    case 'interrupted':
      return worked?.inputCheckpoint ?? step.checkpoint;
    case 'failed':
      return worked?.inputCheckpoint ?? state.checkpoint;
    case 'pending':
    case 'ready':
    case 'blocked':
      if (step.next === 'continue' && worked?.status === 'interrupted') {
        return worked.inputCheckpoint;
      }
      return hasBegun(step) ? state.checkpoint : null;
    case 'skipped':
      return state.checkpoint;
    case 'stale':
    case 'canceled':
      return null;
  }
}

/**
 * All that has begun and depends on `id`, or on a writer whose work goes when the workspace is `target` again, those
 * writers included; in plan order.
 */
function builtOn(state: RunState, id: StepId, target: Checkpoint): readonly StepId[] {
  const { plan } = state.created;
  const gone = new Set(dependentsOf(plan, id));
  for (let at = state.line; at !== null; at = at.before) {
    if (at.checkpoint.commit === target.commit) break;
    const { status } = stepState(state, at.step);
    if (status === 'pending' || status === 'stale') continue;
    gone.add(at.step);
    for (const dependent of dependentsOf(plan, at.step)) gone.add(dependent);
  }
  for (const { id: each, base } of beside(state)) {
    if (isOnLine(state, target, base)) continue;
    gone.add(each);
    for (const dependent of dependentsOf(plan, each)) gone.add(dependent);
  }
  for (const step of state.steps.activeSteps()) {
    // What it is at would end on a workspace that is not there any more.
    if (step.status === 'running' && isWriter(planStep(plan, step.id))) gone.add(step.id);
  }
  gone.delete(id);
  return plan.steps
    .map((step) => step.id)
    .filter((each) => gone.has(each) && hasBegun(stepState(state, each)));
}

/** Steps with work in workspaces of their own, done or half done, and what those were begun from. */
function beside(state: RunState): readonly { readonly id: StepId; readonly base: Checkpoint }[] {
  const done = state.unjoined.map(({ step, base }) => ({ id: step, base }));
  const half = [...state.steps.activeSteps()].flatMap((step) => {
    const worked = lastWorked(step);
    const isThere = worked?.status === 'interrupted' && worked.lane && hasBegun(step);
    return isThere ? [{ id: step.id, base: worked.inputCheckpoint }] : [];
  });
  return [...done, ...half];
}

/** Whether `checkpoint` is `target`, or came before it. */
function isOnLine(state: RunState, target: Checkpoint, checkpoint: Checkpoint): boolean {
  if (checkpoint.commit === target.commit || checkpoint.commit === state.origin?.commit)
    return true;
  let at = state.line;
  while (at !== null && at.checkpoint.commit !== target.commit) at = at.before;
  while (at !== null && at.checkpoint.commit !== checkpoint.commit) at = at.before;
  return at !== null;
}

/** Something of it is there: it is not as if it had never been looked at. */
export function hasBegun({ status, next }: StepState): boolean {
  return status !== 'pending' || next === 'continue';
}
