import type { AttemptHosts, RunState, StepState } from '@ccdash/core';

/** Of each agent step that has begun, where the answers are kept that led to its newest attempt, oldest first. */
export function recordedSteps(
  state: RunState,
  hosts: Pick<AttemptHosts, 'answersPathOf'>,
): readonly { readonly step: string; readonly files: readonly string[] }[] {
  const { runId } = state;
  return state.created.plan.steps.flatMap(({ id, kind }) => {
    const step = state.steps.get(id);
    const attempts = kind === 'agent' && step !== undefined ? lineOf(step) : [];
    if (attempts.length === 0) return [];
    const files = attempts.map((attempt) => hosts.answersPathOf({ runId, step: id, attempt }));
    return [{ step: id, files }];
  });
}

/** The newest attempt, and those whose session it went on with. */
function lineOf(step: StepState): readonly number[] {
  const line: number[] = [];
  let number = step.attempts.findLast(({ status }) => status !== 'never-started')?.number ?? null;
  while (number !== null) {
    line.unshift(number);
    number = step.attempts[number - 1]?.resumedFrom ?? null;
  }
  return line;
}
