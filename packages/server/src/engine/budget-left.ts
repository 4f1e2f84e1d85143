import { planStep } from '@ccdash/core';
import type { AgentWork, Budget, RunState, StepId } from '@ccdash/core';

/** What the next attempt of a step may use: budgets of a step and of the run hold over all attempts, resumed or not. */
export function budgetLeft(
  state: RunState,
  id: StepId,
): Required<Pick<AgentWork, 'maxTokens' | 'maxUsd'>> {
  const { plan } = state.created;
  const step = usedBy(state, id);
  const run = plan.steps.map((each) => usedBy(state, each.id)).reduce(sum, NOTHING);
  const { budget } = planStep(plan, id) as { readonly budget?: Budget };
  const left = (name: 'tokens' | 'usd'): number | null => {
    const rest = [minus(budget?.[name], step[name]), minus(plan.budget[name], run[name])];
    const stated = rest.filter((each) => each !== null);
    return stated.length === 0 ? null : Math.max(0, Math.min(...stated));
  };
  return { maxTokens: left('tokens'), maxUsd: left('usd') };
}

interface Used {
  readonly tokens: number;
  readonly usd: number;
}

const NOTHING: Used = { tokens: 0, usd: 0 };

/** At least so much: what nobody knows counts as nothing here. */
function usedBy(state: RunState, id: StepId): Used {
  const attempts = state.steps.get(id)?.attempts ?? [];
  return attempts
    .map(({ usage }) => ({
      tokens: (usage?.inputTokens ?? 0) + (usage?.outputTokens ?? 0),
      usd: usage?.usd ?? 0,
    }))
    .reduce(sum, NOTHING);
}

function sum(left: Used, right: Used): Used {
  return { tokens: left.tokens + right.tokens, usd: left.usd + right.usd };
}

function minus(budget: number | null | undefined, used: number): number | null {
  return budget === null || budget === undefined ? null : budget - used;
}
