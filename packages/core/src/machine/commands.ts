/** What can be asked of a run. Facts from outside (verdicts, digests, times, ids) come with the command. */
import type { JsonObject } from '../base/json.ts';
import type { StepId } from '../plan/plan.ts';
import type {
  Actor,
  AgentFact,
  AgentVersions,
  ApprovalRequirement,
  ArtifactRef,
  AttemptEnd,
  CheckResult,
  Checkpoint,
  Escalation,
  Failure,
  OutputSummary,
  PolicyVerdict,
  ResumeToken,
  RunChange,
  RunEventData,
  Usage,
} from './events.ts';

/** When it is, and who asks. `at` and `nowMs` are the same moment. */
export interface CommandContext {
  readonly at: string;
  readonly nowMs: number;
  readonly actor: Actor;
}

/** What is about to run or be decided: canonical JSON and its digest. */
export interface Subject {
  readonly subject: JsonObject;
  readonly subjectDigest: string;
}

/** A fresh id for the request that may follow, and how long it may stay open. */
export interface RequestSlot {
  readonly approvalId: string;
  readonly expiresAtMs: number | null;
  readonly escalation?: Escalation;
}

export type Evaluation =
  /** `when` is false. */
  | { readonly outcome: 'condition-false' }
  | {
      readonly outcome: 'blocked';
      readonly reason: 'configuration' | 'adapter_unavailable' | 'budget_exceeded';
      readonly failure: Failure;
    }
  | ({
      readonly outcome: 'start';
      readonly verdict: PolicyVerdict;
      /** Approvers who may not decide any more. */
      readonly revoked?: readonly string[];
    } & Subject &
      RequestSlot)
  /** An approval step: people are asked whatever the policy says; the policy may only ask for more. */
  | ({
      readonly outcome: 'gate';
      readonly verdict: PolicyVerdict;
      readonly requires: ApprovalRequirement;
    } & Subject &
      RequestSlot);

export type AttemptReportEnd =
  | {
      readonly outcome: 'succeeded';
      readonly exitCode: number | null;
      readonly checkpoint: Checkpoint;
      readonly outputs: JsonObject;
      readonly output: OutputSummary | null;
      readonly usage: Usage | null;
      readonly checks: readonly CheckResult[];
      readonly artifacts: readonly ArtifactRef[];
      readonly changedPaths: number;
    }
  | ({ readonly outcome: 'failed'; readonly retryable: boolean } & AttemptEnd)
  /** Its budget is used up before it had finished. */
  | ({ readonly outcome: 'exhausted' } & AttemptEnd)
  /** Told to stop, and it did. */
  | ({ readonly outcome: 'stopped' } & AttemptEnd)
  /** Its host is gone, and nothing tells how the work ended. */
  | ({ readonly outcome: 'interrupted'; readonly detail: string } & Partial<
      Pick<AttemptEnd, 'exitCode' | 'output' | 'usage'>
    >)
  /** Proven: no host of it ever ran. */
  | { readonly outcome: 'never-started' };

type OfAttempt = { readonly step: StepId; readonly attempt: number; readonly epoch: number };

/** An admin's wish that `step` starts once although the policy says otherwise. */
export interface OverrideAsked extends Subject {
  readonly step: StepId;
  readonly approvalId: string;
  /** What the step would run, as it was shown. */
  readonly startDigest: string;
  readonly reason: string;
  readonly roles: readonly string[];
  readonly assurance: 'session' | 'reauth' | 'passkey';
  readonly evidence?: JsonObject;
  /** Different admins that it takes. */
  readonly count: number;
  /** At most 15 minutes from now. */
  readonly expiresAtMs: number;
}

export type RunCommand =
  | { readonly type: 'CreateRun'; readonly created: RunEventData['RunCreated'] }
  | { readonly type: 'StartRun'; readonly started: RunEventData['RunStarted'] }
  | { readonly type: 'FailRunStart'; readonly failure: Failure }
  | { readonly type: 'EvaluateStep'; readonly step: StepId; readonly evaluation: Evaluation }
  | {
      readonly type: 'StartStep';
      readonly step: StepId;
      /** Commit of the workspace that the subject was built on. */
      readonly checkpoint: string;
      readonly subjectDigest: string;
      /** What has `subjectDigest`, to name what changed. */
      readonly subject?: JsonObject;
      /** Approvers who may not decide any more: what they decided does not count. */
      readonly revoked?: readonly string[];
      readonly verdict: PolicyVerdict;
      readonly epoch: number;
      readonly sandbox: 'bubblewrap' | 'none';
      readonly session: ResumeToken | null;
      readonly versions: AgentVersions | null;
    }
  | ({ readonly type: 'ReportAttempt'; readonly facts: readonly AgentFact[] } & OfAttempt)
  | ({
      readonly type: 'DecideGate';
      readonly gateId: string;
      readonly verdict: PolicyVerdict;
    } & OfAttempt &
      Subject &
      RequestSlot)
  | ({ readonly type: 'EndAttempt'; readonly end: AttemptReportEnd } & OfAttempt)
  | {
      readonly type: 'DecideApproval';
      readonly approvalId: string;
      readonly decision: 'approve' | 'reject';
      readonly reason: string;
      readonly subjectDigest: string;
      readonly roles: readonly string[];
      readonly assurance: 'session' | 'reauth' | 'passkey';
      readonly form: JsonObject;
      /** What proved that the person was there. */
      readonly evidence?: JsonObject;
      /** Earlier approvers of this request who may not decide any more. */
      readonly revoked?: readonly string[];
    }
  | ({ readonly type: 'OverrideStep' } & OverrideAsked)
  | { readonly type: 'ReviewOverride'; readonly approvalId: string; readonly note: string }
  | {
      readonly type: 'TellAgent';
      readonly step: StepId;
      readonly messageId: string;
      readonly text: string;
      readonly how: 'now' | 'restart';
    }
  /** Skips a step or replaces the plan, once all who have to have agreed. */
  | ({
      readonly type: 'ChangeRun';
      readonly change: RunChange;
      readonly verdict: PolicyVerdict;
      /** For the request that may follow; further ones are named after it. */
      readonly approvalId: string;
      readonly reason: string | null;
    } & Subject)
  | { readonly type: 'Tick' }
  | { readonly type: 'CancelRun'; readonly reason: string }
  | { readonly type: 'ApplyResult'; readonly asked: RunEventData['ResultApplying'] }
  | {
      readonly type: 'EndApply';
      readonly outcome:
        | { readonly applied: true; readonly commit: string }
        | { readonly applied: false; readonly failure: Failure };
    }
  /** The engine has another policy than the run has been judged by so far. */
  | { readonly type: 'AdoptPolicy'; readonly policyDigest: string }
  | { readonly type: 'PauseRun'; readonly reason: string | null }
  /** Goes back to before a step that has begun: it runs again, and all that was built on it. */
  | { readonly type: 'RestartFrom'; readonly step: StepId; readonly reason: string | null }
  | {
      readonly type: 'ResumeRun';
      readonly step: StepId | null;
      readonly reason: string | null;
      /** Of a conflict between steps: the one whose files count. Left out: what is in the workspace. */
      readonly take?: StepId;
    }
  /** What came of joining the work of `step` onto the checkpoint with the commit `onto`. */
  | {
      readonly type: 'JoinWork';
      readonly step: StepId;
      readonly onto: string;
      readonly outcome:
        | {
            readonly joined: true;
            readonly checkpoint: Checkpoint;
            /** That did not merge by themselves, and were settled. */
            readonly files: readonly string[];
          }
        | { readonly joined: false; readonly files: readonly string[] };
    }
  | { readonly type: 'RetryRun'; readonly step: StepId | null; readonly reason: string | null };

/** An expected no. Nothing has changed. */
export type Refusal =
  | { readonly type: 'RunExists'; readonly runId: string }
  | { readonly type: 'RunNotFound'; readonly runId: string }
  | { readonly type: 'RunOver'; readonly runId: string; readonly status: string }
  | { readonly type: 'RunPaused'; readonly runId: string }
  | { readonly type: 'ApplyUnderWay'; readonly runId: string; readonly branch: string }
  | { readonly type: 'NothingToApply'; readonly runId: string }
  | { readonly type: 'StepNotFound'; readonly runId: string; readonly step: string }
  | { readonly type: 'StepNotReady'; readonly step: StepId; readonly status: string }
  | { readonly type: 'SlotTaken'; readonly step: StepId }
  | { readonly type: 'AttemptFenced'; readonly step: StepId; readonly attempt: number }
  | { readonly type: 'GateNotOpen'; readonly step: StepId; readonly gateId: string }
  | { readonly type: 'CannotBeTold'; readonly step: StepId; readonly detail: string }
  | { readonly type: 'ApprovalNotFound'; readonly approvalId: string }
  | { readonly type: 'ApprovalNotOpen'; readonly approvalId: string; readonly status: string }
  | { readonly type: 'SubjectMoved'; readonly approvalId: string; readonly subjectDigest: string }
  | {
      readonly type: 'NotAllowedToDecide';
      readonly approvalId: string;
      readonly approver: string;
      readonly detail: string;
    }
  | { readonly type: 'AlreadyDecided'; readonly approvalId: string; readonly approver: string }
  | { readonly type: 'NotOverridable'; readonly step: StepId; readonly detail: string }
  | { readonly type: 'ReasonTooShort'; readonly atLeast: number }
  | { readonly type: 'ReasonRequired'; readonly approvalId: string }
  | { readonly type: 'FormInvalid'; readonly approvalId: string; readonly detail: string }
  | { readonly type: 'NothingToResume'; readonly runId: string; readonly status: string }
  | {
      readonly type: 'NothingToRetry';
      readonly runId: string;
      readonly status: string;
      /** Steps that are tried again only when they are named. */
      readonly interrupted: readonly StepId[];
    }
  | {
      readonly type: 'ChangeDenied';
      readonly action: 'skip' | 'replan';
      readonly detail: string;
    }
  | { readonly type: 'PlanUnfit'; readonly runId: string; readonly detail: string }
  | { readonly type: 'NothingToFork'; readonly runId: string; readonly at: StepId | null }
  | { readonly type: 'NothingToRestart'; readonly step: StepId; readonly status: string };

/** One sentence for each refusal; the docs and the API's titles come from here. */
export const REFUSALS: Readonly<Record<Refusal['type'], string>> = {
  RunExists: 'A run with this id exists already.',
  RunNotFound: 'There is no such run.',
  RunOver: 'The run has ended and takes no more commands of this kind.',
  RunPaused: 'The run is paused; nothing begins before it is resumed.',
  ApplyUnderWay: 'The result of the run is being applied already.',
  NothingToApply: 'The run has no result of this kind to apply.',
  StepNotFound: 'The run has no such step.',
  StepNotReady: 'The step is not in a state in which this can happen.',
  SlotTaken: 'The step must wait: its slot or the workspace is taken.',
  AttemptFenced: 'The attempt has been declared over; what it reports is not taken.',
  GateNotOpen: 'No tool call waits at this gate.',
  CannotBeTold: 'Nobody is there to take the message now.',
  ApprovalNotFound: 'There is no such approval request.',
  ApprovalNotOpen: 'The approval request is not open any more.',
  SubjectMoved: 'What is asked is not what was shown; look again.',
  NotAllowedToDecide: 'This person may not decide this request.',
  AlreadyDecided: 'This person has decided this request already.',
  NotOverridable: 'This cannot be overridden.',
  ReasonTooShort: 'An override needs a reason that says more.',
  ReasonRequired: 'A rejection needs a reason.',
  FormInvalid: 'The form of the request is not filled in as it asks.',
  NothingToResume: 'The run is not paused, and no step of it is interrupted.',
  ChangeDenied: 'The policy does not let this be changed.',
  PlanUnfit: 'The run cannot go over to this plan.',
  NothingToFork: 'There is no checkpoint to begin from.',
  NothingToRestart: 'The step has not begun, so there is nothing to go back to.',
  NothingToRetry: 'No step of the run can be tried again.',
};
