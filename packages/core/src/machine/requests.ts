/** What is common to requests of every kind: who has approved, and how they end. */
import type { StepId } from '../plan/plan.ts';
import type { Draft } from './draft.ts';
import type { ApprovalStatus } from './events.ts';
import type { ApprovalState } from './state.ts';

const SYSTEM = { kind: 'engine', id: 'engine' } as const;

/** Different people who have approved, without those who may not decide any more. */
export function approversOf(
  approval: ApprovalState,
  revoked: readonly string[],
): ReadonlySet<string> {
  return new Set(
    approval.decisions
      .filter(({ decision, approver }) => decision === 'approve' && !revoked.includes(approver))
      .map(({ approver }) => approver),
  );
}

/** It asks for a change of the run, beside what its step waits for. */
export function isOfChange({ kind }: Pick<ApprovalState, 'kind'>): boolean {
  return kind === 'skip' || kind === 'replan';
}

export function resolveApproval(
  draft: Draft,
  approvalId: string,
  status: Exclude<ApprovalStatus, 'open'>,
  detail: string,
): void {
  draft.emit({ type: 'ApprovalResolved', actor: SYSTEM, data: { approvalId, status, detail } });
}

/** Requests of `step` that nobody can use any more. */
export function dropApprovals(draft: Draft, step: StepId, detail: string): void {
  for (const approval of draft.state.approvals.values()) {
    if (approval.step !== step || approval.usedBy !== null) continue;
    if (
      approval.status === 'open' ||
      (approval.status === 'approved' &&
        (approval.kind === 'start' || approval.kind === 'override'))
    ) {
      resolveApproval(draft, approval.id, 'stale', detail);
    }
  }
}
