/** The policy in words, and what it says to something. */
import type { ApprovalRequirement, CommandFacts, PolicyVerdict } from '@ccdash/core';
import { EFFECT_CLASSES } from '@ccdash/core';
import { z } from 'zod';
import { approvalRequirementSchema, policyVerdictSchema } from './events.ts';

/** A command as `ccdash exec` would run it, or a step of a plan that is sent along. */
export type PolicyCheckRequest =
  | { readonly command: string }
  | { readonly text: string; readonly file: string; readonly step: string };

export interface PolicyRuleView {
  readonly id: string;
  /** Why it decides, in words. */
  readonly text: string;
  readonly effect: 'permits' | 'asks' | 'denies';
  /** No override lifts it. */
  readonly absolute: boolean;
  readonly asks: ApprovalRequirement | null;
  readonly file: string;
  /** As it is written, in Cedar. */
  readonly source: string;
}

export interface PolicyView {
  readonly digest: string;
  readonly source: 'project' | 'shipped';
  /** What the project's own rules need to be in force; null when there is nothing to say. */
  readonly notice: string | null;
  readonly rules: readonly PolicyRuleView[];
}

export interface PolicyCheckView extends PolicyVerdict {
  /** What the command does, by its text; null for what is no command. */
  readonly does: CommandFacts | null;
}

export const policyCheckRequest: z.ZodType<PolicyCheckRequest> = z.union([
  z.strictObject({ command: z.string().min(1).max(100_000) }),
  z.strictObject({
    text: z.string(),
    file: z.string().max(4096).default('plan.yaml'),
    step: z.string().max(63),
  }),
]);

export const policyResponse: z.ZodType = z.object({
  digest: z.string(),
  source: z.enum(['project', 'shipped']),
  notice: z.string().nullable(),
  rules: z.array(
    z.object({
      id: z.string(),
      text: z.string(),
      effect: z.enum(['permits', 'asks', 'denies']),
      absolute: z.boolean(),
      asks: approvalRequirementSchema.nullable(),
      file: z.string(),
      source: z.string(),
    }),
  ),
});

const effect = z.enum(EFFECT_CLASSES);

export const policyCheckResponse: z.ZodType = z.intersection(
  policyVerdictSchema,
  z.object({
    does: z
      .object({
        effects: z.array(effect),
        because: z.array(z.object({ effect, text: z.string() })),
        programs: z.array(z.string()),
        classifier: z.int(),
      })
      .nullable(),
  }),
);
