/** Entry of the client: for the command line, the page and other programs. */
export { ClientGaveUp, createClient } from './create-client.ts';
export type {
  AuditReportView,
  Client,
  ApplySummaryView,
  ClientError,
  ControlAction,
  ClientOptions,
  DiffView,
  RecordingView,
  DryRunView,
  EventPage,
  EventWindow,
  PlanCheckView,
  ImpactSummaryView,
  LoginView,
  PersonView,
  SavedPlanView,
  Unreachable,
} from './create-client.ts';
export { readSse } from './sse.ts';
export type { SseFrame } from './sse.ts';
/** What the client speaks of, so that its users need nothing else. */
export { err, ok, waysOn } from '@ccdash/core';
export type {
  Actor,
  AdapterView,
  ApprovalView,
  CheckResult,
  FormField,
  JsonObject,
  MetricsView,
  Result,
  RunEvent,
  RunView,
  StepView,
  StoredEvent,
} from '@ccdash/core';
export type { BudgetChange, ProofRequest, StepChange } from '../schema/requests.ts';
export type {
  DependencyView,
  DocumentText,
  DocumentView,
  FeatureSummary,
  PhaseView,
  FeatureList,
  FeaturePlan,
  FeatureView,
  TaskView,
} from '../schema/features.ts';
export type { PlanSummary } from '../schema/plans.ts';
export type { PolicyCheckView, PolicyRuleView, PolicyView } from '../schema/policy.ts';
export type { PlanProblem, ProblemBody, ProblemWord } from '../schema/problems.ts';
