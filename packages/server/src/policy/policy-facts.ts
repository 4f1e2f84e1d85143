/** Facts as the port gives them, checked, and turned into what the rules see (assets/policy/schema.cedarschema). */
import { EFFECT_CLASSES, POLICY_ACTIONS, RISK_CLASSES } from '@ccdash/core';
import type { EffectClass, PolicyFacts, RiskClass, StepKind } from '@ccdash/core';
import { z } from 'zod';

/** The risk that each fact alone amounts to. What is not here is low. */
const RISK_OF_FACT = {
  writes: 'low',
  network: 'medium',
  secrets: 'medium',
  unsandboxed: 'high',
} as const satisfies Record<string, RiskClass>;

/** The same for what a command does. */
const RISK_OF_EFFECT = {
  reads: 'low',
  'writes-workspace': 'low',
  'runs-workspace-code': 'low',
  network: 'medium',
  'writes-outside': 'high',
  destructive: 'high',
  secrets: 'high',
  unparsed: 'medium',
  privileged: 'critical',
  publishes: 'high',
} as const satisfies Record<EffectClass, RiskClass>;

/** Effects as the rules name them. */
type DoesName =
  | 'reads'
  | 'writesWorkspace'
  | 'runsWorkspaceCode'
  | 'network'
  | 'writesOutside'
  | 'destructive'
  | 'secrets'
  | 'unparsed'
  | 'privileged'
  | 'publishes';

const NAME_OF_EFFECT: Readonly<Record<EffectClass, DoesName>> = {
  reads: 'reads',
  'writes-workspace': 'writesWorkspace',
  'runs-workspace-code': 'runsWorkspaceCode',
  network: 'network',
  'writes-outside': 'writesOutside',
  destructive: 'destructive',
  secrets: 'secrets',
  unparsed: 'unparsed',
  privileged: 'privileged',
  publishes: 'publishes',
};

/** Steps that start a program; for the others, facts about programs say nothing. */
const STARTS_PROGRAM = {
  command: true,
  agent: true,
  validation: false,
  approval: false,
} as const satisfies Record<StepKind, boolean>;

/** What the rules see. The arrays are copies: Cedar's types want them writable. */
export interface StepAttributes {
  readonly kind: StepKind;
  readonly tools: string[];
  readonly stepTools: string[];
  readonly runTools: string[];
  readonly write: string[];
  readonly hosts: string[];
  readonly writes: boolean;
  readonly network: boolean;
  readonly secrets: boolean;
  readonly sandboxed: boolean;
  readonly does: Record<DoesName, boolean>;
  /** 1 low, 2 medium, 3 high, 4 critical. */
  readonly stated: number;
  readonly risk: number;
  readonly own: boolean;
  readonly weakens: boolean;
  readonly absolute: boolean;
}

const names = z.array(z.string().min(1)).readonly();

const schema: z.ZodType<PolicyFacts> = z
  .object({
    action: z.enum(POLICY_ACTIONS),
    stepKind: z.enum(['command', 'agent', 'validation', 'approval']),
    tools: names,
    runTools: names,
    writes: z.boolean(),
    network: z.boolean(),
    secrets: z.boolean(),
    sandboxed: z.boolean(),
    effects: z.array(z.enum(EFFECT_CLASSES)).readonly(),
    risk: z.enum(['low', 'medium', 'high', 'critical']),
    requester: z.string().min(1),
    actor: z.object({
      kind: z.enum(['person', 'agent']),
      id: z.string().min(1),
      roles: z.array(z.enum(['viewer', 'operator', 'approver', 'admin'])).readonly(),
    }),
    weakens: z.boolean(),
    absolute: z.boolean(),
    scope: z.object({
      tools: names,
      write: names,
      network: z.union([z.literal('none'), z.object({ hosts: names })]),
    }),
  })
  .refine(({ action, stepKind }) => action !== 'tool' || stepKind === 'agent', {
    path: ['action'],
    message: 'only agents use tools',
  })
  .refine(({ action, tools }) => action !== 'tool' || tools.length > 0, {
    path: ['tools'],
    message: 'a tool call names its tool',
  })
  .refine(({ action, actor }) => !isWork(action) || actor.kind === 'person', {
    path: ['actor'],
    message: 'work is asked for by a person',
  })
  .refine(
    ({ action, stepKind, effects }) => needsNoEffects(action, stepKind) || effects.length > 0,
    {
      path: ['effects'],
      message: 'a command does something',
    },
  );

function isWork(action: PolicyFacts['action']): boolean {
  return action === 'start' || action === 'tool';
}

/** Only a command says what it does before it has begun. */
function needsNoEffects(action: PolicyFacts['action'], stepKind: StepKind): boolean {
  return action !== 'start' || stepKind !== 'command';
}

/** A sentence about what is wrong with `facts`; null when they are whole. */
export function problemOfFacts(facts: PolicyFacts): string | null {
  const checked = schema.safeParse(facts);
  if (checked.success) return null;
  const found = checked.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
  return `The facts about it are missing or contradict each other: ${found.join('; ')}.`;
}

/** The risk class of whole facts: the highest of what the plan states and what each fact amounts to. */
export function riskOf(facts: PolicyFacts): RiskClass {
  return RISK_CLASSES[attributesOf(facts).risk - 1] ?? 'critical';
}

/** Whole facts as the rules see them. */
export function attributesOf(facts: PolicyFacts): StepAttributes {
  const { scope } = facts;
  const program = STARTS_PROGRAM[facts.stepKind];
  const hosts = scope.network === 'none' ? [] : scope.network.hosts;
  const effects = {
    writes: program && facts.writes,
    network: program && facts.network,
    secrets: program && facts.secrets,
    unsandboxed: program && !facts.sandboxed,
  };
  const stated = levelOf(facts.risk);
  const found = program ? facts.effects : [];
  const levels = (Object.keys(RISK_OF_FACT) as (keyof typeof RISK_OF_FACT)[])
    .filter((fact) => effects[fact])
    .map((fact) => levelOf(RISK_OF_FACT[fact]));
  const does = Object.fromEntries(
    EFFECT_CLASSES.map((effect) => [NAME_OF_EFFECT[effect], found.includes(effect)]),
  ) as Record<DoesName, boolean>;
  return {
    kind: facts.stepKind,
    tools: [...facts.tools],
    stepTools: [...scope.tools],
    runTools: [...facts.runTools],
    write: program ? [...scope.write] : [],
    hosts: program ? [...hosts] : [],
    writes: effects.writes,
    network: effects.network,
    secrets: effects.secrets,
    sandboxed: !effects.unsandboxed,
    stated,
    does,
    risk: Math.max(stated, ...levels, ...found.map((effect) => levelOf(RISK_OF_EFFECT[effect]))),
    own: facts.actor.id === facts.requester,
    weakens: facts.weakens,
    absolute: facts.absolute,
  };
}

function levelOf(risk: RiskClass): number {
  return RISK_CLASSES.indexOf(risk) + 1;
}
