/** What an action would do to a run: core decides it without doing it, git tells which files go back. */
import { attemptsOf, err, impactOf, ok, planStep } from '@ccdash/core';
import type { Checkpoint, Failure, Impact, Result, RunState } from '@ccdash/core';
import type { Caller, ControlRequest, ImpactSummary, WorkbenchRefusal } from '../base/workbench.ts';
import type { EngineDeps } from './deps.ts';
import { foreseenCommand } from './changes.ts';
import { countLines } from './count-lines.ts';
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
  const back = await setBackOf(deps, state, impact.value);
  if (!back.ok) return err({ type: 'ProjectUnusable', failure: back.error });
  const summary = {
    action: request.type,
    ...impact.value,
    files: files.value,
    ...back.value,
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
  const {
    action: _,
    files: __,
    sideEffects: ___,
    digest: ____,
    lines: _____,
    keptAt: ______,
    ...impact
  } = summary;
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

/** More than people read; what is longer has no count of lines. */
const MAX_COUNTED_BYTES = 4 * 1024 * 1024;

/** How much goes back with the workspace, and where the checkpoint repository keeps what was there. */
export async function setBackOf(
  deps: EngineDeps,
  state: RunState,
  { rewinds }: Impact,
): Promise<Result<Pick<ImpactSummary, 'lines' | 'keptAt'>, Failure>> {
  if (rewinds === null) return ok({ lines: null, keptAt: null });
  const { from, to } = rewinds;
  const diff = await deps.workspaces.diff(state.runId, from, to, MAX_COUNTED_BYTES);
  if (!diff.ok) return diff;
  const { text, truncated } = diff.value;
  return ok({ lines: truncated ? null : countLines(text), keptAt: keptAt(state, from) });
}

function keptAt(state: RunState, from: Checkpoint): string {
  const step = state.line?.step;
  const made = step === undefined ? [] : attemptsOf(state, step);
  const number = made.findLast(({ checkpoint }) => checkpoint?.commit === from.commit)?.number;
  // What was joined, or settled by a person, has no attempt that made it.
  if (step === undefined || number === undefined) return from.commit;
  return `refs/ccdash/checkpoints/${step}/${String(number)}`;
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
