/** Reads values out of a run: for conditions, prompts, environments and the policy. */
import { planStep } from '@ccdash/core';
import type {
  CommandFacts,
  EffectClass,
  Json,
  Plan,
  PolicyAction,
  PolicyActor,
  PolicyFacts,
  RunState,
  Step,
} from '@ccdash/core';
import type { EngineDeps, ExpressionFacts } from './deps.ts';

export function expressionFacts(state: RunState): ExpressionFacts {
  const steps: Record<string, ExpressionFacts['steps'][string]> = {};
  for (const step of state.steps.values()) {
    steps[step.id] = { status: step.status, outputs: step.outputs ?? {} };
  }
  return { inputs: state.created.inputs, steps, context: state.created.plan.context };
}

/** An output that the step itself has written, whatever its name. */
export function outputOf(state: RunState, step: string, name: string): Json | undefined {
  const outputs = state.steps.get(step)?.outputs ?? {};
  return Object.hasOwn(outputs, name) ? outputs[name] : undefined;
}

/** Variables taken from outputs of other steps: `<step>.<output>`; a missing one names itself. */
export function variablesFrom(
  state: RunState,
  from: Readonly<Record<string, string>>,
): { readonly values: Readonly<Record<string, string>>; readonly missing: string | null } {
  const values: Record<string, string> = {};
  for (const [variable, reference] of Object.entries(from)) {
    const dot = reference.indexOf('.');
    const value = outputOf(state, reference.slice(0, dot), reference.slice(dot + 1));
    if (value === undefined) return { values, missing: reference };
    values[variable] = typeof value === 'string' ? value : JSON.stringify(value);
  }
  return { values, missing: null };
}

/** Who asked for a run, with the roles that they had then. */
export function requesterOf(state: RunState): PolicyActor {
  return { kind: 'person', id: state.requester.id, roles: state.created.requesterRoles };
}

/** `effects`: of its command; none for other steps. */
export function startPolicyFacts(
  plan: Plan,
  step: Step,
  requester: PolicyActor,
  sandboxed: boolean,
  effects: readonly EffectClass[],
): PolicyFacts {
  const hasProcess = step.kind === 'command' || step.kind === 'agent';
  return {
    action: 'start',
    stepKind: step.kind,
    tools: hasProcess ? step.scope.tools : [],
    runTools: plan.scope.tools,
    writes: hasProcess && step.scope.write.length > 0,
    network: hasProcess && usesNetwork(step),
    secrets: hasProcess && step.secrets.length > 0,
    // A step without a process has nothing to confine.
    sandboxed: sandboxed || !hasProcess,
    effects,
    risk: step.risk ?? 'low',
    requester: requester.id,
    actor: requester,
    weakens: false,
    absolute: false,
    scope: step.scope,
  };
}

export function toolPolicyFacts(
  state: RunState,
  stepId: string,
  tool: string,
  effects: readonly EffectClass[],
): PolicyFacts {
  const step = planStep(state.created.plan, stepId);
  const sandboxed = state.steps.get(stepId)?.attempts.at(-1)?.sandbox === 'bubblewrap';
  const start = startPolicyFacts(state.created.plan, step, requesterOf(state), sandboxed, effects);
  return {
    ...start,
    action: 'tool',
    tools: [tool],
    runTools: step.scope.tools,
    writes: tool === 'edit' || (tool === 'exec' && start.writes),
  };
}

/** Somebody does something with a run: nothing of a program enters into it. */
export function controlPolicyFacts(
  state: RunState,
  action: Exclude<PolicyAction, 'start' | 'tool'>,
  actor: PolicyActor,
  about: Partial<Pick<PolicyFacts, 'weakens' | 'absolute'>> = {},
): PolicyFacts {
  const { plan } = state.created;
  return {
    action,
    stepKind: 'approval',
    tools: [],
    runTools: plan.scope.tools,
    writes: false,
    network: false,
    secrets: false,
    sandboxed: true,
    effects: [],
    risk: 'low',
    requester: state.requester.id,
    actor,
    weakens: false,
    absolute: false,
    scope: plan.scope,
    ...about,
  };
}

/** What a step would run, looked through; null for a step that is no command. */
export function commandFacts(deps: Pick<EngineDeps, 'classify'>, step: Step): CommandFacts | null {
  if (step.kind !== 'command') return null;
  return deps.classify(step.program, [...Object.keys(step.env.set), ...Object.keys(step.env.from)]);
}

/** What people see of it, and what an approval is bound to. */
export function commandSubject({ because, effects, classifier }: CommandFacts): Json {
  return {
    effects: [...effects],
    because: because.map(({ effect, text }) => `${effect}: ${text}`),
    classifier,
  };
}

function usesNetwork(step: Step): boolean {
  return step.scope.network !== 'none' && step.scope.network.hosts.length > 0;
}

/** JSON of plan values whose types have no index signature. */
export function asJson(value: unknown): Json {
  return JSON.parse(JSON.stringify(value)) as Json;
}
