/** The rules. Whatever they cannot evaluate is denied. */
import type { PolicyVerdict } from '../machine/events.ts';
import type { RiskClass, Scope, StepKind } from '../plan/plan.ts';

/** What a command does, as far as its text proves, mildest first. `unparsed`: the text does not tell all of it. */
export const EFFECT_CLASSES = [
  'reads',
  'writes-workspace',
  'runs-workspace-code',
  'network',
  'writes-outside',
  'destructive',
  'secrets',
  'unparsed',
  'privileged',
  'publishes',
] as const;
export type EffectClass = (typeof EFFECT_CLASSES)[number];

/** What has been found out about a command, with the reasons in words. */
export interface CommandFacts {
  /** In the order of EFFECT_CLASSES; never empty. */
  readonly effects: readonly EffectClass[];
  readonly because: readonly { readonly effect: EffectClass; readonly text: string }[];
  /** Programs and builtins that it may start, sorted; what cannot be told is not among them. */
  readonly programs: readonly string[];
  /** Of the rules that found this out; it is part of what is approved. */
  readonly classifier: number;
}

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
