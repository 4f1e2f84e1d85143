/** A run as scripts, pages and people see it: the JSON of the API, folded from state. */
import type { JsonObject } from '../base/json.ts';
import type { RiskClass, Step, StepKind } from '../plan/plan.ts';
import type {
  Actor,
  ApplyMode,
  AgentVersions,
  ApprovalKind,
  ApprovalRequirement,
  ApprovalStatus,
  ArtifactRef,
  CheckResult,
  Checkpoint,
  DecidingRule,
  Escalation,
  Failure,
  Fork,
  OutputSummary,
  ResumeToken,
  Usage,
  Verdict,
} from '../machine/events.ts';
import { approvalState, lastAttempt, planStep } from '../machine/state.ts';
import type {
  Applied,
  Applying,
  ApprovalState,
  AttemptState,
  AttemptStatus,
  Decision,
  RunState,
  StepState,
  ToldMessage,
} from '../machine/state.ts';
import { blockedReasons, runStatus } from '../machine/status.ts';
import type { BlockedReason, RunStatus } from '../machine/status.ts';
import type { StepStatus } from '../machine/transitions.ts';

export interface RunView {
  readonly id: string;
  readonly plan: {
    readonly id: string;
    readonly name: string;
    readonly revision: number;
    readonly digest: string;
  };
  readonly feature: string | null;
  readonly status: RunStatus;
  /** Every reason it waits for people, whatever its status. */
  readonly blocked: readonly BlockedReason[];
  /** The bug that made the engine leave this run alone, in words; such a run is blocked, whatever its log says. */
  readonly quarantine: string | null;
  readonly canceling: boolean;
  /** Who paused it and why, while it is. */
  readonly paused: {
    readonly reason: string | null;
    readonly by: Actor;
    readonly atMs: number;
  } | null;
  /** Steps beside each other whose work does not merge by itself: somebody has to settle it. */
  readonly conflict: {
    readonly step: string;
    readonly with: readonly string[];
    readonly files: readonly string[];
  } | null;
  readonly failure: Failure | null;
  readonly inputs: Readonly<Record<string, string | number | boolean>>;
  readonly baseCommit: string;
  /** The run that it was forked off, and where. */
  readonly forkedFrom: {
    readonly runId: string;
    readonly at: string | null;
    readonly checkpoint: Checkpoint;
    readonly steps: readonly string[];
    readonly reason: string | null;
  } | null;
  readonly checkpoint: Checkpoint | null;
  readonly notCarried: readonly string[];
  readonly requestedBy: Actor;
  readonly createdAt: string;
  readonly startedAt: string | null;
  readonly endedAt: string | null;
  readonly usage: UsageTotal;
  /** Each time that the result was brought into the project, or could not be. */
  readonly applied: readonly Applied[];
  readonly applying: { readonly as: ApplyMode; readonly branch: string } | null;
  /** Overrides that were granted, and whether somebody has looked at them since. */
  readonly overrides: readonly OverrideView[];
  readonly steps: readonly StepView[];
  /** Steps that the plan had before, with what they did. */
  readonly removed: readonly StepView[];
}

export interface OverrideView {
  readonly approval: string;
  readonly step: string;
  readonly by: readonly string[];
  readonly reason: string;
  readonly rules: readonly string[];
  readonly usedBy: number | null;
  readonly review: ApprovalState['review'];
}

export interface UsageTotal {
  readonly tokens: number;
  readonly usd: number;
  /** Some attempt's cost is not known: the sums are lower bounds. */
  readonly unknownCost: boolean;
}

export interface StepView {
  readonly id: string;
  readonly kind: StepKind;
  readonly needs: readonly string[];
  readonly status: StepStatus;
  /** Why it is where it is, in one sentence; null when there is nothing to say. */
  readonly reason: string | null;
  readonly hint: string | null;
  readonly risk: RiskClass | null;
  readonly verdict: Verdict | null;
  readonly why: readonly DecidingRule[];
  /** What it would run, or ran last. */
  readonly subjectDigest: string | null;
  readonly attempts: readonly AttemptView[];
  /** What people have told its agent. */
  readonly messages: readonly ToldMessage[];
  readonly outputs: JsonObject | null;
  readonly artifacts: readonly ArtifactRef[];
}

export interface AttemptView {
  readonly number: number;
  readonly status: AttemptStatus;
  readonly startedAt: string;
  readonly endedAt: string | null;
  readonly exitCode: number | null;
  readonly resumedFrom: number | null;
  /** The run that made it, when a fork took it over. */
  readonly from: AttemptState['from'];
  /** It works in a workspace of its own, beside another writer. */
  readonly lane: boolean;
  readonly sandbox: 'bubblewrap' | 'none';
  readonly usage: Usage | null;
  readonly failure: Failure | null;
  readonly output: OutputSummary | null;
  readonly checks: readonly CheckResult[];
  readonly session: ResumeToken | null;
  /** For agents; null for attempts that older versions recorded. */
  readonly versions: AgentVersions | null;
  readonly model: string | null;
  readonly checkpoint: Checkpoint | null;
  readonly setAside: Checkpoint | null;
  readonly toolCalls: number;
}

export interface ApprovalView {
  readonly id: string;
  readonly runId: string;
  readonly stepId: string;
  readonly kind: ApprovalKind;
  readonly subjectDigest: string;
  readonly subject: JsonObject;
  readonly why: readonly DecidingRule[];
  readonly requires: ApprovalRequirement;
  readonly risk: RiskClass;
  readonly status: ApprovalStatus;
  readonly detail: string | null;
  readonly requestedAt: string;
  /** Milliseconds since the epoch. */
  readonly expiresAtMs: number | null;
  /** Who may decide as well, from when on, and whether they have been asked. */
  readonly escalation: (Escalation & { readonly done: boolean }) | null;
  /** Fields of the subject that made it stale. */
  readonly changed: readonly string[];
  /** Of an override: the attempt that used it, and who has looked at it since; it is marked until somebody has. */
  readonly usedBy: number | null;
  readonly review: ApprovalState['review'];
  readonly decisions: readonly Decision[];
}

export function runToView(state: RunState, quarantine: string | null = null): RunView {
  const { created } = state;
  return {
    id: state.runId,
    plan: {
      id: created.planId,
      name: created.plan.name,
      revision: created.revision,
      digest: created.digest,
    },
    feature: created.feature,
    status: quarantine === null ? runStatus(state) : 'blocked',
    blocked: blockedReasons(state),
    quarantine,
    canceling: state.cancelRequest !== null && state.ended !== 'canceled',
    paused: state.paused,
    conflict: conflictToView(state),
    failure: state.startFailure,
    inputs: created.inputs,
    baseCommit: created.baseCommit,
    forkedFrom: forkToView(created.forkedFrom ?? null),
    checkpoint: state.checkpoint,
    notCarried: state.notCarried,
    requestedBy: state.requester,
    createdAt: state.createdAt,
    startedAt: state.startedAt,
    endedAt: state.endedAt,
    usage: usageTotal(state),
    overrides: overridesOf(state),
    applied: state.applied,
    applying: state.applying && applyingToView(state.applying),
    steps: [...state.steps.values()].map((step) =>
      stepToView(state, step, planStep(created.plan, step.id)),
    ),
    removed: state.retired.map(({ step, planned }) => stepToView(state, step, planned)),
  };
}

function forkToView(fork: Fork | null): RunView['forkedFrom'] {
  if (fork === null) return null;
  const { runId, at, checkpoint, steps, reason } = fork;
  return { runId, at, checkpoint, steps: steps.map(({ step }) => step), reason };
}

function conflictToView({ conflict }: RunState): RunView['conflict'] {
  if (conflict?.settled !== null) return null;
  const { step, with: besides, files } = conflict;
  return { step, with: besides, files };
}

function applyingToView({ asked }: Applying): NonNullable<RunView['applying']> {
  return { as: asked.as, branch: asked.branch };
}

function overridesOf(state: RunState): readonly OverrideView[] {
  return [...state.approvals.values()]
    .filter(({ kind, status }) => kind === 'override' && status === 'approved')
    .map(({ id, step, decisions, why, usedBy, review }) => ({
      approval: id,
      step,
      by: decisions.map(({ approver }) => approver),
      reason: decisions[0]?.reason ?? '',
      rules: why.map(({ rule }) => rule),
      usedBy,
      review,
    }));
}

export function approvalToView(runId: string, approval: ApprovalState): ApprovalView {
  const { id, step, kind, subjectDigest, subject, why, requires, risk } = approval;
  const { status, detail, requestedAt, expiresAtMs, decisions, changed, usedBy, review } = approval;
  const escalation =
    approval.escalation === null ? null : { ...approval.escalation, done: approval.escalated };
  const asked = { id, runId, stepId: step, kind, subjectDigest, subject, why, requires, risk };
  return {
    ...asked,
    status,
    detail,
    requestedAt,
    expiresAtMs,
    escalation,
    changed,
    usedBy,
    review,
    decisions,
  };
}

function stepToView(state: RunState, step: StepState, planned: Step): StepView {
  const { reason, hint } = stepReason(state, step);
  return {
    id: step.id,
    kind: planned.kind,
    needs: planned.needs,
    status: step.status,
    reason,
    hint,
    risk: step.verdict?.risk ?? planned.risk,
    verdict: step.verdict?.verdict ?? null,
    why: step.verdict?.why ?? [],
    subjectDigest: step.subjectDigest,
    attempts: step.attempts.map(attemptToView),
    messages: step.messages,
    outputs: step.outputs,
    artifacts: lastAttempt(step)?.artifacts ?? [],
  };
}

function attemptToView(attempt: AttemptState): AttemptView {
  const { number, status, startedAt, endedAt, exitCode, resumedFrom, sandbox, usage } = attempt;
  const { failure, output, checks, session, versions, model, checkpoint, setAside } = attempt;
  const { toolCalls, from, lane } = attempt;
  const agent = { session, versions, model, toolCalls };
  const outcome = { failure, output, checks, ...agent, checkpoint, setAside };
  return {
    number,
    status,
    startedAt,
    endedAt,
    exitCode,
    resumedFrom,
    from,
    lane,
    sandbox,
    usage,
    ...outcome,
  };
}

function stepReason(
  state: RunState,
  step: StepState,
): { readonly reason: string | null; readonly hint: string | null } {
  if (step.failure !== null) return { reason: step.failure.message, hint: step.failure.hint };
  if (step.waiting?.reason === 'approval') {
    const { why, kind } = approvalState(state, step.waiting.approvalId);
    const rules = why.map((rule) => rule.text).join('; ');
    const question = kind === 'gate' ? 'waits for a decision' : 'waits for approval';
    return {
      reason: rules === '' ? question : `${question}: ${rules}`,
      hint: `ccdash approve ${step.waiting.approvalId} --reason …`,
    };
  }
  if (step.waiting?.reason === 'policy_denied') {
    const why = step.verdict?.why ?? [];
    const isFinal = why.some((rule) => rule.absolute === true);
    const hint = isFinal ? null : `ccdash override ${state.runId} ${step.id} --reason …`;
    return { reason: why.map((rule) => rule.text).join('; '), hint };
  }
  if (step.skipped === 'decision') {
    const { skipReason } = step;
    return { reason: `skipped${skipReason === null ? '' : `: ${skipReason}`}`, hint: null };
  }
  if (step.status === 'skipped') return { reason: 'its condition is false', hint: null };
  return { reason: null, hint: null };
}

function usageTotal(state: RunState): UsageTotal {
  let tokens = 0;
  let usd = 0;
  let unknownCost = false;
  const { plan } = state.created;
  const all = [...state.steps.values()].map((step) => ({ step, planned: planStep(plan, step.id) }));
  for (const { step, planned } of [...all, ...state.retired]) {
    if (planned.kind !== 'agent') continue;
    for (const { usage, status, from } of step.attempts) {
      if (status === 'never-started' || from !== null) continue;
      tokens += (usage?.inputTokens ?? 0) + (usage?.outputTokens ?? 0);
      usd += usage?.usd ?? 0;
      if ((usage?.usd ?? null) === null) unknownCost = true;
    }
  }
  return { tokens, usd, unknownCost };
}
