/** Saved plans as lists, and revisions of them. */
import { z } from 'zod';
import { actorSchema } from './events.ts';

export interface PlansQuery {
  readonly feature?: string | undefined;
}

export interface RevisionRequest {
  readonly text: string;
  readonly file: string;
  /** The newest revision that was seen: another one since then is a conflict. */
  readonly seen: number;
}

/** The newest revision of a plan, without the plan itself. */
export interface PlanSummary {
  readonly id: string;
  readonly name: string;
  readonly feature: string | null;
  readonly revision: number;
  readonly digest: string;
  readonly steps: number;
  readonly savedAt: string;
  readonly savedBy: { readonly kind: string; readonly id: string };
}

export const plansQuery: z.ZodType<PlansQuery> = z.strictObject({
  feature: z.string().max(200).optional(),
});

export const revisionRequest: z.ZodType<RevisionRequest> = z.strictObject({
  text: z.string(),
  file: z.string().max(4096).default('plan.yaml'),
  seen: z.int().min(1),
});

export const planSummary: z.ZodType = z.object({
  id: z.string(),
  name: z.string(),
  feature: z.string().nullable(),
  revision: z.int(),
  digest: z.string(),
  steps: z.int(),
  savedAt: z.string().describe('ISO 8601, UTC'),
  savedBy: actorSchema,
});
