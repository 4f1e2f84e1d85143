/** What the outside (HTTP, and through it every client) may ask of the engine. */
import type {
  Actor,
  ApplyMode,
  ApplyPreview,
  AdapterView,
  ApprovalView,
  Budget,
  ChangedPath,
  Failure,
  Impact,
  JsonObject,
  MetricsView,
  Plan,
  PolicyVerdict,
  Refusal,
  Result,
  RunView,
  StoredEvent,
  StoreUnavailable,
} from '@ccdash/core';

/** A person behind a request, as the credential told. */
export interface Caller {
  readonly actor: Actor;
  readonly roles: readonly string[];
  readonly assurance: 'session' | 'reauth' | 'passkey';
  /** What proved that they were there, for those who check it later. */
  readonly evidence?: JsonObject;
}

export interface SavedPlan {
  readonly id: string;
  readonly revision: number;
  readonly digest: string;
  readonly plan: Plan;
  /** The file as it was saved. */
  readonly source: string;
  readonly savedAt: string;
  readonly savedBy: Actor;
}

export interface LaunchRequest {
  readonly planId: string;
  readonly revision: number;
  readonly feature: string | null;
  readonly inputs: Readonly<Record<string, string | number | boolean>>;
}

/** What would happen, step by step; nothing runs. */
export interface DryRun {
  readonly steps: readonly {
    readonly step: string;
    readonly kind: string;
    readonly needs: readonly string[];
    readonly verdict: PolicyVerdict;
    /** What an agent may use up at most; null of other steps. */
    readonly budget: Budget | null;
  }[];
  /** Of the whole run. */
  readonly budget: Budget;
  readonly approvalsNeeded: readonly string[];
  readonly notCarried: readonly string[];
}

/** Decisions, and control of a run, as a person gives them. */
export type RunRequest =
  | {
      readonly type: 'decide';
      readonly approvalId: string;
      readonly decision: 'approve' | 'reject';
      readonly reason: string;
      /** What the person saw. */
      readonly subjectDigest: string;
      readonly form: JsonObject;
    }
  | { readonly type: 'review'; readonly approvalId: string; readonly note: string }
  | { readonly type: 'cancel'; readonly reason: string }
  | {
      readonly type: 'tell';
      readonly step: string;
      readonly text: string;
      /** Stop the agent and go on with this, instead of telling it while it works. */
      readonly restart: boolean;
    }
  | { readonly type: 'pause'; readonly reason: string | null }
  | {
      readonly type: 'resume';
      readonly step: string | null;
      readonly change?: StepChange | null;
      readonly reason: string | null;
      /** Of a conflict between steps: the one whose files count; else the files as they lie in the workspace. */
      readonly take?: string | undefined;
    }
  | {
      readonly type: 'retry';
      readonly step: string | null;
      /** The plan gets another revision with it. */
      readonly change?: StepChange | null;
      readonly reason: string | null;
    }
  | { readonly type: 'skip'; readonly step: string; readonly reason: string | null }
  | {
      readonly type: 'replan';
      readonly plan: Plan;
      /** The file as it was read. */
      readonly source: string;
      readonly inputs: LaunchRequest['inputs'];
      readonly reason: string | null;
    }
  | { readonly type: 'restart'; readonly step: string; readonly reason: string | null };

/** What people do with a run as a whole: each can be looked at before it is done. */
export type ControlRequest = Extract<
  RunRequest,
  {
    readonly type: 'cancel' | 'pause' | 'resume' | 'retry' | 'restart' | 'skip' | 'replan';
  }
>;

/** What a step, or where none is named the plan, is to have otherwise; what is left out stays. */
export interface StepChange {
  readonly prompt?: string | undefined;
  readonly model?: string | undefined;
  readonly command?: string | undefined;
  readonly budget?:
    | {
        readonly usd?: number | undefined;
        readonly tokens?: number | undefined;
        readonly turns?: number | undefined;
        readonly timeMs?: number | undefined;
      }
    | undefined;
}

/** What an action would do, and the digest by which a person agrees to exactly that. */
export interface ImpactSummary extends Impact {
  readonly action: ControlRequest['type'];
  /** Files that go back with the workspace, when it goes back. */
  readonly files: readonly ChangedPath[];
  /** Lines that come and go with them; null when nothing goes back, or it is too much to count. */
  readonly lines: { readonly added: number; readonly removed: number } | null;
  /** The ref, or commit, of the run's checkpoint repository that keeps what was there. */
  readonly keptAt: string | null;
  /** Steps that run again and reached, or could have reached, beyond the workspace: that may happen a second time. */
  readonly sideEffects: readonly {
    readonly step: string;
    readonly attempts: number;
    readonly hosts: readonly string[];
    /** Commands and tool calls that it is known to have run, and what each does beyond the workspace. */
    readonly did: readonly { readonly what: string; readonly effects: readonly string[] }[];
  }[];
  readonly digest: string;
}

/** What a fork would be, in the words of an action on the run that it is forked off. */
export interface ForkSummary extends Omit<ImpactSummary, 'action'> {
  readonly action: 'fork';
}

/** How a result is to be applied, as a person asks for it. */
export interface ApplyRequest {
  readonly as: ApplyMode;
  /** Null: the branch of the run, or for squash and merge the one that is checked out. */
  readonly branch: string | null;
  /** Of the commit; null for one that names plan and run. */
  readonly message: string | null;
}

/** What applying would do, and the digest by which a person agrees to exactly that. */
export interface ApplySummary extends ApplyPreview {
  readonly as: ApplyMode;
  readonly message: string;
  readonly digest: string;
}

/** What changed in a run's workspace. */
export interface DiffView {
  /** Commits of the run's workspace. `to` is null for the work tree as it is at this moment. */
  readonly from: string;
  readonly to: string | null;
  readonly files: readonly ChangedPath[];
  /** Unified. */
  readonly text: string;
  /** It is longer than `text`. */
  readonly truncated: boolean;
}

export type WorkbenchRefusal =
  | Refusal
  | StoreUnavailable
  | { readonly type: 'PlanNotFound'; readonly planId: string }
  /** Another revision was saved since this one was seen. */
  | { readonly type: 'PlanMoved'; readonly planId: string; readonly revision: number }
  | { readonly type: 'PlanInvalid'; readonly detail: string }
  | { readonly type: 'InputInvalid'; readonly detail: string }
  | { readonly type: 'ProjectUnusable'; readonly failure: Failure }
  /** What was agreed to is not what would happen now. */
  | { readonly type: 'SummaryMoved'; readonly runId: string }
  | { readonly type: 'NotApplicable'; readonly failure: Failure }
  | { readonly type: 'AttemptNotFound'; readonly runId: string; readonly step: string }
  /** There is nothing to compare yet, or the workspace cannot be read. */
  | { readonly type: 'DiffUnavailable'; readonly failure: Failure }
  | { readonly type: 'Quarantined'; readonly runId: string; readonly detail: string };

export interface AuditReport {
  readonly ok: boolean;
  readonly size: number;
  /** Things that happened without the decisions they needed, by a replay of every run; null when the log does not hold. */
  readonly bypasses: number | null;
  readonly root: string;
  /** The first entry that does not hold, in words. */
  readonly problem: { readonly position: number | null; readonly detail: string } | null;
}

/** A run's answers of the model as a script file holds them. */
export interface Recording {
  readonly script: JsonObject;
  readonly answers: number;
  /** Sentences about what the script does not hold. */
  readonly leftOut: readonly string[];
}

export interface Workbench {
  /** Saves a plan as a new revision of the plan of this name, or finds the same digest saved already. */
  savePlan(plan: Plan, source: string, by: Caller): Promise<Result<SavedPlan, WorkbenchRefusal>>;
  /** As a revision of a plan that is there, if `seen` is still its newest. */
  revisePlan(
    planId: string,
    seen: number,
    plan: Plan,
    source: string,
    by: Caller,
  ): Promise<Result<SavedPlan, WorkbenchRefusal>>;
  plan(planId: string, revision?: number): SavedPlan | null;
  /** The newest revision of each plan, the last saved first. */
  plans(): readonly SavedPlan[];
  /** All revisions of a plan, newest first; empty when there is no such plan. */
  revisions(planId: string): readonly SavedPlan[];
  launch(request: LaunchRequest, by: Caller): Promise<Result<RunView, WorkbenchRefusal>>;
  /** With `inputs`, also whether a run could be launched with them. */
  dryRun(
    plan: Plan,
    inputs: LaunchRequest['inputs'] | null,
    by: Caller,
  ): Promise<Result<DryRun, WorkbenchRefusal>>;
  /** Newest first. */
  runs(): readonly RunView[];
  run(runId: string): RunView | null;
  request(
    runId: string,
    request: RunRequest,
    by: Caller,
  ): Promise<Result<RunView, WorkbenchRefusal>>;
  /** What an action would do; changes nothing. Refused as the action would be. */
  preview(
    runId: string,
    request: ControlRequest,
    by: Caller,
  ): Promise<Result<ImpactSummary, WorkbenchRefusal>>;
  /** As `request`, if the summary still has this digest. */
  requestAgreed(
    runId: string,
    request: ControlRequest,
    digest: string,
    by: Caller,
  ): Promise<Result<RunView, WorkbenchRefusal>>;
  /** What a new run from a checkpoint would take over; changes nothing. `at` null: the newest checkpoint. */
  previewFork(runId: string, at: string | null): Promise<Result<ForkSummary, WorkbenchRefusal>>;
  /** Begins it, if the summary still has this digest where one is given. The new run. */
  fork(
    runId: string,
    asked: {
      readonly at: string | null;
      readonly reason: string | null;
      readonly digest: string | null;
    },
    by: Caller,
  ): Promise<Result<RunView, WorkbenchRefusal>>;
  /** Lets a step start once although the policy says otherwise. */
  override(
    runId: string,
    asked: { readonly step: string; readonly reason: string; readonly subjectDigest: string },
    by: Caller,
  ): Promise<Result<RunView, WorkbenchRefusal>>;
  /** What applying the result would do; changes nothing. */
  previewApply(
    runId: string,
    request: ApplyRequest,
  ): Promise<Result<ApplySummary, WorkbenchRefusal>>;
  /** Applies it, if the summary still has this digest. Resolves when it is done, or could not be: see `applied`. */
  apply(
    runId: string,
    request: ApplyRequest & { readonly digest: string; readonly reason: string | null },
    by: Caller,
  ): Promise<Result<RunView, WorkbenchRefusal>>;
  /** The whole result as a patch. */
  patch(runId: string): Promise<Result<Uint8Array, WorkbenchRefusal>>;
  /**
   * What a step's attempt changed, the newest when `attempt` is null; the whole run so far when `step` is. Of an attempt
   * that is at work: what it has changed up to now.
   */
  diff(
    runId: string,
    step: string | null,
    attempt: number | null,
  ): Promise<Result<DiffView, WorkbenchRefusal>>;
  /**
   * What whoever decides a request has before them: of a tool call what its attempt has changed up to now, of any other
   * the whole run up to the commit that the request is bound to.
   */
  diffOfApproval(approvalId: string): Promise<Result<DiffView, WorkbenchRefusal>>;
  /** Every approval request of the project, newest first. */
  approvals(): readonly ApprovalView[];
  /** Events of a run, oldest first; all of them without a limit. */
  runEvents(runId: string, fromSequence: number, limit?: number): readonly StoredEvent[];
  /** How many events a run has, or with null the whole log. */
  eventCount(runId: string | null): number;
  /** Calls back with each event once it is durable. Returns how to stop. */
  subscribe(listener: (event: StoredEvent) => void): () => void;
  /** Path of the whole output of an attempt; null when there is no such attempt. */
  outputPath(runId: string, step: string, attempt: number): string | null;
  /** What the model answered in a run, as a script to play again; null when there is no such run. */
  recording(runId: string): Recording | null;
  /** The product's own figures, of runs launched since `fromMs`; null: of all. */
  metrics(fromMs: number | null): Promise<MetricsView>;
  /** The agents of this installation, each as it stands now. */
  adapters(): Promise<readonly AdapterView[]>;
  auditEvents(fromPosition: number, limit: number): readonly StoredEvent[];
  auditVerify(): Promise<AuditReport>;
  /** Lines of the export, to be written one a line. */
  auditExport(): Iterable<string>;
}
