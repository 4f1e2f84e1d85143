/** The API for programs: one method a route, refusals as values, streams that go on where they were cut. */
import { err, ok } from '@ccdash/core';
import type {
  AdapterView,
  JsonObject,
  ApprovalView,
  ChangedPath,
  Impact,
  MetricsView,
  Budget,
  Plan,
  PolicyVerdict,
  Result,
  RunView,
  StoredEvent,
  ApplyMode,
  ApplyPreview,
} from '@ccdash/core';
import type {
  ApplyBody,
  CancelBody,
  ControlBody,
  DecisionBody,
  LaunchBody,
  OverrideRequest,
  PauseBody,
  ForkBody,
  ReplanBody,
  RestartBody,
  SkipBody,
  PersonRequest,
  ProofRequest,
  TellBody,
} from '../schema/requests.ts';
import type { PlanProblem, ProblemBody } from '../schema/problems.ts';
import type { PlanSummary, RevisionRequest } from '../schema/plans.ts';
import type { PolicyCheckRequest, PolicyCheckView, PolicyView } from '../schema/policy.ts';
import type { DocumentText, FeatureList, FeaturePlan, FeatureView } from '../schema/features.ts';
import { readSse } from './sse.ts';

export interface ClientOptions {
  /** `http://127.0.0.1:PORT`. */
  readonly baseUrl: string;
  /** Null: in a page of the server, by the session of the browser. */
  readonly token: string | null;
  readonly fetch?: typeof fetch;
}

/** The server could not be reached, or the connection broke. */
export interface Unreachable {
  readonly error: 'Unreachable';
  readonly detail: string;
}

export type ClientError = ProblemBody | Unreachable;
type Answer<T> = Promise<Result<T, ClientError>>;

export interface SavedPlanView {
  readonly id: string;
  readonly revision: number;
  readonly digest: string;
  readonly plan: Plan;
  /** The file as it was saved. */
  readonly source: string;
  readonly savedAt: string;
}

export interface PersonView {
  readonly id: string;
  readonly isOwner: boolean;
  readonly roles: readonly string[];
  readonly addedAt: string | null;
  readonly revokedAt: string | null;
  readonly credentials: readonly {
    readonly id: string;
    readonly kind: string;
    readonly label: string;
    readonly addedAt: string;
  }[];
}

export interface LoginView {
  readonly url: string;
  readonly code: string;
  readonly expiresAt: string;
}

/** What applying a result would do; `digest` agrees to exactly that. */
export interface ApplySummaryView extends ApplyPreview {
  readonly as: ApplyMode;
  readonly message: string;
  readonly digest: string;
}

export type ControlAction = 'cancel' | 'pause' | 'resume' | 'retry' | 'restart' | 'skip' | 'replan';

/** What an action would do; `digest` agrees to exactly that. */
export interface ImpactSummaryView extends Impact {
  readonly action: ControlAction | 'fork';
  readonly files: readonly ChangedPath[];
  readonly lines: { readonly added: number; readonly removed: number } | null;
  readonly keptAt: string | null;
  readonly sideEffects: readonly {
    readonly step: string;
    readonly attempts: number;
    readonly hosts: readonly string[];
    /** Commands and tool calls that it is known to have run, and what each does beyond the workspace. */
    readonly did: readonly { readonly what: string; readonly effects: readonly string[] }[];
  }[];
  readonly digest: string;
}

export interface DryRunView {
  readonly steps: readonly {
    readonly step: string;
    readonly kind: string;
    readonly needs: readonly string[];
    readonly verdict: PolicyVerdict;
    /** Of an agent: what it may use up at most. */
    readonly budget: Budget | null;
  }[];
  /** Of the whole run. */
  readonly budget: Budget;
  readonly approvalsNeeded: readonly string[];
  readonly notCarried: readonly string[];
}

/** What changed; `to` is null for the work tree as it is at this moment. */
/** A script file's content, with what it does not hold. */
export interface RecordingView {
  readonly script: JsonObject;
  readonly answers: number;
  readonly leftOut: readonly string[];
}

export interface DiffView {
  readonly from: string;
  readonly to: string | null;
  readonly files: readonly ChangedPath[];
  readonly text: string;
  readonly truncated: boolean;
}

export interface AuditReportView {
  readonly ok: boolean;
  readonly size: number;
  readonly bypasses: number | null;
  readonly root: string;
  readonly problem: { readonly position: number | null; readonly detail: string } | null;
}

export interface EventPage {
  readonly events: readonly StoredEvent[];
  readonly next: number | null;
  readonly previous: number | null;
  readonly count: number;
}

/** `from` or `before` say where; the others have to fit. */
export interface EventWindow {
  readonly from?: number;
  readonly before?: number;
  readonly limit?: number;
  readonly step?: string;
  /** With commas between them. */
  readonly types?: string;
  readonly errors?: boolean;
  readonly find?: string;
}

export interface PlanCheckView {
  readonly ok: boolean;
  readonly problems: readonly PlanProblem[];
}

export type OutputBytes = ReadableStream<Uint8Array>;

export interface Client {
  /** Whether a server answers; the token is not shown to it. */
  isAlive(): Promise<boolean>;
  savePlan(text: string, file: string): Answer<SavedPlanView>;
  /** The newest revision when none is named. */
  plan(id: string, revision?: number): Answer<SavedPlanView>;
  /** The newest of each plan, the last saved first. */
  plans(feature?: string): Answer<readonly PlanSummary[]>;
  revisePlan(id: string, body: RevisionRequest): Answer<SavedPlanView>;
  checkPlan(text: string, file: string): Answer<PlanCheckView>;
  /** With `inputs`, also whether a run could be launched with them. */
  dryRun(text: string, file: string, inputs?: LaunchBody['inputs']): Answer<DryRunView>;
  launch(planId: string, body: LaunchBody): Answer<RunView>;
  runs(): Answer<readonly RunView[]>;
  run(id: string): Answer<RunView>;
  /** The whole run when no step is named, its newest attempt when none is. */
  diff(id: string, step: string | null, attempt: number | null): Answer<DiffView>;
  /**
   * Bytes of an attempt's output from `from` on, as they are kept now; nothing when there are none yet. With `follow`
   * also those that come until the attempt has ended.
   */
  output(
    id: string,
    step: string,
    attempt: number,
    from: number,
    follow?: boolean,
  ): Answer<OutputBytes>;
  runEvents(id: string, from: number, limit: number): Answer<EventPage>;
  /** A window of the log, or of a run, filtered by the server. */
  eventWindow(runId: string | null, window: EventWindow): Answer<EventPage>;
  cancel(id: string, body: CancelBody): Answer<RunView>;
  restart(id: string, body: RestartBody): Answer<RunView>;
  /** The new run. */
  fork(id: string, body: ForkBody): Answer<RunView>;
  skip(id: string, body: SkipBody): Answer<RunView>;
  replan(id: string, body: ReplanBody): Answer<RunView>;
  /** What an action would do. */
  preview(id: string, action: ControlAction | 'fork', body: object): Answer<ImpactSummaryView>;
  /** What applying the result would do. */
  previewApply(id: string, body: ApplyBody): Answer<ApplySummaryView>;
  /** Needs the digest of the summary. */
  apply(id: string, body: ApplyBody): Answer<RunView>;
  patch(id: string): Answer<Uint8Array>;
  /** By its SHA-256; the caller holds the bytes against that. */
  artifact(sha256: string): Answer<Uint8Array>;
  /** The file as it is to be kept. */
  report(id: string, format: 'html' | 'md' | 'json'): Answer<string>;
  tell(id: string, step: string, body: TellBody): Answer<RunView>;
  pause(id: string, body: PauseBody): Answer<RunView>;
  resume(id: string, body: ControlBody): Answer<RunView>;
  retry(id: string, body: ControlBody): Answer<RunView>;
  approvals(status?: string): Answer<readonly ApprovalView[]>;
  approval(id: string): Answer<ApprovalView>;
  approvalDiff(id: string): Answer<DiffView>;
  decide(id: string, body: DecisionBody): Answer<RunView>;
  override(id: string, body: OverrideRequest): Answer<RunView>;
  reviewOverride(id: string, body: { readonly note: string }): Answer<RunView>;
  features(): Answer<FeatureList>;
  feature(slug: string): Answer<FeatureView & { readonly runs: readonly string[] }>;
  /** The text of a document of a feature. It is as hostile as any text of a repository. */
  document(slug: string, path: string): Answer<DocumentText>;
  policy(): Answer<PolicyView>;
  checkPolicy(body: PolicyCheckRequest): Answer<PolicyCheckView>;
  planFeature(slug: string, phase: string | null, agent: string): Answer<FeaturePlan>;
  recording(id: string): Answer<RecordingView>;
  adapters(): Answer<readonly AdapterView[]>;
  /** Of runs launched since then; null: of all. */
  metrics(since: string | null): Answer<MetricsView>;
  auditEvents(from: number, limit: number): Answer<EventPage>;
  auditVerify(): Answer<AuditReportView>;
  auditExport(): Answer<ReadableStream<Uint8Array>>;
  createLogin(): Answer<LoginView>;
  /** Needs no token. */
  redeemLogin(body: {
    readonly code: string;
  }): Answer<{ readonly person: string; readonly token: string }>;
  whoAmI(): Answer<PersonView>;
  addTotp(body: {
    readonly proof: ProofRequest | null;
  }): Answer<{ readonly secret: string; readonly uri: string }>;
  addSshKey(body: {
    readonly publicKey: string;
    readonly proof: ProofRequest | null;
  }): Answer<PersonView>;
  /** For `PublicKeyCredential.parseCreationOptionsFromJSON`. */
  beginPasskey(): Answer<JsonObject>;
  addPasskey(body: {
    readonly response: JsonObject;
    readonly proof: ProofRequest | null;
  }): Answer<PersonView>;
  /** For `PublicKeyCredential.parseRequestOptionsFromJSON`. */
  askPasskey(body: {
    readonly approvalId: string;
    readonly decision: 'approve' | 'reject';
    readonly subjectDigest: string;
  }): Answer<JsonObject>;
  people(): Answer<readonly PersonView[]>;
  addPerson(body: PersonRequest): Answer<PersonView>;
  setPersonRoles(person: string, body: Pick<PersonRequest, 'roles'>): Answer<PersonView>;
  revokePerson(person: string, body: { readonly reason: string }): Answer<PersonView>;
  createPersonLogin(person: string): Answer<LoginView>;
  shutdown(): Answer<unknown>;
  /**
   * Events of a run from `from` on, oldest first, without a gap or a double; live until `signal` aborts. A connection
   * that breaks is made again; after `patience` failures in a row the last error is thrown as ClientGaveUp.
   */
  events(id: string, from: number, signal: AbortSignal): AsyncGenerator<StoredEvent, void>;
}

/** The stream could not be taken up again. */
export class ClientGaveUp extends Error {
  override readonly name = 'ClientGaveUp';
  readonly reason: ClientError;

  constructor(reason: ClientError) {
    super(reason.detail);
    this.reason = reason;
  }
}

/** Only a script of our own page can send it. */
const OWN_PAGE = { 'x-ccdash-request': '1' };
const PATIENCE = 5;
const PAUSE_MS = 300;
const ALIVE_TIMEOUT_MS = 2000;

export function createClient(options: ClientOptions): Client {
  const { baseUrl, token } = options;
  const send = options.fetch ?? fetch;

  async function request(
    method: 'GET' | 'POST',
    path: string,
    body?: unknown,
    init: RequestInit = {},
  ): Promise<Result<Response, ClientError>> {
    const headers: Record<string, string> = {
      ...(token === null ? OWN_PAGE : { authorization: `Bearer ${token}` }),
      ...(init.headers as Record<string, string> | undefined),
    };
    if (method === 'POST') headers['content-type'] = 'application/json';
    try {
      const response = await send(`${baseUrl}/api/v1${path}`, {
        ...init,
        method,
        headers,
        ...(method === 'POST' ? { body: JSON.stringify(body ?? {}) } : {}),
      });
      if (response.ok) return ok(response);
      return err(await problemOf(response));
    } catch (error) {
      return err(unreachable(error));
    }
  }

  async function json<T>(method: 'GET' | 'POST', path: string, body?: unknown): Answer<T> {
    const response = await request(method, path, body);
    if (!response.ok) return response;
    try {
      return ok((await response.value.json()) as T);
    } catch (error) {
      return err(unreachable(error));
    }
  }

  async function isAlive(): Promise<boolean> {
    try {
      const signal = AbortSignal.timeout(ALIVE_TIMEOUT_MS);
      return (await send(`${baseUrl}/api/v1/healthz`, { signal })).ok;
    } catch (error) {
      if (error instanceof TypeError || error instanceof DOMException) return false;
      throw error;
    }
  }

  async function* events(
    id: string,
    from: number,
    signal: AbortSignal,
  ): AsyncGenerator<StoredEvent, void> {
    let next = from;
    for (let failures = 0; !signal.aborted; failures += 1) {
      const headers: Record<string, string> = { accept: 'text/event-stream' };
      if (next > 0) headers['last-event-id'] = String(next - 1);
      const path = `/runs/${encodeURIComponent(id)}/events`;
      const response = await request('GET', path, undefined, { headers, signal });
      if (response.ok && response.value.body !== null) {
        try {
          for await (const frame of readSse(response.value.body)) {
            const event = JSON.parse(frame.data) as StoredEvent;
            if (event.sequence !== next) continue;
            next += 1;
            failures = 0;
            yield event;
          }
        } catch (error) {
          if (failures >= PATIENCE && !isAborted(signal))
            throw new ClientGaveUp(unreachable(error));
        }
      } else if (!response.ok && !isAborted(signal)) {
        const { error } = response;
        const isFinal = error.error !== 'Unreachable';
        if (isFinal || failures >= PATIENCE) throw new ClientGaveUp(error);
      }
      if (!isAborted(signal)) await pause(PAUSE_MS);
    }
  }

  const runPath = (id: string): string => `/runs/${encodeURIComponent(id)}`;
  const personPath = (id: string): string => `/people/${encodeURIComponent(id)}`;
  const approvalPath = (id: string): string => `/approvals/${encodeURIComponent(id)}`;
  return {
    isAlive,
    savePlan: (text, file) => json('POST', '/plans', { text, file }),
    plan: (id, revision) =>
      json(
        'GET',
        `/plans/${encodeURIComponent(id)}${revision === undefined ? '' : `?revision=${revision}`}`,
      ),
    plans: (feature) =>
      json(
        'GET',
        `/plans${feature === undefined ? '' : `?feature=${encodeURIComponent(feature)}`}`,
      ),
    revisePlan: (id, body) => json('POST', `/plans/${encodeURIComponent(id)}/revisions`, body),
    checkPlan: (text, file) => json('POST', '/plans/check', { text, file }),
    dryRun: (text, file, inputs) => json('POST', '/plans/dry-run', { text, file, inputs }),
    launch: (planId, body) => json('POST', `/plans/${encodeURIComponent(planId)}/runs`, body),
    runs: () => json('GET', '/runs'),
    run: (id) => json('GET', runPath(id)),
    diff: (id, step, attempt) => {
      const query = new URLSearchParams();
      if (step !== null) query.set('step', step);
      if (attempt !== null) query.set('attempt', String(attempt));
      return json('GET', `${runPath(id)}/diff?${query.toString()}`);
    },
    output: async (id, step, attempt, from, follow = false) => {
      const file = `${runPath(id)}/steps/${encodeURIComponent(step)}/attempts/${attempt}/output`;
      const path = follow ? `${file}?follow=true` : file;
      const headers = { range: `bytes=${from}-` };
      const response = await request('GET', path, undefined, { headers });
      if (response.ok) return ok(response.value.body ?? emptyBytes());
      return response.error.error === 'RangeNotSatisfiable' ? ok(emptyBytes()) : response;
    },
    runEvents: (id, from, limit) =>
      json('GET', `${runPath(id)}/events?from=${from}&limit=${limit}`),
    eventWindow: (runId, window) => {
      const query = new URLSearchParams();
      for (const [name, value] of Object.entries(window)) query.set(name, String(value));
      return json('GET', `${runId === null ? '/audit' : `${runPath(runId)}/events`}?${query}`);
    },
    cancel: (id, body) => json('POST', `${runPath(id)}/cancel`, body),
    restart: (id, body) => json('POST', `${runPath(id)}/restart`, body),
    fork: (id, body) => json('POST', `${runPath(id)}/fork`, body),
    skip: (id, body) => json('POST', `${runPath(id)}/skip`, body),
    replan: (id, body) => json('POST', `${runPath(id)}/replan`, body),
    preview: (id, action, body) => json('POST', `${runPath(id)}/${action}?preview=true`, body),
    previewApply: (id, body) => json('POST', `${runPath(id)}/apply?preview=true`, body),
    apply: (id, body) => json('POST', `${runPath(id)}/apply`, body),
    patch: async (id) => {
      const response = await request('GET', `${runPath(id)}/patch`);
      return response.ok ? ok(new Uint8Array(await response.value.arrayBuffer())) : response;
    },
    artifact: async (sha256) => {
      const response = await request('GET', `/artifacts/${encodeURIComponent(sha256)}`);
      return response.ok ? ok(new Uint8Array(await response.value.arrayBuffer())) : response;
    },
    report: async (id, format) => {
      const response = await request('GET', `${runPath(id)}/report?format=${format}`);
      return response.ok ? ok(await response.value.text()) : response;
    },
    tell: (id, step, body) =>
      json('POST', `${runPath(id)}/steps/${encodeURIComponent(step)}/messages`, body),
    pause: (id, body) => json('POST', `${runPath(id)}/pause`, body),
    resume: (id, body) => json('POST', `${runPath(id)}/resume`, body),
    retry: (id, body) => json('POST', `${runPath(id)}/retry`, body),
    approvals: (status) =>
      json('GET', `/approvals${status === undefined ? '' : `?status=${status}`}`),
    approval: (id) => json('GET', approvalPath(id)),
    approvalDiff: (id) => json('GET', `${approvalPath(id)}/diff`),
    decide: (id, body) => json('POST', `${approvalPath(id)}/decisions`, body),
    override: (id, body) => json('POST', `${runPath(id)}/override`, body),
    reviewOverride: (id, body) => json('POST', `${approvalPath(id)}/review`, body),
    features: () => json('GET', '/features'),
    feature: (slug) => json('GET', `/features/${encodeURIComponent(slug)}`),
    document: (slug, path) =>
      json(
        'GET',
        `/features/${encodeURIComponent(slug)}/document?path=${encodeURIComponent(path)}`,
      ),
    policy: () => json('GET', '/policy'),
    checkPolicy: (body) => json('POST', '/policy/check', body),
    planFeature: (slug, phase, agent) => {
      const query = new URLSearchParams({ agent, ...(phase === null ? {} : { phase }) });
      return json('GET', `/features/${encodeURIComponent(slug)}/plan?${query.toString()}`);
    },
    recording: (id) => json('GET', `${runPath(id)}/recording`),
    adapters: () => json('GET', '/adapters'),
    metrics: (since) =>
      json('GET', `/metrics${since === null ? '' : `?since=${encodeURIComponent(since)}`}`),
    auditEvents: (from, limit) => json('GET', `/audit?from=${from}&limit=${limit}`),
    auditVerify: () => json('GET', '/audit/verify'),
    auditExport: async () => {
      const response = await request('GET', '/audit/export');
      if (!response.ok) return response;
      const { body } = response.value;
      return body === null ? err(unreachable('an empty answer')) : ok(body);
    },
    createLogin: () => json('POST', '/logins'),
    redeemLogin: (body) => json('POST', '/logins/redeem', body),
    whoAmI: () => json('GET', '/me'),
    addTotp: (body) => json('POST', '/me/totp', body),
    addSshKey: (body) => json('POST', '/me/ssh-keys', body),
    beginPasskey: () => json('POST', '/me/passkeys/options', {}),
    addPasskey: (body) => json('POST', '/me/passkeys', body),
    askPasskey: (body) => json('POST', '/me/passkeys/challenges', body),
    people: () => json('GET', '/people'),
    addPerson: (body) => json('POST', '/people', body),
    setPersonRoles: (person, body) => json('POST', `${personPath(person)}/roles`, body),
    revokePerson: (person, body) => json('POST', `${personPath(person)}/revoke`, body),
    createPersonLogin: (person) => json('POST', `${personPath(person)}/logins`),
    shutdown: () => json('POST', '/shutdown'),
    events,
  };
}

function emptyBytes(): OutputBytes {
  return new ReadableStream({ start: (controller) => controller.close() });
}

/** In a function of its own: the compiler takes a property that changes meanwhile for a constant. */
function isAborted(signal: AbortSignal): boolean {
  return signal.aborted;
}

/** What answers may not be our server at all. */
async function problemOf(response: Response): Promise<ClientError> {
  const text = await response.text();
  try {
    const body: unknown = JSON.parse(text);
    if (typeof body === 'object' && body !== null && 'error' in body) return body as ProblemBody;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  return { error: 'Unreachable', detail: `an answer ${response.status} that is not the API's` };
}

function unreachable(error: unknown): Unreachable {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  return { error: 'Unreachable', detail: cause instanceof Error ? cause.message : String(cause) };
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}
