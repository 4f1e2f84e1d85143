/** The shape of a plan file. One schema checks it, documents it and becomes the JSON Schema that editors read. */
import { RISK_CLASSES } from '@ccdash/core';
import type { JsonObject } from '@ccdash/core';
import { z } from 'zod';
import * as field from './plan-fields.ts';
import type { PlanFile } from './plan-file.ts';

export const MAX_STEPS = 500;
/** The keys that give a step its kind, in the order of the schema's alternatives. */
export const STEP_KIND_KEYS = ['run', 'argv', 'agent', 'validate', 'approve'] as const;
export const CHECK_KEYS = ['exit', 'paths', 'file', 'schema', 'number', 'noSecrets'] as const;
/** Ids with a meaning of their own in references. */
export const RESERVED_IDS: readonly string[] = ['setup', 'context', 'inputs', 'constructor'];

const list = <T extends z.ZodType>(item: T): z.ZodArray<T> => z.array(item).max(1000);
const value = z.enum(['string', 'number', 'boolean']);

const scope = z
  .strictObject({
    tools: list(field.tool)
      .describe(
        'Tools that agents may use: read, edit, search, exec, fetch, agent, mcp:<server>/<tool>.',
      )
      .optional(),
    write: list(field.glob)
      .describe(
        'Globs (as in .gitignore) that may be written. Without any the workspace is read-only.',
      )
      .optional(),
    network: z
      .union([z.literal('none'), z.strictObject({ hosts: list(field.host).min(1) })])
      .describe('`none`, or the hosts that may be reached.')
      .optional(),
  })
  .describe('What may be touched.');

const budget = z
  .strictObject({
    usd: z.number().positive().describe('US dollars.').optional(),
    tokens: z.int().positive().optional(),
    time: field.duration.describe('Such as 90s, 10m, 2h, 1d.').optional(),
    turns: z.int().positive().describe('Turns of the agent.').optional(),
  })
  .describe('Limits; what is not stated is not limited.');

const base = {
  id: field.stepId.describe('Unique in the plan; small letters, digits and hyphens.'),
  needs: list(field.stepReference)
    .describe('Steps that come before. Without any `needs` in the plan the steps run in order.')
    .optional(),
  when: field.condition
    .describe(
      'A CEL condition over inputs, steps.<id>.outputs, steps.<id>.status; skipped when false.',
    )
    .optional(),
  risk: z
    .enum(RISK_CLASSES)
    .describe('Raises the computed risk class, never lowers it.')
    .optional(),
  scope: scope.describe("Narrows the run's scope for this step.").optional(),
};

const attempted = {
  ...base,
  timeout: field.duration.describe('Time limit of one attempt: 90s, 10m, 2h, 1d.').optional(),
  retry: z
    .strictObject({
      attempts: z.int().min(1).max(20).describe('Counts the first try.'),
      backoff: field.duration.describe('Before the second try; doubles each time.').optional(),
    })
    .optional(),
  onInterrupt: z
    .enum(['ask', 'resume', 'retry'])
    .describe('What happens when it is not known how an attempt ended.')
    .optional(),
  env: z
    .strictObject({
      profile: field.slug.describe('Which variables of the host are passed on.').optional(),
      set: z.record(field.name, z.string().max(32_768)).optional(),
      from: z.record(field.name, z.string()).describe('Variable: <step>.<output>.').optional(),
    })
    .optional(),
  secrets: list(field.name).describe('By name; values are never logged.').optional(),
  artifacts: list(field.glob).describe('Files kept when the step succeeds.').optional(),
};

const command = {
  ...attempted,
  cwd: field.path.describe('Relative to the workspace.').optional(),
  exitCodes: z
    .array(z.int().min(0).max(255))
    .min(1)
    .max(256)
    .describe('Exit codes that count as success; [0] unless stated.')
    .optional(),
};

const script = z.strictObject({
  ...command,
  run: field.longText.describe('A shell script (bash -e -o pipefail).'),
});

const program = z.strictObject({
  ...command,
  argv: z
    .array(z.string().max(200_000))
    .min(1)
    .max(1000)
    .describe('A program and its arguments, without a shell.'),
});

const agent = z.strictObject({
  ...attempted,
  agent: field.adapter.describe('claude, codex, copilot, acp:<name> or scripted.'),
  prompt: z
    .union([field.longText, z.strictObject({ file: field.path })])
    .describe('Text with {{ … }} placeholders, or a file that holds it.'),
  context: list(field.path).describe('Documents given to the agent.').optional(),
  model: field.label.optional(),
  budget: budget.optional(),
  output: z
    .strictObject({
      schema: z.union([field.path, z.record(z.string(), z.json())]),
    })
    .describe('JSON Schema of the answer: a file, or the schema itself.')
    .optional(),
  ext: z
    .record(z.string(), z.json())
    .describe("Options of one adapter, below the adapter's name.")
    .optional(),
});

const check = z.union([
  z.strictObject({
    exit: z
      .strictObject({ step: field.stepReference, equals: z.int().min(0).max(255) })
      .describe('The exit code of a command.'),
  }),
  z.strictObject({
    paths: z.strictObject({ only: list(field.glob) }).describe('Only these paths have changed.'),
  }),
  z.strictObject({
    file: z
      .strictObject({
        path: field.path,
        exists: z.boolean().optional(),
        matches: z.string().min(1).max(2000).describe('A regular expression (RE2).').optional(),
      })
      .describe('A file exists, or matches.'),
  }),
  z.strictObject({
    schema: z
      .strictObject({ output: field.stepReference, schema: field.path })
      .describe('The outputs of a step are valid by a JSON Schema.'),
  }),
  z.strictObject({
    number: z
      .strictObject({
        file: field.path,
        at: field.pointer.describe('A JSON pointer, such as /total/lines/pct.'),
        min: z.number().optional(),
        max: z.number().optional(),
      })
      .describe('A number in a JSON file lies between limits.'),
  }),
  z.strictObject({ noSecrets: z.literal(true).describe('The changes hold no secrets.') }),
]);

const validation = z.strictObject({
  ...base,
  validate: z.array(check).min(1).max(200).describe('Checks that must all pass.'),
});

const approval = z.strictObject({
  ...base,
  approve: z.string().min(1).max(2000).describe('The question to people; may hold {{ … }}.'),
  show: list(z.string().min(1))
    .describe('What to review: diff, <step>.output, <step>.<key>, or the path of an artifact.')
    .optional(),
  by: z
    .strictObject({
      roles: list(field.slug).optional(),
      people: list(field.label)
        .describe('People who may decide, besides those with a role.')
        .optional(),
      count: z.int().min(1).max(100).describe('How many different people.').optional(),
      excludeRequester: z
        .boolean()
        .describe('Whoever asked for the run does not count.')
        .optional(),
      inOrder: z
        .boolean()
        .describe('They approve in the order of `people`, or of `roles` where nobody is named.')
        .optional(),
    })
    .optional(),
  form: z
    .record(field.name, z.strictObject({ type: value, required: z.boolean().optional() }))
    .optional(),
  onReject: z
    .strictObject({
      restart: field.stepReference.describe('A step before this one; it is given the reason.'),
      max: z.int().min(1).max(100).describe('How many times.').optional(),
    })
    .optional(),
  expires: field.duration.optional(),
  escalate: z
    .strictObject({
      after: field.duration.describe('From when on; before it expires.'),
      roles: list(field.slug).optional(),
      people: list(field.label).optional(),
    })
    .describe('Further people who may decide once too few have.')
    .optional(),
});

const step = z.union([script, program, agent, validation, approval]);

const plan = z.strictObject({
  version: z.literal(1),
  name: field.line.describe('What people call it.'),
  feature: field.slug.describe('Slug of the feature it belongs to.').optional(),
  context: z
    .strictObject({
      prd: field.path.optional(),
      plan: field.path.optional(),
      progress: list(field.path).optional(),
      sessions: list(field.label).optional(),
      docs: list(field.path).optional(),
    })
    .describe('Documents and sessions that the plan refers to.')
    .optional(),
  setup: z
    .strictObject({
      copy: list(field.path).describe('Untracked paths to carry over.').optional(),
      run: list(field.longText).describe('Command lines, run before everything else.').optional(),
    })
    .describe('Makes the fresh workspace usable.')
    .optional(),
  inputs: z
    .record(
      field.name,
      z.strictObject({
        type: value,
        default: z.union([z.string(), z.number(), z.boolean()]).optional(),
        required: z.boolean().optional(),
        description: z.string().max(2000).optional(),
      }),
    )
    .optional(),
  scope: scope
    .describe('The widest that any step gets. Without it: read-only, no network.')
    .optional(),
  budget: budget.describe('Limits of the whole run.').optional(),
  concurrency: z
    .int()
    .min(1)
    .max(64)
    .describe('Attempts at the same time; 4 unless stated.')
    .optional(),
  onFailure: z
    .enum(['continue', 'stop'])
    .describe('Whether siblings of a failed step go on.')
    .optional(),
  steps: z.array(step).min(1).max(MAX_STEPS),
});

/** For what reads the schema itself: naming fields, choosing alternatives. */
export const planFileSchema: z.ZodType<PlanFile> = plan;

/** The JSON Schema (draft 2020-12) of plan files. */
export function planJsonSchema(): JsonObject {
  const schema = z.toJSONSchema(plan, { target: 'draft-2020-12', io: 'input', reused: 'ref' });
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'CCDash plan',
    description: 'Steps (commands, agents, validations, approvals) that run over a repository.',
    ...(schema as JsonObject),
  };
}
