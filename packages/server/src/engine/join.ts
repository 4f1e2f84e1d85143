/** Makes what a step has done in a workspace of its own part of the run's. Repeated after a crash, it comes to the same. */
import { workToJoin } from '@ccdash/core';
import type { JoinConflict, JoinOrder } from '@ccdash/core';
import type { EngineDeps } from './deps.ts';
import type { Performed, RunHandle } from './engine.ts';

export async function joinWork(deps: EngineDeps, run: RunHandle, step: string): Promise<Performed> {
  const state = run.state();
  const work = workToJoin(state);
  const { checkpoint: onto, conflict } = state;
  if (work?.step !== step || onto === null) return 'done';
  const joined = await deps.workspaces.join(run.runId, {
    ...{ onto, work: work.checkpoint, label: `${step}/joined`, take: sideOf(conflict) },
  });
  // Whatever is in the way (a full disk, a folder that is gone) may be away later; nothing is lost meanwhile.
  if (!joined.ok) return 'again';
  deps.crashPoint?.('work-joined', run.runId);
  const { value: outcome } = joined;
  const applied = await run.apply({ type: 'JoinWork', step, onto: onto.commit, outcome });
  return applied.ok ? 'done' : 'again';
}

function sideOf(conflict: JoinConflict | null): JoinOrder['take'] {
  if (conflict === null || conflict.settled === null) return null;
  const { take } = conflict.settled;
  if (take === null) return 'workspace';
  return take === conflict.step ? 'work' : 'onto';
}
