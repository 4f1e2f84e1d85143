/** The engine as the outside may use it. */
import {
  MAX_OVERRIDE_MS,
  approvalToView,
  attemptsOf,
  err,
  ok,
  planStep,
  runToView,
} from '@ccdash/core';
import type { JsonObject, Plan, Result, RunCommand, RunState, RunView } from '@ccdash/core';
import type {
  AuditReport,
  Caller,
  ControlRequest,
  DryRun,
  LaunchRequest,
  RunRequest,
  SavedPlan,
  Workbench,
  WorkbenchRefusal,
} from '../base/workbench.ts';
import { createApply } from './apply.ts';
import { createDiffs } from './diffs.ts';
import { controlCommand } from './changes.ts';
import type { EngineDeps } from './deps.ts';
import type { Engine } from './engine.ts';
import { commandFacts, startPolicyFacts } from './facts.ts';
import { isSameImpact, summarize } from './impact.ts';
import { createForks } from './forks.ts';
import { resolveInputs } from './inputs.ts';
import { createMetrics } from './metrics.ts';
import { createSavedPlans } from './saved-plans.ts';
import { refusalToTell } from './tell.ts';
import { recordedSteps } from './recorded-steps.ts';

/** Reads and checks of the log that the workbench passes through. */
export interface Audit {
  verify(): Promise<AuditReport>;
  export(): Iterable<string>;
}

export function createWorkbench(deps: EngineDeps, engine: Engine, audit: Audit): Workbench {
  const { store, hosts } = deps;
  const plans = createSavedPlans(deps, engine);

  async function launch(
    request: LaunchRequest,
    by: Caller,
  ): Promise<Result<RunView, WorkbenchRefusal>> {
    const saved = plans.find(request.planId, request.revision);
    if (saved === null) return err({ type: 'PlanNotFound', planId: request.planId });
    const inputs = resolveInputs(saved.plan.inputs, request.inputs);
    if (!inputs.ok) return err({ type: 'InputInvalid', detail: inputs.error });
    const inspected = await deps.workspaces.inspect(deps.projectDir);
    if (!inspected.ok) return err({ type: 'ProjectUnusable', failure: inspected.error });
    const command: RunCommand = {
      type: 'CreateRun',
      created: {
        planId: saved.id,
        revision: saved.revision,
        digest: saved.digest,
        plan: saved.plan,
        feature: request.feature ?? saved.plan.feature,
        inputs: inputs.value,
        baseCommit: inspected.value.baseCommit,
        policyDigest: deps.policy.digest,
        requesterRoles: by.roles,
      },
    };
    return toView(await engine.command(deps.ids.next('run'), command, by.actor));
  }

  /** Options of agents, which only their adapters know; looked at again before each start. */
  async function unfitExtension(plan: Plan): Promise<WorkbenchRefusal | null> {
    for (const step of plan.steps) {
      if (step.kind !== 'agent') continue;
      const failure = await deps.adapters.extensionFailure(step.adapter, step.ext);
      if (failure !== null) {
        const detail = `${step.id}: ${failure.message}; ${failure.hint ?? ''}`;
        return { type: 'PlanInvalid', detail };
      }
    }
    return null;
  }

  async function dryRun(
    plan: Plan,
    inputs: LaunchRequest['inputs'] | null,
    by: Caller,
  ): Promise<Result<DryRun, WorkbenchRefusal>> {
    const resolved = inputs === null ? ok(null) : resolveInputs(plan.inputs, inputs);
    if (!resolved.ok) return err({ type: 'InputInvalid', detail: resolved.error });
    const unfit = await unfitExtension(plan);
    if (unfit !== null) return err(unfit);
    const inspected = await deps.workspaces.inspect(deps.projectDir);
    if (!inspected.ok) return err({ type: 'ProjectUnusable', failure: inspected.error });
    const { available } = await hosts.sandbox();
    const requester = { kind: 'person', id: by.actor.id, roles: by.roles } as const;
    const steps = plan.steps.map((step) => ({
      step: step.id,
      kind: step.kind,
      needs: step.needs,
      budget: step.kind === 'agent' ? step.budget : null,
      verdict: deps.policy.evaluate(
        startPolicyFacts(plan, step, requester, available, commandFacts(deps, step)?.effects ?? []),
      ),
    }));
    const asks = steps.filter(
      ({ step, verdict }) =>
        verdict.verdict === 'requires_approval' || planStep(plan, step).kind === 'approval',
    );
    return ok({
      steps,
      budget: plan.budget,
      approvalsNeeded: asks.map(({ step }) => step),
      notCarried: inspected.value.notCarried,
    });
  }

  async function request(
    runId: string,
    asked: RunRequest,
    by: Caller,
    agreed?: (state: RunState | null) => boolean,
  ): Promise<Result<RunView, WorkbenchRefusal>> {
    const checkpoint = engine.state(runId)?.checkpoint ?? null;
    if (asked.type !== 'decide' && asked.type !== 'cancel' && checkpoint !== null) {
      const rebuilt = await deps.workspaces.rebuild(runId, checkpoint, deps.projectDir);
      if (!rebuilt.ok) return err({ type: 'ProjectUnusable', failure: rebuilt.error });
    }
    if (asked.type === 'tell' && !asked.restart) {
      const refusal = await refusalToTell(deps, engine.state(runId), asked.step);
      if (refusal !== null) return err(refusal);
    }
    const state = stateOf(runId);
    if (state === null) return err({ type: 'RunNotFound', runId });
    const made = await controlCommand(deps, plans, state, asked, by);
    if (!made.ok) return made;
    const command = made.value;
    if (command.type !== 'DecideApproval') {
      return toView(await engine.command(runId, command, by.actor, agreed));
    }
    const approval = state.approvals.get(command.approvalId);
    const revoked = approval === undefined ? [] : deps.revokedAmong(approval);
    return toView(await engine.command(runId, { ...command, revoked }, by.actor));
  }

  async function requestAgreed(
    runId: string,
    asked: ControlRequest,
    digest: string,
    by: Caller,
  ): Promise<Result<RunView, WorkbenchRefusal>> {
    const summary = await summarize(deps, plans, stateOf(runId), runId, asked, by);
    if (!summary.ok) return summary;
    if (summary.value.digest !== digest) return err({ type: 'SummaryMoved', runId });
    return request(runId, asked, by, (state) =>
      isSameImpact(deps, plans, summary.value, state, asked, by),
    );
  }

  async function override(
    runId: string,
    { step, reason, subjectDigest: startDigest }: Parameters<Workbench['override']>[1],
    by: Caller,
  ): Promise<Result<RunView, WorkbenchRefusal>> {
    const verdict = stateOf(runId)?.steps.get(step)?.verdict;
    const subject: JsonObject = {
      ...{ v: 1, kind: 'override', run: runId, step, start: startDigest, reason },
      rules: (verdict?.why ?? []).map(({ rule }) => rule),
      policy: verdict?.policyDigest ?? null,
    };
    const { roles, assurance, evidence } = by;
    const command: RunCommand = {
      ...{ type: 'OverrideStep', step, reason, startDigest, subject, roles, assurance },
      subjectDigest: deps.digest(subject),
      approvalId: deps.ids.next('apr'),
      count: deps.otherAdmins(by.actor.id) > 0 ? 2 : 1,
      expiresAtMs: deps.clock.now() + MAX_OVERRIDE_MS,
      ...(evidence === undefined ? {} : { evidence }),
    };
    return toView(await engine.command(runId, command, by.actor));
  }

  function stateOf(runId: string): RunState | null {
    return engine.state(runId);
  }

  return {
    savePlan: async (plan, source, by): Promise<Result<SavedPlan, WorkbenchRefusal>> => {
      const unfit = await unfitExtension(plan);
      return unfit === null ? plans.save(plan, source, by.actor) : err(unfit);
    },
    revisePlan: async (planId, seen, plan, source, by) => {
      const unfit = await unfitExtension(plan);
      return unfit === null ? plans.revise(planId, seen, plan, source, by.actor) : err(unfit);
    },
    plan: (planId, revision) => plans.find(planId, revision),
    plans: () => plans.list(),
    revisions: (planId) => plans.revisions(planId),
    launch,
    override,
    dryRun,
    runs: () => statesNewestFirst().map(viewOf),
    run: (runId) => {
      const state = stateOf(runId);
      return state === null ? null : viewOf(state);
    },
    request: (runId, asked, by) => request(runId, asked, by),
    preview: (runId, asked, by) => summarize(deps, plans, stateOf(runId), runId, asked, by),
    requestAgreed,
    ...createApply(deps, engine),
    ...createForks(deps, engine),
    ...createDiffs(deps, engine),
    approvals: () =>
      statesNewestFirst().flatMap((state) =>
        [...state.approvals.values()]
          .map((approval) => approvalToView(state.runId, approval))
          .reverse(),
      ),
    runEvents: (runId, fromSequence, limit = Infinity) => [
      ...take(store.readRun(runId, fromSequence), limit),
    ],
    eventCount: (runId) => {
      if (runId === null) return store.size();
      const last = store.lastOf(runId)?.sequence ?? null;
      return last === null ? 0 : last + 1;
    },
    subscribe: (listener) => engine.subscribe(listener),
    outputPath: (runId, step, attempt) => {
      const state = stateOf(runId);
      const known = state === null ? undefined : attemptsOf(state, step)[attempt - 1];
      if (known === undefined) return null;
      return hosts.outputPathOf({ runId, attempt, ...known.from, step });
    },
    recording: (runId) => {
      const state = stateOf(runId);
      if (state === null) return null;
      return deps.recordingOf(recordedSteps(state, hosts), deps.workspaces.pathOf(runId));
    },
    metrics: createMetrics(deps, engine),
    adapters: () => deps.adapters.describe(),
    auditEvents: (fromPosition, limit) => store.readAll(fromPosition, limit),
    auditVerify: () => audit.verify(),
    auditExport: () => audit.export(),
  };

  function viewOf(state: RunState): RunView {
    return runToView(state, engine.quarantineOf(state.runId));
  }

  function statesNewestFirst(): readonly RunState[] {
    const states = store.runIds().map((runId) => stateOf(runId));
    return states.filter((state) => state !== null).reverse();
  }
}

function* take<T>(items: Iterable<T>, count: number): Iterable<T> {
  let taken = 0;
  for (const item of items) {
    yield item;
    taken += 1;
    if (taken >= count) return;
  }
}

function toView(result: Result<RunState, WorkbenchRefusal>): Result<RunView, WorkbenchRefusal> {
  return result.ok ? ok(runToView(result.value)) : result;
}
