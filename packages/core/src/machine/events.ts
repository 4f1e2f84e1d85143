/**
 * Facts of one run, past tense. A stored `type` never changes its meaning; `data` is validated and upcast when it is
 * read (schemas in `@ccdash/api`). Times are ISO 8601 UTC.
 */
import type { Json, JsonObject } from '../base/json.ts';
import type { Plan, RiskClass, StepId } from '../plan/plan.ts';

export interface Actor {
  readonly kind: 'person' | 'agent' | 'engine' | 'policy';
  readonly id: string;
}

/** A rule that decided, in words. */
export interface DecidingRule {
  readonly rule: string;
  readonly text: string;
  /** No override lifts it. */
  readonly absolute?: true | undefined;
}

export type Verdict = 'allow' | 'requires_approval' | 'deny';

/** What the policy said about one subject. Rules are sorted by id. */
export interface PolicyVerdict {
  readonly verdict: Verdict;
  readonly why: readonly DecidingRule[];
  readonly requires: ApprovalRequirement;
  readonly policyDigest: string;
  readonly risk: RiskClass;
}

export interface ApprovalRequirement {
  readonly roles: readonly string[];
  /** Named people; empty = anybody with a role. */
  readonly people: readonly string[];
  /** Different people needed; at least 1. */
  readonly count: number;
  readonly excludeRequester: boolean;
  readonly assurance: 'session' | 'reauth' | 'passkey';
  /** The n-th approval is of the n-th of `people`, or with the n-th of `roles` where nobody is named. */
  readonly inOrder?: boolean | undefined;
}

/** Who may decide as well, from a moment on at which too few have. */
export interface Escalation {
  /** Milliseconds since the epoch. */
  readonly atMs: number;
  readonly roles: readonly string[];
  readonly people: readonly string[];
}

export type ApprovalKind = 'start' | 'gate' | 'tool' | 'override' | 'skip' | 'replan';
export type ApprovalStatus = 'open' | 'approved' | 'rejected' | 'expired' | 'stale' | 'withdrawn';

/** How a result comes to the user: a branch of its own, one commit, or a merge commit on a branch that is there. */
export type ApplyMode = 'branch' | 'squash' | 'merge';

/** A state to go back to: a commit in the run's checkpoint repository. */
export interface Checkpoint {
  readonly commit: string;
  readonly tree: string;
}

/** What people change of a run while it runs. */
export type RunChange =
  | { readonly type: 'skip'; readonly step: StepId }
  | {
      readonly type: 'replan';
      readonly planId: string;
      readonly revision: number;
      readonly digest: string;
      readonly plan: Plan;
      /** For that plan. */
      readonly inputs: Readonly<Record<string, string | number | boolean>>;
      /** A step that goes on with its half-done work, although it has changed: with a larger budget. */
      readonly goOn: StepId | null;
    };

/** Where a run comes from that was forked off another one. */
export interface Fork {
  readonly runId: string;
  /** The step after which it begins; null: at the newest checkpoint. */
  readonly at: StepId | null;
  readonly checkpoint: Checkpoint;
  /** The writers behind that checkpoint, oldest first. */
  readonly line: readonly { readonly step: StepId; readonly checkpoint: Checkpoint }[];
  readonly steps: readonly CarriedStep[];
  readonly reason: string | null;
}

/** What a fork takes over of a step that was done: nothing of it runs or is paid again. */
export interface CarriedStep {
  readonly step: StepId;
  /** Null: it has succeeded. */
  readonly skipped: 'condition' | 'decision' | null;
  readonly skipReason: string | null;
  readonly outputs: JsonObject | null;
  readonly checkpoint: Checkpoint | null;
  /** The one that succeeded; null where there was none. */
  readonly attempt: {
    /** The run that made it. */
    readonly from: { readonly runId: string; readonly attempt: number };
    readonly startedAt: string;
    readonly endedAt: string | null;
    readonly inputCheckpoint: Checkpoint;
    readonly exitCode: number | null;
    readonly output: OutputSummary | null;
    readonly checks: readonly CheckResult[];
    readonly artifacts: readonly ArtifactRef[];
  } | null;
}

/** What an agent needs to go on with its session. `session` is chosen by us where the SDK lets us. */
export interface ResumeToken {
  readonly adapter: string;
  readonly adapterVersion: string;
  readonly programVersion: string;
  readonly session: string;
  /** The SDK's own point inside the session (message, turn), where it has one. */
  readonly at: string | null;
}

/** What an attempt of an agent is made with, known before anything starts; null where there is nothing of the kind. */
export interface AgentVersions {
  /** Of our interface to adapters. */
  readonly interface: number;
  readonly adapter: string;
  readonly sdk: string | null;
  readonly program: string | null;
}

/** Unknown is null, never zero. */
export interface Usage {
  readonly inputTokens: number | null;
  readonly outputTokens: number | null;
  readonly cachedTokens: number | null;
  readonly usd: number | null;
  /** Answers of the model, those to its own agents included; older logs do not say. */
  readonly turns?: number | undefined;
  /** At work under a time limit, without what it waited for people. Absent where there was none. */
  readonly timeMs?: number | undefined;
}

/** The whole output of an attempt, kept in a file; here its size, digest and last lines (already redacted). */
export interface OutputSummary {
  readonly bytes: number;
  readonly sha256: string;
  readonly tail: readonly string[];
}

export interface Failure {
  /** Stable word: `exit_code`, `timed_out`, `signal`, `setup_failed`, `scope_violation`, `agent_error`, `invalid_output`, `limit_reached`, `rejected`, `expired`, `checks_failed`, `sandbox_unavailable`, … */
  readonly code: string;
  readonly message: string;
  /** What to do next, for people. */
  readonly hint: string | null;
}

/** One check of a validation with what it saw. */
export interface CheckResult {
  readonly check: string;
  readonly pass: boolean;
  readonly evidence: string;
}

/** A file kept by its digest. */
export interface ArtifactRef {
  readonly name: string;
  readonly sha256: string;
  readonly bytes: number;
  readonly mediaType: string;
}

/** What a tool call changed in a file, for people to read. */
export interface FileChange {
  readonly path: string;
  readonly added: number;
  readonly removed: number;
  /** Hunks of a unified diff; cut where it is long. */
  readonly diff: string;
}

/** A thing an agent said or did, in words every adapter shares. `seq` is the spool's. */
export type AgentFact = { readonly seq: number; readonly at: string } &
  /** First of all, and again once it is known which model answers. */
  (
    | { readonly type: 'session'; readonly token: ResumeToken; readonly model: string | null }
    | {
        readonly type: 'message';
        readonly text: string;
        readonly checkpoint: string | null;
        readonly agentPath: readonly string[];
      }
    | {
        readonly type: 'tool-started';
        readonly callId: string;
        readonly tool: string;
        readonly name: string;
        readonly title: string;
        readonly input: Json;
        readonly agentPath: readonly string[];
      }
    | {
        readonly type: 'tool-ended';
        readonly callId: string;
        readonly status: 'ok' | 'error' | 'denied' | 'interrupted' | 'unknown';
        readonly summary: string;
        readonly checkpoint: string | null;
        /** Of a command that ended. */
        readonly exitCode?: number | undefined;
        /** Of files that it changed, as far as its adapter knows. */
        readonly changes?: readonly FileChange[] | undefined;
      }
    | {
        readonly type: 'gate-raised';
        readonly gateId: string;
        readonly callId: string;
        readonly tool: string;
        readonly name: string;
        readonly title: string;
        readonly input: Json;
      }
    | {
        readonly type: 'gate-answered';
        readonly gateId: string;
        readonly decision: 'allow' | 'deny';
      }
    /** The agent has taken up what a person told it. */
    | { readonly type: 'told'; readonly messageId: string }
    | { readonly type: 'usage'; readonly usage: Usage }
    | { readonly type: 'notice'; readonly level: 'info' | 'warn' | 'error'; readonly text: string }
    | { readonly type: 'extension'; readonly adapter: string; readonly data: JsonObject }
  );

type Stepped = { readonly step: StepId };
type Attempted = Stepped & { readonly attempt: number };

/** Payload by event type. */
export interface RunEventData {
  RunCreated: {
    readonly planId: string;
    readonly revision: number;
    readonly digest: string;
    readonly plan: Plan;
    readonly feature: string | null;
    readonly inputs: Readonly<Record<string, string | number | boolean>>;
    readonly baseCommit: string;
    readonly policyDigest: string;
    /** Role names of the person who asked, at that time. */
    readonly requesterRoles: readonly string[];
    /** Runs that began by themselves have none. */
    readonly forkedFrom?: Fork | null | undefined;
  };
  /** The workspace stands; the clock of the run starts. */
  RunStarted: {
    readonly checkpoint: Checkpoint;
    /** Sentences about what the workspace does not carry over (uncommitted work, LFS content, submodules …). */
    readonly notCarried: readonly string[];
  };
  /** The workspace could not be made; the run fails and may be retried. */
  RunStartFailed: { readonly failure: Failure };
  /** A person lets a run try again to make its workspace. */
  RunRequeued: { readonly reason: string };
  /** Nothing begins any more, and deadlines stand still. `atMs`: milliseconds since the epoch. */
  RunPaused: { readonly reason: string | null; readonly atMs: number };
  /** Goes on; every open deadline has moved by `heldMs`. */
  RunUnpaused: { readonly reason: string | null; readonly heldMs: number };
  /** Another policy is in force from here on: what was asked or allowed under the old one is asked anew. */
  PolicyChanged: { readonly from: string; readonly policyDigest: string };
  RunCancelRequested: { readonly reason: string };
  RunCanceled: { readonly reason: string };
  /** A person brings the result into the project; the engine does it once this is durable. */
  ResultApplying: {
    readonly as: ApplyMode;
    readonly branch: string;
    /** Where the branch was seen; null when it is new. */
    readonly from: string | null;
    readonly result: Checkpoint;
    /** What the branch will hold. */
    readonly tree: string;
    readonly message: string;
    /** Digest of the summary that the person was shown. */
    readonly summaryDigest: string;
    readonly reason: string | null;
    /** What the policy said to it. */
    readonly verdict?: PolicyVerdict | undefined;
  };
  ResultApplied: { readonly branch: string; readonly commit: string };
  ResultNotApplied: { readonly branch: string; readonly failure: Failure };
  /** A fold of the steps has come to its end; `retry` opens the run again. */
  RunEnded: { readonly status: 'succeeded' | 'failed' };

  StepReadied: Stepped & {
    readonly subjectDigest: string;
    readonly verdict: PolicyVerdict;
    readonly approvals: readonly string[];
  };
  StepDenied: Stepped & { readonly subjectDigest: string; readonly verdict: PolicyVerdict };
  StepBlocked: Stepped & {
    readonly reason: 'configuration' | 'adapter_unavailable' | 'budget_exceeded';
    readonly failure: Failure;
  };
  StepSkipped: Stepped & {
    readonly cause: 'condition' | 'decision';
    /** Of a decision: why, and the requests that were approved for it. */
    readonly reason?: string | null | undefined;
    readonly approvals?: readonly string[] | undefined;
  };
  /** A fork has what another run had done, or gone without. */
  StepCarried: Stepped;
  SkipCarried: Stepped;
  /** A person wants to skip a step or replace the plan: done at once, or when all who are asked have agreed. */
  ChangeAsked: {
    readonly change: RunChange;
    readonly verdict: PolicyVerdict;
    /** Gates and validations that are gone past, changed or gone. */
    readonly weakened: readonly StepId[];
    /** What of the run it was decided on; when that is otherwise, it is not done. */
    readonly seen: readonly string[];
    readonly reason: string | null;
  };
  /** The run follows the plan that was asked for from here on. */
  PlanReplaced: {
    readonly planId: string;
    readonly revision: number;
    readonly digest: string;
    readonly approvals: readonly string[];
  };
  StepRequeued: Stepped & {
    readonly cause:
      | 'retry'
      | 'resume'
      | 'invalidated'
      | 'subject_changed'
      | 'verdict_changed'
      | 'approval_stale'
      | 'override'
      | 'replan';
    /** `continue`: go on in the workspace as it is and, for agents, in the same session. `restore`: from the checkpoint. */
    readonly mode: 'continue' | 'restore';
    readonly reason: string | null;
    readonly automatic: boolean;
  };
  /** `cause` runs again; `gate` marks the approval step whose rejection sent it back. */
  StepInvalidated: Stepped & {
    readonly cause: StepId;
    readonly reason: string;
    readonly gate: boolean;
    /** It begins anew from its checkpoint, in a new session; else it goes on with what it has. Absent = false. */
    readonly anew?: boolean;
  };
  /** A person went back to what `step` began from: the workspace is that again. */
  RunRewound: Stepped & { readonly checkpoint: Checkpoint };
  StepFailed: Stepped & { readonly failure: Failure };
  GatePassed: Stepped & { readonly approvalId: string; readonly outputs: JsonObject };

  ApprovalRequested: Stepped & {
    readonly approvalId: string;
    readonly kind: ApprovalKind;
    readonly subjectDigest: string;
    /** What is asked, whole: its canonical JSON has `subjectDigest`. */
    readonly subject: JsonObject;
    readonly why: readonly DecidingRule[];
    readonly policyDigest: string;
    readonly requires: ApprovalRequirement;
    /** Milliseconds since the epoch. */
    readonly expiresAtMs: number | null;
    /** For kind `tool`. */
    readonly gateId: string | null;
    readonly risk: RiskClass;
    readonly escalation?: Escalation | undefined;
  };
  /** Too few have decided in time: further people may. They have the time that the plan gives them. */
  ApprovalEscalated: { readonly approvalId: string; readonly expiresAtMs: number | null };
  ApprovalDecided: {
    readonly approvalId: string;
    readonly decision: 'approve' | 'reject';
    readonly reason: string;
    readonly subjectDigest: string;
    readonly roles: readonly string[];
    readonly assurance: 'session' | 'reauth' | 'passkey';
    /** The approver also asked for the run. */
    readonly selfApproved: boolean;
    readonly form: JsonObject;
    /** What proved that the person was there: a signature over the digest, a one-time code. */
    readonly evidence?: JsonObject | undefined;
  };
  ApprovalResolved: {
    readonly approvalId: string;
    readonly status: Exclude<ApprovalStatus, 'open'>;
    readonly detail: string;
    /** Of one that became stale: fields of its subject that are not as they were. */
    readonly changed?: readonly string[] | undefined;
  };

  /** Somebody has looked at what was overridden: until then it is marked everywhere. */
  OverrideReviewed: { readonly approvalId: string; readonly note: string };

  AttemptStarted: Attempted & {
    readonly epoch: number;
    readonly subjectDigest: string;
    readonly verdict: PolicyVerdict;
    readonly approvals: readonly string[];
    readonly inputCheckpoint: Checkpoint;
    readonly mode: 'fresh' | 'continue';
    readonly sandbox: 'bubblewrap' | 'none';
    /** For agents: the session that this attempt opens or goes on with, known before anything starts. */
    readonly session: ResumeToken | null;
    /** For agents; attempts of older versions have none. */
    readonly versions?: AgentVersions | null | undefined;
    readonly resumedFrom: number | null;
    /** It works in a workspace of its own, beside the writer that has the run's. Absent: in the run's. */
    readonly lane?: true;
  };
  /**
   * What a step has made in a workspace of its own is part of the run's from here on. `conflicts`: files that both sides
   * had changed, and by which side they were settled: the step named, or what people left in the workspace (null).
   */
  WorkJoined: Stepped & {
    readonly checkpoint: Checkpoint;
    readonly conflicts?: { readonly files: readonly string[]; readonly take: StepId | null };
  };
  /** It could not be joined by itself: `files` were changed by `step`, and by the steps `with` beside it. */
  JoinConflicted: Stepped & {
    readonly onto: Checkpoint;
    readonly with: readonly StepId[];
    readonly files: readonly string[];
  };
  /** A person says how the conflict is settled. */
  JoinSettled: Stepped & JoinChoice;
  /** Proven by the spool's claim: no host of this attempt ever ran. Decisions it used are valid again. */
  AttemptNeverStarted: Attempted;
  AttemptReported: Attempted & { readonly epoch: number; readonly facts: readonly AgentFact[] };
  /**
   * A person says something to the agent of a step: `now` while it works, or by `restart`: it is stopped, and goes on in
   * its session with this. `attempt` is the one that was alive, or the newest.
   */
  AgentTold: Attempted & {
    readonly messageId: string;
    readonly text: string;
    readonly how: 'now' | 'restart';
  };
  ToolDecided: Attempted & {
    readonly gateId: string;
    readonly decision: 'allow' | 'deny';
    readonly reason: string;
    readonly verdict: PolicyVerdict | null;
    readonly approvalId: string | null;
  };
  AttemptSucceeded: Attempted & {
    readonly exitCode: number | null;
    readonly checkpoint: Checkpoint;
    readonly outputs: JsonObject;
    readonly output: OutputSummary | null;
    readonly usage: Usage | null;
    readonly checks: readonly CheckResult[];
    readonly artifacts: readonly ArtifactRef[];
    readonly changedPaths: number;
  };
  AttemptFailed: Attempted & AttemptEnd;
  /** `notBeforeMs`: milliseconds since the epoch. */
  AttemptRetrying: Attempted & AttemptEnd & { readonly notBeforeMs: number };
  /** What is known of how far it came; older logs do not say. */
  AttemptInterrupted: Attempted & { readonly detail: string } & Partial<
      Pick<AttemptEnd, 'exitCode' | 'output' | 'usage'>
    >;
  /** Its budget is used up. What it has made so far stays in the workspace, and is kept as `setAside` as well. */
  AttemptExhausted: Attempted & AttemptEnd;
  AttemptCanceled: Attempted & AttemptEnd;
  AttemptSuperseded: Attempted & AttemptEnd;
}

/** The step whose side of a conflict counts; null: what a person has made of the files in the workspace. */
export interface JoinChoice {
  readonly take: StepId | null;
}

/** How an attempt that did not succeed ended. */
export interface AttemptEnd {
  readonly failure: Failure;
  readonly exitCode: number | null;
  readonly output: OutputSummary | null;
  readonly usage: Usage | null;
  readonly checks: readonly CheckResult[];
  /** Where its changes to the workspace are kept; null when it changed nothing. */
  readonly setAside: Checkpoint | null;
}

export type RunEventType = keyof RunEventData;

/** An event before the log gives it its position. */
export type RunEvent = {
  [T in RunEventType]: {
    readonly type: T;
    readonly at: string;
    readonly actor: Actor;
    readonly data: RunEventData[T];
  };
}[RunEventType];
