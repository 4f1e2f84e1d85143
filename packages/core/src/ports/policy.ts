/** The rules. Whatever they cannot evaluate is denied. */
import type { PolicyVerdict } from '../machine/events.ts';
import type { RiskClass, Scope, StepKind } from '../plan/plan.ts';

/** Facts about one step start or one tool call, as the rules see them. */
export interface PolicyFacts {
  readonly action: 'start' | 'tool';
  readonly stepKind: StepKind;
  readonly tools: readonly string[];
  readonly runTools: readonly string[];
  readonly writes: boolean;
  readonly network: boolean;
  readonly secrets: boolean;
  readonly sandboxed: boolean;
  /** Stated by the plan; the rules may only raise it. */
  readonly risk: RiskClass;
  readonly requester: string;
  readonly scope: Scope;
}

export interface Policy {
  readonly digest: string;
  evaluate(facts: PolicyFacts): PolicyVerdict;
}
