/** Plans as they were saved: immutable revisions in the log, found again by id. */
import { err, ok } from '@ccdash/core';
import type { Actor, Json, Plan, Result, StoredEvent, StoreUnavailable } from '@ccdash/core';
import type { SavedPlan, WorkbenchRefusal } from '../base/workbench.ts';
import type { EngineDeps } from './deps.ts';
import type { Engine } from './engine.ts';

export interface SavedPlans {
  /** The revision of this plan with this digest, saved now if it was not. Revisions count from 1 for each plan name. */
  save(plan: Plan, source: string, by: Actor): Promise<Result<SavedPlan, StoreUnavailable>>;
  /**
   * A revision after `seen`, which must be the newest; the newest itself when it is the same plan. The name stays.
   * Errors: PlanNotFound, PlanMoved, PlanInvalid.
   */
  revise(
    planId: string,
    seen: number,
    plan: Plan,
    source: string,
    by: Actor,
  ): Promise<Result<SavedPlan, WorkbenchRefusal>>;
  /** What `save` would come to; nothing is saved. */
  foresee(plan: Plan): Pick<SavedPlan, 'id' | 'revision' | 'digest'>;
  /** The newest revision when none is named. */
  find(planId: string, revision?: number): SavedPlan | null;
  /** The newest of each plan, the last saved first. */
  list(): readonly SavedPlan[];
  /** Newest first. */
  revisions(planId: string): readonly SavedPlan[];
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

  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = tail.then(work);
    tail = turn.catch(() => undefined);
    return turn;
  }

  function add(saved: SavedPlan): void {
    revisionsById.set(saved.id, [...(revisionsById.get(saved.id) ?? []), saved]);
  }

  function idOf(plan: Plan): string {
    for (const [id, revisions] of revisionsById) {
      if (revisions[0]?.plan.name === plan.name) return id;
    }
    return deps.ids.next('plan');
  }

  async function append(
    id: string,
    plan: Plan,
    source: string,
    by: Actor,
  ): Promise<Result<SavedPlan, StoreUnavailable>> {
    const digest = deps.digest(plan as unknown as Json);
    const revision = (revisionsById.get(id)?.length ?? 0) + 1;
    const data = { id, revision, digest, plan, source };
    const at = new Date(deps.clock.now()).toISOString();
    const event = { type: 'PlanSaved', at, actor: by, data: data as unknown as Json };
    const appended = await engine.appendGlobal([event]);
    if (!appended.ok) return appended;
    const saved = { ...data, savedAt: at, savedBy: by };
    add(saved);
    return ok(saved);
  }

  return {
    save: (plan, source, by) =>
      inTurn(async () => {
        const id = idOf(plan);
        const digest = deps.digest(plan as unknown as Json);
        const same = revisionsById.get(id)?.find((saved) => saved.digest === digest);
        return same === undefined ? append(id, plan, source, by) : ok(same);
      }),
    revise: (planId, seen, plan, source, by) =>
      inTurn(async (): Promise<Result<SavedPlan, WorkbenchRefusal>> => {
        const newest = revisionsById.get(planId)?.at(-1);
        if (newest === undefined) return err({ type: 'PlanNotFound', planId });
        const { revision } = newest;
        if (revision !== seen) return err({ type: 'PlanMoved', planId, revision });
        if (plan.name !== newest.plan.name) {
          const detail = `The plan is called ${newest.plan.name}; save another name as a plan of its own.`;
          return err({ type: 'PlanInvalid', detail });
        }
        const isSame = deps.digest(plan as unknown as Json) === newest.digest;
        return isSame ? ok(newest) : append(planId, plan, source, by);
      }),
    foresee: (plan) => {
      const digest = deps.digest(plan as unknown as Json);
      for (const [id, revisions] of revisionsById) {
        if (revisions[0]?.plan.name !== plan.name) continue;
        const same = revisions.find((saved) => saved.digest === digest);
        return same ?? { id, revision: revisions.length + 1, digest };
      }
      return { id: '', revision: 1, digest };
    },
    find: (planId, revision) => {
      const revisions = revisionsById.get(planId) ?? [];
      return (revision === undefined ? revisions.at(-1) : revisions[revision - 1]) ?? null;
    },
    list: () =>
      [...revisionsById.values()]
        .flatMap((revisions) => revisions.slice(-1))
        .toSorted((a, b) => (a.savedAt < b.savedAt ? 1 : -1)),
    revisions: (planId) => (revisionsById.get(planId) ?? []).toReversed(),
  };
}

function savedPlanOf(event: StoredEvent): SavedPlan | null {
  if (event.type !== 'PlanSaved') return null;
  const data = event.data as unknown as Omit<SavedPlan, 'savedAt' | 'savedBy'>;
  return { ...data, savedAt: event.at, savedBy: event.actor };
}
