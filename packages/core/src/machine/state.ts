/**
 * What a run is: the fold of its events. The maps of a RunState belong to it alone; what they hold is never changed in
 * place, so that two states may share it.
 */
import { InvariantError } from '../base/invariant.ts';
import type { Json, JsonObject } from '../base/json.ts';
import { stepById } from '../plan/plan.ts';
import type { Plan, RiskClass, Step, StepId } from '../plan/plan.ts';
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
  JoinChoice,
  OutputSummary,
  PolicyVerdict,
  ResumeToken,
  RunEventData,
  Usage,
} from './events.ts';
import type { StepTable } from './step-table.ts';
import type { StepStatus } from './transitions.ts';

export interface RunState {
  readonly runId: string;
  /** Events folded so far. */
  sequence: number;
  /** As it was created, with the plan and the inputs that it follows by now. */
  created: RunEventData['RunCreated'];
  readonly requester: Actor;
  readonly createdAt: string;
  startedAt: string | null;
  endedAt: string | null;
  ended: 'succeeded' | 'failed' | 'canceled' | null;
  /** Of the policy that it is judged by. */
  policyDigest: string;
  paused: { readonly reason: string | null; readonly by: Actor; readonly atMs: number } | null;
  /** It has been paused before: hosts that were held must hear that they may go on. */
  wasPaused: boolean;
  cancelRequest: { readonly reason: string; readonly by: Actor } | null;
  startFailure: Failure | null;
  /** The workspace as the run found it. */
  origin: Checkpoint | null;
  /** The newest state of the workspace that a step has succeeded with. */
  checkpoint: Checkpoint | null;
  /** The writers that made the checkpoint what it is, newest first; null at the origin. */
  line: Made | null;
  /** Work done in workspaces of its own that is not part of the run's yet, in plan order. */
  unjoined: readonly Unjoined[];
  /** Why the first that was tried is not, and what a person has said to that. */
  conflict: JoinConflict | null;
  notCarried: readonly string[];
  /** The result is being brought into the project. */
  applying: Applying | null;
  applied: readonly Applied[];
  steps: StepTable;
  /** Steps that a later plan has not: what they did stays. */
  retired: readonly RetiredStep[];
  /** A change that waits for those who are asked. */
  change: PendingChange | null;
  readonly approvals: Map<string, ApprovalState>;
}

export interface RetiredStep {
  readonly planned: Step;
  readonly step: StepState;
}

export interface PendingChange {
  readonly asked: RunEventData['ChangeAsked'];
  readonly by: Actor;
  /** Commit of the workspace that was there when it was asked. */
  readonly askedAt: string | null;
  /** Requests; all of them have to be approved. */
  readonly approvals: readonly string[];
}

export interface Applying {
  readonly asked: RunEventData['ResultApplying'];
  readonly by: Actor;
  readonly at: string;
}

/** What came of bringing the result into the project. `commit`: null when it was not done, for `failure`. */
export interface Applied {
  readonly as: ApplyMode;
  readonly branch: string;
  readonly commit: string | null;
  readonly failure: Failure | null;
  readonly by: Actor;
  readonly at: string;
}

/** A writer has succeeded, and its checkpoint became the run's. */
export interface Made {
  readonly step: StepId;
  readonly checkpoint: Checkpoint;
  readonly before: Made | null;
}

/** `base`: the run's checkpoint that it was begun from. */
export interface Unjoined {
  readonly step: StepId;
  readonly base: Checkpoint;
  readonly checkpoint: Checkpoint;
}

export interface JoinConflict {
  readonly step: StepId;
  readonly onto: Checkpoint;
  readonly with: readonly StepId[];
  readonly files: readonly string[];
  readonly settled: JoinChoice | null;
}

/** Why a blocked step waits. */
export type Waiting =
  | { readonly reason: 'approval'; readonly approvalId: string }
  | { readonly reason: 'policy_denied' }
  | { readonly reason: 'configuration' | 'adapter_unavailable' | 'budget_exceeded' };

export interface StepState {
  readonly id: StepId;
  readonly status: StepStatus;
  readonly waiting: Waiting | null;
  /** Why it failed, is blocked, or was interrupted. */
  readonly failure: Failure | null;
  readonly verdict: PolicyVerdict | null;
  readonly subjectDigest: string | null;
  /** Approvals that made it ready. */
  readonly granted: readonly string[];
  /** How its next attempt begins. */
  readonly next: 'continue' | 'restore';
  readonly notBeforeMs: number | null;
  readonly attempts: readonly AttemptState[];
  /** Attempts that failed since a person last set it going. */
  readonly tries: number;
  /** Times it was resumed without a person since a person last set it going. */
  readonly automaticResumes: number;
  readonly outputs: JsonObject | null;
  readonly skipped: 'condition' | 'decision' | null;
  /** Why a person skipped it. */
  readonly skipReason: string | null;
  /** Its live attempt is to be stopped, since something it depends on runs again. */
  readonly invalidated: boolean;
  /** It was sent back to begin anew, not to go on. */
  readonly anew: boolean;
  /** Reasons of rejections that its next attempt is told. */
  readonly feedback: readonly string[];
  /** What people have told its agent, oldest first. */
  readonly messages: readonly ToldMessage[];
  /** Rejections of this gate that sent another step back. */
  readonly rejections: number;
  readonly checkpoint: Checkpoint | null;
}

/** `waiting`: no agent has it yet. `missed`: its step was done before one could take it. */
export interface ToldMessage {
  readonly id: string;
  readonly text: string;
  readonly how: 'now' | 'restart';
  readonly by: Actor;
  readonly at: string;
  readonly status: 'waiting' | 'taken' | 'missed';
  /** The attempt that took it up. */
  readonly takenBy: number | null;
}

export type AttemptStatus =
  'running' | 'succeeded' | 'failed' | 'interrupted' | 'never-started' | 'canceled' | 'superseded';

export interface AttemptState {
  readonly number: number;
  readonly status: AttemptStatus;
  readonly epoch: number;
  readonly startedAt: string;
  readonly endedAt: string | null;
  readonly mode: 'fresh' | 'continue';
  readonly sandbox: 'bubblewrap' | 'none';
  readonly approvals: readonly string[];
  readonly session: ResumeToken | null;
  readonly versions: AgentVersions | null;
  /** That was asked for, then the one that answered. */
  readonly model: string | null;
  readonly resumedFrom: number | null;
  /** The run that made it, when a fork took it over: it has been paid there. */
  readonly from: { readonly runId: string; readonly attempt: number } | null;
  /** It works in a workspace of its own. */
  readonly lane: boolean;
  readonly inputCheckpoint: Checkpoint;
  readonly checkpoint: Checkpoint | null;
  readonly setAside: Checkpoint | null;
  readonly exitCode: number | null;
  readonly usage: Usage | null;
  readonly output: OutputSummary | null;
  readonly failure: Failure | null;
  readonly checks: readonly CheckResult[];
  readonly artifacts: readonly ArtifactRef[];
  /** Highest spool number in the log. */
  readonly reportedSeq: number;
  readonly gates: readonly GateState[];
  readonly toolCalls: number;
}

/** A tool call that waits at the gate of a running agent. */
export interface GateState {
  readonly gateId: string;
  readonly callId: string;
  readonly tool: string;
  readonly name: string;
  readonly title: string;
  readonly input: Json;
  readonly status: 'raised' | 'asked' | 'decided' | 'answered';
  readonly decision: 'allow' | 'deny' | null;
  readonly reason: string | null;
}

export interface ApprovalState {
  readonly id: string;
  readonly step: StepId;
  readonly kind: ApprovalKind;
  readonly status: ApprovalStatus;
  readonly subjectDigest: string;
  readonly subject: JsonObject;
  readonly why: readonly DecidingRule[];
  readonly policyDigest: string;
  readonly requires: ApprovalRequirement;
  readonly risk: RiskClass;
  readonly requestedAt: string;
  readonly expiresAtMs: number | null;
  /** Who may decide as well from when on, and whether that has come. */
  readonly escalation: Escalation | null;
  readonly escalated: boolean;
  /** Commit of the workspace that was there when it was asked. */
  readonly askedAt: string | null;
  readonly gateId: string | null;
  readonly decisions: readonly Decision[];
  /** The attempt that used it up. */
  readonly usedBy: number | null;
  readonly detail: string | null;
  /** Fields of its subject that made it stale. */
  readonly changed: readonly string[];
  /** Of an override: who has looked at it since. */
  readonly review: { readonly by: string; readonly note: string; readonly at: string } | null;
}

export interface Decision {
  readonly approver: string;
  readonly decision: 'approve' | 'reject';
  readonly reason: string;
  readonly at: string;
  readonly roles: readonly string[];
  readonly assurance: 'session' | 'reauth' | 'passkey';
  readonly subjectDigest: string;
  readonly selfApproved: boolean;
  readonly form: JsonObject;
  readonly evidence?: JsonObject | undefined;
}

/** A state that may be changed without changing `state`. */
export function forkState(state: RunState): RunState {
  return { ...state, steps: state.steps.fork(), approvals: new Map(state.approvals) };
}

export function newStepState(id: StepId): StepState {
  return {
    id,
    status: 'pending',
    waiting: null,
    failure: null,
    verdict: null,
    subjectDigest: null,
    granted: [],
    next: 'restore',
    notBeforeMs: null,
    attempts: [],
    tries: 0,
    automaticResumes: 0,
    outputs: null,
    skipped: null,
    skipReason: null,
    invalidated: false,
    anew: false,
    feedback: [],
    messages: [],
    rejections: 0,
    checkpoint: null,
  };
}

export function stepState(state: RunState, id: StepId): StepState {
  const step = state.steps.get(id);
  if (step === undefined) throw new InvariantError(`run ${state.runId} has no step ${id}`);
  return step;
}

export function approvalState(state: RunState, id: string): ApprovalState {
  const approval = state.approvals.get(id);
  if (approval === undefined) throw new InvariantError(`run ${state.runId} has no approval ${id}`);
  return approval;
}

export function planStep(plan: Plan, id: StepId): Step {
  const step = stepById(plan).get(id);
  if (step === undefined) throw new InvariantError(`plan ${plan.name} has no step ${id}`);
  return step;
}

/** All attempts of a step, also of one that the plan has not any more; none when there is no such step. */
export function attemptsOf({ steps, retired }: RunState, id: StepId): readonly AttemptState[] {
  const step = steps.get(id) ?? retired.find((one) => one.step.id === id)?.step;
  return step?.attempts ?? [];
}

/** The newest attempt, live or not. */
export function lastAttempt(step: StepState): AttemptState | undefined {
  return step.attempts.at(-1);
}

/** The newest attempt that a host was there for. */
export function lastWorked(step: StepState): AttemptState | undefined {
  return step.attempts.findLast((attempt) => attempt.status !== 'never-started');
}

/** The attempt that is alive, if one is: a step has at most one. */
export function liveAttempt(step: StepState): AttemptState | undefined {
  const last = lastAttempt(step);
  return last?.status === 'running' ? last : undefined;
}

/** The message for which its live attempt is to be stopped, or it goes on. */
export function waitingCorrection(step: StepState): ToldMessage | undefined {
  return step.messages.find(({ how, status }) => how === 'restart' && status === 'waiting');
}
