/** Facts as the port gives them, checked, and turned into what the rules see (assets/policy/schema.cedarschema). */
import { RISK_CLASSES } from '@ccdash/core';
import type { PolicyFacts, RiskClass, StepKind } from '@ccdash/core';
import { z } from 'zod';

/** The risk that each fact alone amounts to. What is not here is low. */
const RISK_OF_FACT = {
  writes: 'low',
  network: 'medium',
  secrets: 'medium',
  unsandboxed: 'high',
} as const satisfies Record<string, RiskClass>;

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
  /** 1 low, 2 medium, 3 high, 4 critical. */
  readonly stated: number;
  readonly risk: number;
}

const names = z.array(z.string().min(1)).readonly();

const schema: z.ZodType<PolicyFacts> = z
  .object({
    action: z.enum(['start', 'tool']),
    stepKind: z.enum(['command', 'agent', 'validation', 'approval']),
    tools: names,
    runTools: names,
    writes: z.boolean(),
    network: z.boolean(),
    secrets: z.boolean(),
    sandboxed: z.boolean(),
    risk: z.enum(['low', 'medium', 'high', 'critical']),
    requester: z.string().min(1),
    scope: z.object({
      tools: names,
      write: names,
      network: z.union([z.literal('none'), z.object({ hosts: names })]),
    }),
  })
  .refine(({ action, stepKind }) => action === 'start' || stepKind === 'agent', {
    path: ['action'],
    message: 'only agents use tools',
  })
  .refine(({ action, tools }) => action === 'start' || tools.length > 0, {
    path: ['tools'],
    message: 'a tool call names its tool',
  });

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
  const levels = (Object.keys(RISK_OF_FACT) as (keyof typeof RISK_OF_FACT)[])
    .filter((fact) => effects[fact])
    .map((fact) => levelOf(RISK_OF_FACT[fact]));
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
    risk: Math.max(stated, ...levels),
  };
}

function levelOf(risk: RiskClass): number {
  return RISK_CLASSES.indexOf(risk) + 1;
}
