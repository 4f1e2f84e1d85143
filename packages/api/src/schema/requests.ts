/** Bodies and queries of the API. Unknown fields are refused: a misspelt option must not be silently without effect. */
import type { ApprovalStatus, JsonObject } from '@ccdash/core';
import { z } from 'zod';
import { jsonObjectSchema } from './json.ts';

export interface PlanTextRequest {
  readonly text: string;
  readonly file: string;
}

export interface DryRunRequest extends PlanTextRequest {
  readonly inputs?: LaunchRequest['inputs'] | undefined;
}

export interface LaunchRequest {
  readonly revision?: number | undefined;
  readonly feature: string | null;
  readonly inputs: Readonly<Record<string, string | number | boolean>>;
}

export interface DecisionRequest {
  readonly decision: 'approve' | 'reject';
  readonly reason: string;
  readonly subjectDigest: string;
  readonly form: Readonly<Record<string, string | number | boolean>>;
  readonly proof: ProofRequest | null;
}

/** That a person is there: a one-time code, an SSH signature, or the answer of a passkey. */
export type ProofRequest =
  | { readonly kind: 'totp'; readonly code: string }
  | { readonly kind: 'ssh'; readonly signature: string }
  | { readonly kind: 'passkey'; readonly response: JsonObject };

export interface OverrideRequest {
  readonly step: string;
  readonly reason: string;
  /** What the step would run, as it was shown. */
  readonly subjectDigest: string;
  readonly proof: ProofRequest | null;
}

export interface PersonRequest {
  readonly person: string;
  readonly roles: readonly string[];
}

export interface CancelRequest {
  readonly reason: string;
  readonly digest: string | null;
}

export interface TellRequest {
  readonly text: string;
  readonly restart: boolean;
}

export interface PauseRequest {
  readonly reason: string | null;
  /** Of the summary that was agreed to; null: done without one. */
  readonly digest: string | null;
}

export interface RestartRequest {
  readonly step: string;
  readonly reason: string | null;
  readonly digest: string | null;
}

export interface ApplyRequest {
  readonly as: 'branch' | 'squash' | 'merge';
  readonly branch: string | null;
  readonly message: string | null;
  /** Of the summary that was shown; needed for doing it. */
  readonly digest: string | null;
  readonly reason: string | null;
}

export interface PreviewQuery {
  readonly preview: boolean;
}

export interface ControlRequest {
  readonly step: string | null;
  /** The plan changes with it. */
  readonly change: StepChange | null;
  readonly reason: string | null;
  readonly digest: string | null;
}

/** What a step is to have otherwise; what is left out stays. */
export interface StepChange {
  readonly prompt?: string | undefined;
  readonly model?: string | undefined;
  readonly command?: string | undefined;
  /** Of the step; of the plan where no step is named. */
  readonly budget?: BudgetChange | undefined;
}

export interface BudgetChange {
  readonly usd?: number | undefined;
  readonly tokens?: number | undefined;
  readonly turns?: number | undefined;
  readonly timeMs?: number | undefined;
}

export type SkipRequest = RestartRequest;

export interface ForkRequest {
  /** The step after which it begins; null: at the newest checkpoint. */
  readonly at: string | null;
  readonly reason: string | null;
  readonly digest: string | null;
}

export interface ReplanRequest {
  /** The plan file, as text; `file` is its name for messages. */
  readonly text: string;
  readonly file: string;
  /** For inputs that the plan so far has not. */
  readonly inputs: Readonly<Record<string, string | number | boolean>>;
  readonly reason: string | null;
  readonly digest: string | null;
}

/** A window of events by their numbers, and which of them; the filters all have to fit. */
export interface EventsQuery {
  /** The first number of the window; 0 when neither this nor `before` is given. */
  readonly from?: number | undefined;
  /** The window ends before this number. */
  readonly before?: number | undefined;
  readonly limit: number;
  readonly types?: readonly string[] | undefined;
  readonly step?: string | undefined;
  readonly attempt?: number | undefined;
  /** Only what went wrong. */
  readonly errors: boolean;
  /** Only what has this text in it, in any case. */
  readonly find?: string | undefined;
  /** Only what this person, agent or part of the server did. */
  readonly actor?: string | undefined;
}

export interface AuditQuery extends EventsQuery {
  readonly run?: string | undefined;
}

export interface OutputQuery {
  /** Goes on until the attempt has ended. */
  readonly follow: boolean;
}

export interface ApprovalsQuery {
  readonly status?: ApprovalStatus | undefined;
}

export interface DiffQuery {
  readonly step: string | null;
  readonly attempt: number | null;
}

export interface ReportQuery {
  readonly format: 'html' | 'md' | 'json';
}

export interface RevisionQuery {
  readonly revision?: number | undefined;
}

/** What may be left out of a body has its default. */
export type LaunchBody = Partial<LaunchRequest>;
export type DecisionBody = Pick<DecisionRequest, 'decision' | 'subjectDigest'> &
  Partial<DecisionRequest>;
export type CancelBody = Partial<CancelRequest>;
export type ApplyBody = Partial<ApplyRequest>;
export type RestartBody = Partial<RestartRequest> & Pick<RestartRequest, 'step'>;
export type TellBody = Pick<TellRequest, 'text'> & Partial<TellRequest>;
export type PauseBody = Partial<PauseRequest>;
export type ControlBody = Partial<ControlRequest>;
export type ForkBody = Partial<ForkRequest>;
export type SkipBody = RestartBody;
export type ReplanBody = Partial<ReplanRequest> & Pick<ReplanRequest, 'text' | 'file'>;

const reason = z.string().max(10_000);
const stepId = z.string().max(63);
const scalar = z.union([z.string().max(100_000), z.number(), z.boolean()]);

const proof: z.ZodType<ProofRequest> = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('totp'), code: z.string().max(20) }),
  z.strictObject({ kind: z.literal('ssh'), signature: z.string().max(20_000) }),
  z.strictObject({ kind: z.literal('passkey'), response: jsonObjectSchema }),
]);

/** Nothing to say: `{}`. */
export const emptyRequest: z.ZodType<Readonly<Record<string, never>>> = z.strictObject({});

export const planTextRequest: z.ZodType<PlanTextRequest> = z.strictObject({
  /** The plan file, YAML. */
  text: z.string(),
  /** Its name, for messages. */
  file: z.string().max(4096).default('plan.yaml'),
});

export const dryRunRequest: z.ZodType<DryRunRequest> = z.strictObject({
  text: z.string(),
  file: z.string().max(4096).default('plan.yaml'),
  /** As for a launch; without, they are not looked at. */
  inputs: z.record(z.string().max(200), scalar).optional(),
});

export const launchRequest: z.ZodType<LaunchRequest> = z.strictObject({
  revision: z.int().min(1).optional(),
  feature: z.string().max(200).nullable().default(null),
  inputs: z.record(z.string().max(200), scalar).default({}),
});

export const decisionRequest: z.ZodType<DecisionRequest> = z.strictObject({
  decision: z.enum(['approve', 'reject']),
  reason: reason.default(''),
  /** The digest that was shown. */
  subjectDigest: z.string().max(200),
  form: z.record(z.string().max(200), scalar).default({}),
  proof: proof.nullable().default(null),
});

export const overrideRequest: z.ZodType<OverrideRequest> = z.strictObject({
  step: stepId,
  reason,
  subjectDigest: z.string().max(200),
  proof: proof.nullable().default(null),
});
export const reviewRequest: z.ZodType<{ readonly note: string }> = z.strictObject({
  note: reason.min(1),
});

const name = z.string().max(200);
const roles = z.array(name).max(20);

export const personRequest: z.ZodType<PersonRequest> = z.strictObject({ person: name, roles });
export const rolesRequest: z.ZodType<Pick<PersonRequest, 'roles'>> = z.strictObject({ roles });
export const revokeRequest: z.ZodType<{ readonly reason: string }> = z.strictObject({
  reason: reason.default(''),
});
export const loginRequest: z.ZodType<{ readonly code: string; readonly label: string }> =
  z.strictObject({ code: z.string().max(200), label: name.default('command line') });
export const proofRequest: z.ZodType<Pick<DecisionRequest, 'proof'>> = z.strictObject({
  proof: proof.nullable().default(null),
});
export const sshKeyRequest: z.ZodType<
  Pick<DecisionRequest, 'proof'> & { readonly publicKey: string }
> = z.strictObject({
  publicKey: z.string().max(20_000),
  proof: proof.nullable().default(null),
});

/** What the browser's authenticator answered to `/me/passkeys/options`. */
export const passkeyRequest: z.ZodType<
  Pick<DecisionRequest, 'proof'> & { readonly response: JsonObject }
> = z.strictObject({ response: jsonObjectSchema, proof: proof.nullable().default(null) });

/** What the person is about to say; for a further means of proof all three are of `credentials`. */
export const passkeyChallengeRequest: z.ZodType<
  Pick<DecisionRequest, 'decision' | 'subjectDigest'> & { readonly approvalId: string }
> = z.strictObject({
  approvalId: z.string().max(200),
  decision: z.enum(['approve', 'reject']),
  subjectDigest: z.string().max(200),
});

const digest = z.string().max(200).nullable().default(null);

export const cancelRequest: z.ZodType<CancelRequest> = z.strictObject({
  reason: reason.min(1).default('canceled'),
  digest,
});

export const tellRequest: z.ZodType<TellRequest> = z.strictObject({
  text: z.string().min(1).max(100_000),
  /** Stop the agent and go on in its session with this, instead of telling it while it works. */
  restart: z.boolean().default(false),
});

export const pauseRequest: z.ZodType<PauseRequest> = z.strictObject({
  reason: reason.nullable().default(null),
  digest,
});

export const applyRequest: z.ZodType<ApplyRequest> = z.strictObject({
  as: z.enum(['branch', 'squash', 'merge']).default('branch'),
  branch: z.string().min(1).max(250).nullable().default(null),
  message: z.string().min(1).max(20_000).nullable().default(null),
  digest: z.string().max(200).nullable().default(null),
  reason: reason.nullable().default(null),
});

export const reportQuery: z.ZodType<ReportQuery> = z.strictObject({
  format: z.enum(['html', 'md', 'json']).default('html'),
});
export const previewQuery: z.ZodType<PreviewQuery> = z.strictObject({
  preview: z.stringbool().default(false),
});

export const restartRequest: z.ZodType<RestartRequest> = z.strictObject({
  step: stepId,
  reason: reason.nullable().default(null),
  digest,
});

const limit = z.number().positive().optional();
const stepChange: z.ZodType<StepChange> = z.strictObject({
  prompt: z.string().min(1).max(1_000_000).optional(),
  model: z.string().min(1).max(200).optional(),
  command: z.string().min(1).max(100_000).optional(),
  budget: z
    .strictObject({
      usd: limit,
      tokens: z.int().positive().optional(),
      turns: z.int().positive().optional(),
      timeMs: z.int().positive().optional(),
    })
    .optional(),
});

export const forkRequest: z.ZodType<ForkRequest> = z.strictObject({
  at: stepId.nullable().default(null),
  reason: reason.nullable().default(null),
  digest,
});

export const replanRequest: z.ZodType<ReplanRequest> = z.strictObject({
  text: z.string(),
  file: z.string().max(4096).default('plan.yaml'),
  inputs: z.record(z.string().max(200), scalar).default({}),
  reason: reason.nullable().default(null),
  digest,
});

export const controlRequest: z.ZodType<ControlRequest> = z.strictObject({
  step: stepId.nullable().default(null),
  change: stepChange.nullable().default(null),
  reason: reason.nullable().default(null),
  digest,
});

export interface ResumeRequest extends ControlRequest {
  /** Of a conflict between steps: the one whose files count. Left out: the files as they lie in the workspace. */
  readonly take?: string | undefined;
}

export const resumeRequest: z.ZodType<ResumeRequest> = z.strictObject({
  step: stepId.nullable().default(null),
  change: stepChange.nullable().default(null),
  reason: reason.nullable().default(null),
  take: stepId.optional(),
  digest,
});

const number = z.coerce.number().int().min(0);
const EVENTS_SHAPE = {
  from: number.optional(),
  before: number.optional(),
  limit: z.coerce.number().int().min(1).max(1000).default(200),
  /** Names of event types, with commas between them. */
  types: z
    .string()
    .max(2000)
    .transform((text) => text.split(','))
    .optional(),
  step: stepId.min(1).optional(),
  attempt: z.coerce.number().int().min(1).optional(),
  errors: z.stringbool().default(false),
  find: z.string().min(1).max(200).optional(),
  actor: z.string().min(1).max(200).optional(),
};
const ONE_END = 'a window has `from` or `before`, not both';
const hasOneEnd = ({ from, before }: EventsQuery): boolean =>
  from === undefined || before === undefined;

export const eventsQuery: z.ZodType<EventsQuery> = z
  .strictObject(EVENTS_SHAPE)
  .refine(hasOneEnd, ONE_END);

export const auditQuery: z.ZodType<AuditQuery> = z
  .strictObject({ ...EVENTS_SHAPE, run: z.string().min(1).max(200).optional() })
  .refine(hasOneEnd, ONE_END);

export const outputQuery: z.ZodType<OutputQuery> = z.strictObject({
  follow: z.stringbool().default(false),
});

export const approvalsQuery: z.ZodType<ApprovalsQuery> = z.strictObject({
  status: z.enum(['open', 'approved', 'rejected', 'expired', 'stale', 'withdrawn']).optional(),
});

export const diffQuery: z.ZodType<DiffQuery> = z
  .strictObject({
    step: stepId.min(1).nullable().default(null),
    attempt: z.coerce.number().int().min(1).nullable().default(null),
  })
  .refine(({ step, attempt }) => attempt === null || step !== null, 'an attempt needs its step');

export const revisionQuery: z.ZodType<RevisionQuery> = z.strictObject({
  revision: z.coerce.number().int().min(1).optional(),
});
