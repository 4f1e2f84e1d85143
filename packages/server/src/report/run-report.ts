/** What a report says of a run: folded from its events alone, so that whoever has those can make it again. */
import { approvalToView, auditRun, foldRun, ok, err, runToView } from '@ccdash/core';
import type { ApprovalView, Plan, Result, RunEvent, RunView } from '@ccdash/core';
import { agentWorkOf } from './agent-work.ts';
import type { AgentWork } from './agent-work.ts';
import { timelineOf } from './timeline.ts';
import type { Moment } from './timeline.ts';

export interface RunReport {
  readonly run: RunView;
  /** Every plan the run has followed, in order, with who put it in force. */
  readonly revisions: readonly {
    readonly planId: string;
    readonly revision: number;
    readonly digest: string;
    readonly at: string;
    readonly by: string;
    readonly plan: Plan;
  }[];
  /** Digests of the policies it ran under, in order. */
  readonly policies: readonly { readonly digest: string; readonly at: string }[];
  readonly approvals: readonly ApprovalView[];
  /** Each time that something was tried again, gone on with, gone back to or changed. */
  readonly recoveries: readonly Moment[];
  readonly agents: readonly AgentWork[];
  readonly timeline: readonly Moment[];
  /** What happened without the decisions it needed, by a replay; none in a sound run. */
  readonly bypasses: readonly string[];
}

/** Errors: a sentence, where the events are not those of a run.       Rules: RP1 */
export function runReport(runId: string, events: readonly RunEvent[]): Result<RunReport, string> {
  const findings = auditRun(runId, events, Date.parse);
  const illegal = findings.find(({ kind }) => kind === 'illegal');
  if (illegal !== undefined) return err(`its event ${illegal.sequence}: ${illegal.detail}`);
  const state = foldRun(runId, events);
  if (state === null) return err('it has no events');
  const timeline = timelineOf(events);
  return ok({
    run: runToView(state),
    revisions: revisionsOf(events),
    policies: events.flatMap((event) =>
      event.type === 'RunCreated' || event.type === 'PolicyChanged'
        ? [{ digest: event.data.policyDigest, at: event.at }]
        : [],
    ),
    approvals: [...state.approvals.values()].map((approval) => approvalToView(runId, approval)),
    recoveries: timeline.filter(({ sequence }) => isRecovery(events[sequence])),
    agents: agentWorkOf(events),
    timeline,
    bypasses: findings.map(({ sequence, detail }) => `event ${sequence}: ${detail}`),
  });
}

const RECOVERIES: ReadonlySet<RunEvent['type']> = new Set([
  ...(['RunRequeued', 'RunRewound', 'StepRequeued', 'StepInvalidated', 'ChangeAsked'] as const),
  ...(['PlanReplaced', 'AttemptInterrupted', 'AttemptRetrying', 'AttemptExhausted'] as const),
]);

function isRecovery(event: RunEvent | undefined): boolean {
  if (event === undefined) return false;
  if (event.type === 'StepSkipped') return event.data.cause === 'decision';
  return RECOVERIES.has(event.type);
}

function revisionsOf(events: readonly RunEvent[]): RunReport['revisions'] {
  const revisions: RunReport['revisions'][number][] = [];
  let asked: Plan | null = null;
  for (const event of events) {
    if (event.type === 'ChangeAsked') {
      asked = event.data.change.type === 'replan' ? event.data.change.plan : null;
    }
    if (event.type !== 'RunCreated' && event.type !== 'PlanReplaced') continue;
    const plan: Plan | null = event.type === 'RunCreated' ? event.data.plan : asked;
    if (plan === null) continue;
    const { planId, revision, digest } = event.data;
    const by = `${event.actor.kind} ${event.actor.id}`;
    revisions.push({ planId, revision, digest, at: event.at, by, plan });
  }
  return revisions;
}
