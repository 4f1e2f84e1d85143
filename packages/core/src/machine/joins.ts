/** What steps have made in workspaces of their own becomes part of the run's, one after the other, in plan order. */
import type { StepId } from '../plan/plan.ts';
import type { Refusal, RunCommand } from './commands.ts';
import type { Draft } from './draft.ts';
import type { RunState, Unjoined } from './state.ts';
import { workToJoin } from './status.ts';

type Of<T extends RunCommand['type']> = Extract<RunCommand, { type: T }>;

export function joinWork(draft: Draft, { step, onto, outcome }: Of<'JoinWork'>): Refusal | null {
  const { state } = draft;
  const work =
    state.cancelRequest === null && state.paused === null ? workToJoin(state) : undefined;
  const isDue = work?.step === step && state.checkpoint?.commit === onto;
  if (!isDue || state.checkpoint === null) {
    const status = state.steps.get(step)?.status ?? 'unknown';
    return { type: 'StepNotReady', step, status };
  }
  if (outcome.joined) {
    const { checkpoint, files } = outcome;
    const take = state.conflict?.settled?.take ?? null;
    const conflicts = files.length === 0 ? {} : { conflicts: { files, take } };
    draft.emit({ type: 'WorkJoined', data: { step, checkpoint, ...conflicts } });
    return null;
  }
  const { files } = outcome;
  const besides = stepsSince(state, work);
  draft.emit({
    type: 'JoinConflicted',
    data: { step, onto: state.checkpoint, with: besides, files },
  });
  return null;
}

/**
 * A person resumes a run that waits for a conflict to be settled: by the side of a step, or by what is in the workspace.
 * Null where it does not wait for that.
 */
export function settleJoin(
  draft: Draft,
  { step, take }: Of<'ResumeRun'>,
): Refusal | 'settled' | null {
  const { conflict, runId, paused, cancelRequest } = draft.state;
  // Whoever only lifts a pause has not looked at the files yet.
  const says = take !== undefined || paused === null;
  const waits = conflict?.settled === null && says && cancelRequest === null;
  if (!waits || (step !== null && step !== conflict.step)) {
    return take === undefined ? null : { type: 'StepNotFound', runId, step: take };
  }
  if (take !== undefined && take !== conflict.step && !conflict.with.includes(take)) {
    return { type: 'StepNotFound', runId, step: take };
  }
  draft.emit({ type: 'JoinSettled', data: { step: conflict.step, take: take ?? null } });
  return 'settled';
}

/** Steps whose work has become the run's since `work` was begun, oldest first. */
function stepsSince(state: RunState, work: Unjoined): readonly StepId[] {
  const steps: StepId[] = [];
  for (let at = state.line; at !== null; at = at.before) {
    if (at.checkpoint.commit === work.base.commit) break;
    steps.push(at.step);
  }
  return [...new Set(steps.reverse())];
}
