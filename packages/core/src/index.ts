export { ok, err } from './base/result.ts';
export type { Result } from './base/result.ts';
export { InvariantError, assertInvariant, unreachable } from './base/invariant.ts';
export type { Json, JsonObject } from './base/json.ts';
export {
  RISK_CLASSES,
  SETUP_STEP_ID,
  dependentsOf,
  isWriter,
  mayWriteBeside,
  stepById,
} from './plan/plan.ts';
export type {
  AgentStep,
  ApprovalStep,
  ApproverRule,
  Budget,
  Check,
  CommandStep,
  FormField,
  InputSpec,
  Plan,
  PlanContext,
  Program,
  RiskClass,
  Scope,
  Step,
  StepEnv,
  StepId,
  StepKind,
  ToolName,
  ValidationStep,
} from './plan/plan.ts';
export { MAX_AUTOMATIC_RESUMES, decide } from './machine/decide.ts';
export { forkOf } from './machine/fork.ts';
export { forkImpact, impactOf } from './machine/impact.ts';
export type { Impact } from './machine/impact.ts';
export type { Decided } from './machine/decide.ts';
export { auditRun } from './machine/audit.ts';
export type { AuditFinding } from './machine/audit.ts';
export { MAX_OVERRIDE_MS } from './machine/override.ts';
export { REFUSALS } from './machine/commands.ts';
export type {
  AttemptReportEnd,
  CommandContext,
  Evaluation,
  Refusal,
  RequestSlot,
  RunCommand,
  Subject,
} from './machine/commands.ts';
export { changeAsks, weakenedBy } from './machine/change.ts';
export { diffPlans } from './machine/plan-diff.ts';
export type { FieldDiff, PlanDiff, StepDiff } from './machine/plan-diff.ts';
export { applyEvent, evolve, foldRun } from './machine/evolve.ts';
export type { StepTable } from './machine/step-table.ts';
export {
  lastAttempt,
  liveAttempt,
  planStep,
  stepState,
  approvalState,
  attemptsOf,
  waitingCorrection,
} from './machine/state.ts';
export type {
  ApprovalState,
  AttemptState,
  AttemptStatus,
  Decision,
  GateState,
  JoinConflict,
  ToldMessage,
  RunState,
  StepState,
  Unjoined,
  Waiting,
} from './machine/state.ts';
export { RUN_STATUSES, blockedReasons, runStatus, workToJoin } from './machine/status.ts';
export type { BlockedReason, RunStatus } from './machine/status.ts';
export { effectKey, effectsOf, hasSlot } from './schedule/effects.ts';
export type { Effect } from './schedule/effects.ts';
export {
  SETTLED_STATUSES,
  STEP_STATUSES,
  STEP_TRANSITIONS,
  statusAfter,
} from './machine/transitions.ts';
export type { StepStatus, StepTransition, StepTransitionEvent } from './machine/transitions.ts';
export type {
  Actor,
  AgentFact,
  ApplyMode,
  ApprovalKind,
  ApprovalRequirement,
  ApprovalStatus,
  ArtifactRef,
  AgentVersions,
  AttemptEnd,
  CheckResult,
  Checkpoint,
  DecidingRule,
  Escalation,
  Failure,
  FileChange,
  OutputSummary,
  PolicyVerdict,
  ResumeToken,
  RunEvent,
  RunEventData,
  CarriedStep,
  Fork,
  RunChange,
  RunEventType,
  Usage,
  Verdict,
} from './machine/events.ts';
export { AGENT_ADAPTER_INTERFACE_VERSION } from './ports/agent-adapter.ts';
export type {
  AdapterCapabilities,
  AdapterProbe,
  AdapterView,
  AgentAdapter,
  AgentFactBody,
  AgentHandle,
  AgentOutcome,
  AgentProcess,
  AgentRunContext,
  GateAnswer,
  GateQuestion,
  SkippedCase,
} from './ports/agent-adapter.ts';
export type {
  AgentLaunch,
  AgentWork,
  AttemptHosts,
  AttemptOutcome,
  AttemptRef,
  AttemptSpec,
  AttemptStanding,
  CommandWork,
  Following,
  HostFact,
  SandboxSpec,
} from './ports/attempt-hosts.ts';
export type { Clock, Ids } from './ports/clock.ts';
export type {
  Append,
  EventStore,
  NewEvent,
  StoreUnavailable,
  StoredEvent,
  VersionConflict,
} from './ports/event-store.ts';
export { EFFECT_CLASSES, POLICY_ACTIONS } from './ports/policy.ts';
export type {
  CommandFacts,
  EffectClass,
  Policy,
  PolicyAction,
  PolicyActor,
  PolicyFacts,
} from './ports/policy.ts';
export type {
  ApplyOrder,
  ApplyPreview,
  ApplyTarget,
  ChangedPath,
  JoinOrder,
  Joined,
  WorkspaceSource,
  Workspaces,
} from './ports/workspace.ts';
export { figuresOf, metricsOf } from './views/metrics.ts';
export type { Cost, CostRow, MetricsView, RunFigures, Share, Spread } from './views/metrics.ts';
export { approvalToView, runToView } from './views/run-view.ts';
export type { ApprovalView, AttemptView, RunView, StepView, UsageTotal } from './views/run-view.ts';
export { waysOn } from './views/ways-on.ts';
export type { Way } from './views/ways-on.ts';
