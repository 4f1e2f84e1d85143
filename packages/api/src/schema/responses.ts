/** What the API answers with. More fields may come beside these; none changes its meaning. */
import { RUN_STATUSES, STEP_STATUSES } from '@ccdash/core';
import { z } from 'zod';
import {
  actorSchema,
  agentVersionsSchema,
  approvalRequirementSchema,
  artifactRefSchema,
  checkResultSchema,
  checkpointSchema,
  failureSchema,
  outputSummarySchema,
  policyVerdictSchema,
  resumeTokenSchema,
  usageSchema,
} from './events.ts';
import { jsonObjectSchema, jsonSchema } from './json.ts';

const rule = z.object({
  rule: z.string(),
  text: z.string(),
  absolute: z.literal(true).optional(),
});
const risk = z.enum(['low', 'medium', 'high', 'critical']);
const time = z.string().describe('ISO 8601, UTC');

const review = z.object({ by: z.string(), note: z.string(), at: time }).nullable();
const attempt = z.object({
  number: z.int(),
  status: z.enum([
    'running',
    'succeeded',
    'failed',
    'interrupted',
    'never-started',
    'canceled',
    'superseded',
  ]),
  startedAt: time,
  endedAt: time.nullable(),
  exitCode: z.int().nullable(),
  resumedFrom: z.int().nullable(),
  from: z
    .object({ runId: z.string(), attempt: z.int() })
    .nullable()
    .describe('The run that made it, when a fork took it over'),
  lane: z.boolean().describe('In a workspace of its own, beside another writer'),
  sandbox: z.enum(['bubblewrap', 'none']),
  usage: usageSchema.nullable(),
  failure: failureSchema.nullable(),
  output: outputSummarySchema.nullable(),
  checks: z.array(checkResultSchema),
  session: resumeTokenSchema.nullable(),
  versions: agentVersionsSchema.nullable(),
  model: z.string().nullable(),
  checkpoint: checkpointSchema.nullable(),
  setAside: checkpointSchema.nullable(),
  toolCalls: z.int(),
});

const step = z.object({
  id: z.string(),
  kind: z.enum(['command', 'agent', 'validation', 'approval']),
  needs: z.array(z.string()),
  status: z.enum(STEP_STATUSES),
  reason: z.string().nullable(),
  hint: z.string().nullable(),
  risk: risk.nullable(),
  verdict: z.enum(['allow', 'requires_approval', 'deny']).nullable(),
  why: z.array(rule),
  subjectDigest: z.string().nullable(),
  attempts: z.array(attempt),
  messages: z.array(
    z.object({
      id: z.string(),
      text: z.string(),
      how: z.enum(['now', 'restart']),
      by: actorSchema,
      at: time,
      status: z.enum(['waiting', 'taken', 'missed']),
      takenBy: z.int().nullable(),
    }),
  ),
  outputs: jsonObjectSchema.nullable(),
  artifacts: z.array(artifactRefSchema),
});

const changedPath = z.object({
  path: z.string(),
  change: z.enum(['added', 'modified', 'deleted', 'type-changed']),
});

/** What changed; `to` is null for the work tree as it is at this moment. */
export const diffResponse: z.ZodType = z.object({
  from: z.string(),
  to: z.string().nullable(),
  files: z.array(changedPath),
  text: z.string(),
  truncated: z.boolean(),
});

/** What applying a result would do; its digest agrees to exactly that. */
export const applySummary: z.ZodType = z.object({
  as: z.enum(['branch', 'squash', 'merge']),
  branch: z.string(),
  from: z.string().nullable(),
  tree: z.string(),
  message: z.string(),
  files: z.array(changedPath),
  insertions: z.int(),
  deletions: z.int(),
  conflicts: z.array(z.string()),
  isCheckedOut: z.boolean(),
  dirty: z.array(z.string()),
  digest: z.string(),
});

const fieldDiffs = z.array(z.object({ name: z.string(), before: jsonSchema, after: jsonSchema }));
const planDiff = z.object({
  fields: fieldDiffs,
  steps: z.array(
    z.object({
      step: z.string(),
      change: z.enum(['added', 'removed', 'changed']),
      fields: fieldDiffs,
    }),
  ),
});
const range = z.object({ least: z.number(), most: z.number() });

/** What an action would do; its digest agrees to exactly that. */
export const impactSummary: z.ZodType = z.object({
  action: z.enum(['cancel', 'pause', 'resume', 'retry', 'restart', 'skip', 'replan', 'fork']),
  status: z.object({ before: z.enum(RUN_STATUSES), after: z.enum(RUN_STATUSES) }),
  kept: z.array(z.string()),
  again: z.array(z.string()),
  stale: z.array(z.string()),
  skipped: z.array(z.string()),
  stopped: z.array(z.string()),
  canceled: z.array(z.string()),
  approvals: z.array(z.object({ id: z.string(), step: z.string(), was: z.string() })),
  validations: z.array(z.string()),
  rewinds: z.object({ from: checkpointSchema, to: checkpointSchema }).nullable(),
  removed: z.array(z.string()),
  follows: z.array(z.object({ step: z.string(), how: z.enum(['goes on', 'blocks', 'fails']) })),
  asks: z.array(z.object({ step: z.string(), requires: approvalRequirementSchema })),
  plan: planDiff.nullable(),
  setsAside: z.array(z.string()),
  sessions: z.array(
    z.object({
      step: z.string(),
      session: z.string(),
      way: z.enum(['continued', 'begun anew']),
    }),
  ),
  spent: z.object({ tokens: z.number(), usd: z.number(), unknownCost: z.boolean() }),
  expected: z.object({ usd: range.nullable(), tokens: range.nullable() }),
  files: z.array(changedPath),
  lines: z.object({ added: z.int(), removed: z.int() }).nullable(),
  keptAt: z.string().nullable(),
  sideEffects: z.array(
    z.object({
      step: z.string(),
      attempts: z.int(),
      hosts: z.array(z.string()),
      did: z.array(z.object({ what: z.string(), effects: z.array(z.string()) })),
    }),
  ),
  digest: z.string(),
});

export const runResponse: z.ZodType = z.object({
  id: z.string(),
  plan: z.object({ id: z.string(), name: z.string(), revision: z.int(), digest: z.string() }),
  feature: z.string().nullable(),
  status: z.enum(RUN_STATUSES),
  blocked: z.array(
    z.object({ reason: z.string(), step: z.string(), approval: z.string().nullable() }),
  ),
  quarantine: z.string().nullable(),
  canceling: z.boolean(),
  applying: z.object({ as: z.string(), branch: z.string() }).nullable(),
  applied: z.array(
    z.object({
      as: z.enum(['branch', 'squash', 'merge']),
      branch: z.string(),
      commit: z.string().nullable(),
      failure: failureSchema.nullable(),
      by: actorSchema,
      at: time,
    }),
  ),
  conflict: z
    .object({ step: z.string(), with: z.array(z.string()), files: z.array(z.string()) })
    .nullable()
    .describe('Steps beside each other whose work does not merge by itself'),
  paused: z.object({ reason: z.string().nullable(), by: actorSchema, atMs: z.number() }).nullable(),
  failure: failureSchema.nullable(),
  inputs: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
  baseCommit: z.string(),
  forkedFrom: z
    .object({
      runId: z.string(),
      at: z.string().nullable(),
      checkpoint: checkpointSchema,
      steps: z.array(z.string()),
      reason: z.string().nullable(),
    })
    .nullable(),
  checkpoint: checkpointSchema.nullable(),
  notCarried: z.array(z.string()),
  requestedBy: actorSchema,
  createdAt: time,
  startedAt: time.nullable(),
  endedAt: time.nullable(),
  usage: z.object({ tokens: z.int(), usd: z.number(), unknownCost: z.boolean() }),
  overrides: z.array(
    z.object({
      approval: z.string(),
      step: z.string(),
      by: z.array(z.string()),
      reason: z.string(),
      rules: z.array(z.string()),
      usedBy: z.int().nullable(),
      review,
    }),
  ),
  steps: z.array(step),
  removed: z.array(step),
});

export const recordingResponse: z.ZodType = z.object({
  script: z.record(z.string(), z.json()).describe('The content of a script file'),
  answers: z.int(),
  leftOut: z.array(z.string()).describe('What the script does not hold'),
});

export const adapterResponse: z.ZodType = z.object({
  id: z.string(),
  status: z.enum(['ready', 'not-installed', 'broken']),
  problem: z.string().nullable(),
  install: z.string().nullable().describe('Installs the tested version'),
  interfaceVersion: z.int(),
  adapterVersion: z.string(),
  testedVersion: z.string().nullable(),
  sdkVersion: z.string().nullable(),
  programVersion: z.string().nullable(),
  capabilities: z.object({
    permission: z.enum(['callback', 'policy-only', 'agent-discretion']),
    resume: z.boolean(),
    fork: z.boolean(),
    resumeAt: z.boolean(),
    structuredOutput: z.enum(['validated', 'requested', 'none']),
    cost: z.enum(['usd', 'tokens', 'none']),
    cancel: z.enum(['interrupt', 'signal', 'rpc']),
    steering: z.enum(['message', 'restart']),
    mcp: z.boolean(),
    subagents: z.enum(['folded', 'none']),
    gateway: z.boolean(),
  }),
  skipped: z.array(z.object({ name: z.string(), reason: z.string() })),
});

export const approvalResponse: z.ZodType = z.object({
  id: z.string(),
  runId: z.string(),
  stepId: z.string(),
  kind: z.enum(['start', 'gate', 'tool', 'override', 'skip', 'replan']),
  subjectDigest: z.string(),
  subject: jsonObjectSchema,
  why: z.array(rule),
  requires: approvalRequirementSchema,
  risk,
  status: z.enum(['open', 'approved', 'rejected', 'expired', 'stale', 'withdrawn']),
  detail: z.string().nullable(),
  requestedAt: time,
  expiresAtMs: z.int().nullable(),
  escalation: z
    .object({
      atMs: z.int(),
      roles: z.array(z.string()),
      people: z.array(z.string()),
      done: z.boolean(),
    })
    .nullable(),
  changed: z.array(z.string()),
  usedBy: z.int().nullable(),
  review,
  decisions: z.array(
    z.object({
      approver: z.string(),
      decision: z.enum(['approve', 'reject']),
      reason: z.string(),
      at: time,
      roles: z.array(z.string()),
      assurance: z.enum(['session', 'reauth', 'passkey']),
      subjectDigest: z.string(),
      selfApproved: z.boolean(),
      form: jsonObjectSchema,
      evidence: jsonObjectSchema.optional(),
    }),
  ),
});

export const eventResponse: z.ZodType = z.object({
  position: z.int(),
  runId: z.string().nullable(),
  sequence: z.int().nullable(),
  at: time,
  type: z.string(),
  actor: actorSchema,
  data: jsonSchema,
});

export const eventPage: z.ZodType = z.object({
  events: z.array(eventResponse),
  /** Where the next page begins; null at the end. */
  next: z.int().nullable(),
  /** What the page before this one ends before; null at the beginning. */
  previous: z.int().nullable(),
  /** How many events there are, filtered or not. */
  count: z.int(),
});

export const problemInPlan: z.ZodType = z.object({
  type: z.string(),
  severity: z.enum(['error', 'warning']),
  title: z.string(),
  detail: z.string(),
  hint: z.string(),
  at: z.object({ file: z.string(), line: z.int(), column: z.int() }),
});

export const planCheckResponse: z.ZodType = z.object({
  ok: z.boolean(),
  problems: z.array(problemInPlan),
});

export const planResponse: z.ZodType = z.object({
  id: z.string(),
  revision: z.int(),
  digest: z.string(),
  plan: jsonObjectSchema,
  source: z.string(),
  savedAt: time,
  savedBy: actorSchema,
});

/** null: no limit. */
const budgetSchema = z.object({
  usd: z.number().nullable(),
  tokens: z.number().nullable(),
  timeMs: z.number().nullable(),
  turns: z.number().nullable(),
});

export const dryRunResponse: z.ZodType = z.object({
  steps: z.array(
    z.object({
      step: z.string(),
      kind: z.string(),
      needs: z.array(z.string()),
      verdict: policyVerdictSchema,
      budget: budgetSchema.nullable(),
    }),
  ),
  budget: budgetSchema,
  approvalsNeeded: z.array(z.string()),
  notCarried: z.array(z.string()),
});

export const auditReport: z.ZodType = z.object({
  ok: z.boolean(),
  size: z.int(),
  bypasses: z.int().nullable(),
  root: z.string(),
  problem: z.object({ position: z.int().nullable(), detail: z.string() }).nullable(),
});

export const loginResponse: z.ZodType = z.object({
  url: z.string(),
  code: z.string(),
  expiresAt: time,
});

export const personResponse: z.ZodType = z.object({
  id: z.string(),
  isOwner: z.boolean(),
  roles: z.array(z.string()),
  addedAt: time.nullable(),
  revokedAt: time.nullable(),
  credentials: z.array(
    z.object({
      id: z.string(),
      kind: z.enum(['token', 'oidc', 'totp', 'ssh', 'passkey']),
      label: z.string(),
      addedAt: time,
    }),
  ),
});

export const tokenResponse: z.ZodType = z.object({ person: z.string(), token: z.string() });

/** For the browser: what WebAuthn names `PublicKeyCredential…OptionsJSON`. */
export const passkeyOptionsResponse: z.ZodType = z.looseObject({ challenge: z.string() });

export const totpResponse: z.ZodType = z.object({ secret: z.string(), uri: z.string() });

export const healthResponse: z.ZodType = z.object({ status: z.literal('ok') });
