/** New runs that begin where others have come to. */
import { err, forkImpact, forkOf, ok, runToView } from '@ccdash/core';
import type { Fork, Result, RunState } from '@ccdash/core';
import type { ForkSummary, Workbench, WorkbenchRefusal } from '../base/workbench.ts';
import type { EngineDeps } from './deps.ts';
import type { Engine } from './engine.ts';
import { asJson } from './facts.ts';
import { setBackOf, sideEffectsOf } from './impact.ts';

export function createForks(
  deps: EngineDeps,
  engine: Engine,
): Pick<Workbench, 'previewFork' | 'fork'> {
  async function look(
    runId: string,
    at: string | null,
    reason: string | null,
  ): Promise<Result<{ state: RunState; fork: Fork; summary: ForkSummary }, WorkbenchRefusal>> {
    const state = engine.state(runId);
    if (state === null) return err({ type: 'RunNotFound', runId });
    const fork = forkOf(state, at, reason);
    if (!fork.ok) return fork;
    const impact = forkImpact(state, fork.value);
    const { rewinds } = impact;
    const files =
      rewinds === null ? ok([]) : await deps.workspaces.changes(runId, rewinds.from, rewinds.to);
    if (!files.ok) return err({ type: 'ProjectUnusable', failure: files.error });
    const sideEffects = sideEffectsOf(deps, state, impact);
    const back = await setBackOf(deps, state, impact);
    if (!back.ok) return err({ type: 'ProjectUnusable', failure: back.error });
    const summary = {
      action: 'fork',
      ...impact,
      files: files.value,
      ...back.value,
      sideEffects,
    } as const;
    const { checkpoint, steps } = fork.value;
    const digest = deps.digest(asJson({ v: 1, run: runId, at, checkpoint, steps, ...summary }));
    return ok({ state, fork: fork.value, summary: { ...summary, digest } });
  }

  return {
    async previewFork(runId, at) {
      const looked = await look(runId, at, null);
      return looked.ok ? ok(looked.value.summary) : looked;
    },
    async fork(runId, { at, reason, digest }, by) {
      const looked = await look(runId, at, reason);
      if (!looked.ok) return looked;
      const { state, fork, summary } = looked.value;
      if (digest !== null && digest !== summary.digest) return err({ type: 'SummaryMoved', runId });
      const created = {
        ...state.created,
        forkedFrom: fork,
        policyDigest: deps.policy.digest,
        requesterRoles: by.roles,
      };
      const command = { type: 'CreateRun', created } as const;
      const begun = await engine.command(deps.ids.next('run'), command, by.actor);
      return begun.ok ? ok(runToView(begun.value)) : begun;
    },
  };
}
