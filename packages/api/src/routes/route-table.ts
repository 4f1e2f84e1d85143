/** Every route of the API, once: what it takes, what it gives. Handlers, the OpenAPI document and tests read it. */
import { z } from 'zod';
import {
  applyRequest,
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
  pauseRequest,
  tellRequest,
  dryRunRequest,
  planTextRequest,
  previewQuery,
  forkRequest,
  replanRequest,
  reportQuery,
  restartRequest,
  revisionQuery,
} from '../schema/requests.ts';
import { metricsQuery, metricsResponse } from '../schema/metrics.ts';
import { planSummary, plansQuery, revisionRequest } from '../schema/plans.ts';
import { policyCheckRequest, policyCheckResponse, policyResponse } from '../schema/policy.ts';
import {
  documentQuery,
  documentTextResponse,
  featureListResponse,
  featurePlanQuery,
  featurePlanResponse,
  featureResponse,
} from '../schema/features.ts';
import {
  applySummary,
  adapterResponse,
  recordingResponse,
  approvalResponse,
  auditReport,
  diffResponse,
  dryRunResponse,
  eventPage,
  healthResponse,
  impactSummary,
  loginResponse,
  personResponse,
  tokenResponse,
  passkeyOptionsResponse,
  totpResponse,
  planCheckResponse,
  planResponse,
  runResponse,
} from '../schema/responses.ts';

export interface Route {
  readonly method: 'get' | 'post';
  /** Below `/api/v1`; parameters in braces, as in OpenAPI. */
  readonly path: string;
  readonly summary: string;
  readonly query?: z.ZodType;
  /** Of every POST. */
  readonly body?: z.ZodType;
  readonly status: 200 | 201 | 202;
  readonly response:
    | z.ZodType
    | 'text/event-stream'
    | 'application/x-ndjson'
    | 'text/plain'
    | 'text/html'
    | 'application/octet-stream';
  /** Without a credential. */
  readonly isOpen?: true;
  /** Who may. Unless it says: everybody may read, and who operates may change things. */
  readonly role?: 'viewer' | 'operator' | 'approver' | 'admin';
}

export function roleOf(route: Route): NonNullable<Route['role']> {
  return route.role ?? (route.method === 'get' ? 'viewer' : 'operator');
}

export type RouteName =
  | 'health'
  | 'ready'
  | 'openapi'
  | 'checkPlan'
  | 'dryRunPlan'
  | 'savePlan'
  | 'getPlan'
  | 'listPlans'
  | 'listPlanRevisions'
  | 'revisePlan'
  | 'getPolicy'
  | 'checkPolicy'
  | 'launchRun'
  | 'listRuns'
  | 'getRun'
  | 'runEvents'
  | 'attemptOutput'
  | 'recordingOfRun'
  | 'diffOfRun'
  | 'reportOfRun'
  | 'getArtifact'
  | 'cancelRun'
  | 'applyRun'
  | 'patchOfRun'
  | 'pauseRun'
  | 'tellAgent'
  | 'resumeRun'
  | 'retryRun'
  | 'restartRun'
  | 'forkRun'
  | 'skipStep'
  | 'replanRun'
  | 'listApprovals'
  | 'getApproval'
  | 'diffOfApproval'
  | 'decideApproval'
  | 'overrideStep'
  | 'reviewOverride'
  | 'listFeatures'
  | 'getFeature'
  | 'readDocument'
  | 'planFeature'
  | 'listAdapters'
  | 'getMetrics'
  | 'auditEvents'
  | 'auditVerify'
  | 'auditExport'
  | 'createLogin'
  | 'redeemLogin'
  | 'logout'
  | 'whoAmI'
  | 'addTotp'
  | 'addSshKey'
  | 'beginPasskey'
  | 'addPasskey'
  | 'askPasskey'
  | 'listPeople'
  | 'addPerson'
  | 'setPersonRoles'
  | 'revokePerson'
  | 'createPersonLogin'
  | 'shutdown';

export const ROUTES: Readonly<Record<RouteName, Route>> = {
  health: {
    method: 'get',
    path: '/healthz',
    summary: 'Whether the server lives',
    status: 200,
    response: healthResponse,
    isOpen: true,
  },
  ready: {
    method: 'get',
    path: '/readyz',
    summary: 'Whether the server takes work',
    status: 200,
    response: healthResponse,
  },
  openapi: {
    method: 'get',
    path: '/openapi.json',
    summary: 'This document',
    status: 200,
    response: z.record(z.string(), z.unknown()),
  },
  checkPlan: {
    method: 'post',
    path: '/plans/check',
    summary: 'Every problem of a plan file, with line and column',
    role: 'viewer',
    body: planTextRequest,
    status: 200,
    response: planCheckResponse,
  },
  dryRunPlan: {
    method: 'post',
    path: '/plans/dry-run',
    summary: 'Order, verdicts, approvals and budget of a plan; runs nothing',
    role: 'viewer',
    body: dryRunRequest,
    status: 200,
    response: dryRunResponse,
  },
  savePlan: {
    method: 'post',
    path: '/plans',
    summary: 'Saves a plan as a revision',
    body: planTextRequest,
    status: 201,
    response: planResponse,
  },
  getPlan: {
    method: 'get',
    path: '/plans/{id}',
    summary: 'A saved plan, the newest revision or a named one',
    query: revisionQuery,
    status: 200,
    response: planResponse,
  },
  listPlans: {
    method: 'get',
    path: '/plans',
    summary: 'The newest revision of each saved plan, the last saved first',
    query: plansQuery,
    status: 200,
    response: z.array(planSummary),
  },
  listPlanRevisions: {
    method: 'get',
    path: '/plans/{id}/revisions',
    summary: 'All revisions of a plan, newest first',
    status: 200,
    response: z.array(planSummary),
  },
  revisePlan: {
    method: 'post',
    path: '/plans/{id}/revisions',
    summary: 'Saves a revision of a plan, unless somebody else has since the newest was seen',
    body: revisionRequest,
    status: 201,
    response: planResponse,
  },
  getPolicy: {
    method: 'get',
    path: '/policy',
    summary: 'The policy in force: every rule, in words and as it is written',
    status: 200,
    response: policyResponse,
  },
  checkPolicy: {
    method: 'post',
    path: '/policy/check',
    summary: 'What the policy says to a command or a step, and why; runs nothing',
    role: 'viewer',
    body: policyCheckRequest,
    status: 200,
    response: policyCheckResponse,
  },
  launchRun: {
    method: 'post',
    path: '/plans/{id}/runs',
    summary: 'Launches a run of a saved plan',
    body: launchRequest,
    status: 201,
    response: runResponse,
  },
  listRuns: {
    method: 'get',
    path: '/runs',
    summary: 'All runs, newest first',
    status: 200,
    response: z.array(runResponse),
  },
  getRun: {
    method: 'get',
    path: '/runs/{id}',
    summary: 'One run',
    status: 200,
    response: runResponse,
  },
  runEvents: {
    method: 'get',
    path: '/runs/{id}/events',
    summary:
      'Events of a run: pages of JSON, or a stream (Accept: text/event-stream, Last-Event-ID)',
    query: eventsQuery,
    status: 200,
    response: eventPage,
  },
  attemptOutput: {
    method: 'get',
    path: '/runs/{id}/steps/{step}/attempts/{attempt}/output',
    summary: 'The output of an attempt; takes Range; with ?follow=true until the attempt has ended',
    query: outputQuery,
    status: 200,
    response: 'text/plain',
  },
  recordingOfRun: {
    method: 'get',
    path: '/runs/{id}/recording',
    summary: 'What the model answered in the run, as a script that the scripted model plays again',
    status: 200,
    response: recordingResponse,
  },
  diffOfRun: {
    method: 'get',
    path: '/runs/{id}/diff',
    summary: 'What the run has changed, or a step of it, or one attempt of that',
    query: diffQuery,
    status: 200,
    response: diffResponse,
  },
  getArtifact: {
    method: 'get',
    path: '/artifacts/{sha256}',
    summary: 'The bytes that a run has kept under this digest',
    status: 200,
    response: 'application/octet-stream',
  },
  reportOfRun: {
    method: 'get',
    path: '/runs/{id}/report',
    summary: 'A report of the run that proves itself: ?format=html, or the same as md or json',
    query: reportQuery,
    status: 200,
    response: 'text/html',
  },
  cancelRun: {
    method: 'post',
    path: '/runs/{id}/cancel',
    summary: 'Ends a run',
    query: previewQuery,
    body: cancelRequest,
    status: 200,
    response: z.union([impactSummary, runResponse]),
  },
  applyRun: {
    method: 'post',
    path: '/runs/{id}/apply',
    summary: 'Brings the result into the project; with ?preview=true says what that would do',
    query: previewQuery,
    body: applyRequest,
    status: 200,
    response: z.union([applySummary, runResponse]),
  },
  patchOfRun: {
    method: 'get',
    path: '/runs/{id}/patch',
    summary: 'The result as a patch for `git apply`, binary files included',
    status: 200,
    response: 'text/plain',
  },
  tellAgent: {
    method: 'post',
    path: '/runs/{id}/steps/{step}/messages',
    summary: 'Says something to the agent of a step, while it works or by stopping and going on',
    body: tellRequest,
    status: 201,
    response: runResponse,
  },
  pauseRun: {
    method: 'post',
    path: '/runs/{id}/pause',
    summary: 'Lets nothing more begin in a run, until it is resumed',
    query: previewQuery,
    body: pauseRequest,
    status: 200,
    response: z.union([impactSummary, runResponse]),
  },
  resumeRun: {
    method: 'post',
    path: '/runs/{id}/resume',
    summary:
      'Goes on with a paused run, with interrupted steps, and where parallel work is in conflict',
    query: previewQuery,
    body: resumeRequest,
    status: 200,
    response: z.union([impactSummary, runResponse]),
  },
  retryRun: {
    method: 'post',
    path: '/runs/{id}/retry',
    summary: 'Tries failed steps again',
    query: previewQuery,
    body: controlRequest,
    status: 200,
    response: z.union([impactSummary, runResponse]),
  },
  restartRun: {
    method: 'post',
    path: '/runs/{id}/restart',
    summary: 'Goes back to before a step, and runs it and what was built on it again',
    query: previewQuery,
    body: restartRequest,
    status: 200,
    response: z.union([impactSummary, runResponse]),
  },
  forkRun: {
    method: 'post',
    path: '/runs/{id}/fork',
    summary: 'Begins a new run from a checkpoint of this one, whatever has become of it',
    query: previewQuery,
    body: forkRequest,
    status: 201,
    response: z.union([impactSummary, runResponse]),
  },
  skipStep: {
    method: 'post',
    path: '/runs/{id}/skip',
    summary: 'Goes on without a step, once those who have to have agreed',
    query: previewQuery,
    body: restartRequest,
    status: 200,
    response: z.union([impactSummary, runResponse]),
  },
  replanRun: {
    method: 'post',
    path: '/runs/{id}/replan',
    summary: 'Lets the run follow another plan, once those who have to have agreed',
    query: previewQuery,
    body: replanRequest,
    status: 200,
    response: z.union([impactSummary, runResponse]),
  },
  listApprovals: {
    method: 'get',
    path: '/approvals',
    summary: 'Approval requests, newest first',
    query: approvalsQuery,
    status: 200,
    response: z.array(approvalResponse),
  },
  getApproval: {
    method: 'get',
    path: '/approvals/{id}',
    summary: 'One approval request',
    status: 200,
    response: approvalResponse,
  },
  diffOfApproval: {
    method: 'get',
    path: '/approvals/{id}/diff',
    summary: 'What has changed in the workspace that a request is about',
    status: 200,
    response: diffResponse,
  },
  decideApproval: {
    method: 'post',
    path: '/approvals/{id}/decisions',
    summary: 'One decision by the caller, bound to the digest that was shown',
    // The request says who may decide.
    role: 'viewer',
    body: decisionRequest,
    status: 201,
    response: runResponse,
  },
  listFeatures: {
    method: 'get',
    path: '/features',
    summary: "The features that the project's documents tell of, and documents that are broken",
    status: 200,
    response: featureListResponse,
  },
  getFeature: {
    method: 'get',
    path: '/features/{slug}',
    summary: 'One feature: its documents, phases, tasks, runs and recommended next step',
    status: 200,
    response: featureResponse,
  },
  readDocument: {
    method: 'get',
    path: '/features/{slug}/document',
    summary: 'The text of one of the documents of a feature; whoever shows it treats it as hostile',
    query: documentQuery,
    status: 200,
    response: documentTextResponse,
  },
  planFeature: {
    method: 'get',
    path: '/features/{slug}/plan',
    summary: 'A plan made of the documents of a feature, as the text of a plan file; saves nothing',
    query: featurePlanQuery,
    status: 200,
    response: featurePlanResponse,
  },
  listAdapters: {
    method: 'get',
    path: '/adapters',
    summary: 'The agents of this installation: versions, capabilities, whether they run',
    status: 200,
    response: z.array(adapterResponse),
  },
  getMetrics: {
    method: 'get',
    path: '/metrics',
    summary: 'How well the product does what it is for, each figure with its definition',
    query: metricsQuery,
    status: 200,
    response: metricsResponse,
  },
  overrideStep: {
    method: 'post',
    path: '/runs/{id}/override',
    summary:
      'Lets a step start once although the policy says otherwise; a second admin may have to agree',
    body: overrideRequest,
    status: 201,
    response: runResponse,
    role: 'admin',
  },
  reviewOverride: {
    method: 'post',
    path: '/approvals/{id}/review',
    summary: 'Records that somebody has looked at an override',
    body: reviewRequest,
    status: 200,
    response: runResponse,
    role: 'approver',
  },
  auditEvents: {
    method: 'get',
    path: '/audit',
    summary:
      'The log: pages of JSON, or a stream by position (Accept: text/event-stream, Last-Event-ID)',
    query: auditQuery,
    status: 200,
    response: eventPage,
  },
  auditVerify: {
    method: 'get',
    path: '/audit/verify',
    summary: 'Verifies the whole log',
    status: 200,
    response: auditReport,
  },
  auditExport: {
    method: 'get',
    path: '/audit/export',
    summary: 'The log as lines for the offline verifier',
    status: 200,
    response: 'application/x-ndjson',
  },
  createLogin: {
    method: 'post',
    path: '/logins',
    summary: 'A link that opens the pages in a browser, once and for a short time',
    role: 'viewer',
    body: emptyRequest,
    status: 201,
    response: loginResponse,
  },
  redeemLogin: {
    method: 'post',
    path: '/logins/redeem',
    summary: 'A token for a terminal, for a login code; once',
    body: loginRequest,
    status: 201,
    response: tokenResponse,
    isOpen: true,
  },
  logout: {
    method: 'post',
    path: '/logout',
    summary: 'Ends the session of this browser',
    body: emptyRequest,
    status: 200,
    response: healthResponse,
    role: 'viewer',
  },
  whoAmI: {
    method: 'get',
    path: '/me',
    summary: 'Who the credential of this request is of',
    status: 200,
    response: personResponse,
  },
  addTotp: {
    method: 'post',
    path: '/me/totp',
    summary: 'One-time codes as a proof of presence; the secret is shown once',
    body: proofRequest,
    status: 201,
    response: totpResponse,
    role: 'viewer',
  },
  addSshKey: {
    method: 'post',
    path: '/me/ssh-keys',
    summary: 'An SSH key as a proof of presence',
    body: sshKeyRequest,
    status: 201,
    response: personResponse,
    role: 'viewer',
  },
  beginPasskey: {
    method: 'post',
    path: '/me/passkeys/options',
    summary: 'What a browser is told to make a passkey; its challenge is good once',
    body: emptyRequest,
    status: 200,
    response: passkeyOptionsResponse,
    role: 'viewer',
  },
  addPasskey: {
    method: 'post',
    path: '/me/passkeys',
    summary: 'A passkey as a proof of presence',
    body: passkeyRequest,
    status: 201,
    response: personResponse,
    role: 'viewer',
  },
  askPasskey: {
    method: 'post',
    path: '/me/passkeys/challenges',
    summary: 'What a browser is told to sign one decision with a passkey',
    body: passkeyChallengeRequest,
    status: 200,
    response: passkeyOptionsResponse,
    role: 'viewer',
  },
  listPeople: {
    method: 'get',
    path: '/people',
    summary: 'Everybody, with roles and means of login',
    status: 200,
    response: z.array(personResponse),
  },
  addPerson: {
    method: 'post',
    path: '/people',
    summary: 'Adds a person',
    body: personRequest,
    status: 201,
    response: personResponse,
    role: 'admin',
  },
  setPersonRoles: {
    method: 'post',
    path: '/people/{id}/roles',
    summary: 'Gives a person these roles and no others',
    body: rolesRequest,
    status: 200,
    response: personResponse,
    role: 'admin',
  },
  revokePerson: {
    method: 'post',
    path: '/people/{id}/revoke',
    summary: 'Ends the access of a person at once',
    body: revokeRequest,
    status: 200,
    response: personResponse,
    role: 'admin',
  },
  createPersonLogin: {
    method: 'post',
    path: '/people/{id}/logins',
    summary: 'A login code for a person, once and for a short time',
    body: emptyRequest,
    status: 201,
    response: loginResponse,
    role: 'admin',
  },
  shutdown: {
    method: 'post',
    path: '/shutdown',
    summary: 'Stops the server; work in attempt hosts goes on',
    role: 'admin',
    body: emptyRequest,
    status: 202,
    response: healthResponse,
  },
};
