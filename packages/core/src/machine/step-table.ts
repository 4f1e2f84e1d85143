/**
 * The steps of one run, by id, made for plans of ten thousand steps: a fork shares what has not changed, and the few
 * steps that anything can happen to next are known without looking at the others.
 * 1. `active` holds exactly the steps that `isActive` names; `counts` exactly the steps of each status.
 * 2. A fork and what it was forked from never see each other's changes.
 */
import { InvariantError } from '../base/invariant.ts';
import { stepById } from '../plan/plan.ts';
import type { Plan, StepId } from '../plan/plan.ts';
import type { StepState } from './state.ts';
import { STEP_STATUSES } from './transitions.ts';
import type { StepStatus } from './transitions.ts';

const CHUNK = 64;

/** What of a plan does not change from state to state. */
interface Layout {
  readonly indexById: ReadonlyMap<StepId, number>;
  readonly needs: readonly (readonly StepId[])[];
  readonly neededBy: readonly (readonly StepId[])[];
}

const layoutByPlan = new WeakMap<Plan, Layout>();

export class StepTable {
  readonly plan: Plan;
  readonly chunks: StepState[][];
  readonly active: Set<StepId>;
  readonly counts: Record<StepStatus, number>;
  readonly #layout: Layout;
  /** Chunks that no fork shares: they are written in place. */
  readonly #owned = new Set<number>();

  private constructor(from: Pick<StepTable, 'plan' | 'chunks' | 'active' | 'counts'>) {
    this.plan = from.plan;
    this.chunks = from.chunks;
    this.active = from.active;
    this.counts = from.counts;
    this.#layout = layoutOf(from.plan);
  }

  static of(plan: Plan, initial: (id: StepId) => StepState): StepTable {
    const steps = plan.steps.map((step) => initial(step.id));
    const chunks: StepState[][] = [];
    for (let at = 0; at < steps.length; at += CHUNK) chunks.push(steps.slice(at, at + CHUNK));
    const zero = STEP_STATUSES.map((status) => [status, 0]);
    const counts = Object.fromEntries(zero) as Record<StepStatus, number>;
    for (const step of steps) counts[step.status] += 1;
    const table = new StepTable({ plan, chunks, active: new Set(), counts });
    for (const step of steps) table.#refresh(step.id);
    return table;
  }

  /** A table that may be changed without changing this one. */
  fork(): StepTable {
    const { plan, chunks, active, counts } = this;
    this.#owned.clear();
    return new StepTable({
      plan,
      chunks: [...chunks],
      active: new Set(active),
      counts: { ...counts },
    });
  }

  get size(): number {
    return this.plan.steps.length;
  }

  has(id: StepId): boolean {
    return this.#layout.indexById.has(id);
  }

  get(id: StepId): StepState | undefined {
    const index = this.#layout.indexById.get(id);
    return index === undefined
      ? undefined
      : this.chunks[Math.floor(index / CHUNK)]?.[index % CHUNK];
  }

  set(id: StepId, step: StepState): void {
    const index = this.#layout.indexById.get(id);
    const before = this.get(id);
    if (index === undefined || before === undefined) throw new InvariantError(`no step ${id}`);
    const at = Math.floor(index / CHUNK);
    if (!this.#owned.has(at)) {
      this.chunks[at] = [...(this.chunks[at] ?? [])];
      this.#owned.add(at);
    }
    this.chunks[at]?.splice(index % CHUNK, 1, step);
    this.counts[before.status] -= 1;
    this.counts[step.status] += 1;
    this.#refresh(id);
    if (isDone(before.status) === isDone(step.status)) return;
    for (const dependent of this.#layout.neededBy[index] ?? []) this.#refresh(dependent);
  }

  /** All steps, in plan order. */
  *values(): IterableIterator<StepState> {
    for (const chunk of this.chunks) yield* chunk;
  }

  *[Symbol.iterator](): IterableIterator<[StepId, StepState]> {
    for (const step of this.values()) yield [step.id, step];
  }

  /** The steps that something can happen to without a person's command, or that wait for one, in plan order. */
  activeSteps(): readonly StepState[] {
    const { indexById } = this.#layout;
    const ids = [...this.active];
    ids.sort((a, b) => (indexById.get(a) ?? 0) - (indexById.get(b) ?? 0));
    return ids.map((id) => this.get(id)).filter((step) => step !== undefined);
  }

  count(status: StepStatus): number {
    return this.counts[status];
  }

  /** Every step it needs has succeeded or was skipped. */
  isEligible(id: StepId): boolean {
    const index = this.#layout.indexById.get(id) ?? -1;
    const needs = this.#layout.needs[index] ?? [];
    return needs.every((needed) => isDone(this.get(needed)?.status));
  }

  #refresh(id: StepId): void {
    const step = this.get(id);
    if (step !== undefined && this.#isActive(step)) this.active.add(id);
    else this.active.delete(id);
  }

  #isActive(step: StepState): boolean {
    switch (step.status) {
      case 'ready':
      case 'blocked':
      case 'running':
      case 'interrupted':
      case 'stale':
        return true;
      case 'pending':
        // One that was begun before may still hold the workspace.
        return step.attempts.length > 0 || this.isEligible(step.id);
      case 'failed':
      case 'succeeded':
      case 'skipped':
      case 'canceled':
        return false;
    }
  }
}

function isDone(status: StepStatus | undefined): boolean {
  return status === 'succeeded' || status === 'skipped';
}

function layoutOf(plan: Plan): Layout {
  const known = layoutByPlan.get(plan);
  if (known !== undefined) return known;
  const steps = [...stepById(plan).values()];
  const indexById = new Map(steps.map((step, index) => [step.id, index]));
  const neededBy: StepId[][] = steps.map(() => []);
  for (const step of steps) {
    for (const needed of step.needs) neededBy[indexById.get(needed) ?? -1]?.push(step.id);
  }
  const layout = { indexById, needs: steps.map((step) => step.needs), neededBy };
  layoutByPlan.set(plan, layout);
  return layout;
}
