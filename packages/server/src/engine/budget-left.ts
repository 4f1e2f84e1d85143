import { planStep } from '@ccdash/core';
import type { AttemptState, Budget, Failure, RunState, StepId } from '@ccdash/core';

/** What an attempt may use; null without a limit. */
export interface BudgetLeft {
  readonly maxTokens: number | null;
  readonly maxUsd: number | null;
  readonly maxTurns: number | null;
  /** At work, without what it waits for people. */
  readonly maxTimeMs: number | null;
}

/** What the next attempt of a step may use: budgets of a step and of the run hold over all attempts, resumed or not. */
export function budgetLeft(state: RunState, id: StepId): BudgetLeft {
  const { plan } = state.created;
  const { budget } = planStep(plan, id) as { readonly budget?: Budget };
  const ofStep = state.steps.get(id)?.attempts ?? [];
  // What steps have used that the plan has not any more is used.
  const all = [...state.steps.values(), ...state.retired.map(({ step }) => step)];
  const ofRun = all.flatMap(({ attempts }) => attempts);
  const left = (name: keyof Budget): number | null => {
    const rest = [
      minus(budget?.[name], usedBy(ofStep, name)),
      minus(plan.budget[name], usedBy(ofRun, name)),
    ].filter((each) => each !== null);
    return rest.length === 0 ? null : Math.max(0, Math.min(...rest));
  };
  return {
    maxTokens: left('tokens'),
    maxUsd: left('usd'),
    maxTurns: left('turns'),
    maxTimeMs: left('timeMs'),
  };
}

/** Why nothing can begin with what is left; null when something can. */
export function exhaustion(state: RunState, id: StepId): Failure | null {
  const left = budgetLeft(state, id);
  const spent = (
    [
      [left.maxTokens, 'tokens'],
      [left.maxUsd, 'money'],
      [left.maxTurns, 'turns'],
      [left.maxTimeMs, 'time'],
    ] as const
  )
    .filter(([rest]) => rest === 0)
    .map(([, name]) => name);
  if (spent.length === 0) return null;
  const message = `${id} has no ${spent.join(' and no ')} left of its budget, or of the run's`;
  return { code: 'budget_exceeded', message, hint: raiseHint(state.runId, id) };
}

/** How a person lets a step go on whose budget is used up. */
export function raiseHint(runId: string, id: StepId): string {
  return `raise its budget and let it go on: ccdash resume ${runId} ${id} --budget usd=… (or tokens, turns, time)`;
}

/** At least so much: what nobody knows counts as nothing here. */
function usedBy(attempts: readonly AttemptState[], name: keyof Budget): number {
  // What a fork took over was paid by the run that made it: it has no usage here.
  return attempts.reduce((sum, { usage }) => {
    if (name !== 'tokens') return sum + (usage?.[name] ?? 0);
    return sum + (usage?.inputTokens ?? 0) + (usage?.outputTokens ?? 0);
  }, 0);
}

function minus(budget: number | null | undefined, used: number): number | null {
  return budget === null || budget === undefined ? null : budget - used;
}
