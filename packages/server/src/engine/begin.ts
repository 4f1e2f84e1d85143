/** The way of a step from eligible to started: evaluation, and the start transaction. */
import { AGENT_ADAPTER_INTERFACE_VERSION, planStep } from '@ccdash/core';
import type { AgentVersions, Evaluation, ResumeToken, RunState } from '@ccdash/core';
import type { EngineDeps } from './deps.ts';
import type { Performed, RunHandle } from './engine.ts';
import { expressionFacts } from './facts.ts';
import { prepareStep } from './prepare-step.ts';
import type { PreparedWork } from './prepare-step.ts';

/** Work whose start has been asked for in this process, by `<run> <step> <attempt>`: only it may be launched. */
export type Launchable = Map<string, PreparedWork>;

export async function evaluateStep(
  deps: EngineDeps,
  run: RunHandle,
  step: string,
): Promise<Performed> {
  const evaluation = await evaluationOf(deps, run.state(), step);
  const applied = await run.apply({ type: 'EvaluateStep', step, evaluation });
  return applied.ok ? 'done' : 'again';
}

async function evaluationOf(
  deps: EngineDeps,
  state: RunState,
  stepId: string,
): Promise<Evaluation> {
  const step = planStep(state.created.plan, stepId);
  if (step.when !== null) {
    const holds = deps.evaluateCondition(step.when, expressionFacts(state));
    if (!holds.ok) return { outcome: 'blocked', reason: 'configuration', failure: holds.error };
    if (!holds.value) return { outcome: 'condition-false' };
  }
  const prepared = await prepareStep(deps, state, stepId);
  if (!prepared.ok) return prepared.error;
  const { subject, subjectDigest, verdict } = prepared.value;
  const approvalId = deps.ids.next('apr');
  if (step.kind !== 'approval') {
    const revoked = revokedFor(deps, state, stepId);
    const asked = { subject, subjectDigest, verdict, approvalId, expiresAtMs: null };
    return { outcome: 'start', ...asked, revoked };
  }
  const nowMs = deps.clock.now();
  const expiresAtMs = step.expiresMs === null ? null : nowMs + step.expiresMs;
  const { assurance } = verdict.requires;
  const requires = { ...step.by, assurance };
  const asked = { subject, subjectDigest, verdict, requires, approvalId, expiresAtMs };
  if (step.escalate === undefined) return { outcome: 'gate', ...asked };
  const { afterMs, roles, people } = step.escalate;
  return { outcome: 'gate', ...asked, escalation: { atMs: nowMs + afterMs, roles, people } };
}

/** Builds the subject again from what is about to run, asks the policy again, and only then starts. */
export async function startStep(
  deps: EngineDeps,
  launchable: Launchable,
  run: RunHandle,
  stepId: string,
): Promise<Performed> {
  const state = run.state();
  const prepared = await prepareStep(deps, state, stepId);
  if (!prepared.ok) {
    // It could be prepared when it was evaluated. A digest that fits nothing sends it back to be evaluated again.
    return requeueUnprepared(deps, run, stepId);
  }
  const { subject, subjectDigest, verdict, work } = prepared.value;
  const opened = work === null ? null : await openSession(deps, work);
  const attempt = (state.steps.get(stepId)?.attempts.length ?? 0) + 1;
  const key = launchKey(run.runId, stepId, attempt);
  if (opened !== null) launchable.set(key, opened);
  const applied = await run.apply({
    type: 'StartStep',
    step: stepId,
    checkpoint: state.checkpoint?.commit ?? '',
    subject,
    subjectDigest,
    revoked: revokedFor(deps, state, stepId),
    verdict,
    epoch: deps.epoch,
    sandbox: work?.sandbox.kind ?? 'bubblewrap',
    session: opened?.session ?? null,
    versions: work?.work.kind === 'agent' ? await versionsOf(deps, work.work.adapter) : null,
  });
  const started = applied.ok && applied.value.steps.get(stepId)?.status === 'running';
  if (!started) launchable.delete(key);
  return applied.ok ? 'done' : 'again';
}

/** Approvers of `step` whose word does not count any more. */
function revokedFor(deps: EngineDeps, state: RunState, step: string): readonly string[] {
  const own = [...state.approvals.values()].filter((approval) => approval.step === step);
  return [...new Set(own.flatMap((approval) => deps.revokedAmong(approval)))];
}

export function launchKey(runId: string, step: string, attempt: number): string {
  return `${runId} ${step} ${String(attempt)}`;
}

async function requeueUnprepared(
  deps: EngineDeps,
  run: RunHandle,
  step: string,
): Promise<Performed> {
  const verdict = run.state().steps.get(step)?.verdict ?? null;
  if (verdict === null) return 'again';
  const applied = await run.apply({
    type: 'StartStep',
    step,
    checkpoint: '',
    subjectDigest: 'unprepared',
    verdict,
    epoch: deps.epoch,
    sandbox: 'none',
    session: null,
    versions: null,
  });
  return applied.ok ? 'done' : 'again';
}

async function versionsOf(deps: EngineDeps, adapter: string): Promise<AgentVersions | null> {
  const probe = await deps.adapters.probe(adapter);
  if (probe === null) return null;
  return {
    interface: AGENT_ADAPTER_INTERFACE_VERSION,
    adapter: probe.adapterVersion,
    sdk: probe.sdkVersion,
    program: probe.programVersion,
  };
}

/** Chooses the id of a new session, so that the log knows it before the agent's program does. */
async function openSession(deps: EngineDeps, prepared: PreparedWork): Promise<PreparedWork> {
  const { work } = prepared;
  if (work.kind !== 'agent' || work.session.kind === 'resume') return prepared;
  const probe = await deps.adapters.probe(work.adapter);
  const session: ResumeToken = {
    adapter: work.adapter,
    adapterVersion: probe?.adapterVersion ?? 'unknown',
    programVersion: probe?.programVersion ?? 'unknown',
    session: deps.ids.uuid(),
    at: null,
  };
  return { ...prepared, session, work: { ...work, session: { kind: 'new', id: session.session } } };
}
