/**
 * The way out of a deadlock of the policy: an admin, with a second one where it is asked for, lets one step start once
 * although rules deny it or ask for people who cannot be had. It is a request like any other, of kind `override`, that
 * its first decision comes with; a plan's own questions, rejections and absolute rules are not lifted by it.
 */
import type { CommandContext, OverrideAsked, Refusal } from './commands.ts';
import type { Draft } from './draft.ts';
import type { PolicyVerdict } from './events.ts';
import { approversOf, resolveApproval } from './requests.ts';
import { approvalState, planStep, stepState } from './state.ts';
import type { ApprovalState, RunState } from './state.ts';

export const MIN_REASON = 20;
export const MAX_OVERRIDE_MS: number = 15 * 60_000;

/** Asks for an override of what blocks `step`, and is the first to decide it. Gives the refusal, or null. */
export function askOverride(draft: Draft, asked: OverrideAsked): Refusal | null {
  const refusal = refuseOverride(draft.state, draft.context, asked);
  if (refusal !== null) return refusal;
  const { step, approvalId, subject, subjectDigest, count, reason } = asked;
  const { verdict } = stepState(draft.state, step);
  if (verdict === null) return { type: 'NotOverridable', step, detail: 'nothing denies it' };
  const { why, policyDigest, risk } = verdict;
  dropUnused(draft, step);
  const expiresAtMs = Math.min(asked.expiresAtMs, draft.context.nowMs + MAX_OVERRIDE_MS);
  draft.emit({
    type: 'ApprovalRequested',
    data: {
      ...{ approvalId, step, kind: 'override', subject, subjectDigest, why, policyDigest, risk },
      requires: {
        roles: ['admin'],
        people: [],
        count,
        excludeRequester: false,
        assurance: 'session',
      },
      ...{ expiresAtMs, gateId: null },
    },
  });
  const { roles, assurance, evidence } = asked;
  const selfApproved = draft.context.actor.id === draft.state.requester.id;
  draft.emit({
    type: 'ApprovalDecided',
    data: {
      ...{ approvalId, decision: 'approve', reason, subjectDigest, roles, assurance, selfApproved },
      form: {},
      ...(evidence === undefined ? {} : { evidence }),
    },
  });
  if (count <= 1) {
    resolveApproval(draft, approvalId, 'approved', 'enough people have approved');
    grantOverride(draft, approvalState(draft.state, approvalId));
  }
  return null;
}

function refuseOverride(
  state: RunState,
  { actor }: CommandContext,
  { step: id, roles, reason, startDigest }: OverrideAsked,
): Refusal | null {
  const step = stepState(state, id);
  const no = (detail: string): Refusal => ({ type: 'NotOverridable', step: id, detail });
  if (actor.kind !== 'person') return no('only a person overrides');
  if (!roles.includes('admin')) return no(`${actor.id} is no admin`);
  if (reason.trim().length < MIN_REASON) return { type: 'ReasonTooShort', atLeast: MIN_REASON };
  const isBlocked = step.waiting?.reason === 'policy_denied' || step.waiting?.reason === 'approval';
  if (step.status !== 'blocked' || !isBlocked)
    return no(`it is ${step.status}, and nothing denies it`);
  if (planStep(state.created.plan, id).kind === 'approval' && step.waiting.reason === 'approval') {
    return no('it is a question of the plan itself: a person answers it');
  }
  if (startDigest !== step.subjectDigest) {
    return { type: 'SubjectMoved', approvalId: id, subjectDigest: step.subjectDigest ?? '' };
  }
  const absolute = step.verdict?.why.filter((rule) => rule.absolute === true) ?? [];
  if (absolute.length > 0) {
    return no(
      `no override lifts ${absolute.map(({ rule, text }) => `${rule} (${text})`).join(', ')}`,
    );
  }
  const open = [...state.approvals.values()].find(
    (approval) =>
      approval.step === id && approval.kind === 'override' && approval.status === 'open',
  );
  return open === undefined ? null : no(`an override of it is asked for already: ${open.id}`);
}

/** One override at a time: what an earlier one would have lifted is not what is asked for now. */
function dropUnused(draft: Draft, step: string): void {
  for (const { id, kind, status, usedBy, step: of } of draft.state.approvals.values()) {
    const unused = kind === 'override' && status === 'approved' && usedBy === null;
    if (unused && of === step) resolveApproval(draft, id, 'stale', 'another override is asked for');
  }
}

/** Enough admins have decided: the step is evaluated again, with the override as a fact. */
export function grantOverride(draft: Draft, override: ApprovalState): void {
  const { step } = override;
  const { status, waiting, next } = stepState(draft.state, step);
  if (status !== 'blocked') return;
  if (waiting?.reason === 'approval') {
    resolveApproval(draft, waiting.approvalId, 'withdrawn', `overridden by ${override.id}`);
  }
  const data = { step, cause: 'override', mode: next, reason: override.id } as const;
  draft.emit({ type: 'StepRequeued', data: { ...data, automatic: false } });
}

/** The override that lets exactly this start now, under this policy; null when there is none. */
export function usableOverride(
  state: RunState,
  start: {
    readonly step: string;
    readonly subjectDigest: string;
    readonly verdict: PolicyVerdict;
    readonly nowMs: number;
    readonly revoked: readonly string[];
  },
): string | null {
  const { step, subjectDigest, verdict, nowMs, revoked } = start;
  for (const override of state.approvals.values()) {
    const listed = new Set(override.why.map(({ rule }) => rule));
    const fits =
      override.step === step &&
      override.kind === 'override' &&
      override.status === 'approved' &&
      override.usedBy === null &&
      override.expiresAtMs !== null &&
      override.expiresAtMs > nowMs &&
      override.subject['start'] === subjectDigest &&
      override.policyDigest === verdict.policyDigest &&
      verdict.why.every(({ rule, absolute }) => absolute !== true && listed.has(rule)) &&
      approversOf(override, revoked).size >= override.requires.count;
    if (fits) return override.id;
  }
  return null;
}

/** Overrides whose step needs none any more, and those that nobody used in time. */
export function settleOverrides(draft: Draft): void {
  const { approvals, checkpoint } = draft.state;
  for (const { id, kind, status, step, askedAt } of approvals.values()) {
    if (kind !== 'override' || status !== 'open') continue;
    if (stepState(draft.state, step).status !== 'blocked' || askedAt !== checkpoint?.commit) {
      resolveApproval(draft, id, 'withdrawn', 'what it would lift is not there any more');
    }
  }
}

export function expireOverrides(draft: Draft): void {
  const { ended, paused, cancelRequest } = draft.state;
  if (ended !== null || paused !== null || cancelRequest !== null) return;
  for (const override of draft.state.approvals.values()) {
    if (override.kind !== 'override' || override.status !== 'approved') continue;
    if (override.usedBy !== null || (override.expiresAtMs ?? 0) > draft.context.nowMs) continue;
    resolveApproval(draft, override.id, 'expired', 'it was granted, and not used in time');
  }
}

/** Somebody has looked at what was overridden, and says so. */
export function reviewOverride(draft: Draft, approvalId: string, note: string): Refusal | null {
  const override = draft.state.approvals.get(approvalId);
  const { actor } = draft.context;
  if (override?.kind !== 'override') return { type: 'ApprovalNotFound', approvalId };
  const no = (detail: string): Refusal => ({
    ...{ type: 'NotAllowedToDecide', approvalId, approver: actor.id, detail },
  });
  if (actor.kind !== 'person') return no('only a person reviews');
  if (override.review !== null) return no(`${override.review.by} has reviewed it already`);
  const askers = override.decisions.map(({ approver }) => approver);
  // Where one admin is enough, there may be nobody else who could look.
  if (override.requires.count > 1 && askers.includes(actor.id)) {
    return no('who overrides does not review it');
  }
  draft.emit({ type: 'OverrideReviewed', data: { approvalId, note } });
  return null;
}
