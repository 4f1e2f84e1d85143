/** Entry of the API package: schemas and routes. */
export { firstFault } from './schema/json.ts';
export { EVENT_UPCASTS, RUN_EVENT_TYPES, decodeRunEvent, isRunEventType } from './schema/events.ts';
export type { EventRefusal, EventUpcasts } from './schema/events.ts';
export {
  approvalsQuery,
  cancelRequest,
  controlRequest,
  resumeRequest,
  diffQuery,
  decisionRequest,
  emptyRequest,
  launchRequest,
  loginRequest,
  overrideRequest,
  reviewRequest,
  personRequest,
  proofRequest,
  revokeRequest,
  rolesRequest,
  passkeyChallengeRequest,
  passkeyRequest,
  sshKeyRequest,
  auditQuery,
  eventsQuery,
  outputQuery,
  applyRequest,
  pauseRequest,
  tellRequest,
  previewQuery,
  forkRequest,
  replanRequest,
  reportQuery,
  restartRequest,
  dryRunRequest,
  planTextRequest,
  revisionQuery,
} from './schema/requests.ts';
export type {
  ApprovalsQuery,
  CancelBody,
  CancelRequest,
  ControlBody,
  ControlRequest,
  DiffQuery,
  ApplyBody,
  ApplyRequest,
  PauseBody,
  RestartBody,
  ForkBody,
  ForkRequest,
  ReplanBody,
  ReplanRequest,
  ReportQuery,
  RestartRequest,
  SkipBody,
  StepChange,
  PauseRequest,
  TellBody,
  TellRequest,
  DecisionBody,
  DecisionRequest,
  OverrideRequest,
  PersonRequest,
  ProofRequest,
  LaunchBody,
  LaunchRequest,
  AuditQuery,
  EventsQuery,
  OutputQuery,
  PlanTextRequest,
  RevisionQuery,
} from './schema/requests.ts';
export { metricsQuery } from './schema/metrics.ts';
export type { MetricsQuery } from './schema/metrics.ts';
export { planSummary, plansQuery, revisionRequest } from './schema/plans.ts';
export type { PlanSummary, PlansQuery, RevisionRequest } from './schema/plans.ts';
export { policyCheckRequest } from './schema/policy.ts';
export type {
  PolicyCheckRequest,
  PolicyCheckView,
  PolicyRuleView,
  PolicyView,
} from './schema/policy.ts';
export { PROBLEMS } from './schema/problems.ts';
export type { PlanProblem, ProblemBody, ProblemKind, ProblemWord } from './schema/problems.ts';
export { ROUTES, roleOf } from './routes/route-table.ts';
export type { Route, RouteName } from './routes/route-table.ts';
export { openApiDocument } from './routes/openapi.ts';
export {
  FEATURE_STATUSES,
  RECOMMENDATION_RULES,
  TASK_STATUSES,
  documentQuery,
  featurePlanQuery,
} from './schema/features.ts';
export type {
  DependencyView,
  DocumentText,
  DocumentView,
  FeatureList,
  FeaturePlan,
  FeatureStatus,
  FeatureSummary,
  FeatureView,
  PhaseView,
  Recommendation,
  RecommendationRule,
  TaskStatus,
  TaskView,
} from './schema/features.ts';
