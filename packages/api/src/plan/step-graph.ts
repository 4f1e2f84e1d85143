/** Which step comes before which, of a file that may still be full of mistakes. */
import { SETUP_STEP_ID } from '@ccdash/core';
import { resolveNeeds } from './compile-plan.ts';
import { isStepId } from './plan-fields.ts';
import { STEP_KIND_KEYS } from './plan-schema.ts';
import { listAt, recordAt, textAt, textsAt } from './raw-values.ts';

/** One step as far as it can be read. */
export interface RawStep {
  readonly index: number;
  /** undefined when it has none that is valid. */
  readonly id: string | undefined;
  readonly kind: (typeof STEP_KIND_KEYS)[number] | undefined;
  readonly raw: unknown;
  /** Ids of steps that exist. */
  readonly needs: readonly string[];
}

export interface StepGraph {
  readonly steps: readonly RawStep[];
  readonly hasSetup: boolean;
  /** The first step of each id. */
  readonly stepById: ReadonlyMap<string, RawStep>;
  /** All ids that may be named, the setup's included. */
  readonly ids: readonly string[];
  /** Whether `before` ends before `step` begins, by what the steps need. */
  isBefore(before: string, step: RawStep): boolean;
}

export function createStepGraph(raw: unknown): StepGraph {
  const hasSetup = recordAt(raw, 'setup') !== undefined;
  const rawSteps = listAt(raw, 'steps');
  const ids = rawSteps.map((step) => {
    const id = textAt(step, 'id');
    return id !== undefined && isStepId(id) ? id : undefined;
  });
  const known = new Set(ids.flatMap((id) => (id === undefined ? [] : [id])));
  if (hasSetup) known.add(SETUP_STEP_ID);
  const needsByStep = resolveNeeds(
    rawSteps.map((step, index) => ({
      // A place of its own, so that steps in order stay in order around a step without an id.
      id: ids[index] ?? `#${index}`,
      needs:
        recordAt(step)?.['needs'] === undefined
          ? undefined
          : textsAt(step, 'needs').map(({ text }) => text),
    })),
    hasSetup,
  );
  const steps = rawSteps.map((raw, index): RawStep => {
    const needs = (needsByStep[index] ?? []).filter((id) => known.has(id) || id.startsWith('#'));
    const kind = STEP_KIND_KEYS.find((key) => recordAt(raw)?.[key] !== undefined);
    return { index, id: ids[index], kind, raw, needs };
  });
  const stepById = new Map<string, RawStep>();
  for (const step of steps) {
    const id = step.id ?? `#${step.index}`;
    if (!stepById.has(id)) stepById.set(id, step);
  }
  const beforeByIndex = new Map<number, ReadonlySet<string>>();
  return {
    steps,
    hasSetup,
    stepById,
    ids: [...known],
    isBefore: (before, step) => {
      let reached = beforeByIndex.get(step.index);
      if (reached === undefined) {
        reached = everythingBefore(step, stepById);
        beforeByIndex.set(step.index, reached);
      }
      return reached.has(before);
    },
  };
}

function everythingBefore(
  step: RawStep,
  stepById: ReadonlyMap<string, RawStep>,
): ReadonlySet<string> {
  const reached = new Set<string>();
  const open = [...step.needs];
  for (let id = open.pop(); id !== undefined; id = open.pop()) {
    if (reached.has(id)) continue;
    reached.add(id);
    open.push(...(stepById.get(id)?.needs ?? []));
  }
  return reached;
}

/** Circles of steps that need each other, each once and named from the step that comes first in the file. */
export function findCycles(graph: StepGraph): readonly (readonly RawStep[])[] {
  const cycles: RawStep[][] = [];
  const done = new Set<RawStep>();
  for (const start of graph.steps) {
    if (done.has(start)) continue;
    // Depth first, without recursion: a plan may be one long chain.
    const path: { readonly step: RawStep; next: number }[] = [{ step: start, next: 0 }];
    const onPath = new Set([start]);
    for (let top = path.at(-1); top !== undefined; top = path.at(-1)) {
      const id = top.step.needs[top.next];
      top.next += 1;
      if (id === undefined) {
        done.add(top.step);
        onPath.delete(top.step);
        path.pop();
        continue;
      }
      const needed = graph.stepById.get(id);
      if (needed === undefined || done.has(needed)) continue;
      if (onPath.has(needed)) {
        const from = path.findIndex(({ step }) => step === needed);
        cycles.push(fromFirst(path.slice(from).map(({ step }) => step)));
      } else {
        path.push({ step: needed, next: 0 });
        onPath.add(needed);
      }
    }
  }
  return cycles;
}

function fromFirst(cycle: readonly RawStep[]): RawStep[] {
  const first = cycle.reduce(
    (best, step, index) => (step.index < (cycle[best]?.index ?? 0) ? index : best),
    0,
  );
  return [...cycle.slice(first), ...cycle.slice(0, first)];
}
