/** Every expected no of the API, in words: what a refusal is called, and how a response carries it. */
import type { Refusal } from '@ccdash/core';
import { REFUSALS } from '@ccdash/core';
import { z } from 'zod';
import { problemInPlan } from './responses.ts';

/** Stable words; scripts may rely on them. */
export type ProblemWord =
  | Refusal['type']
  | 'StoreUnavailable'
  | 'PlanNotFound'
  | 'PlanMoved'
  | 'PlanInvalid'
  | 'InputInvalid'
  | 'ProjectUnusable'
  | 'Quarantined'
  | 'AttemptNotFound'
  | 'DiffUnavailable'
  | 'OutputNotFound'
  | 'FeatureNotFound'
  | 'NothingToPlan'
  | 'DocumentNotFound'
  | 'ArtifactNotFound'
  | 'RouteNotFound'
  | 'MethodNotAllowed'
  | 'HostNotAllowed'
  | 'OriginNotAllowed'
  | 'NotAuthenticated'
  | 'LoginInvalid'
  | 'RoleRequired'
  | 'PersonInvalid'
  | 'PersonExists'
  | 'PersonNotFound'
  | 'OwnerFixed'
  | 'ProofRequired'
  | 'ProofInvalid'
  | 'BodyNotJson'
  | 'BodyTooLarge'
  | 'BodyMalformed'
  | 'BodyInvalid'
  | 'QueryInvalid'
  | 'RangeNotSatisfiable'
  | 'IdempotencyKeyInvalid'
  | 'IdempotencyKeyReused'
  | 'SummaryMoved'
  | 'NotApplicable'
  | 'DigestRequired'
  | 'NotReady'
  | 'InternalError';

export interface ProblemKind {
  readonly status: 400 | 401 | 403 | 404 | 405 | 409 | 413 | 415 | 416 | 421 | 422 | 500 | 503;
  readonly title: string;
}

/** The status and the title of each. */
export const PROBLEMS: Readonly<Record<ProblemWord, ProblemKind>> = {
  RunExists: { status: 409, title: REFUSALS.RunExists },
  RunNotFound: { status: 404, title: REFUSALS.RunNotFound },
  RunOver: { status: 409, title: REFUSALS.RunOver },
  RunPaused: { status: 409, title: REFUSALS.RunPaused },
  ApplyUnderWay: { status: 409, title: REFUSALS.ApplyUnderWay },
  NothingToApply: { status: 409, title: REFUSALS.NothingToApply },
  StepNotFound: { status: 404, title: REFUSALS.StepNotFound },
  StepNotReady: { status: 409, title: REFUSALS.StepNotReady },
  SlotTaken: { status: 409, title: REFUSALS.SlotTaken },
  AttemptFenced: { status: 409, title: REFUSALS.AttemptFenced },
  GateNotOpen: { status: 409, title: REFUSALS.GateNotOpen },
  CannotBeTold: { status: 409, title: REFUSALS.CannotBeTold },
  ApprovalNotFound: { status: 404, title: REFUSALS.ApprovalNotFound },
  ApprovalNotOpen: { status: 409, title: REFUSALS.ApprovalNotOpen },
  SubjectMoved: { status: 409, title: REFUSALS.SubjectMoved },
  NotAllowedToDecide: { status: 403, title: REFUSALS.NotAllowedToDecide },
  AlreadyDecided: { status: 409, title: REFUSALS.AlreadyDecided },
  NotOverridable: { status: 403, title: REFUSALS.NotOverridable },
  ReasonTooShort: { status: 422, title: REFUSALS.ReasonTooShort },
  ReasonRequired: { status: 422, title: REFUSALS.ReasonRequired },
  FormInvalid: { status: 422, title: REFUSALS.FormInvalid },
  NothingToResume: { status: 409, title: REFUSALS.NothingToResume },
  ChangeDenied: { status: 403, title: REFUSALS.ChangeDenied },
  PlanUnfit: { status: 409, title: REFUSALS.PlanUnfit },
  NothingToFork: { status: 409, title: REFUSALS.NothingToFork },
  NothingToRestart: { status: 409, title: REFUSALS.NothingToRestart },
  NothingToRetry: { status: 409, title: REFUSALS.NothingToRetry },
  SummaryMoved: { status: 409, title: 'What was agreed to is not what would happen now.' },
  NotApplicable: { status: 409, title: 'The result cannot be applied like this.' },
  DigestRequired: { status: 422, title: 'The digest of what was shown is missing.' },
  StoreUnavailable: { status: 503, title: 'The log cannot be written.' },
  PlanNotFound: { status: 404, title: 'There is no such plan, or no such revision of it.' },
  PlanMoved: { status: 409, title: 'The plan has a newer revision.' },
  PlanInvalid: { status: 422, title: 'The plan is not valid.' },
  InputInvalid: { status: 422, title: 'The inputs are not those that the plan asks for.' },
  ProjectUnusable: { status: 422, title: 'The project cannot be worked on as it is.' },
  Quarantined: { status: 500, title: 'The run has met a bug and is set aside.' },
  AttemptNotFound: { status: 404, title: 'The step has no such attempt.' },
  DiffUnavailable: { status: 409, title: 'There is no difference to show.' },
  OutputNotFound: { status: 404, title: 'There is no such attempt.' },
  NothingToPlan: { status: 409, title: 'No plan can be made of these documents.' },
  ArtifactNotFound: { status: 404, title: 'Nothing is kept under this digest.' },
  DocumentNotFound: { status: 404, title: 'The feature has no such document to read.' },
  FeatureNotFound: { status: 404, title: 'There is no such feature.' },
  RouteNotFound: { status: 404, title: 'There is no such address.' },
  MethodNotAllowed: { status: 405, title: 'The address does not take this method.' },
  HostNotAllowed: { status: 421, title: 'The request was meant for another host.' },
  OriginNotAllowed: { status: 403, title: 'The request comes from another site.' },
  NotAuthenticated: { status: 401, title: 'The request has no valid credential.' },
  RoleRequired: { status: 403, title: 'This person has no role that may do this.' },
  PersonInvalid: { status: 422, title: 'The person cannot be recorded like this.' },
  PersonExists: { status: 409, title: 'There is a person of this name.' },
  PersonNotFound: { status: 404, title: 'There is no such person, or not any more.' },
  OwnerFixed: { status: 403, title: 'The owner of the machine cannot be changed.' },
  ProofRequired: { status: 403, title: 'This needs a proof that the person is there.' },
  ProofInvalid: { status: 403, title: 'The proof of presence is not good.' },
  LoginInvalid: { status: 401, title: 'The login link is not valid any more.' },
  BodyNotJson: { status: 415, title: 'The body is not announced as JSON.' },
  BodyTooLarge: { status: 413, title: 'The body is too large.' },
  BodyMalformed: { status: 400, title: 'The body is not valid JSON.' },
  BodyInvalid: { status: 422, title: 'The body is not what this address takes.' },
  QueryInvalid: { status: 400, title: 'The query is not what this address takes.' },
  RangeNotSatisfiable: { status: 416, title: 'The range lies outside of the output.' },
  IdempotencyKeyInvalid: { status: 400, title: 'The Idempotency-Key is not valid.' },
  IdempotencyKeyReused: { status: 422, title: 'The Idempotency-Key was used for another request.' },
  NotReady: { status: 503, title: 'The server does not take work yet.' },
  InternalError: { status: 500, title: 'The server has met a bug.' },
};

/** A problem document (RFC 9457) with our word in `error` and what to do next in `hint`. */
export interface ProblemBody {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly error: ProblemWord;
  readonly hint: string | null;
  /** Of PlanInvalid: everything that is wrong with the plan. */
  readonly problems?: readonly PlanProblem[];
}

export interface PlanProblem {
  readonly type: string;
  readonly severity: 'error' | 'warning';
  readonly title: string;
  readonly detail: string;
  readonly hint: string;
  readonly at: { readonly file: string; readonly line: number; readonly column: number };
}

export const problemResponse: z.ZodType = z.object({
  type: z.string(),
  title: z.string(),
  status: z.int(),
  detail: z.string(),
  error: z.string(),
  hint: z.string().nullable(),
  problems: z.array(problemInPlan).optional(),
});
