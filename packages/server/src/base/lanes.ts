/** Workspaces that a step has for itself, beside the one of its run: named by both. */

/** Neither ids of runs nor of steps hold it where it could be mistaken: an id of a run has no hyphen. */
const BETWEEN = '--';

export function laneOf(runId: string, step: string): string {
  return `${runId}${BETWEEN}${step}`;
}

/** The run and the step of a lane; of the workspace of a run, the step is null. */
export function splitLane(id: string): { readonly runId: string; readonly step: string | null } {
  const at = id.indexOf(BETWEEN);
  if (at < 0) return { runId: id, step: null };
  return { runId: id.slice(0, at), step: id.slice(at + BETWEEN.length) };
}
