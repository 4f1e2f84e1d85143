/** Features as the project's documents tell them. */
import { z } from 'zod';

export const FEATURE_STATUSES = ['backlog', 'in-progress', 'review', 'done', 'deferred'] as const;
export type FeatureStatus = (typeof FEATURE_STATUSES)[number];
export const TASK_STATUSES = [
  'pending',
  'in_progress',
  'review',
  'completed',
  'deferred',
  'blocked',
] as const;
/** Of tasks, phases and documents. */
export type TaskStatus = (typeof TASK_STATUSES)[number];
export const RECOMMENDATION_RULES = [
  'R1_PLAN_FEATURE',
  'R2_START_PHASE_1',
  'R3_NEXT_PHASE',
  'R4_RESUME_PHASE',
  'R5_CLOSE_FEATURE',
  'R6_UNCLEAR',
  'R0_NOTHING_LEFT',
] as const;
export type RecommendationRule = (typeof RECOMMENDATION_RULES)[number];

export interface DocumentView {
  readonly path: string;
  readonly kind: 'prd' | 'plan' | 'phase' | 'progress' | 'report' | 'document';
  readonly title: string | null;
  /** As it is written. */
  readonly status: string | null;
  /** Why its frontmatter could not be read. */
  readonly problem: {
    readonly line: number;
    readonly column: number;
    readonly detail: string;
  } | null;
}

export interface DependencyView {
  readonly id: string;
  /** `external`: nothing in the feature has this name. */
  readonly kind: 'task' | 'phase' | 'external';
  /** Of the task, or the phase itself. */
  readonly phase: string | null;
}

export interface TaskView {
  readonly id: string;
  readonly title: string;
  readonly status: TaskStatus;
  readonly dependsOn: readonly DependencyView[];
  readonly batch: string | null;
  readonly files: readonly string[];
  readonly acceptance: readonly string[];
  readonly assignedTo: readonly string[];
  readonly note: string | null;
  /** Where it is written. */
  readonly document: string;
}

export interface PhaseView {
  readonly key: string;
  readonly title: string | null;
  readonly status: TaskStatus;
  /** Keys of phases. */
  readonly dependsOn: readonly string[];
  readonly documents: readonly string[];
  readonly tasks: readonly TaskView[];
  readonly files: readonly string[];
  readonly exitCriteria: readonly string[];
  readonly validationCommands: readonly string[];
  readonly gates: readonly string[];
  readonly blockers: readonly string[];
}

export interface Recommendation {
  readonly rule: RecommendationRule;
  /** What to do, as a sentence. */
  readonly text: string;
  readonly phase: string | null;
  /** A command to type. */
  readonly command: string | null;
  readonly evidence: readonly { readonly document: string | null; readonly fact: string }[];
}

export interface FeatureSummary {
  readonly slug: string;
  readonly title: string;
  readonly status: FeatureStatus;
  readonly category: string | null;
  readonly phases: { readonly total: number; readonly finished: number };
  readonly tasks: { readonly total: number; readonly finished: number; readonly blocked: number };
  readonly brokenDocuments: number;
  readonly recommendation: Recommendation;
}

export interface FeatureView extends Omit<FeatureSummary, 'phases' | 'tasks'> {
  readonly riskLevel: string | null;
  readonly documents: readonly DocumentView[];
  readonly phases: readonly PhaseView[];
  readonly blockers: readonly { readonly document: string; readonly text: string }[];
  readonly commits: readonly string[];
  /** That the plan as a whole names. */
  readonly files: readonly string[];
}

const strings = z.array(z.string());
const recommendation = z.object({
  rule: z.enum(RECOMMENDATION_RULES),
  text: z.string(),
  phase: z.string().nullable(),
  command: z.string().nullable(),
  evidence: z.array(z.object({ document: z.string().nullable(), fact: z.string() })),
});
const head = {
  slug: z.string(),
  title: z.string(),
  status: z.enum(FEATURE_STATUSES),
  category: z.string().nullable(),
  brokenDocuments: z.int(),
  recommendation,
};
const documentProblem = z.object({ line: z.int(), column: z.int(), detail: z.string() }).nullable();
const document = z.object({
  path: z.string(),
  kind: z.enum(['prd', 'plan', 'phase', 'progress', 'report', 'document']),
  title: z.string().nullable(),
  status: z.string().nullable(),
  problem: documentProblem,
});
const task = z.object({
  id: z.string(),
  title: z.string(),
  status: z.enum(TASK_STATUSES),
  dependsOn: z.array(
    z.object({
      id: z.string(),
      kind: z.enum(['task', 'phase', 'external']),
      phase: z.string().nullable(),
    }),
  ),
  batch: z.string().nullable(),
  files: strings,
  acceptance: strings,
  assignedTo: strings,
  note: z.string().nullable(),
  document: z.string(),
});
const phase = z.object({
  key: z.string(),
  title: z.string().nullable(),
  status: z.enum(TASK_STATUSES),
  dependsOn: strings,
  documents: strings,
  tasks: z.array(task),
  files: strings,
  exitCriteria: strings,
  validationCommands: strings,
  gates: strings,
  blockers: strings,
});

export const featureListResponse: z.ZodType = z.object({
  features: z.array(
    z.object({
      ...head,
      phases: z.object({ total: z.int(), finished: z.int() }),
      tasks: z.object({ total: z.int(), finished: z.int(), blocked: z.int() }),
    }),
  ),
  /** Of all documents, also those that belong to no feature. */
  broken: z.array(document),
  documents: z.int(),
});

export const featureResponse: z.ZodType = z.object({
  ...head,
  riskLevel: z.string().nullable(),
  documents: z.array(document),
  phases: z.array(phase),
  blockers: z.array(z.object({ document: z.string(), text: z.string() })),
  commits: strings,
  files: strings,
  /** Ids of its runs, newest first. */
  runs: strings,
});

export interface FeatureList {
  readonly features: readonly FeatureSummary[];
  readonly broken: readonly DocumentView[];
  readonly documents: number;
}

/** A plan made of the documents, as the text of a plan file. */
export interface FeaturePlan {
  readonly text: string;
  readonly warnings: readonly string[];
  /** What it was made of, with the digests of their texts. */
  readonly documents: readonly { readonly path: string; readonly digest: string }[];
}

export const featurePlanResponse: z.ZodType = z.object({
  text: z.string(),
  warnings: strings,
  documents: z.array(z.object({ path: z.string(), digest: z.string() })),
});

export interface FeaturePlanQuery {
  readonly phase?: string | undefined;
  readonly agent: string;
}

export const featurePlanQuery: z.ZodType<FeaturePlanQuery> = z.strictObject({
  phase: z.string().max(100).optional(),
  agent: z.string().max(100).default('claude'),
});

/** A document as it is written. */
export interface DocumentText {
  readonly path: string;
  readonly text: string;
  readonly digest: string;
}

export const documentTextResponse: z.ZodType = z.object({
  path: z.string(),
  text: z.string(),
  digest: z.string(),
});

export const documentQuery: z.ZodType<{ readonly path: string }> = z.strictObject({
  path: z.string().min(1).max(4096),
});
