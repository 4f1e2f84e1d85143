/** What each route of the API does: one call of the workbench, and its answer. */
import {
  applyRequest,
  approvalsQuery,
  cancelRequest,
  controlRequest,
  resumeRequest,
  decisionRequest,
  diffQuery,
  emptyRequest,
  documentQuery,
  featurePlanQuery,
  plansQuery,
  policyCheckRequest,
  revisionRequest,
  launchRequest,
  overrideRequest,
  reviewRequest,
  openApiDocument,
  auditQuery,
  eventsQuery,
  metricsQuery,
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
} from '@ccdash/api';
import type { AuditQuery, PlanProblem, PlanSummary, RouteName } from '@ccdash/api';
import { err, ok } from '@ccdash/core';
import type { Plan, Result, RunView } from '@ccdash/core';
import type { z } from 'zod';
import type { Proof, Statement } from '../base/people.ts';
import { planOfCommand } from '../base/command-plan.ts';
import type { Features } from '../base/features.ts';
import type { ReportFormat } from '../base/run-evidence.ts';
import type { PolicyDesk } from '../base/policy-desk.ts';
import type {
  Caller,
  ControlRequest,
  SavedPlan,
  Workbench,
  WorkbenchRefusal,
} from '../base/workbench.ts';
import { artifactToResponse } from './artifact-bytes.ts';
import { outputToResponse } from './attempt-output.ts';
import { eventFilter, readEventPage } from './event-pages.ts';
import { eventsOfLog, eventsOfRun } from './event-source.ts';
import type { EventSource } from './event-source.ts';
import { createEventStream, numberAfter } from './event-stream.ts';
import { asProof, createPeopleHandlers } from './people-handlers.ts';
import type { PeopleHandlerOptions } from './people-handlers.ts';
import { refusalToProblem } from './problem.ts';
import type { Problem } from './problem.ts';

/** A plan file as the server reads it: a plan and its warnings, or everything that is wrong. */
export type ReadPlan = (
  text: string,
  file: string,
) =>
  | { readonly ok: true; readonly plan: Plan; readonly warnings: readonly PlanProblem[] }
  | { readonly ok: false; readonly problems: readonly PlanProblem[] };

export interface HandlerOptions extends PeopleHandlerOptions {
  readonly workbench: Workbench;
  readonly features: Features;
  readonly policy: PolicyDesk;
  readonly readPlan: ReadPlan;
  /** The report of a run that there is. */
  readonly report: (runId: string, format: ReportFormat) => Result<string, WorkbenchRefusal>;
  /** Where the bytes with this digest are, if they are. */
  readonly artifactPath: (sha256: string) => string;
  readonly isReady: () => boolean;
  /** Asks for the end of the server; the answer to the request is still sent. */
  readonly requestShutdown: () => void;
  readonly heartbeatMs: number;
  readonly maxPending: number;
  /** Aborted when the server closes. */
  readonly ending: AbortSignal;
}

/** A request that was let in, its body and query read by the schemas of its route. */
export interface Call {
  readonly caller: Caller;
  readonly headers: Headers;
  param(name: string): string;
  body<T>(schema: z.ZodType<T>): T;
  query<T>(schema: z.ZodType<T>): T;
  readonly disconnect: () => void;
}

export type Handler = (call: Call) => Promise<Response | Problem> | Response | Problem;

/** Lines of an export that are made at once, before others get a turn. */
const EXPORT_LINES = 200;
const REPORT_TYPES: Readonly<Record<ReportFormat, string>> = {
  html: 'text/html; charset=utf-8',
  md: 'text/markdown; charset=utf-8',
  json: 'application/json',
};
const API_VERSION = '1.0.0';

export function createHandlers(options: HandlerOptions): Readonly<Record<RouteName, Handler>> {
  const { workbench, readPlan, people } = options;
  const document = JSON.stringify(openApiDocument(API_VERSION));

  function planOf(call: Call): Result<{ plan: Plan; text: string }, Problem> {
    const { text, file } = call.body(planTextRequest);
    const reading = readPlan(text, file);
    return reading.ok ? ok({ plan: reading.plan, text }) : err(invalidPlan(file, reading.problems));
  }

  /** With ?preview=true only says what it would do; with a digest does that and nothing else. */
  async function control(
    call: Call,
    request: ControlRequest,
    digest: string | null,
  ): Promise<Response | Problem> {
    const runId = call.param('id');
    if (call.query(previewQuery).preview) {
      return answer(await workbench.preview(runId, request, call.caller));
    }
    if (digest === null) return answer(await workbench.request(runId, request, call.caller));
    return answer(await workbench.requestAgreed(runId, request, digest, call.caller));
  }

  return {
    health: () => Response.json({ status: 'ok' }),
    ready: () =>
      options.isReady()
        ? Response.json({ status: 'ok' })
        : { error: 'NotReady', hint: 'Try again in a moment.' },
    openapi: () => new Response(document, { headers: { 'content-type': 'application/json' } }),
    checkPlan: (call) => {
      const { text, file } = call.body(planTextRequest);
      const reading = readPlan(text, file);
      const problems = reading.ok ? reading.warnings : reading.problems;
      return Response.json({ ok: reading.ok, problems });
    },
    dryRunPlan: async (call) => {
      const { text, file, inputs = null } = call.body(dryRunRequest);
      const read = readPlan(text, file);
      if (!read.ok) return invalidPlan(file, read.problems);
      return answer(await workbench.dryRun(read.plan, inputs, call.caller));
    },
    savePlan: async (call) => {
      const read = planOf(call);
      if (!read.ok) return read.error;
      return answer(await workbench.savePlan(read.value.plan, read.value.text, call.caller), 201);
    },
    getPlan: (call) => {
      const planId = call.param('id');
      const plan = workbench.plan(planId, call.query(revisionQuery).revision);
      return plan === null
        ? refusalToProblem({ type: 'PlanNotFound', planId })
        : Response.json(plan);
    },
    listPlans: (call) => {
      const { feature } = call.query(plansQuery);
      const plans = workbench.plans().map(planToSummary);
      return Response.json(
        feature === undefined ? plans : plans.filter((plan) => plan.feature === feature),
      );
    },
    listPlanRevisions: (call) => {
      const planId = call.param('id');
      const revisions = workbench.revisions(planId).map(planToSummary);
      if (revisions.length > 0) return Response.json(revisions);
      return refusalToProblem({ type: 'PlanNotFound', planId });
    },
    revisePlan: async (call) => {
      const { text, file, seen } = call.body(revisionRequest);
      const reading = readPlan(text, file);
      if (!reading.ok) return invalidPlan(file, reading.problems);
      const id = call.param('id');
      return answer(await workbench.revisePlan(id, seen, reading.plan, text, call.caller), 201);
    },
    getPolicy: () => Response.json(options.policy.describe()),
    checkPolicy: async (call) => {
      const asked = call.body(policyCheckRequest);
      const { id, kind } = call.caller.actor;
      const requester = {
        kind: kind === 'agent' ? kind : 'person',
        id,
        roles: call.caller.roles,
      } as const;
      if ('command' in asked) {
        const found = planOfCommand(asked.command);
        if (found === null) return NO_STEP;
        return Response.json(await options.policy.check(found.plan, found.step, requester));
      }
      const reading = readPlan(asked.text, asked.file);
      if (!reading.ok) return invalidPlan(asked.file, reading.problems);
      const step = reading.plan.steps.find((one) => one.id === asked.step);
      if (step === undefined) {
        const detail = `${asked.file} has no step ${asked.step}.`;
        return { error: 'PlanInvalid', detail, hint: 'Name one of its steps.' };
      }
      return Response.json(await options.policy.check(reading.plan, step, requester));
    },
    launchRun: async (call) => {
      const planId = call.param('id');
      const { revision, feature, inputs } = call.body(launchRequest);
      const saved = workbench.plan(planId, revision);
      if (saved === null) return refusalToProblem({ type: 'PlanNotFound', planId });
      const request = { planId, revision: saved.revision, feature, inputs };
      return answer(await workbench.launch(request, call.caller), 201);
    },
    listRuns: () => Response.json(workbench.runs()),
    getRun: (call) => withRun(call, (run) => Response.json(run)),
    runEvents: (call) =>
      withRun(call, (run) =>
        answerEvents(call, eventsOfRun(workbench, run.id), call.query(eventsQuery)),
      ),
    attemptOutput: async (call) => {
      const { id, step, number } = attemptOf(call);
      const path = number === null ? null : workbench.outputPath(id, step, number);
      if (path === null) {
        return {
          error: 'OutputNotFound',
          detail: `Run ${id} has no attempt ${call.param('attempt')} of a step ${step}.`,
          hint: `See its attempts: ccdash run show ${id}`,
        };
      }
      const isOver = (): boolean => {
        const attempt = workbench.run(id)?.steps.find((one) => one.id === step)?.attempts[
          (number ?? 0) - 1
        ];
        return attempt?.endedAt !== null || options.ending.aborted;
      };
      const { follow } = call.query(outputQuery);
      return outputToResponse(path, call.headers.get('range'), follow ? isOver : null);
    },
    getArtifact: (call) => artifactToResponse(call.param('sha256'), options.artifactPath),
    reportOfRun: (call) =>
      withRun(call, ({ id }) => {
        const { format } = call.query(reportQuery);
        const made = options.report(id, format);
        if (!made.ok) return refusalToProblem(made.error);
        return new Response(made.value, {
          headers: {
            'content-type': REPORT_TYPES[format],
            'content-disposition': `attachment; filename="${id}.${format}"`,
          },
        });
      }),
    recordingOfRun: (call) => withRun(call, ({ id }) => Response.json(workbench.recording(id))),
    diffOfRun: async (call) => {
      const { step, attempt } = call.query(diffQuery);
      return answer(await workbench.diff(call.param('id'), step, attempt));
    },
    cancelRun: (call) => {
      const { digest, ...asked } = call.body(cancelRequest);
      return control(call, { type: 'cancel', ...asked }, digest);
    },
    applyRun: async (call) => {
      const { digest, reason, ...request } = call.body(applyRequest);
      const runId = call.param('id');
      if (call.query(previewQuery).preview) {
        return answer(await workbench.previewApply(runId, request));
      }
      if (digest === null) {
        return {
          error: 'DigestRequired',
          detail: 'Nothing says which summary was agreed to.',
          hint: 'Ask for it with ?preview=true, then send its digest.',
        };
      }
      return answer(await workbench.apply(runId, { ...request, digest, reason }, call.caller));
    },
    patchOfRun: async (call) => {
      const patch = await workbench.patch(call.param('id'));
      if (!patch.ok) return refusalToProblem(patch.error);
      const headers = { 'content-type': 'text/plain; charset=utf-8' };
      return new Response(Buffer.from(patch.value), { headers });
    },
    tellAgent: async (call) => {
      const asked = { type: 'tell', step: call.param('step'), ...call.body(tellRequest) } as const;
      return answer(await workbench.request(call.param('id'), asked, call.caller), 201);
    },
    pauseRun: (call) => {
      const { digest, ...asked } = call.body(pauseRequest);
      return control(call, { type: 'pause', ...asked }, digest);
    },
    resumeRun: (call) => {
      const { digest, ...asked } = call.body(resumeRequest);
      return control(call, { type: 'resume', ...asked }, digest);
    },
    retryRun: (call) => {
      const { digest, ...asked } = call.body(controlRequest);
      return control(call, { type: 'retry', ...asked }, digest);
    },
    forkRun: async (call) => {
      const asked = call.body(forkRequest);
      const runId = call.param('id');
      return call.query(previewQuery).preview
        ? answer(await workbench.previewFork(runId, asked.at))
        : answer(await workbench.fork(runId, asked, call.caller), 201);
    },
    skipStep: (call) => {
      const { digest, ...asked } = call.body(restartRequest);
      return control(call, { type: 'skip', ...asked }, digest);
    },
    replanRun: (call) => {
      const { text, file, inputs, reason, digest } = call.body(replanRequest);
      const reading = readPlan(text, file);
      if (!reading.ok) return invalidPlan(file, reading.problems);
      const asked = { plan: reading.plan, source: text, inputs, reason };
      return control(call, { type: 'replan', ...asked }, digest);
    },
    restartRun: (call) => {
      const { digest, ...asked } = call.body(restartRequest);
      return control(call, { type: 'restart', ...asked }, digest);
    },
    listApprovals: (call) => {
      const { status } = call.query(approvalsQuery);
      const approvals = workbench.approvals();
      return Response.json(
        status === undefined ? approvals : approvals.filter((one) => one.status === status),
      );
    },
    getApproval: (call) => {
      const approvalId = call.param('id');
      const approval = workbench.approvals().find((one) => one.id === approvalId);
      return approval === undefined
        ? refusalToProblem({ type: 'ApprovalNotFound', approvalId })
        : Response.json(approval);
    },
    diffOfApproval: async (call) => answer(await workbench.diffOfApproval(call.param('id'))),
    decideApproval: async (call) => {
      const approvalId = call.param('id');
      const approval = workbench.approvals().find((one) => one.id === approvalId);
      if (approval === undefined) {
        return refusalToProblem({ type: 'ApprovalNotFound', approvalId });
      }
      const { proof, ...said } = call.body(decisionRequest);
      const by = await withPresence(
        call.caller,
        { approvalId, ...said },
        asProof(proof, options.baseUrl),
      );
      if ('error' in by) return by;
      const request = { type: 'decide', approvalId, ...said } as const;
      return answer(await workbench.request(approval.runId, request, by), 201);
    },
    listFeatures: async () => Response.json(await options.features.list()),
    getFeature: async (call) => {
      const slug = call.param('slug');
      const feature = await options.features.find(slug);
      if (feature === null) return featureNotFound(slug);
      const runs = workbench.runs().filter((run) => run.feature === slug);
      return Response.json({ ...feature, runs: runs.map(({ id }) => id) });
    },
    readDocument: async (call) => {
      const { path } = call.query(documentQuery);
      const slug = call.param('slug');
      const read = await options.features.read(slug, path);
      if (read?.ok === true) return Response.json(read.value);
      return {
        error: 'DocumentNotFound',
        detail: read?.error.message ?? `${slug} has no document ${path}.`,
        hint: read?.error.hint ?? `See its documents: ccdash feature show ${slug}`,
      };
    },
    planFeature: async (call) => {
      const slug = call.param('slug');
      const { phase, agent } = call.query(featurePlanQuery);
      const made = await options.features.plan(slug, { phase: phase ?? null, agent });
      if (made === null) return featureNotFound(slug);
      if (made.ok) return Response.json(made.value);
      const { message, hint } = made.error;
      return { error: 'NothingToPlan', detail: message, ...(hint === null ? {} : { hint }) };
    },
    listAdapters: async () => Response.json(await workbench.adapters()),
    getMetrics: async (call) => {
      const { since } = call.query(metricsQuery);
      return Response.json(await workbench.metrics(since === undefined ? null : Date.parse(since)));
    },
    overrideStep: async (call) => {
      const { proof, ...asked } = call.body(overrideRequest);
      const said = { approvalId: asked.step, decision: 'approve' } as const;
      const { subjectDigest } = asked;
      const by = await withPresence(
        call.caller,
        { ...said, subjectDigest },
        asProof(proof, options.baseUrl),
      );
      if ('error' in by) return by;
      return answer(await workbench.override(call.param('id'), asked, by), 201);
    },
    reviewOverride: async (call) => {
      const approvalId = call.param('id');
      const approval = workbench.approvals().find((one) => one.id === approvalId);
      if (approval === undefined) {
        return refusalToProblem({ type: 'ApprovalNotFound', approvalId });
      }
      const request = { type: 'review', approvalId, ...call.body(reviewRequest) } as const;
      return answer(await workbench.request(approval.runId, request, call.caller));
    },
    auditEvents: (call) => answerEvents(call, eventsOfLog(workbench), call.query(auditQuery)),
    auditVerify: async () => Response.json(await workbench.auditVerify()),
    auditExport: () =>
      new Response(linesToStream(workbench.auditExport()), {
        headers: {
          'content-type': 'application/x-ndjson',
          'content-disposition': 'attachment; filename="ccdash-log.ndjson"',
        },
      }),
    ...createPeopleHandlers(options),
    shutdown: (call) => {
      call.body(emptyRequest);
      // A turn later, so that the answer is on its way before the server closes.
      setImmediate(options.requestShutdown);
      return Response.json({ status: 'ok' }, { status: 202 });
    },
  };

  /** The caller, as surely known as the proof makes them; without one they are as they have logged in. */
  async function withPresence(
    caller: Caller,
    said: Omit<Statement, 'person'>,
    proof: Proof | null,
  ): Promise<Caller | Problem> {
    if (proof === null) return caller;
    const { approvalId, decision, subjectDigest } = said;
    const statement = { person: caller.actor.id, approvalId, decision, subjectDigest };
    const proven = await people.prove(statement, proof);
    if (!proven.ok) return refusalToProblem(proven.error);
    const { assurance, evidence } = proven.value;
    return { ...caller, assurance, evidence };
  }

  /** A page, or for who asks for a stream that. */
  async function answerEvents(
    call: Call,
    source: EventSource,
    query: AuditQuery,
  ): Promise<Response | Problem> {
    if (!(call.headers.get('accept') ?? '').includes('text/event-stream')) {
      return Response.json(await readEventPage(source, query));
    }
    const lastEventId = call.headers.get('last-event-id');
    const from = lastEventId === null ? (query.from ?? 0) : numberAfter(lastEventId);
    if (from === null) {
      return {
        error: 'QueryInvalid',
        detail: `Last-Event-ID ${JSON.stringify(lastEventId)} is no number of an event.`,
        hint: 'Send the id of the last frame, or none.',
      };
    }
    const { disconnect } = call;
    const matches = eventFilter(query);
    const stream = createEventStream({ ...options, source, from, matches, disconnect });
    return new Response(stream, { headers: { 'content-type': 'text/event-stream' } });
  }

  function withRun<T extends Promise<Response | Problem> | Response | Problem>(
    call: Call,
    act: (run: RunView) => T,
  ): T | Problem {
    const runId = call.param('id');
    const run = workbench.run(runId);
    return run === null ? refusalToProblem({ type: 'RunNotFound', runId }) : act(run);
  }
}

function answer(result: Result<unknown, WorkbenchRefusal>, status = 200): Response | Problem {
  return result.ok ? Response.json(result.value, { status }) : refusalToProblem(result.error);
}

const NO_STEP: Problem = {
  error: 'BodyInvalid',
  detail: 'The command cannot be a step.',
  hint: 'Give a command as you would type it.',
};

function planToSummary({ id, revision, digest, plan, savedAt, savedBy }: SavedPlan): PlanSummary {
  const { name, feature, steps } = plan;
  return { id, name, feature, revision, digest, steps: steps.length, savedAt, savedBy };
}

function featureNotFound(slug: string): Problem {
  return {
    error: 'FeatureNotFound',
    detail: `No document tells of a feature ${slug}.`,
    hint: 'See those there are: ccdash features',
  };
}

function invalidPlan(file: string, problems: readonly PlanProblem[]): Problem {
  const count = problems.length === 1 ? 'a problem' : `${problems.length} problems`;
  return {
    error: 'PlanInvalid',
    detail: `${file} has ${count}.`,
    hint: `See all of them: ccdash plan check ${file}`,
    problems,
  };
}

function attemptOf(call: Call): { id: string; step: string; number: number | null } {
  const attempt = call.param('attempt');
  const number = /^[1-9]\d{0,8}$/.test(attempt) ? Number(attempt) : null;
  return { id: call.param('id'), step: call.param('step'), number };
}

function linesToStream(lines: Iterable<string>): ReadableStream<Uint8Array> {
  const iterator = lines[Symbol.iterator]();
  const encoder = new TextEncoder();
  return new ReadableStream({
    pull: (controller) => {
      let text = '';
      for (let count = 0; count < EXPORT_LINES; count += 1) {
        const line = iterator.next();
        if (line.done === true) {
          if (text !== '') controller.enqueue(encoder.encode(text));
          controller.close();
          return;
        }
        text += `${line.value}\n`;
      }
      controller.enqueue(encoder.encode(text));
    },
    cancel: () => {
      iterator.return?.();
    },
  });
}
