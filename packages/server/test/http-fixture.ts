/**
 * The HTTP server of the product over a workbench that lives in memory. Plans are read and runs decided by the real
 * core; only the work is played: a command whose program is `true` succeeds, `false` fails, `hold` goes on until it is
 * canceled, and one of stated risk asks people first.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import type { IncomingHttpHeaders } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import type { PolicyRuleView } from '@ccdash/api';
import { parsePlan } from '@ccdash/api/plan';
import {
  approvalToView,
  decide,
  effectKey,
  effectsOf,
  err,
  figuresOf,
  impactOf,
  metricsOf,
  ok,
  planStep,
  runToView,
  stepState,
} from '@ccdash/core';
import type {
  Actor,
  ApprovalRequirement,
  Checkpoint,
  Effect,
  Evaluation,
  Json,
  JsonObject,
  PolicyVerdict,
  Result,
  RunCommand,
  RunState,
  StoredEvent,
} from '@ccdash/core';
import { createMemoryEventStore } from '@ccdash/core/testing';
import { jsonDigest } from '../src/base/json-digest.ts';
import { requestToCommand } from '../src/base/run-requests.ts';
import type {
  DiffView,
  SavedPlan,
  Workbench,
  WorkbenchRefusal,
  Caller,
  ControlRequest,
  RunRequest,
  ImpactSummary,
} from '../src/base/workbench.ts';
import { createFeatureIndex } from '../src/features/feature-index.ts';
import { openHttpServer } from '../src/http/open-http-server.ts';
import { createPeople } from '../src/people/create-people.ts';
import type { People } from '../src/base/people.ts';
import type { HttpServer, HttpServerOptions } from '../src/http/open-http-server.ts';

const ENGINE: Actor = { kind: 'engine', id: 'test' };
const CHECKPOINT: Checkpoint = { commit: 'c0ffee', tree: 'facade' };
export const PLAYED_DIFF: DiffView = {
  ...{ from: 'c0ffee', to: 'decade', truncated: false },
  files: [{ path: 'a', change: 'modified' }],
  text: 'diff --git a/a b/a\n--- a/a\n+++ b/a\n@@ -1 +1 @@\n-one\n+two\u001b[2K\u202e\n',
};
const PLAYED_RULE: PolicyRuleView = {
  ...{ id: 'played', text: 'The rule says so.', effect: 'asks', absolute: false },
  ...{ asks: null, file: 'played.cedar', source: 'forbid (principal, action, resource);' },
};
const ANYBODY: ApprovalRequirement = {
  roles: ['approver'],
  people: [],
  count: 1,
  excludeRequester: false,
  assurance: 'session',
};

export interface PlayedWorkbench extends Workbench {
  /** Everything that was asked through `request`, in order. */
  readonly requests: readonly { readonly runId: string; readonly type: string }[];
  readonly launches: number;
  /** Bytes that every attempt has written. */
  readonly outputFile: string;
  /** Listeners that follow events. */
  followers(): number;
  /** Makes the log longer without a change of state: facts of a running attempt. */
  report(runId: string, step: string, texts: readonly string[]): Promise<void>;
  /** An agent's tool call waits for people. */
  raiseGate(runId: string, step: string): Promise<void>;
  close(): void;
}

export function createPlayedWorkbench(): PlayedWorkbench {
  const folder = mkdtempSync(join(tmpdir(), 'ccdash-http-'));
  const outputFile = join(folder, 'output');
  writeFileSync(outputFile, 'first line\nsecond line\n');
  const store = createMemoryEventStore();
  const states = new Map<string, RunState>();
  const plans = new Map<string, SavedPlan[]>();
  const listeners = new Set<(event: StoredEvent) => void>();
  const requests: { runId: string; type: string }[] = [];
  let launches = 0;
  let ids = 0;
  const nextId = (prefix: string): string => `${prefix}_${String((ids += 1)).padStart(3, '0')}`;

  async function apply(
    runId: string,
    command: RunCommand,
    actor: Actor = ENGINE,
  ): Promise<Result<RunState, WorkbenchRefusal>> {
    const before = states.get(runId) ?? null;
    const nowMs = Date.now();
    const context = { at: new Date(nowMs).toISOString(), nowMs, actor };
    const decided = decide(runId, before, command, context);
    if (!decided.ok) return decided;
    const { events, state } = decided.value;
    states.set(runId, state);
    const appended = await store.append({
      runId,
      expectedSequence: before?.sequence ?? 0,
      events: events.map((event) => ({ ...event, data: event.data as unknown as Json })),
    });
    if (!appended.ok) throw new Error(appended.error.type);
    for (const event of appended.value) for (const listener of listeners) listener(event);
    return ok(state);
  }

  /** Plays everything that goes on without people. */
  async function settle(runId: string): Promise<void> {
    const held = new Set<string>();
    for (;;) {
      const state = states.get(runId);
      if (state === undefined) return;
      const effect = effectsOf(state, Date.now()).find((each) => !held.has(effectKey(each)));
      if (effect === undefined) return;
      const command = commandFor(state, effect);
      if (command === null) held.add(effectKey(effect));
      else if (!(await apply(runId, command)).ok) held.add(effectKey(effect));
    }
  }

  function commandFor(state: RunState, effect: Effect): RunCommand | null {
    switch (effect.type) {
      case 'JoinWork':
        return {
          ...{ type: 'JoinWork', step: effect.step, onto: state.checkpoint?.commit ?? '' },
          outcome: { joined: true, checkpoint: CHECKPOINT, files: [] },
        };
      case 'PrepareWorkspace':
        return { type: 'StartRun', started: { checkpoint: CHECKPOINT, notCarried: [] } };
      case 'EvaluateStep':
        return {
          type: 'EvaluateStep',
          step: effect.step,
          evaluation: evaluate(state, effect.step, nextId('apr')),
        };
      case 'StartStep':
        return {
          type: 'StartStep',
          step: effect.step,
          checkpoint: state.checkpoint?.commit ?? '',
          subjectDigest: jsonDigest(subjectOf(state, effect.step)),
          verdict: verdictFor(state, effect.step),
          epoch: 1,
          sandbox: 'bubblewrap',
          session: null,
          versions: null,
        };
      case 'SuperviseAttempt':
        return endOf(state, effect.step, effect.attempt);
      case 'StopAttempt':
        return {
          type: 'EndAttempt',
          step: effect.step,
          attempt: effect.attempt,
          epoch: 1,
          end: { outcome: 'stopped', ...badEnd('stopped', 'told to stop') },
        };
      case 'EvaluateGate': {
        const { step, attempt, gateId } = effect;
        const subject = { v: 1, kind: 'tool', step, title: 'make the release' };
        return {
          ...{ type: 'DecideGate', step, attempt, gateId, epoch: 1, subject },
          ...{ subjectDigest: jsonDigest(subject), verdict: verdictOf('requires_approval') },
          ...{ approvalId: nextId('apr'), expiresAtMs: null },
        };
      }
      case 'ApplyResult':
        return { type: 'EndApply', outcome: { applied: true, commit: 'c9' } };
      case 'AnswerGate':
      case 'TellAttempt':
      case 'HoldAttempt':
      case 'UnholdAttempt':
      case 'WakeAt':
        return null;
    }
  }

  function summaryOf(
    runId: string,
    asked: ControlRequest,
    by: Caller,
  ): Result<ImpactSummary, WorkbenchRefusal> {
    const state = states.get(runId);
    if (state === undefined) return err({ type: 'RunNotFound', runId });
    const context = { at: new Date(0).toISOString(), nowMs: 0, actor: by.actor };
    const impact = impactOf(
      state,
      plainCommand(asked, by, () => ''),
      context,
    );
    if (!impact.ok) return impact;
    const summary = {
      action: asked.type,
      ...impact.value,
      files: [],
      sideEffects: [],
      lines: null,
      keptAt: null,
    };
    return ok({ ...summary, digest: jsonDigest(summary as unknown as JsonObject) });
  }

  const workbench: PlayedWorkbench = {
    outputFile,
    requests,
    get launches() {
      return launches;
    },
    followers: () => listeners.size,
    report: async (runId, step, texts) => {
      const state = states.get(runId);
      if (state === undefined) throw new Error(`no run ${runId}`);
      for (const text of texts) {
        const attempt = stepState(states.get(runId) ?? state, step).attempts.at(-1);
        const seq = (attempt?.reportedSeq ?? 0) + 1;
        const at = new Date().toISOString();
        const fact = { seq, at, type: 'notice', level: 'warn', text } as const;
        const command = { type: 'ReportAttempt', step, attempt: 1, epoch: 1 } as const;
        await apply(runId, { ...command, facts: [fact] });
      }
    },
    raiseGate: async (runId, step) => {
      const call = { gateId: 'gate_1', callId: 'call_1', tool: 'exec', name: 'Bash' };
      const asked = { ...call, title: 'make the release', input: {} };
      const fact = { seq: 1, at: new Date().toISOString(), type: 'gate-raised', ...asked } as const;
      const command = { type: 'ReportAttempt', step, attempt: 1, epoch: 1 } as const;
      await apply(runId, { ...command, facts: [fact] });
      await settle(runId);
    },
    close: () => rmSync(folder, { recursive: true, force: true }),
    savePlan: async (plan, source) => {
      const id = `plan_${plan.name.replaceAll(/\W/g, '-')}`;
      const revisions = plans.get(id) ?? [];
      const digest = jsonDigest(plan as unknown as Json);
      const savedAt = new Date().toISOString();
      const savedBy = { kind: 'person', id: 'owner' } as const;
      const revision = revisions.length + 1;
      const saved = { id, revision, digest, plan, source, savedAt, savedBy };
      plans.set(id, [...revisions, saved]);
      return ok(saved);
    },
    revisePlan: async (planId, seen, plan, source, by) => {
      const revision = plans.get(planId)?.length ?? 0;
      if (revision === 0) return err({ type: 'PlanNotFound', planId });
      if (revision !== seen) return err({ type: 'PlanMoved', planId, revision });
      return workbench.savePlan(plan, source, by);
    },
    plans: () => [...plans.values()].flatMap((revisions) => revisions.slice(-1)),
    revisions: (planId) => (plans.get(planId) ?? []).toReversed(),
    plan: (planId, revision) => {
      const revisions = plans.get(planId) ?? [];
      return (revision === undefined ? revisions.at(-1) : revisions[revision - 1]) ?? null;
    },
    launch: async (asked, by) => {
      launches += 1;
      const saved = plans.get(asked.planId)?.[asked.revision - 1];
      if (saved === undefined) return err({ type: 'PlanNotFound', planId: asked.planId });
      const unknown = Object.keys(asked.inputs).find((name) => !(name in saved.plan.inputs));
      if (unknown !== undefined) {
        return err({ type: 'InputInvalid', detail: `the plan has no input ${unknown}` });
      }
      const runId = nextId('run');
      const created = {
        planId: saved.id,
        revision: saved.revision,
        digest: saved.digest,
        plan: saved.plan,
        feature: asked.feature,
        inputs: asked.inputs,
        baseCommit: 'c0ffee',
        policyDigest: 'policy',
        requesterRoles: by.roles,
      };
      const launched = await apply(runId, { type: 'CreateRun', created }, by.actor);
      if (!launched.ok) return launched;
      const view = runToView(launched.value);
      await settle(runId);
      return ok(view);
    },
    dryRun: async (plan) =>
      ok({
        steps: plan.steps.map((step) => ({
          ...{ step: step.id, kind: step.kind, needs: step.needs, verdict: verdictOf('allow') },
          budget: step.kind === 'agent' ? step.budget : null,
        })),
        budget: plan.budget,
        approvalsNeeded: plan.steps.filter(({ kind }) => kind === 'approval').map(({ id }) => id),
        notCarried: [],
      }),
    runs: () => [...states.values()].reverse().map((state) => runToView(state)),
    run: (runId) => {
      const state = states.get(runId);
      return state === undefined ? null : runToView(state);
    },
    request: async (runId, asked, by) => {
      requests.push({ runId, type: asked.type });
      const done = await apply(
        runId,
        plainCommand(asked, by, () => nextId('msg')),
        by.actor,
      );
      if (!done.ok) return done;
      await settle(runId);
      const state = states.get(runId);
      return state === undefined ? err({ type: 'RunNotFound', runId }) : ok(runToView(state));
    },
    preview: async (runId, asked, by) => summaryOf(runId, asked, by),
    // Forks copy workspaces, which nothing here has.
    previewFork: async (runId) => err({ type: 'RunNotFound', runId }),
    fork: async (runId) => err({ type: 'RunNotFound', runId }),
    requestAgreed: async (runId, asked, digest, by) => {
      const summary = summaryOf(runId, asked, by);
      if (!summary.ok) return summary;
      if (summary.value.digest !== digest) return err({ type: 'SummaryMoved', runId });
      return workbench.request(runId, asked, by);
    },
    previewApply: async (runId, { as, branch, message }) => {
      const { tree } = states.get(runId)?.checkpoint ?? CHECKPOINT;
      return ok({
        ...{ as, branch: branch ?? 'main', message: message ?? 'the result', from: null, tree },
        ...{ files: [{ path: 'a', change: 'added' }], insertions: 1, deletions: 0 },
        ...{ conflicts: [], isCheckedOut: false, dirty: [], digest: 'sha256:summary' },
      });
    },
    apply: async (runId, { digest, reason, as, branch, message }, by) => {
      if (digest !== 'sha256:summary') return err({ type: 'SummaryMoved', runId });
      const result = states.get(runId)?.checkpoint ?? CHECKPOINT;
      const asked = { as, branch: branch ?? 'main', from: null, result, tree: result.tree };
      const said = { message: message ?? 'the result', summaryDigest: digest, reason };
      const command = { type: 'ApplyResult', asked: { ...asked, ...said } } as const;
      const begun = await apply(runId, command, by.actor);
      if (!begun.ok) return begun;
      await settle(runId);
      return ok(runToView(states.get(runId) ?? begun.value));
    },
    patch: async (runId) =>
      states.has(runId)
        ? ok(Buffer.from('diff --git a/a b/a\n'))
        : err({ type: 'RunNotFound', runId }),
    diff: async (runId, step, attempt) => {
      const state = states.get(runId);
      if (state === undefined) return err({ type: 'RunNotFound', runId });
      const attempts = step === null ? null : state.steps.get(step)?.attempts;
      if (attempts === undefined) return err({ type: 'StepNotFound', runId, step: step ?? '' });
      if (attempts !== null && attempts[(attempt ?? attempts.length) - 1] === undefined) {
        return err({ type: 'AttemptNotFound', runId, step: step ?? '' });
      }
      return ok(PLAYED_DIFF);
    },
    diffOfApproval: async (approvalId) => {
      const isKnown = [...states.values()].some(({ approvals }) => approvals.has(approvalId));
      return isKnown ? ok(PLAYED_DIFF) : err({ type: 'ApprovalNotFound', approvalId });
    },
    override: async (runId, { step, reason, subjectDigest: startDigest }, by) => {
      const subject = { kind: 'override', start: startDigest };
      const applied = await apply(
        runId,
        {
          ...{ type: 'OverrideStep', step, reason, startDigest, subject, roles: by.roles },
          ...{ subjectDigest: jsonDigest(subject), approvalId: nextId('apr'), count: 1 },
          ...{ assurance: by.assurance, expiresAtMs: Date.now() + 60_000 },
        },
        by.actor,
      );
      if (!applied.ok) return applied;
      await settle(runId);
      return ok(runToView(states.get(runId) ?? applied.value));
    },
    approvals: () =>
      [...states.values()].flatMap((state) =>
        [...state.approvals.values()].map((approval) => approvalToView(state.runId, approval)),
      ),
    runEvents: (runId, from, limit) => [...store.readRun(runId, from)].slice(0, limit),
    eventCount: (runId) =>
      runId === null ? store.size() : (store.lastOf(runId)?.sequence ?? -1) + 1,
    subscribe: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    outputPath: (runId, step, attempt) =>
      states.get(runId)?.steps.get(step)?.attempts[attempt - 1] === undefined ? null : outputFile,
    recording: () => ({ script: { version: 1, scripts: [] }, answers: 0, leftOut: [] }),
    adapters: async () => [],
    metrics: async (fromMs) => {
      const figures = [...states.values()].map((state) => figuresOf(state, 0, Date.parse));
      return metricsOf(figures, { fromMs, toMs: Date.now() });
    },
    auditEvents: (from, limit) => store.readAll(from, limit),
    auditVerify: async () => ({
      ...{ ok: true, size: store.size(), bypasses: 0, root: 'root', problem: null },
    }),
    auditExport: () => store.readAll(0, Infinity).map((event) => JSON.stringify(event)),
  };
  return workbench;
}

function evaluate(state: RunState, step: string, approvalId: string): Evaluation {
  const subject = subjectOf(state, step);
  const asked = { subject, subjectDigest: jsonDigest(subject), approvalId, expiresAtMs: null };
  const verdict = verdictFor(state, step);
  return planStep(state.created.plan, step).kind === 'approval'
    ? { outcome: 'gate', verdict, requires: ANYBODY, ...asked }
    : { outcome: 'start', verdict, ...asked };
}

function subjectOf(state: RunState, step: string): JsonObject {
  const planned = planStep(state.created.plan, step);
  const what =
    planned.kind === 'approval'
      ? { question: planned.question }
      : planned.kind === 'command'
        ? { program: planned.program as unknown as Json }
        : {};
  return { v: 1, kind: planned.kind === 'approval' ? 'gate' : 'start', step, ...what };
}

function verdictFor(state: RunState, step: string): PolicyVerdict {
  return verdictOf(
    planStep(state.created.plan, step).risk === null ? 'allow' : 'requires_approval',
  );
}

function verdictOf(verdict: 'allow' | 'requires_approval'): PolicyVerdict {
  const why = [{ rule: 'played', text: `The rule says ${verdict}.` }];
  return { verdict, why, requires: ANYBODY, policyDigest: 'policy', risk: 'low' };
}

function endOf(state: RunState, step: string, attempt: number): RunCommand | null {
  const planned = planStep(state.created.plan, step);
  const name =
    planned.kind === 'command' && 'argv' in planned.program ? planned.program.argv[0] : 'true';
  const end = { type: 'EndAttempt', step, attempt, epoch: 1 } as const;
  if (name === 'hold') return null;
  if (name === 'gone') {
    return { ...end, end: { outcome: 'interrupted', detail: 'its host is gone' } };
  }
  if (name === 'false') {
    const failed = badEnd('exit_code', 'it ended with exit code 1');
    return { ...end, end: { outcome: 'failed', retryable: false, ...failed } };
  }
  const nothing = { output: null, usage: null, checks: [], artifacts: [], changedPaths: 0 };
  const good = { exitCode: 0, checkpoint: CHECKPOINT, outputs: {}, ...nothing };
  return { ...end, end: { outcome: 'succeeded', ...good } };
}

function badEnd(code: string, message: string) {
  const tail = ['first line', 'last line \u001b]0;title\u0007\u001b[31mred\u001b[0m'];
  return {
    failure: { code, message, hint: 'look at its output' },
    exitCode: 1,
    output: { bytes: 20, sha256: 'sha256:0', tail },
    usage: null,
    checks: [],
    setAside: null,
  };
}

export interface HttpFixture {
  readonly server: HttpServer;
  readonly people: People;
  readonly workbench: PlayedWorkbench;
  readonly stateDir: string;
  /** Bugs that were reported. */
  readonly bugs: readonly unknown[];
  readonly shutdowns: () => number;
  /** A request with exactly these headers beside Host and, unless it is null, the owner's token. */
  send(sent: SentRequest): Promise<Received>;
  close(): Promise<void>;
}

export interface SentRequest {
  readonly method?: string;
  /** Below the server, or below /api/v1 when it does not begin with `/`. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** A value is sent as JSON; a string as it is. */
  readonly body?: unknown;
  /** null: no credential. */
  readonly token?: string | null;
}

export interface Received {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  readonly json: () => Record<string, unknown>;
}

/** `played`: the workbench of another server, which goes on here. */
export async function openHttpFixture(
  options: Partial<Omit<HttpServerOptions, 'workbench'>> = {},
  played: PlayedWorkbench | null = null,
): Promise<HttpFixture> {
  const stateDir = mkdtempSync(join(tmpdir(), 'ccdash-state-'));
  const workbench = played ?? createPlayedWorkbench();
  const bugs: unknown[] = [];
  let shutdowns = 0;
  const store = createMemoryEventStore();
  const people = createPeople({
    owner: 'owner',
    events: [],
    append: async (events) => {
      const appended = await store.append({ runId: null, expectedSequence: null, events });
      if (!appended.ok) throw new Error(appended.error.type);
      return appended;
    },
    keyDir: join(stateDir, 'keys'),
    clock: options.clock ?? { now: () => Date.now() },
  });
  const opened = await openHttpServer({
    workbench,
    people,
    owner: 'owner',
    features: createFeatureIndex({
      projectDir: stateDir,
      cacheFile: join(stateDir, 'features.json'),
    }),
    policy: {
      describe: () => ({ digest: 'policy', source: 'shipped', notice: null, rules: [PLAYED_RULE] }),
      check: async () => ({ ...verdictOf('requires_approval'), does: null }),
    },
    readPlan: (text, file) => parsePlan(text, { file }),
    artifactPath: (sha256) => `/nowhere/${sha256}`,
    report: (runId) => err({ type: 'RunNotFound', runId }),
    stateDir,
    host: '127.0.0.1',
    port: 0,
    web: { page: '<!doctype html><style>body { margin: 0 }</style><p>page</p>', files: new Map() },
    isReady: () => true,
    requestShutdown: () => {
      shutdowns += 1;
    },
    reportBug: (error) => bugs.push(error),
    clock: { now: () => Date.now() },
    ...options,
  });
  if (!opened.ok) throw new Error(opened.error.message);
  const server = opened.value;
  return {
    server,
    workbench,
    people,
    stateDir,
    bugs,
    shutdowns: () => shutdowns,
    send: (sent) => send(server, sent),
    close: async () => {
      await server.close();
      workbench.close();
      rmSync(stateDir, { recursive: true, force: true });
    },
  };
}

function send(server: HttpServer, sent: SentRequest): Promise<Received> {
  const { method = 'GET', path, body, token = server.token } = sent;
  const isText = typeof body === 'string';
  const payload = body === undefined ? null : isText ? body : JSON.stringify(body);
  return new Promise((resolve, reject) => {
    const asked = request(
      {
        host: '127.0.0.1',
        port: server.port,
        method,
        path: path.startsWith('/') ? path : `/api/v1/${path}`,
        headers: {
          ...(token === null ? {} : { authorization: `Bearer ${token}` }),
          ...(payload === null || isText ? {} : { 'content-type': 'application/json' }),
          ...sent.headers,
        },
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          const text = Buffer.concat(chunks).toString('utf8');
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            text,
            json: () => JSON.parse(text) as Record<string, unknown>,
          });
        });
      },
    );
    asked.on('error', reject);
    asked.end(payload ?? undefined);
  });
}

/** Waits until `isTrue`; fails the test when that takes far too long. */
export async function until(isTrue: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 20_000;
  while (!(await isTrue())) {
    if (performance.now() > deadline) throw new Error('it did not become true within 20 s');
    await wait(10);
  }
}

/** A plan file of commands in order: `{ build: 'true', publish: 'hold' }`. */
export function planText(
  programByStep: Readonly<Record<string, string>>,
  name: string = 'Played',
  risky: readonly string[] = [],
): string {
  const steps = Object.entries(programByStep).map(([id, program]) => {
    if (program === 'approve') return { id, approve: `May ${id} pass?` };
    return { id, argv: [program], ...(risky.includes(id) ? { risk: 'high' } : {}) };
  });
  const scope = { tools: ['exec'], write: ['src/**'] };
  return JSON.stringify({ version: 1, name, scope, steps });
}

/** The policy and saved plans, which changes of a run need, are the engine's. */
function plainCommand(asked: RunRequest, by: Caller, newId: () => string): RunCommand {
  if (asked.type === 'skip' || asked.type === 'replan') throw new Error('no engine is here');
  return requestToCommand(asked, by, newId);
}
