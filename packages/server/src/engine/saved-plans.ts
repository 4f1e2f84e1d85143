/** Plans as they were saved: immutable revisions in the log, found again by id. */
import { ok } from '@ccdash/core';
import type { Actor, Json, Plan, Result, StoredEvent, StoreUnavailable } from '@ccdash/core';
import type { SavedPlan } from '../base/workbench.ts';
import type { EngineDeps } from './deps.ts';
import type { Engine } from './engine.ts';

export interface SavedPlans {
  /** The revision of this plan with this digest, saved now if it was not. Revisions count from 1 for each plan name. */
  save(plan: Plan, source: string, by: Actor): Promise<Result<SavedPlan, StoreUnavailable>>;
  /** The newest revision when none is named. */
  find(planId: string, revision?: number): SavedPlan | null;
}

export function createSavedPlans(
  deps: Pick<EngineDeps, 'store' | 'digest' | 'ids' | 'clock'>,
  engine: Pick<Engine, 'appendGlobal'>,
): SavedPlans {
  const revisionsById = new Map<string, SavedPlan[]>();
  for (const event of deps.store.readGlobal()) {
    const saved = savedPlanOf(event);
    if (saved !== null) add(saved);
  }
  // One after the other: two saves of one name must not take the same revision.
  let tail: Promise<unknown> = Promise.resolve();

  function add(saved: SavedPlan): void {
    revisionsById.set(saved.id, [...(revisionsById.get(saved.id) ?? []), saved]);
  }

  function idOf(plan: Plan): string {
    for (const [id, revisions] of revisionsById) {
      if (revisions[0]?.plan.name === plan.name) return id;
    }
    return deps.ids.next('plan');
  }

  async function saveNow(
    plan: Plan,
    source: string,
    by: Actor,
  ): Promise<Result<SavedPlan, StoreUnavailable>> {
    const id = idOf(plan);
    const digest = deps.digest(plan as unknown as Json);
    const revisions = revisionsById.get(id) ?? [];
    const same = revisions.find((saved) => saved.digest === digest);
    if (same !== undefined) return ok(same);
    const saved: SavedPlan = { id, revision: revisions.length + 1, digest, plan, source };
    const at = new Date(deps.clock.now()).toISOString();
    const data = saved as unknown as Json;
    const appended = await engine.appendGlobal([{ type: 'PlanSaved', at, actor: by, data }]);
    if (!appended.ok) return appended;
    add(saved);
    return ok(saved);
  }

  return {
    save: (plan, source, by) => {
      const turn = tail.then(() => saveNow(plan, source, by));
      tail = turn.catch(() => undefined);
      return turn;
    },
    find: (planId, revision) => {
      const revisions = revisionsById.get(planId) ?? [];
      return (revision === undefined ? revisions.at(-1) : revisions[revision - 1]) ?? null;
    },
  };
}

function savedPlanOf(event: StoredEvent): SavedPlan | null {
  return event.type === 'PlanSaved' ? (event.data as unknown as SavedPlan) : null;
}
