/** Requests to people: who may decide, when enough have, and what a decision is good for. */
import type { JsonObject } from '../base/json.ts';
import { dependentsOf } from '../plan/plan.ts';
import type { ApprovalStep, StepId } from '../plan/plan.ts';
import type { Refusal, RunCommand } from './commands.ts';
import { isChangeAgreed, performChange } from './change.ts';
import type { Draft } from './draft.ts';
import { grantOverride } from './override.ts';
import { approversOf, dropApprovals, isOfChange, resolveApproval } from './requests.ts';
import type { ApprovalRequirement, Failure, PolicyVerdict } from './events.ts';
import { approvalState, lastAttempt, planStep, stepState } from './state.ts';
import type { ApprovalState, RunState } from './state.ts';

const SYSTEM = { kind: 'engine', id: 'engine' } as const;

/** Weakest first. */
const ASSURANCES: readonly ApprovalRequirement['assurance'][] = ['session', 'reauth', 'passkey'];

/** What is about to start, and when: what an approval must fit to be good for it. */
export interface Start {
  readonly step: StepId;
  readonly subjectDigest: string;
  readonly verdict: PolicyVerdict;
  readonly nowMs: number;
  /** Approvers who may not decide any more. */
  readonly revoked: readonly string[];
}

/**
 * Approved requests that allow `start`, under the policy that asked: unused, in time, and with enough different people.
 * Null when there are none.
 */
export function usableApprovals(
  state: RunState,
  { step, subjectDigest, verdict, nowMs, revoked }: Start,
): readonly string[] | null {
  for (const approval of state.approvals.values()) {
    const fits =
      approval.step === step &&
      approval.kind === 'start' &&
      approval.status === 'approved' &&
      approval.usedBy === null &&
      (approval.expiresAtMs === null || approval.expiresAtMs > nowMs) &&
      approval.subjectDigest === subjectDigest &&
      approval.policyDigest === verdict.policyDigest;
    if (fits && approversOf(approval, revoked).size >= verdict.requires.count) {
      return [approval.id];
    }
  }
  return null;
}

export function decideApproval(
  draft: Draft,
  command: Extract<RunCommand, { type: 'DecideApproval' }>,
): Refusal | null {
  const { approvalId } = command;
  const approval = draft.state.approvals.get(approvalId);
  if (approval === undefined) return { type: 'ApprovalNotFound', approvalId };
  const refusal = refuseDecision(draft, approval, command);
  if (refusal !== null) return refusal;
  const approver = draft.context.actor;
  const { decision, reason, subjectDigest, roles, assurance, form, revoked = [] } = command;
  const selfApproved = approver.id === draft.state.requester.id;
  const { evidence } = command;
  draft.emit({
    type: 'ApprovalDecided',
    data: {
      ...{ approvalId, decision, reason, subjectDigest, roles, assurance, selfApproved, form },
      ...(evidence === undefined ? {} : { evidence }),
    },
  });
  if (decision === 'reject') {
    resolveApproval(draft, approvalId, 'rejected', reason);
    refuseWhatWasAsked(draft, approval, {
      code: 'rejected',
      message: `${approver.id} rejected it: ${reason}`,
      hint: null,
    });
    return null;
  }
  const approvers = approversOf(approvalState(draft.state, approvalId), revoked);
  if (approvers.size >= approval.requires.count) {
    resolveApproval(draft, approvalId, 'approved', 'enough people have approved');
    grantWhatWasAsked(draft, approval, form);
  }
  return null;
}

function refuseDecision(
  draft: Draft,
  approval: ApprovalState,
  command: Extract<RunCommand, { type: 'DecideApproval' }>,
): Refusal | null {
  const { state, context } = draft;
  const approvalId = approval.id;
  const expired = isExpired(approval, state.paused?.atMs ?? context.nowMs);
  if (approval.status !== 'open' || state.cancelRequest !== null || expired) {
    const status = approval.status !== 'open' ? approval.status : expired ? 'expired' : 'withdrawn';
    return { type: 'ApprovalNotOpen', approvalId, status };
  }
  if (command.subjectDigest !== approval.subjectDigest) {
    return { type: 'SubjectMoved', approvalId, subjectDigest: approval.subjectDigest };
  }
  const barred = reasonBarred(draft, approval, command);
  if (barred !== null) {
    const approver = context.actor.id;
    return { type: 'NotAllowedToDecide', approvalId, approver, detail: barred };
  }
  if (approval.decisions.some((decision) => decision.approver === context.actor.id)) {
    return { type: 'AlreadyDecided', approvalId, approver: context.actor.id };
  }
  if (command.decision === 'reject') {
    return command.reason.trim() === '' ? { type: 'ReasonRequired', approvalId } : null;
  }
  const detail = formProblem(state, approval, command.form);
  return detail === null ? null : { type: 'FormInvalid', approvalId, detail };
}

/** Further people come first: while they have not been asked, the time is not up. */
function isExpired({ expiresAtMs, escalation, escalated }: ApprovalState, nowMs: number): boolean {
  if (escalation !== null && !escalated) return false;
  return expiresAtMs !== null && expiresAtMs <= nowMs;
}

/** Why this person may not decide, in words, or null. */
function reasonBarred(
  { state, context: { actor, nowMs } }: Draft,
  approval: ApprovalState,
  command: Extract<RunCommand, { type: 'DecideApproval' }>,
): string | null {
  const { roles, assurance } = command;
  const { requires, escalation, escalated } = approval;
  if (actor.kind !== 'person') return 'only a person decides';
  if (ASSURANCES.indexOf(assurance) < ASSURANCES.indexOf(requires.assurance)) {
    return `this needs an approver authenticated by ${requires.assurance}`;
  }
  if (requires.excludeRequester && actor.id === state.requester.id) {
    return 'who asked for the run may not decide this';
  }
  const isOneOf = (who: Pick<ApprovalRequirement, 'people' | 'roles'>): boolean =>
    who.people.includes(actor.id) || roles.some((role) => who.roles.includes(role));
  const asWell = escalation !== null && (escalated || escalation.atMs <= nowMs) ? escalation : null;
  if (asWell !== null && isOneOf(asWell)) return null;
  const open = requires.people.length === 0 && requires.roles.length === 0;
  if (!open && !isOneOf(requires)) {
    const who = asWell === null ? [requires] : [requires, asWell];
    const people = who.flatMap((each) => each.people);
    const wanted = who.flatMap((each) => each.roles.map((role) => `role ${role}`));
    return `this needs ${[...new Set([...people, ...wanted])].join(' or ')}`;
  }
  const turn = command.decision === 'approve' ? nextInOrder(approval, command.revoked ?? []) : null;
  return turn === null || isOneOf(turn) ? null : `${wordsFor(turn)} comes first`;
}

/** Whose turn it is, where approvals come in an order; null when anybody's. */
function nextInOrder(
  approval: ApprovalState,
  revoked: readonly string[],
): Pick<ApprovalRequirement, 'people' | 'roles'> | null {
  const { inOrder = false, people, roles } = approval.requires;
  if (!inOrder) return null;
  const next = approversOf(approval, revoked).size;
  const name = (people.length > 0 ? people : roles)[next];
  if (name === undefined) return null;
  return people.length > 0 ? { people: [name], roles: [] } : { people: [], roles: [name] };
}

function wordsFor({ people, roles }: Pick<ApprovalRequirement, 'people' | 'roles'>): string {
  return [...people, ...roles.map((role) => `somebody with the role ${role}`)].join(' or ');
}

function formProblem(state: RunState, approval: ApprovalState, form: JsonObject): string | null {
  const step = planStep(state.created.plan, approval.step);
  const fields = approval.kind === 'gate' && step.kind === 'approval' ? step.form : {};
  const unknown = Object.keys(form).find((name) => fields[name] === undefined);
  if (unknown !== undefined) return `there is no field ${unknown}`;
  for (const [name, field] of Object.entries(fields)) {
    const value = form[name];
    if (value === undefined || value === '') {
      if (field.required) return `${name} is required`;
    } else if (typeof value !== field.type) return `${name} must be a ${field.type}`;
  }
  return null;
}

function grantWhatWasAsked(draft: Draft, approval: ApprovalState, form: JsonObject): void {
  const { step, subjectDigest, why, requires, policyDigest, risk, gateId } = approval;
  switch (approval.kind) {
    case 'start': {
      const verdict = { verdict: 'requires_approval', why, requires, policyDigest, risk } as const;
      const approvals = [approval.id];
      draft.emit({ type: 'StepReadied', data: { step, subjectDigest, verdict, approvals } });
      return;
    }
    case 'gate':
      draft.emit({ type: 'GatePassed', data: { step, approvalId: approval.id, outputs: form } });
      return;
    case 'tool':
      decideTool(draft, approval, gateId ?? '', 'allow', 'approved');
      return;
    case 'override':
      grantOverride(draft, approval);
      return;
    case 'skip':
    case 'replan':
      if (isChangeAgreed(draft.state)) performChange(draft);
  }
}

function decideTool(
  draft: Draft,
  approval: ApprovalState,
  gateId: string,
  decision: 'allow' | 'deny',
  reason: string,
): void {
  const { step, id: approvalId } = approval;
  const attempt = lastAttempt(stepState(draft.state, step))?.number ?? 0;
  draft.emit({
    type: 'ToolDecided',
    data: { step, attempt, gateId, decision, reason, verdict: null, approvalId },
  });
}

function refuseWhatWasAsked(draft: Draft, approval: ApprovalState, failure: Failure): void {
  const { step } = approval;
  // The step stays blocked by what blocks it.
  const isAside = approval.kind === 'override' || isOfChange(approval);
  if (isAside) return;
  if (approval.kind === 'tool') {
    decideTool(draft, approval, approval.gateId ?? '', 'deny', failure.message);
    return;
  }
  const planned = planStep(draft.state.created.plan, step);
  const sentBack = planned.kind === 'approval' && failure.code === 'rejected' && planned.onReject;
  if (sentBack && stepState(draft.state, step).rejections < sentBack.max) {
    sendBack(draft, planned, sentBack.restart, failure.message);
  } else {
    draft.emit({ type: 'StepFailed', data: { step, failure } });
  }
}

/** Runs `restart` again with the reason of the rejection, and everything that depends on it, the gate included. */
function sendBack(draft: Draft, gate: ApprovalStep, restart: StepId, reason: string): void {
  for (const id of [restart, ...dependentsOf(draft.state.created.plan, restart)]) {
    const { status, next } = stepState(draft.state, id);
    // Whatever was approved was meant for what was there, also of a step that has yet to begin.
    dropApprovals(draft, id, `${restart} runs again`);
    // Such a step has nothing else to give up, unless it is to go on with half-done work.
    if (status === 'pending' && next === 'restore') continue;
    draft.emit({
      type: 'StepInvalidated',
      data: { step: id, cause: restart, reason, gate: id === gate.id },
    });
  }
}

/** Asks further people once it is time, and gives them the time that they were meant to have, however late it is. */
function escalateIfDue(
  draft: Draft,
  { id, escalation, escalated, expiresAtMs }: ApprovalState,
): boolean {
  const { nowMs } = draft.context;
  if (escalation === null || escalated || escalation.atMs > nowMs) return false;
  const lateMs = nowMs - escalation.atMs;
  const data = { approvalId: id, expiresAtMs: expiresAtMs === null ? null : expiresAtMs + lateMs };
  draft.emit({ type: 'ApprovalEscalated', actor: SYSTEM, data });
  return true;
}

/** Requests whose time is up: never an approval by silence. */
export function expireApprovals(draft: Draft): void {
  if (draft.state.cancelRequest !== null || draft.state.paused !== null) return;
  const { nowMs } = draft.context;
  for (const approval of draft.state.approvals.values()) {
    if (approval.status !== 'open') continue;
    if (escalateIfDue(draft, approval) || !isExpired(approval, nowMs)) continue;
    resolveApproval(draft, approval.id, 'expired', 'nobody decided in time');
    refuseWhatWasAsked(draft, approval, {
      code: 'expired',
      message: 'the approval request expired before enough people had decided',
      hint: 'retry the step to ask again',
    });
  }
}
