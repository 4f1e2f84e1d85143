/**
 * A new run that begins where another one has come to: what it takes over, as it is at that checkpoint. The other run is
 * only read, whatever has become of it.
 */
import { err, ok } from '../base/result.ts';
import type { Result } from '../base/result.ts';
import { isWriter } from '../plan/plan.ts';
import type { StepId } from '../plan/plan.ts';
import type { Refusal } from './commands.ts';
import type { CarriedStep, Checkpoint, Fork } from './events.ts';
import { lastWorked, planStep, stepState } from './state.ts';
import type { RunState, StepState } from './state.ts';

/** Errors: NothingToFork where the run has no checkpoint, or `at` has made none that still counts; StepNotFound. */
export function forkOf(
  state: RunState,
  at: StepId | null,
  reason: string | null,
): Result<Fork, Refusal> {
  const { runId } = state;
  if (at !== null && !state.steps.has(at)) return err({ type: 'StepNotFound', runId, step: at });
  const checkpoint = at === null ? state.checkpoint : checkpointOf(stepState(state, at));
  if (state.origin === null || checkpoint === null)
    return err({ type: 'NothingToFork', runId, at });
  const line = lineUpTo(state, checkpoint);
  const steps = carriedSteps(state, new Set([state.origin.commit, ...line.map(commitOf)]), at);
  return ok({ runId, at, checkpoint, line, steps, reason });
}

function checkpointOf({ status, checkpoint }: StepState): Checkpoint | null {
  return status === 'succeeded' ? checkpoint : null;
}

function commitOf({ checkpoint }: Fork['line'][number]): string {
  return checkpoint.commit;
}

/** The writers behind a checkpoint, oldest first. */
function lineUpTo(state: RunState, target: Checkpoint): Fork['line'] {
  const line: Fork['line'][number][] = [];
  let seen = false;
  for (let at = state.line; at !== null; at = at.before) {
    seen ||= at.checkpoint.commit === target.commit;
    if (seen) line.unshift({ step: at.step, checkpoint: at.checkpoint });
  }
  return line;
}

/**
 * What has succeeded on those commits, with all that it needs. A gate that nothing taken over stands on is asked again:
 * its answer was for the other run. A skip goes along with what was done without the step.
 */
function carriedSteps(
  state: RunState,
  commits: ReadonlySet<string>,
  at: StepId | null,
): readonly CarriedStep[] {
  const { plan } = state.created;
  const carried = new Set<StepId>();
  for (const { id, status, checkpoint } of state.steps.values()) {
    const isThere = checkpoint !== null && commits.has(checkpoint.commit);
    if (status === 'skipped' || (status === 'succeeded' && isThere)) carried.add(id);
  }
  const isNeeded = (id: StepId): boolean =>
    plan.steps.some(({ id: other, needs }) => needs.includes(id) && carried.has(other));
  for (let shrank = true; shrank;) {
    shrank = false;
    for (const { id, kind, needs } of plan.steps) {
      if (!carried.has(id)) continue;
      const { skipped } = stepState(state, id);
      const isLoose = (kind === 'approval' || (skipped !== null && at !== null)) && !isNeeded(id);
      if (!isLoose && needs.every((need) => carried.has(need))) continue;
      carried.delete(id);
      shrank = true;
    }
  }
  return plan.steps.filter(({ id }) => carried.has(id)).map(({ id }) => toCarried(state, id));
}

function toCarried(state: RunState, id: StepId): CarriedStep {
  const step = stepState(state, id);
  const { skipped, skipReason, outputs, checkpoint } = step;
  const worked = step.status === 'succeeded' ? lastWorked(step) : undefined;
  const looked = isWriter(planStep(state.created.plan, id)) ? worked?.inputCheckpoint : checkpoint;
  return {
    ...{ step: id, skipped, skipReason, outputs, checkpoint },
    attempt:
      worked === undefined
        ? null
        : {
            from: worked.from ?? { runId: state.runId, attempt: worked.number },
            startedAt: worked.startedAt,
            endedAt: worked.endedAt,
            inputCheckpoint: looked ?? worked.inputCheckpoint,
            exitCode: worked.exitCode,
            output: worked.output,
            checks: worked.checks,
            artifacts: worked.artifacts,
          },
  };
}
