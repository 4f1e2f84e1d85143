/** Whether the agent of a step takes a message while it works. */
import { planStep } from '@ccdash/core';
import type { RunState } from '@ccdash/core';
import type { WorkbenchRefusal } from '../base/workbench.ts';
import type { EngineDeps } from './deps.ts';

/** Null when it does, or when there is no such agent: core says what is wrong then. */
export async function refusalToTell(
  deps: EngineDeps,
  state: RunState | null,
  step: string,
): Promise<WorkbenchRefusal | null> {
  if (state?.steps.get(step) === undefined) return null;
  const planned = planStep(state.created.plan, step);
  if (planned.kind !== 'agent') return null;
  const capabilities = await deps.adapters.capabilities(planned.adapter);
  if (capabilities?.steering !== 'restart') return null;
  const detail = `the agent ${planned.adapter} takes no message while it works`;
  return { type: 'CannotBeTold', step, detail };
}
