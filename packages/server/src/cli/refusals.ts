/** How a verb says no: in words, in JSON, and by its exit code. */
import type { PlanProblem, ProblemWord } from '@ccdash/api/client';
import type { Context } from './context.ts';

export const EXIT = {
  done: 0,
  failed: 1,
  usage: 2,
  blocked: 3,
  refused: 4,
  notFound: 5,
  conflict: 6,
  interrupted: 130,
} as const;

export interface CliRefusal {
  readonly type: string;
  readonly title: string;
  readonly detail: string;
  readonly hint: string | null;
  readonly at?: PlanProblem['at'];
  readonly problems?: readonly PlanProblem[];
}

/** Refusals of the command line itself. */
export type CliWord =
  | 'UsageError'
  | 'NoProject'
  | 'StateUnusable'
  | 'ServerNotStarted'
  | 'ServerInUse'
  | 'Unreachable'
  | 'AmbiguousId'
  | 'NotLoggedIn'
  | 'CheckoutDirty'
  | 'NotAgreed'
  | 'FileUnusable';

const TITLES: Readonly<Record<CliWord, string>> = {
  UsageError: 'The command was not understood.',
  NoProject: 'There is no project here.',
  StateUnusable: 'The state folder cannot be used.',
  ServerNotStarted: 'The server of the project did not start.',
  ServerInUse: 'A server of the project is in use.',
  Unreachable: 'The server of the project cannot be reached.',
  CheckoutDirty: 'Your checkout has work that is not committed.',
  NotAgreed: 'This needs your yes.',
  NotLoggedIn: 'This terminal has no credential for the server.',
  AmbiguousId: 'More than one thing is meant.',
  FileUnusable: 'A file cannot be used.',
};

export function cliRefusal(type: CliWord, detail: string, hint: string): CliRefusal {
  return { type, title: TITLES[type], detail, hint };
}

/** What the API, the engine's folder or a file said no to, by its own word. */
export function failureToRefusal(failure: {
  readonly code: string;
  readonly message: string;
  readonly hint: string | null;
}): CliRefusal {
  const { code, message, hint } = failure;
  return { type: code, title: message, detail: message, hint };
}

export function problemToRefusal(
  problem:
    | {
        readonly error: ProblemWord;
        readonly title: string;
        readonly detail: string;
        readonly hint: string | null;
        readonly problems?: readonly PlanProblem[];
      }
    | { readonly error: 'Unreachable'; readonly detail: string },
): CliRefusal {
  if (problem.error === 'Unreachable') {
    const hint = 'Try again; a server is started when none lives.';
    return cliRefusal('Unreachable', `The connection failed: ${problem.detail}.`, hint);
  }
  const { error, title, detail, hint, problems } = problem;
  const at = problems?.[0]?.at;
  return {
    ...{ type: error, title, detail, hint },
    ...(at === undefined ? {} : { at }),
    ...(problems === undefined ? {} : { problems }),
  };
}

/** Writes the refusal; gives the exit code. */
export function refuse(context: Context, refusal: CliRefusal): number {
  const { problems, ...error } = refusal;
  if (context.isJson) {
    context.writeJson({ error, ...(problems === undefined ? {} : { problems }) });
  } else {
    const [first = '', ...rest] = refusal.detail.split('\n');
    context.warn({ text: 'error', style: 'bad' }, ` ${first}`);
    for (const line of rest) context.warn(`  ${line}`);
    for (const problem of problems ?? []) context.warn(`  ${planProblemToText(problem)}`);
    if (refusal.hint !== null) context.warn({ text: refusal.hint, style: 'quiet' });
  }
  return exitCodeOf(refusal.type);
}

/** `file:line:column: message (hint)`. */
export function planProblemToText({ at, severity, detail, hint }: PlanProblem): string {
  const word = severity === 'warning' ? 'warning: ' : '';
  return `${at.file}:${at.line}:${at.column}: ${word}${detail} (${hint})`;
}

const EXIT_CODES: Readonly<Record<ProblemWord | CliWord, number>> = {
  UsageError: EXIT.usage,
  NoProject: EXIT.usage,
  StateUnusable: EXIT.failed,
  ServerNotStarted: EXIT.failed,
  ServerInUse: EXIT.conflict,
  Unreachable: EXIT.failed,
  AmbiguousId: EXIT.usage,
  NotLoggedIn: EXIT.refused,
  CheckoutDirty: EXIT.conflict,
  NotAgreed: EXIT.blocked,
  FileUnusable: EXIT.usage,
  RunExists: EXIT.conflict,
  RunNotFound: EXIT.notFound,
  RunOver: EXIT.conflict,
  RunPaused: EXIT.conflict,
  ApplyUnderWay: EXIT.conflict,
  NothingToApply: EXIT.conflict,
  SummaryMoved: EXIT.conflict,
  NotApplicable: EXIT.conflict,
  DigestRequired: EXIT.usage,
  NothingToRestart: EXIT.conflict,
  StepNotFound: EXIT.notFound,
  StepNotReady: EXIT.conflict,
  SlotTaken: EXIT.conflict,
  AttemptFenced: EXIT.conflict,
  GateNotOpen: EXIT.conflict,
  CannotBeTold: EXIT.conflict,
  ApprovalNotFound: EXIT.notFound,
  ApprovalNotOpen: EXIT.conflict,
  SubjectMoved: EXIT.conflict,
  NotAllowedToDecide: EXIT.refused,
  AlreadyDecided: EXIT.conflict,
  NotOverridable: EXIT.refused,
  ChangeDenied: EXIT.refused,
  NothingToFork: EXIT.conflict,
  PlanUnfit: EXIT.conflict,
  ReasonTooShort: EXIT.usage,
  ReasonRequired: EXIT.usage,
  FormInvalid: EXIT.usage,
  NothingToResume: EXIT.conflict,
  NothingToRetry: EXIT.conflict,
  StoreUnavailable: EXIT.failed,
  PlanNotFound: EXIT.notFound,
  PlanMoved: EXIT.conflict,
  PlanInvalid: EXIT.usage,
  InputInvalid: EXIT.usage,
  ProjectUnusable: EXIT.usage,
  Quarantined: EXIT.failed,
  AttemptNotFound: EXIT.notFound,
  DiffUnavailable: EXIT.conflict,
  OutputNotFound: EXIT.notFound,
  ArtifactNotFound: EXIT.notFound,
  DocumentNotFound: EXIT.notFound,
  FeatureNotFound: EXIT.notFound,
  NothingToPlan: EXIT.conflict,
  RouteNotFound: EXIT.notFound,
  MethodNotAllowed: EXIT.failed,
  HostNotAllowed: EXIT.refused,
  OriginNotAllowed: EXIT.refused,
  NotAuthenticated: EXIT.refused,
  LoginInvalid: EXIT.refused,
  RoleRequired: EXIT.refused,
  PersonInvalid: EXIT.usage,
  PersonExists: EXIT.conflict,
  PersonNotFound: EXIT.notFound,
  OwnerFixed: EXIT.refused,
  ProofRequired: EXIT.refused,
  ProofInvalid: EXIT.refused,
  BodyNotJson: EXIT.usage,
  BodyTooLarge: EXIT.usage,
  BodyMalformed: EXIT.usage,
  BodyInvalid: EXIT.usage,
  QueryInvalid: EXIT.usage,
  RangeNotSatisfiable: EXIT.usage,
  IdempotencyKeyInvalid: EXIT.usage,
  IdempotencyKeyReused: EXIT.conflict,
  NotReady: EXIT.failed,
  InternalError: EXIT.failed,
};

/** Codes of failures that are no words of the API. */
const EXIT_CODES_OF_FAILURES: Readonly<Record<string, number>> = {
  not_a_repository: EXIT.usage,
  host_not_loopback: EXIT.usage,
  unknown_adapter: EXIT.notFound,
  state_locked: EXIT.conflict,
  state_exists: EXIT.conflict,
  file_exists: EXIT.conflict,
  no_log: EXIT.notFound,
};

function exitCodeOf(type: string): number {
  const byWord: Readonly<Record<string, number | undefined>> = EXIT_CODES;
  return byWord[type] ?? EXIT_CODES_OF_FAILURES[type] ?? EXIT.failed;
}
