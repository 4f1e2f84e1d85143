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

/** What the rules are asked about. `start` and `tool` are work; the others are what people do with a run. */
export const POLICY_ACTIONS = [
  'start',
  'tool',
  'apply',
  'skip',
  'replan',
  'override',
  'approve',
] as const;
export type PolicyAction = (typeof POLICY_ACTIONS)[number];

/** Who does it: for a start and a tool, who asked for the run. */
export interface PolicyActor {
  readonly kind: 'person' | 'agent';
  readonly id: string;
  readonly roles: readonly string[];
}

/** Facts about one thing that is about to happen, as the rules see them. */
export interface PolicyFacts {
  readonly action: PolicyAction;
  readonly stepKind: StepKind;
  readonly tools: readonly string[];
  readonly runTools: readonly string[];
  readonly writes: boolean;
  readonly network: boolean;
  readonly secrets: boolean;
  readonly sandboxed: boolean;
  /** Of the command that starts, or that the tool runs; empty where there is none. */
  readonly effects: readonly EffectClass[];
  /** Stated by the plan; the rules may only raise it. */
  readonly risk: RiskClass;
  /** Who asked for the run. */
  readonly requester: string;
  readonly actor: PolicyActor;
  /** `skip`, `replan`: a gate or a validation would be gone, or ask for less. */
  readonly weakens: boolean;
  /** `override`: one of the rules that denied is marked absolute. */
  readonly absolute: boolean;
  readonly scope: Scope;
}

export interface Policy {
  readonly digest: string;
  evaluate(facts: PolicyFacts): PolicyVerdict;
}
