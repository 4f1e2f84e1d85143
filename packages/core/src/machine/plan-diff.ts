/** In what two revisions of a plan differ, step by step, and whether the later one asks or checks less. */
import type { Json, JsonObject } from '../base/json.ts';
import { dependentsOf, stepById } from '../plan/plan.ts';
import type { Plan, Step, StepId } from '../plan/plan.ts';
import { changedFields } from './staleness.ts';

export interface FieldDiff {
  readonly name: string;
  /** Null where there is none. */
  readonly before: Json;
  readonly after: Json;
}

export interface StepDiff {
  readonly step: StepId;
  readonly change: 'added' | 'removed' | 'changed';
  /** Of one that is changed. */
  readonly fields: readonly FieldDiff[];
}

export interface PlanDiff {
  /** Of the plan itself: its budget, its concurrency. */
  readonly fields: readonly FieldDiff[];
  /** In the order of the later plan, then those that are gone. */
  readonly steps: readonly StepDiff[];
}

export function diffPlans(before: Plan, after: Plan): PlanDiff {
  const { steps: _, ...was } = before;
  const { steps: __, ...is } = after;
  const [old, now] = [stepById(before), stepById(after)];
  const kept = after.steps.flatMap((step): readonly StepDiff[] => {
    const earlier = old.get(step.id);
    if (earlier === undefined) return [{ step: step.id, change: 'added', fields: [] }];
    const fields = fieldsOf(earlier, step);
    return fields.length === 0 ? [] : [{ step: step.id, change: 'changed', fields }];
  });
  const gone = before.steps
    .filter(({ id }) => !now.has(id))
    .map(({ id }) => ({ step: id, change: 'removed', fields: [] }) as const);
  return { fields: fieldsOf(was, is), steps: [...kept, ...gone] };
}

/**
 * Approvals and validations of `before` that `after` has not, has otherwise, or no longer puts before a step that had to
 * wait for them; in plan order. What is asked otherwise counts: nothing here judges whether it asks less.
 */
export function weakenedIn(before: Plan, after: Plan): readonly StepId[] {
  const now = stepById(after);
  return before.steps
    .filter((gate) => gate.kind === 'approval' || gate.kind === 'validation')
    .filter((gate) => {
      const later = now.get(gate.id);
      if (later === undefined) return true;
      // Where it stands is what it comes after and what waits for it, not which arrows say so.
      if (fieldsOf(gate, later).some(({ name }) => name !== 'needs')) return true;
      const behind = new Set(dependentsOf(after, gate.id));
      const lost = (id: StepId): boolean => now.has(id) && !behind.has(id);
      return dependentsOf(before, gate.id).some(lost) || comesEarlier(before, after, gate.id);
    })
    .map(({ id }) => id);
}

/** Something that the gate had to wait for comes after it, or beside it. */
function comesEarlier(before: Plan, after: Plan, gate: StepId): boolean {
  const now = stepById(after);
  return before.steps.some(
    ({ id }) =>
      now.has(id) &&
      dependentsOf(before, id).includes(gate) &&
      !dependentsOf(after, id).includes(gate),
  );
}

function fieldsOf(before: Partial<Plan> | Step, after: Partial<Plan> | Step): FieldDiff[] {
  const [was, is] = [asJson(before), asJson(after)];
  return changedFields(was, is).map((name) => ({
    name,
    before: was[name] ?? null,
    after: is[name] ?? null,
  }));
}

/** Plans are JSON by construction; their interfaces lack the index signature that JSON has. */
function asJson(value: unknown): JsonObject {
  return value as JsonObject;
}
