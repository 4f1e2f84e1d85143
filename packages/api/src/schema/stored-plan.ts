/** The schema of a plan as the log keeps it: compiled, with nothing left out. The file format is in `../plan`. */
import { RISK_CLASSES } from '@ccdash/core';
import type { Plan } from '@ccdash/core';
import { z } from 'zod';
import { jsonObjectSchema, jsonSchema, listOf } from './json.ts';

const text = z.string();
const texts = listOf(text);
const count = z.int().nonnegative();
const positive = z.int().positive();
const scalarType = z.enum(['string', 'number', 'boolean']);

const scope = z.object({
  tools: texts,
  write: texts,
  network: z.union([z.literal('none'), z.object({ hosts: texts })]),
});

const budget = z.object({
  usd: z.number().nonnegative().nullable(),
  tokens: count.nullable(),
  timeMs: count.nullable(),
  turns: count.nullable(),
});

const base = {
  id: text,
  needs: texts,
  when: text.nullable(),
  risk: z.enum(RISK_CLASSES).nullable(),
  scope,
};

const attempted = {
  ...base,
  timeoutMs: positive.nullable(),
  retry: z.object({ attempts: positive, backoffMs: count }),
  onInterrupt: z.enum(['ask', 'resume', 'retry']),
  env: z.object({ profile: text, set: z.record(text, text), from: z.record(text, text) }),
  secrets: texts,
  artifacts: texts,
};

// A tuple schema would give a list that can be changed, which the plan's type is not.
const argv: z.ZodType<readonly [string, ...string[]]> = z.tuple([text], text);

const command = z.object({
  ...attempted,
  kind: z.literal('command'),
  program: z.union([z.object({ argv }), z.object({ script: text })]),
  cwd: text,
  expectedExitCodes: listOf(z.int()),
  copy: texts,
});

const agent = z.object({
  ...attempted,
  kind: z.literal('agent'),
  adapter: text,
  prompt: z.union([z.object({ text }), z.object({ file: text })]),
  context: texts,
  model: text.nullable(),
  budget,
  outputSchema: z
    .union([z.object({ file: text }), z.object({ inline: jsonObjectSchema })])
    .nullable(),
  ext: z.record(text, jsonSchema),
});

const check = z.discriminatedUnion('type', [
  z.object({ type: z.literal('exit'), step: text, equals: z.int() }),
  z.object({ type: z.literal('paths'), only: texts }),
  z.object({
    type: z.literal('file'),
    path: text,
    matches: text.nullable(),
    exists: z.boolean(),
  }),
  z.object({ type: z.literal('schema'), output: text, schema: text }),
  z.object({
    type: z.literal('number'),
    file: text,
    at: text,
    min: z.number().nullable(),
    max: z.number().nullable(),
  }),
  z.object({ type: z.literal('noSecrets') }),
]);

const validation = z.object({ ...base, kind: z.literal('validation'), checks: listOf(check) });

const approval = z.object({
  ...base,
  kind: z.literal('approval'),
  question: text,
  show: texts,
  by: z.object({
    roles: texts,
    people: texts,
    count: positive,
    excludeRequester: z.boolean(),
    inOrder: z.boolean().optional(),
  }),
  form: z.record(text, z.object({ type: scalarType, required: z.boolean() })),
  onReject: z.object({ restart: text, max: positive }).nullable(),
  expiresMs: positive.nullable(),
  escalate: z.object({ afterMs: positive, roles: texts, people: texts }).optional(),
});

const plan = z.object({
  version: z.literal(1),
  name: text,
  feature: text.nullable(),
  context: z.object({
    prd: text.nullable(),
    plan: text.nullable(),
    progress: texts,
    sessions: texts,
    docs: texts,
  }),
  inputs: z.record(
    text,
    z.object({
      type: scalarType,
      default: z.union([text, z.number(), z.boolean()]).nullable(),
      required: z.boolean(),
      description: text.nullable(),
    }),
  ),
  scope,
  budget,
  concurrency: positive,
  onFailure: z.enum(['continue', 'stop']),
  steps: listOf(z.discriminatedUnion('kind', [command, agent, validation, approval])),
});

type Drift = [Plan] extends [z.output<typeof plan>] ? never : 'Plan';
/** Does not compile when the core's plan has something that the schema would refuse. */
const wholePlan: [Drift] extends [never] ? typeof plan : Drift = plan;

/** A compiled plan. Fields that this version does not know are left out. */
export const storedPlanSchema: z.ZodType<Plan> = wholePlan;
