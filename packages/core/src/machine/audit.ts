/**
 * Whether a run ever went past a decision that it needed: a replay of its log that trusts nobody who wrote it. It asks
 * the questions of the start anew, from the events alone, and shares no code with the decider that answered them first.
 */
import type { RunEvent } from './events.ts';
import { evolve } from './evolve.ts';
import type { ApprovalState, RunState } from './state.ts';

export interface AuditFinding {
  /** Index of the event within the run. */
  readonly sequence: number;
  /** `bypass`: something happened without the decisions it needed. `illegal`: the event cannot follow at all. */
  readonly kind: 'bypass' | 'illegal';
  readonly detail: string;
}

/**
 * Everything that is wrong with a run's log, oldest first; it ends at the first event that cannot follow. `toMs` reads
 * the times of events; without it deadlines are not looked at.
 */
export function auditRun(
  runId: string,
  events: Iterable<RunEvent>,
  toMs: ((at: string) => number) | null = null,
): readonly AuditFinding[] {
  const findings: AuditFinding[] = [];
  let state: RunState | null = null;
  let sequence = 0;
  for (const event of events) {
    const detail = state === null ? null : bypassOf(state, event, toMs);
    if (detail !== null) findings.push({ sequence, kind: 'bypass', detail });
    try {
      state = evolve(runId, state, event);
    } catch (error) {
      const told = error instanceof Error ? error.message : String(error);
      return [...findings, { sequence, kind: 'illegal', detail: told }];
    }
    sequence += 1;
  }
  return findings;
}

/** What decision was gone past by `event`, in words; null when none was. */
function bypassOf(
  before: RunState,
  event: RunEvent,
  toMs: ((at: string) => number) | null,
): string | null {
  // Nothing else needs a decision.
  // eslint-disable-next-line @typescript-eslint/switch-exhaustiveness-check
  switch (event.type) {
    case 'ApprovalDecided':
      return decisionFault(before, event);
    case 'AttemptStarted':
      return startFault(before, event.data, toMs === null ? null : toMs(event.at));
    case 'GatePassed': {
      const { step, approvalId } = event.data;
      const approval = before.approvals.get(approvalId);
      if (approval?.kind !== 'gate' || approval.step !== step) return `${step} passed unasked`;
      return approvalFault(before, approval);
    }
    case 'StepSkipped':
      return event.data.cause === 'decision' ? changeFault(before, event.data.approvals) : null;
    case 'PlanReplaced':
      return changeFault(before, event.data.approvals);
    case 'ToolDecided': {
      const { step, decision, approvalId, gateId, verdict } = event.data;
      if (decision === 'deny') return null;
      if (approvalId === null) {
        return verdict?.verdict === 'allow' ? null : `a tool of ${step} was allowed by nobody`;
      }
      const approval = before.approvals.get(approvalId);
      if (approval?.kind !== 'tool' || approval.gateId !== gateId) {
        return `a tool of ${step} was allowed by an approval of something else`;
      }
      return approvalFault(before, approval);
    }
    default:
      return null;
  }
}

/** A change of the run, against what the policy said and what the gates ask that it goes past or alters. */
function changeFault(before: RunState, approvals: readonly string[] | undefined): string | null {
  const asked = before.change?.asked;
  if (asked === undefined) return 'the run was changed, and nobody had asked for it';
  const { change, verdict } = asked;
  const no = (what: string): string => `${change.type}: ${what}`;
  if (verdict.verdict === 'deny') return no('the policy denies it');
  const granted = (approvals ?? []).map((id) => before.approvals.get(id));
  for (const approval of granted) {
    if (approval?.kind !== change.type) return no('approved was something else');
    const fault = approvalFault(before, approval);
    if (fault !== null) return no(fault);
  }
  const { count } = verdict.requires;
  const isCovered = granted.some((approval) => (approval?.requires.count ?? 0) >= count);
  if (verdict.verdict === 'requires_approval' && !isCovered) return no('nobody has approved it');
  const { steps } = before.created.plan;
  const gone = steps.find((step) => {
    if (step.kind !== 'approval') return false;
    if (change.type === 'skip') {
      if (change.step !== step.id) return false;
    } else {
      const later = change.plan.steps.find(({ id }) => id === step.id);
      const bare = (one: object | undefined): string => JSON.stringify({ ...one, needs: [] });
      if (bare(later) === bare(step)) return false;
    }
    return !granted.some(
      (approval) => approval?.step === step.id && approval.requires.count >= step.by.count,
    );
  });
  return gone === undefined ? null : no(`those who could decide ${gone.id} were not asked`);
}

const ASSURANCES = ['session', 'reauth', 'passkey'];

function decisionFault(
  before: RunState,
  { actor, data }: Extract<RunEvent, { type: 'ApprovalDecided' }>,
): string | null {
  const approval = before.approvals.get(data.approvalId);
  if (approval === undefined) return `${data.approvalId} was decided and never asked`;
  const { requires, subjectDigest, status, decisions, escalation } = approval;
  const no = (what: string): string => `${actor.id} decided ${approval.id}: ${what}`;
  if (actor.kind !== 'person') return no(`not a person (${actor.kind})`);
  if (data.subjectDigest !== subjectDigest) return no('about something else than was asked');
  if (status !== 'open') return no(`though it was ${status}`);
  if (decisions.some(({ approver }) => approver === actor.id)) return no('a second time');
  if (ASSURANCES.indexOf(data.assurance) < ASSURANCES.indexOf(requires.assurance)) {
    return no(`authenticated by ${data.assurance} only`);
  }
  const isRequester = actor.id === before.requester.id;
  if (requires.excludeRequester && isRequester) return no('their own request');
  // An escalation that was due and not yet recorded counts for those it names.
  const groups = escalation === null ? [requires] : [requires, escalation];
  const isOpen = requires.people.length === 0 && requires.roles.length === 0;
  const may = groups.some(({ people, roles }) => {
    return people.includes(actor.id) || roles.some((role) => data.roles.includes(role));
  });
  return isOpen || may ? null : no('without a role or name that may');
}

function approvalFault(before: RunState, approval: ApprovalState): string | null {
  const people = new Set(
    approval.decisions.filter(({ decision }) => decision === 'approve').map((one) => one.approver),
  );
  const { count, excludeRequester } = approval.requires;
  if (excludeRequester) people.delete(before.requester.id);
  if (approval.status !== 'approved') return `${approval.id} is ${approval.status}, not approved`;
  if (approval.decisions.some(({ decision }) => decision === 'reject')) {
    return `${approval.id} was rejected`;
  }
  if (people.size >= count) return null;
  return `${approval.id} needs ${String(count)} people, and ${String(people.size)} have approved`;
}

function startFault(
  before: RunState,
  data: Extract<RunEvent, { type: 'AttemptStarted' }>['data'],
  atMs: number | null,
): string | null {
  const { step, verdict, subjectDigest, approvals } = data;
  if (verdict.verdict === 'allow') return null;
  const no = (what: string): string => `${step} started: ${what}`;
  const used = approvals.map((id) => before.approvals.get(id));
  const override = used.find((approval) => approval?.kind === 'override');
  if (override !== undefined) {
    const listed = override.why.map(({ rule }) => rule);
    const absolute = verdict.why.find((rule) => rule.absolute === true);
    const unlisted = verdict.why.find(({ rule }) => !listed.includes(rule));
    if (absolute !== undefined) return no(`over the absolute rule ${absolute.rule}`);
    if (unlisted !== undefined) return no(`${unlisted.rule} is not in its override`);
    if (override.subject['start'] !== subjectDigest) return no('overridden was something else');
  } else if (verdict.verdict === 'deny') return no('the policy denies it');
  if (used.length === 0) return no('nobody has approved it');
  for (const approval of used) {
    if (approval?.step !== step) return no('approved was another step');
    if (approval.usedBy !== null) return no(`${approval.id} was used before`);
    const { expiresAtMs } = approval;
    if (atMs !== null && expiresAtMs !== null && expiresAtMs <= atMs) {
      return no(`the time of ${approval.id} was up`);
    }
    if (approval.policyDigest !== verdict.policyDigest) return no('approved under another policy');
    if (approval.kind === 'start' && approval.subjectDigest !== subjectDigest) {
      return no('approved was something else than what started');
    }
    if (approval.kind !== 'start' && approval.kind !== 'override')
      return no('no approval of a start');
    const fault = approvalFault(before, approval);
    if (fault !== null) return no(fault);
    if (approval.kind === 'start' && approval.requires.count < verdict.requires.count) {
      return no('it needs more people than were asked');
    }
  }
  return null;
}
