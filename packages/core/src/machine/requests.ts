/** What is common to requests of every kind: who has approved, and how they end. */
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

export function resolveApproval(
  draft: Draft,
  approvalId: string,
  status: Exclude<ApprovalStatus, 'open'>,
  detail: string,
): void {
  draft.emit({ type: 'ApprovalResolved', actor: SYSTEM, data: { approvalId, status, detail } });
}
