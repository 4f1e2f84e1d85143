/** What an action would do to a run: core decides it without doing it, git tells which files go back. */
import { err, impactOf, ok, planStep } from '@ccdash/core';
import type { Impact, Result, RunState } from '@ccdash/core';
import type { Caller, ControlRequest, ImpactSummary, WorkbenchRefusal } from '../base/workbench.ts';
import type { EngineDeps } from './deps.ts';
import { foreseenCommand } from './changes.ts';
import { asJson } from './facts.ts';
import type { SavedPlans } from './saved-plans.ts';
import { deedsOf } from './side-effects.ts';

export async function summarize(
  deps: EngineDeps,
  plans: SavedPlans,
  state: RunState | null,
  runId: string,
  request: ControlRequest,
  by: Caller,
): Promise<Result<ImpactSummary, WorkbenchRefusal>> {
  if (state === null) return err({ type: 'RunNotFound', runId });
  const impact = impactNow(deps, plans, state, request, by);
  if (!impact.ok) return impact;
  const { rewinds } = impact.value;
  const files =
    rewinds === null ? ok([]) : await deps.workspaces.changes(runId, rewinds.from, rewinds.to);
  if (!files.ok) return err({ type: 'ProjectUnusable', failure: files.error });
  const summary = {
    action: request.type,
    ...impact.value,
    files: files.value,
    sideEffects: sideEffectsOf(deps, state, impact.value),
  };
  // Why somebody does it is theirs to say when they do it, and changes nothing of what happens.
  const { reason: _, ...asked } = request;
  const digest = deps.digest(asJson({ v: 1, run: runId, asked, ...summary }));
  return ok({ ...summary, digest });
}

/** Whether `request` would do to `state` what it would have done to the state that was summarized. */
export function isSameImpact(
  deps: EngineDeps,
  plans: SavedPlans,
  summary: ImpactSummary,
  state: RunState | null,
  request: ControlRequest,
  by: Caller,
): boolean {
  if (state === null) return false;
  const now = impactNow(deps, plans, state, request, by);
  if (!now.ok) return false;
  const { action: _, files: __, sideEffects: ___, digest: ____, ...impact } = summary;
  return deps.digest(asJson(now.value)) === deps.digest(asJson(impact));
}

function impactNow(
  deps: EngineDeps,
  plans: SavedPlans,
  state: RunState,
  request: ControlRequest,
  by: Caller,
): Result<Impact, WorkbenchRefusal> {
  const nowMs = deps.clock.now();
  const context = { at: new Date(nowMs).toISOString(), nowMs, actor: by.actor };
  const command = foreseenCommand(deps, plans, state, request, by);
  return command.ok ? impactOf(state, command.value, context) : command;
}

export function sideEffectsOf(
  deps: EngineDeps,
  state: RunState,
  { again }: Impact,
): ImpactSummary['sideEffects'] {
  return again.flatMap((step) => {
    const { network } = planStep(state.created.plan, step).scope;
    const attempts = state.steps
      .get(step)
      ?.attempts.filter(({ status }) => status !== 'never-started');
    const count = attempts?.length ?? 0;
    const hosts = network === 'none' ? [] : network.hosts;
    const did = count === 0 ? [] : deedsOf(deps, state, step);
    const reached = count > 0 && (hosts.length > 0 || did.length > 0);
    return reached ? [{ step, attempts: count, hosts, did }] : [];
  });
}
