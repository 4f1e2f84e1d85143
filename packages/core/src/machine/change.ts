/**
 * What people change of a run while it runs: a step is skipped, or the rest of the plan is replaced. The policy is asked,
 * and those who could decide a gate that is gone past or changed; then it is done as it was shown, or not at all.
 */
import { dependentsOf, isWriter, stepById } from '../plan/plan.ts';
import type { Plan, StepId } from '../plan/plan.ts';
import type { Refusal, RunCommand } from './commands.ts';
import type { Draft } from './draft.ts';
import type { ApprovalRequirement, Checkpoint, DecidingRule, PolicyVerdict } from './events.ts';
import type { RunChange } from './events.ts';
import { diffPlans, weakenedIn } from './plan-diff.ts';
import { dropApprovals, isOfChange, resolveApproval } from './requests.ts';
import { hasBegun } from './restart.ts';
import { lastWorked, planStep, stepState } from './state.ts';
import type { PendingChange, RunState, StepState } from './state.ts';
import { runStatus } from './status.ts';

type Asked = Extract<RunCommand, { type: 'ChangeRun' }>;

/** Somebody who has to approve a change. */
export interface ChangeAsk {
  /** The step it is about: the gate that is changed, else the first step that is. */
  readonly step: StepId;
  readonly requires: ApprovalRequirement;
  readonly why: readonly DecidingRule[];
}

export function askChange(draft: Draft, command: Asked): Refusal | null {
  const refusal = noteChange(draft, command);
  if (refusal !== null) return refusal;
  const { state } = draft;
  const { change, verdict, approvalId, subject, subjectDigest } = command;
  const asks = changeAsks(state, change, verdict);
  const { policyDigest, risk } = verdict;
  for (const [index, { step, requires, why }] of asks.entries()) {
    const id = index === 0 ? approvalId : `${approvalId}-${String(index + 1)}`;
    draft.emit({
      type: 'ApprovalRequested',
      data: {
        ...{ approvalId: id, step, kind: change.type, subject, subjectDigest, why, requires },
        ...{ policyDigest, risk, expiresAtMs: null, gateId: null },
      },
    });
  }
  if (asks.length === 0) performChange(draft);
  return null;
}

/** As if everybody who is asked had agreed: what the change comes to. */
export function foreseeChange(draft: Draft, command: Asked): Refusal | null {
  const refusal = noteChange(draft, command);
  if (refusal === null) performChange(draft);
  return refusal;
}

function noteChange(draft: Draft, { change, verdict, reason }: Asked): Refusal | null {
  const { state, context } = draft;
  const refusal = refuseChange(state, change);
  if (refusal !== null) return refusal;
  if (context.actor.kind !== 'person') {
    return { type: 'ChangeDenied', action: change.type, detail: 'only a person does this' };
  }
  if (verdict.verdict === 'deny') {
    const detail = verdict.why.map(({ rule, text }) => `${text} (${rule})`).join(' ');
    return { type: 'ChangeDenied', action: change.type, detail };
  }
  if (state.change !== null) closeRequests(draft, 'another change is asked for');
  const weakened = weakenedBy(state, change);
  const seen = sightOf(state, change);
  draft.emit({ type: 'ChangeAsked', data: { change, verdict, weakened, seen, reason } });
  return null;
}

/** Gates and validations that `change` goes past or alters. */
export function weakenedBy(state: RunState, change: RunChange): readonly StepId[] {
  const { plan } = state.created;
  if (change.type === 'replan') return weakenedIn(plan, change.plan);
  const { kind } = planStep(plan, change.step);
  return kind === 'approval' || kind === 'validation' ? [change.step] : [];
}

/** Who has to agree to `change`; empty when nobody has to. */
export function changeAsks(
  state: RunState,
  change: RunChange,
  verdict: PolicyVerdict,
): readonly ChangeAsk[] {
  const { plan } = state.created;
  const gates = weakenedBy(state, change).flatMap((id): readonly ChangeAsk[] => {
    const gate = planStep(plan, id);
    if (gate.kind !== 'approval') return [];
    const requires = { ...gate.by, assurance: verdict.requires.assurance };
    return [{ step: id, requires, why: [{ rule: 'plan', text: `It is not asked as planned.` }] }];
  });
  if (verdict.verdict !== 'requires_approval') return gates;
  const step = change.type === 'skip' ? change.step : firstChanged(plan, change.plan);
  return [{ step, requires: verdict.requires, why: verdict.why }, ...gates];
}

function firstChanged(before: Plan, after: Plan): StepId {
  const changed = new Set(diffPlans(before, after).steps.map(({ step }) => step));
  const ids = before.steps.map(({ id }) => id);
  return ids.find((id) => changed.has(id)) ?? ids[0] ?? '';
}

function refuseChange(state: RunState, change: RunChange): Refusal | null {
  const { runId, ended, cancelRequest } = state;
  if (change.type === 'skip' && !state.steps.has(change.step)) {
    return { type: 'StepNotFound', runId, step: change.step };
  }
  if (ended === 'succeeded' || ended === 'canceled' || cancelRequest !== null) {
    return { type: 'RunOver', runId, status: runStatus(state) };
  }
  if (state.startedAt === null) return { type: 'PlanUnfit', runId, detail: 'it has not begun yet' };
  if (change.type === 'skip') {
    const { status } = stepState(state, change.step);
    const may = status === 'failed' || status === 'interrupted' || status === 'blocked';
    return may ? null : { type: 'StepNotReady', step: change.step, status };
  }
  const detail = unfitness(state, change);
  return detail === null ? null : { type: 'PlanUnfit', runId, detail };
}

/** Why the run cannot go over to this plan, in words, or null. */
function unfitness(
  state: RunState,
  { plan, digest, goOn }: Extract<RunChange, { type: 'replan' }>,
): string | null {
  if (digest === state.created.digest) return 'it is the plan that the run follows already';
  const now = stepById(plan);
  for (const { id, status, attempts } of state.steps.values()) {
    const later = now.get(id);
    const { kind } = planStep(state.created.plan, id);
    if (later === undefined) {
      if (status === 'running') return `${id} is at work and not in it: let it end first`;
    } else if (attempts.length > 0 && later.kind !== kind) {
      return `${id} has begun as ${kind}: give the ${later.kind} another name`;
    }
  }
  const earlier = state.retired.find(({ planned, step }) => {
    const kind = now.get(step.id)?.kind;
    return kind !== undefined && kind !== planned.kind && step.attempts.length > 0;
  });
  if (earlier !== undefined) {
    return `${earlier.step.id} was a ${earlier.planned.kind} before: give it another name`;
  }
  if (goOn !== null && !canGoOn(state, goOn)) return `${goOn} has nothing to go on with`;
  return null;
}

/** Its half-done work is in the workspace, and nothing is at it. */
function canGoOn(state: RunState, id: StepId): boolean {
  const step = state.steps.get(id);
  if (step === undefined) return false;
  if (step.status === 'interrupted') return true;
  return (
    step.status === 'blocked' &&
    step.next === 'continue' &&
    lastWorked(step)?.status === 'interrupted'
  );
}

/** What people see of the run when they agree: it has to be so still when the change is made. */
function sightOf(state: RunState, change: RunChange): readonly string[] {
  if (change.type === 'skip') {
    const { status, attempts } = stepState(state, change.step);
    return [status, String(attempts.length)];
  }
  return [...replanReach(state, change.plan, change.goOn).again];
}

/** Everybody who was asked has agreed. */
export function isChangeAgreed({ change, approvals }: RunState): boolean {
  return change?.approvals.every((id) => approvals.get(id)?.status === 'approved') === true;
}

/** A change that would not be what people were shown is not waited for any more. */
export function settleChange(draft: Draft): void {
  const { state } = draft;
  if (state.change !== null && !isAsSeen(state, state.change)) {
    closeRequests(draft, 'the run has moved on since it was asked');
  }
  for (const { id, kind, status } of state.approvals.values()) {
    if (status !== 'open' || !isOfChange({ kind })) continue;
    if (state.change?.approvals.includes(id) === true) continue;
    resolveApproval(draft, id, 'withdrawn', 'nobody waits for it any more');
  }
}

function isAsSeen(state: RunState, pending: PendingChange): boolean {
  const { change, seen } = pending.asked;
  if (pending.askedAt !== (state.checkpoint?.commit ?? null)) return false;
  if (refuseChange(state, change) !== null) return false;
  const now = sightOf(state, change);
  return now.length === seen.length && now.every((each, index) => each === seen[index]);
}

function closeRequests(draft: Draft, detail: string): void {
  for (const id of draft.state.change?.approvals ?? []) {
    if (draft.state.approvals.get(id)?.status === 'open') {
      resolveApproval(draft, id, 'stale', detail);
    }
  }
}

/** Makes the change that has been asked for. */
export function performChange(draft: Draft): void {
  const { change: pending } = draft.state;
  if (pending === null) return;
  const { approvals } = pending;
  const { change, reason } = pending.asked;
  if (change.type === 'replan') {
    replan(draft, change, reason, approvals);
    return;
  }
  const { step } = change;
  dropApprovals(draft, step, 'it is skipped');
  draft.emit({ type: 'StepSkipped', data: { step, cause: 'decision', reason, approvals } });
}

function replan(
  draft: Draft,
  change: Extract<RunChange, { type: 'replan' }>,
  reason: string | null,
  approvals: readonly string[],
): void {
  const { state } = draft;
  const { planId, revision, digest, plan, goOn } = change;
  const said = reason ?? `the plan has a new revision, ${String(revision)}`;
  const { again, target, first } = replanReach(state, plan, goOn);
  for (const step of again) {
    dropApprovals(draft, step, 'the plan has changed');
    const data = { step, cause: step, reason: said, gate: false, anew: true } as const;
    draft.emit({ type: 'StepInvalidated', data });
  }
  if (first !== null && target !== null && target.commit !== state.checkpoint?.commit) {
    draft.emit({ type: 'RunRewound', data: { step: first, checkpoint: target } });
  }
  for (const { id, status, next, notBeforeMs } of state.steps.values()) {
    const leaves = !stepById(plan).has(id);
    // What waits out a back-off keeps its time: its start is judged by the new plan anyway.
    const waits = status === 'blocked' || (status === 'ready' && notBeforeMs === null);
    if (leaves || waits) dropApprovals(draft, id, 'the plan has changed');
    if (leaves || !waits || id === goOn) continue;
    const data = { step: id, cause: 'replan', mode: next, reason: said, automatic: true } as const;
    draft.emit({ type: 'StepRequeued', data });
  }
  draft.emit({ type: 'PlanReplaced', data: { planId, revision, digest, approvals } });
  if (goOn === null) return;
  const data = { step: goOn, cause: 'resume', mode: 'continue', reason: said } as const;
  draft.emit({ type: 'StepRequeued', data: { ...data, automatic: false } });
}

/**
 * What begins again under `plan`: steps that it has otherwise, what builds on them, and what was built on work that goes
 * with them. `target` is the workspace then, before `first`; steps that are gone are not in `again`.
 */
export function replanReach(
  state: RunState,
  plan: Plan,
  goOn: StepId | null,
): {
  readonly again: readonly StepId[];
  readonly target: Checkpoint | null;
  readonly first: StepId | null;
} {
  const old = state.created.plan;
  const gone = new Set<StepId>();
  const take = (id: StepId): void => {
    gone.add(id);
    for (const from of [old, plan]) {
      for (const dependent of dependentsOf(from, id)) gone.add(dependent);
    }
  };
  for (const { step, change } of diffPlans(old, plan).steps) {
    if (step === goOn) continue;
    // One that has not begun has nothing that others could have built on.
    const begun = change !== 'added' && hasBegun(stepState(state, step));
    if (begun || change === 'added') take(step);
  }
  let target = state.checkpoint;
  let first: StepId | null = null;
  // The line is gone through from its end as often as it takes: what goes takes along what was built on it.
  for (let grew = true; grew;) {
    grew = false;
    const behind: StepId[] = [];
    for (let at = state.line; at !== null; at = at.before) {
      behind.push(at.step);
      if (!gone.has(at.step) || !isDone(stepState(state, at.step))) continue;
      const before = at.before?.checkpoint ?? state.origin;
      if (isDeeper(state, before, target)) [target, first] = [before, at.step];
      for (const id of behind) {
        if (gone.has(id)) continue;
        take(id);
        grew = true;
      }
    }
  }
  if (target?.commit !== state.checkpoint?.commit) {
    for (const step of state.steps.activeSteps()) {
      if (step.status === 'running' && isWriter(planStep(old, step.id))) take(step.id);
    }
  }
  const later = stepById(plan);
  const again = old.steps
    .map(({ id }) => id)
    .filter((id) => gone.has(id) && later.has(id) && hasBegun(stepState(state, id)));
  return { again, target, first };
}

function isDone({ status }: StepState): boolean {
  return status === 'succeeded';
}

/** Whether `a` lies further back in the line than `b`. */
function isDeeper(state: RunState, a: Checkpoint | null, b: Checkpoint | null): boolean {
  const depthOf = (checkpoint: Checkpoint | null): number => {
    let depth = 0;
    for (let at = state.line; at !== null; at = at.before, depth += 1) {
      if (at.checkpoint.commit === checkpoint?.commit) return depth;
    }
    return depth;
  };
  return depthOf(a) > depthOf(b);
}
