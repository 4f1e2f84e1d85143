/**
 * Schemas of the run events in the log. A stored event is checked when it is read: fields that are known must be
 * right, fields that are not are left out, and data of an older version is lifted to today's first.
 */
import { RISK_CLASSES, err, ok } from '@ccdash/core';
import type {
  Actor,
  AgentFact,
  AgentVersions,
  ApprovalRequirement,
  ArtifactRef,
  CheckResult,
  Checkpoint,
  Failure,
  Json,
  JsonObject,
  OutputSummary,
  PolicyVerdict,
  ResumeToken,
  Result,
  RunEvent,
  RunEventData,
  RunEventType,
  Usage,
} from '@ccdash/core';
import { z } from 'zod';
import { firstFault, jsonObjectSchema, jsonSchema, listOf } from './json.ts';
import { storedPlanSchema } from './stored-plan.ts';

export interface UnknownEventType {
  readonly type: 'UnknownEventType';
  readonly detail: string;
  readonly hint: string;
}

export interface UnreadableEvent {
  readonly type: 'UnreadableEvent';
  readonly detail: string;
  readonly hint: string;
}

export interface NewerEventVersion {
  readonly type: 'NewerEventVersion';
  readonly detail: string;
  readonly hint: string;
}

export type EventRefusal = UnknownEventType | UnreadableEvent | NewerEventVersion;

/**
 * How data of older versions becomes today's. The n-th function of a type lifts its version n to version n + 1, so a
 * type's current version is one more than it has functions.
 */
export type EventUpcasts = Readonly<
  Partial<Record<RunEventType, readonly ((data: JsonObject) => JsonObject)[]>>
>;

/** No event has changed its shape yet. */
export const EVENT_UPCASTS: EventUpcasts = {};

/**
 * Reads one stored run event (the fields `type`, `at`, `actor`, `data`; others are ignored).
 * The version of `data` is its field `v`; without one it is 1.
 * Errors: UnknownEventType; NewerEventVersion when the log was written by a newer program; UnreadableEvent when a
 * field is missing or wrong.
 */
export function decodeRunEvent(
  raw: unknown,
  upcasts: EventUpcasts = EVENT_UPCASTS,
): Result<RunEvent, EventRefusal> {
  const envelope = envelopeSchema.safeParse(raw);
  if (!envelope.success) return err(unreadable('an event', firstFault(envelope.error)));
  const { type, at, actor, data } = envelope.data;
  if (!isRunEventType(type)) {
    return err({
      type: 'UnknownEventType',
      detail: `this version does not know events of type ${JSON.stringify(type.slice(0, 80))}.`,
      hint: 'The log may come from a newer version: open it with the one that wrote it.',
    });
  }
  const lifted = liftData(type, data, upcasts);
  if (!lifted.ok) return lifted;
  const parsed = schemaByType[type].safeParse(lifted.value);
  if (!parsed.success) return err(unreadable(type, firstFault(parsed.error)));
  // The type and the data belong together by the lookup above, which the compiler cannot follow.
  return ok({ type, at, actor, data: parsed.data } as RunEvent);
}

export function isRunEventType(type: string): type is RunEventType {
  return Object.hasOwn(schemaByType, type);
}

function liftData(
  type: RunEventType,
  data: JsonObject,
  upcasts: EventUpcasts,
): Result<JsonObject, EventRefusal> {
  const steps = upcasts[type] ?? [];
  const version: Json = data['v'] ?? 1;
  if (typeof version !== 'number' || !Number.isInteger(version) || version < 1) {
    return err(unreadable(type, 'v: expected a version number from 1'));
  }
  if (version > steps.length + 1) {
    return err({
      type: 'NewerEventVersion',
      detail: `${type} is stored in version ${version}; this version reads up to ${steps.length + 1}.`,
      hint: 'Open the log with the version that wrote it, or a newer one.',
    });
  }
  return ok(steps.slice(version - 1).reduce((lifted, lift) => lift(lifted), data));
}

function unreadable(what: string, fault: string): UnreadableEvent {
  return {
    type: 'UnreadableEvent',
    detail: `${what} cannot be read: ${fault}.`,
    hint: 'Verify the log with `ccdash audit verify`; restore a backup if it was damaged.',
  };
}

const text = z.string();
const texts = listOf(text);
const count = z.int().nonnegative();
const timestamp = z.iso.datetime();

const actor = z.object({ kind: z.enum(['person', 'agent', 'engine', 'policy']), id: text });
const checkpoint = z.object({ commit: text, tree: text });
const failure = z.object({ code: text, message: text, hint: text.nullable() });
const runChange = z.discriminatedUnion('type', [
  z.object({ type: z.literal('skip'), step: text }),
  z.object({
    type: z.literal('replan'),
    planId: text,
    revision: z.int().positive(),
    digest: text,
    plan: storedPlanSchema,
    inputs: z.record(text, z.union([text, z.number(), z.boolean()])),
    goOn: text.nullable(),
  }),
]);
const usage = z.object({
  inputTokens: count.nullable(),
  outputTokens: count.nullable(),
  cachedTokens: count.nullable(),
  usd: z.number().nonnegative().nullable(),
  turns: count.optional(),
  timeMs: count.optional(),
});
const outputSummary = z.object({ bytes: count, sha256: text, tail: texts });
const checkResult = z.object({ check: text, pass: z.boolean(), evidence: text });
const artifactRef = z.object({ name: text, sha256: text, bytes: count, mediaType: text });
const fork = z.object({
  runId: text,
  at: text.nullable(),
  checkpoint,
  line: listOf(z.object({ step: text, checkpoint })),
  steps: listOf(
    z.object({
      step: text,
      skipped: z.enum(['condition', 'decision']).nullable(),
      skipReason: text.nullable(),
      outputs: jsonObjectSchema.nullable(),
      checkpoint: checkpoint.nullable(),
      attempt: z
        .object({
          from: z.object({ runId: text, attempt: count }),
          startedAt: timestamp,
          endedAt: timestamp.nullable(),
          inputCheckpoint: checkpoint,
          exitCode: z.int().nullable(),
          output: outputSummary.nullable(),
          checks: listOf(checkResult),
          artifacts: listOf(artifactRef),
        })
        .nullable(),
    }),
  ),
  reason: text.nullable(),
});
const resumeToken = z.object({
  adapter: text,
  adapterVersion: text,
  programVersion: text,
  session: text,
  at: text.nullable(),
});
const agentVersions = z.object({
  interface: z.int().positive(),
  adapter: text,
  sdk: text.nullable(),
  program: text.nullable(),
});
const assurance = z.enum(['session', 'reauth', 'passkey']);
const approvalRequirement = z.object({
  roles: texts,
  people: texts,
  count: z.int().positive(),
  excludeRequester: z.boolean(),
  assurance,
  inOrder: z.boolean().optional(),
});
const decidingRules = listOf(z.object({ rule: text, text, absolute: z.literal(true).optional() }));
const policyVerdict = z.object({
  verdict: z.enum(['allow', 'requires_approval', 'deny']),
  why: decidingRules,
  requires: approvalRequirement,
  policyDigest: text,
  risk: z.enum(RISK_CLASSES),
});

const fact = { seq: z.int().positive(), at: text };
const agentFact = z.discriminatedUnion('type', [
  z.object({ ...fact, type: z.literal('session'), token: resumeToken, model: text.nullable() }),
  z.object({
    ...fact,
    type: z.literal('message'),
    text,
    checkpoint: text.nullable(),
    agentPath: texts,
  }),
  z.object({
    ...fact,
    type: z.literal('tool-started'),
    callId: text,
    tool: text,
    name: text,
    title: text,
    input: jsonSchema,
    agentPath: texts,
  }),
  z.object({
    ...fact,
    type: z.literal('tool-ended'),
    callId: text,
    status: z.enum(['ok', 'error', 'denied', 'interrupted', 'unknown']),
    summary: text,
    checkpoint: text.nullable(),
    exitCode: z.int().optional(),
    changes: listOf(z.object({ path: text, added: count, removed: count, diff: text })).optional(),
  }),
  z.object({
    ...fact,
    type: z.literal('gate-raised'),
    gateId: text,
    callId: text,
    tool: text,
    name: text,
    title: text,
    input: jsonSchema,
  }),
  z.object({
    ...fact,
    type: z.literal('gate-answered'),
    gateId: text,
    decision: z.enum(['allow', 'deny']),
  }),
  z.object({ ...fact, type: z.literal('told'), messageId: text }),
  z.object({ ...fact, type: z.literal('usage'), usage }),
  z.object({ ...fact, type: z.literal('notice'), level: z.enum(['info', 'warn', 'error']), text }),
  z.object({ ...fact, type: z.literal('extension'), adapter: text, data: jsonObjectSchema }),
]);

const step = { step: text };
const attempt = { ...step, attempt: z.int().positive() };
const attemptEnd = {
  ...attempt,
  failure,
  exitCode: z.int().nullable(),
  output: outputSummary.nullable(),
  usage: usage.nullable(),
  checks: listOf(checkResult),
  setAside: checkpoint.nullable(),
};

const dataSchemas = {
  RunCreated: z.object({
    planId: text,
    revision: z.int().positive(),
    digest: text,
    plan: storedPlanSchema,
    feature: text.nullable(),
    inputs: z.record(text, z.union([text, z.number(), z.boolean()])),
    baseCommit: text,
    policyDigest: text,
    requesterRoles: texts,
    forkedFrom: fork.nullable().optional(),
  }),
  RunStarted: z.object({ checkpoint, notCarried: texts }),
  RunStartFailed: z.object({ failure }),
  RunRequeued: z.object({ reason: text }),
  RunPaused: z.object({ reason: text.nullable(), atMs: count }),
  RunUnpaused: z.object({ reason: text.nullable(), heldMs: count }),
  PolicyChanged: z.object({ from: text, policyDigest: text }),
  RunCancelRequested: z.object({ reason: text }),
  RunCanceled: z.object({ reason: text }),
  ResultApplying: z.object({
    as: z.enum(['branch', 'squash', 'merge']),
    branch: text,
    from: text.nullable(),
    result: checkpoint,
    tree: text,
    message: text,
    summaryDigest: text,
    reason: text.nullable(),
    verdict: policyVerdict.optional(),
  }),
  ResultApplied: z.object({ branch: text, commit: text }),
  ResultNotApplied: z.object({ branch: text, failure }),
  RunEnded: z.object({ status: z.enum(['succeeded', 'failed']) }),

  StepReadied: z.object({
    ...step,
    subjectDigest: text,
    verdict: policyVerdict,
    approvals: texts,
  }),
  StepDenied: z.object({ ...step, subjectDigest: text, verdict: policyVerdict }),
  StepBlocked: z.object({
    ...step,
    reason: z.enum(['configuration', 'adapter_unavailable', 'budget_exceeded']),
    failure,
  }),
  StepSkipped: z.object({
    ...step,
    cause: z.enum(['condition', 'decision']),
    reason: text.nullable().optional(),
    approvals: texts.optional(),
  }),
  StepCarried: z.object(step),
  SkipCarried: z.object(step),
  ChangeAsked: z.object({
    change: runChange,
    verdict: policyVerdict,
    weakened: texts,
    seen: texts,
    reason: text.nullable(),
  }),
  PlanReplaced: z.object({
    planId: text,
    revision: z.int().positive(),
    digest: text,
    approvals: texts,
  }),
  StepRequeued: z.object({
    ...step,
    cause: z.enum([
      'retry',
      'resume',
      'invalidated',
      'subject_changed',
      'verdict_changed',
      'approval_stale',
      'override',
      'replan',
    ]),
    mode: z.enum(['continue', 'restore']),
    reason: text.nullable(),
    automatic: z.boolean(),
  }),
  StepInvalidated: z.object({
    ...step,
    cause: text,
    reason: text,
    gate: z.boolean(),
    anew: z.boolean().exactOptional(),
  }),
  RunRewound: z.object({ ...step, checkpoint }),
  WorkJoined: z.object({
    ...step,
    checkpoint,
    conflicts: z.object({ files: texts, take: text.nullable() }).exactOptional(),
  }),
  JoinConflicted: z.object({
    ...step,
    onto: checkpoint,
    with: texts,
    files: texts,
  }),
  JoinSettled: z.object({ ...step, take: text.nullable() }),
  StepFailed: z.object({ ...step, failure }),
  GatePassed: z.object({ ...step, approvalId: text, outputs: jsonObjectSchema }),

  ApprovalRequested: z.object({
    ...step,
    approvalId: text,
    kind: z.enum(['start', 'gate', 'tool', 'override', 'skip', 'replan']),
    subjectDigest: text,
    subject: jsonObjectSchema,
    why: decidingRules,
    policyDigest: text,
    requires: approvalRequirement,
    expiresAtMs: count.nullable(),
    gateId: text.nullable(),
    risk: z.enum(RISK_CLASSES),
    escalation: z.object({ atMs: count, roles: texts, people: texts }).optional(),
  }),
  ApprovalEscalated: z.object({ approvalId: text, expiresAtMs: count.nullable() }),
  ApprovalDecided: z.object({
    approvalId: text,
    decision: z.enum(['approve', 'reject']),
    reason: text,
    subjectDigest: text,
    roles: texts,
    assurance,
    selfApproved: z.boolean(),
    form: jsonObjectSchema,
    evidence: jsonObjectSchema.optional(),
  }),
  ApprovalResolved: z.object({
    approvalId: text,
    status: z.enum(['approved', 'rejected', 'expired', 'stale', 'withdrawn']),
    detail: text,
    changed: texts.optional(),
  }),

  OverrideReviewed: z.object({ approvalId: text, note: text }),
  AttemptStarted: z.object({
    ...attempt,
    epoch: count,
    subjectDigest: text,
    verdict: policyVerdict,
    approvals: texts,
    inputCheckpoint: checkpoint,
    mode: z.enum(['fresh', 'continue']),
    sandbox: z.enum(['bubblewrap', 'none']),
    session: resumeToken.nullable(),
    versions: agentVersions.nullish(),
    resumedFrom: z.int().positive().nullable(),
    lane: z.literal(true).exactOptional(),
  }),
  AttemptNeverStarted: z.object(attempt),
  AttemptReported: z.object({ ...attempt, epoch: count, facts: listOf(agentFact) }),
  AgentTold: z.object({
    ...attempt,
    messageId: text,
    text,
    how: z.enum(['now', 'restart']),
  }),
  ToolDecided: z.object({
    ...attempt,
    gateId: text,
    decision: z.enum(['allow', 'deny']),
    reason: text,
    verdict: policyVerdict.nullable(),
    approvalId: text.nullable(),
  }),
  AttemptSucceeded: z.object({
    ...attempt,
    exitCode: z.int().nullable(),
    checkpoint,
    outputs: jsonObjectSchema,
    output: outputSummary.nullable(),
    usage: usage.nullable(),
    checks: listOf(checkResult),
    artifacts: listOf(artifactRef),
    changedPaths: count,
  }),
  AttemptFailed: z.object(attemptEnd),
  AttemptRetrying: z.object({ ...attemptEnd, notBeforeMs: count }),
  AttemptInterrupted: z.object({
    ...attempt,
    detail: text,
    exitCode: z.int().nullable().exactOptional(),
    output: outputSummary.nullable().exactOptional(),
    usage: usage.nullable().exactOptional(),
  }),
  AttemptExhausted: z.object(attemptEnd),
  AttemptCanceled: z.object(attemptEnd),
  AttemptSuperseded: z.object(attemptEnd),
} satisfies { readonly [T in RunEventType]: z.ZodType<RunEventData[T]> };

type DataSchemas = typeof dataSchemas;
type Drifted = {
  [T in RunEventType]: [RunEventData[T]] extends [z.output<DataSchemas[T]>] ? never : T;
}[RunEventType];
/** Does not compile when the core has events that these schemas would refuse or cut short; the error names them. */
const schemaByType: [Drifted] extends [never] ? DataSchemas : Drifted = dataSchemas;

/** Names of all run events, in the order of the machine's declaration. */
export const RUN_EVENT_TYPES: readonly RunEventType[] = Object.keys(schemaByType) as RunEventType[];

const envelopeSchema = z.object({ type: text, at: timestamp, actor, data: jsonObjectSchema });

export const actorSchema: z.ZodType<Actor> = actor;
export const agentFactSchema: z.ZodType<AgentFact> = agentFact;
export const approvalRequirementSchema: z.ZodType<ApprovalRequirement> = approvalRequirement;
export const artifactRefSchema: z.ZodType<ArtifactRef> = artifactRef;
export const checkResultSchema: z.ZodType<CheckResult> = checkResult;
export const checkpointSchema: z.ZodType<Checkpoint> = checkpoint;
export const failureSchema: z.ZodType<Failure> = failure;
export const outputSummarySchema: z.ZodType<OutputSummary> = outputSummary;
export const policyVerdictSchema: z.ZodType<PolicyVerdict> = policyVerdict;
export const agentVersionsSchema: z.ZodType<AgentVersions> = agentVersions;
export const resumeTokenSchema: z.ZodType<ResumeToken> = resumeToken;
export const usageSchema: z.ZodType<Usage> = usage;
