/** What people were asked, and what a validation saw, is not what is there any more: closed, and asked or looked at anew. */
import type { Json, JsonObject } from '../base/json.ts';
import { dependentsOf } from '../plan/plan.ts';
import type { StepId } from '../plan/plan.ts';
import { dropApprovals } from './requests.ts';
import type { Subject } from './commands.ts';
import type { Draft } from './draft.ts';
import type { Failure } from './events.ts';
import { planStep, stepState } from './state.ts';
import type { RunState } from './state.ts';

const SYSTEM = { kind: 'engine', id: 'engine' } as const;

/** Who has rejected exactly this before, and why: it is not asked again. Null when nobody has. */
export function rejectionOf(state: RunState, step: StepId, subjectDigest: string): Failure | null {
  for (const approval of state.approvals.values()) {
    const { kind, status } = approval;
    if (approval.step !== step || status !== 'rejected') continue;
    if (kind !== 'start' && kind !== 'gate') continue;
    if (approval.subjectDigest !== subjectDigest) continue;
    const said = approval.decisions.find(({ decision }) => decision === 'reject');
    return {
      code: 'rejected',
      message: `${said?.approver ?? 'somebody'} has rejected exactly this: ${said?.reason ?? ''}`,
      hint: 'change what it would run, then retry the step',
    };
  }
  return null;
}

/** Closes what asks for, or allows, something that is not so any more, and says which fields of it are not. */
export function staleApproval(draft: Draft, approvalId: string, changed: readonly string[]): void {
  const detail = `it has changed since it was asked: ${changed.join(', ')}`;
  const data = { approvalId, status: 'stale', detail, changed } as const;
  draft.emit({ type: 'ApprovalResolved', actor: SYSTEM, data });
}

/** Names of the fields in which two subjects differ, sorted. */
export function changedFields(before: JsonObject, after: JsonObject): readonly string[] {
  const names = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [...names].filter((name) => !isSame(before[name], after[name])).sort();
}

function isSame(a: Json | undefined, b: Json | undefined): boolean {
  if (a === undefined || b === undefined || a === null || b === null) return a === b;
  if (typeof a !== 'object' || typeof b !== 'object') return a === b;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  return changedFields(a as JsonObject, b as JsonObject).length === 0;
}

/** Approvals of `step` that nobody has used, and that are for something else than what it would run now. */
export function dropOutdated(draft: Draft, step: StepId, now: Subject & { policy: string }): void {
  for (const approval of draft.state.approvals.values()) {
    const unused = approval.status === 'approved' && approval.usedBy === null;
    if (approval.step !== step || approval.kind !== 'start' || !unused) continue;
    const changed = changedFields(approval.subject, now.subject);
    if (approval.subjectDigest !== now.subjectDigest) {
      staleApproval(draft, approval.id, changed.length > 0 ? changed : ['subject']);
    } else if (approval.policyDigest !== now.policy) {
      staleApproval(draft, approval.id, ['policy']);
    }
  }
}

/** Requests about a workspace that a step has changed since: people would decide on what is not there any more. */
export function dropPassedBy(draft: Draft): void {
  const { approvals, checkpoint, steps } = draft.state;
  for (const { id, step, kind, status, askedAt } of approvals.values()) {
    if (status !== 'open' || (kind !== 'start' && kind !== 'gate')) continue;
    if (askedAt === checkpoint?.commit) continue;
    staleApproval(draft, id, ['workspace']);
    draft.emit({
      type: 'StepRequeued',
      actor: SYSTEM,
      data: {
        step,
        cause: 'subject_changed',
        mode: steps.get(step)?.next ?? 'restore',
        reason: 'the workspace has changed since people were asked',
        automatic: true,
      },
    });
  }
}

/**
 * Sends validations that `step` needs, and that looked at another state of the workspace than it has now, to look
 * again; false when there are none. Others that built on them keep what they have.
 */
export function refreshValidations(draft: Draft, step: StepId): boolean {
  const { state } = draft;
  const { plan } = state.created;
  const old = planStep(plan, step).needs.filter((id) => {
    const needed = stepState(state, id);
    const looked = planStep(plan, id).kind === 'validation' && needed.status === 'succeeded';
    return looked && needed.checkpoint?.commit !== state.checkpoint?.commit;
  });
  for (const id of old) {
    for (const dependent of dependentsOf(plan, id)) {
      if (stepState(state, dependent).status === 'ready') waitAgain(draft, dependent, id);
    }
    const reason = 'the workspace has changed since it looked';
    draft.emit({
      type: 'StepInvalidated',
      actor: SYSTEM,
      data: { step: id, cause: id, reason, gate: false },
    });
  }
  return old.length > 0;
}

/** A step that was to begin waits for `need`, which looks again. */
function waitAgain(draft: Draft, step: StepId, need: StepId): void {
  const reason = `${need} runs again`;
  dropApprovals(draft, step, reason);
  const { next: mode } = stepState(draft.state, step);
  const data = { step, cause: 'invalidated', mode, reason, automatic: true } as const;
  draft.emit({ type: 'StepRequeued', actor: SYSTEM, data });
}

/** While `step` was at work, a validation that it needs may have been sent to look again: its next try waits for that. */
export function awaitNeeds(draft: Draft, step: StepId): void {
  const { state } = draft;
  const open = planStep(state.created.plan, step).needs.find((need) => {
    const { status } = stepState(state, need);
    return status !== 'succeeded' && status !== 'skipped';
  });
  if (open !== undefined) waitAgain(draft, step, open);
}
