/** What happened in a run, a line an event. */
import type { RunEvent } from '@ccdash/core';

export interface Moment {
  readonly at: string;
  /** Of the event in the run, from 0. */
  readonly sequence: number;
  readonly who: string;
  /** The step, and the attempt where there is one. */
  readonly where: string;
  readonly what: string;
  readonly detail: string;
}

/** What agents reported is told with their attempts. */
export function timelineOf(events: readonly RunEvent[]): readonly Moment[] {
  const stepByApproval = new Map<string, string>();
  return events.flatMap((event, sequence) => {
    if (event.type === 'ApprovalRequested') {
      stepByApproval.set(event.data.approvalId, event.data.step);
    }
    if (event.type === 'AttemptReported') return [];
    const { at, actor, data } = event;
    const attempt = 'attempt' in data ? `, attempt ${data.attempt}` : '';
    const step =
      'step' in data
        ? data.step
        : 'approvalId' in data
          ? (stepByApproval.get(data.approvalId) ?? '')
          : '';
    const where = `${step}${attempt}`;
    const who = `${actor.kind} ${actor.id}`;
    return [{ at, sequence, who, where, what: wordsOf(event.type), detail: detailOf(event) }];
  });
}

/** `StepReadied` as people read it: step readied. */
function wordsOf(type: string): string {
  return type.replaceAll(/(?<=[a-z])[A-Z]/g, ' $&').toLowerCase();
}

function detailOf(event: RunEvent): string {
  const { data } = event;
  const parts: string[] = [];
  if ('decision' in data) parts.push(data.decision);
  if ('status' in data) parts.push(data.status);
  if ('cause' in data) parts.push(data.cause);
  if ('mode' in data) parts.push(data.mode);
  if ('revision' in data) parts.push(`revision ${data.revision}`);
  if ('kind' in data) parts.push(data.kind);
  if ('text' in data) parts.push(data.text);
  if ('note' in data) parts.push(data.note);
  if ('detail' in data) parts.push(data.detail);
  if ('branch' in data) parts.push(data.branch);
  if ('commit' in data) parts.push(data.commit);
  if ('exitCode' in data && typeof data.exitCode === 'number')
    parts.push(`exit code ${data.exitCode}`);
  if ('failure' in data) parts.push(data.failure.message);
  if ('reason' in data && typeof data.reason === 'string') parts.push(data.reason);
  return parts.filter((part) => part !== '').join(': ');
}
