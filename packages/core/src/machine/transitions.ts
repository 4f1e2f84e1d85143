/**
 * The life of a step, as data: every pair of (status, event) that may happen. The decider emits no event that is not
 * listed here for the step's status, `evolve` refuses any that is not, and SPEC.md's table is drawn from it.
 */
import { InvariantError } from '../base/invariant.ts';

export const STEP_STATUSES = [
  'pending',
  'ready',
  'blocked',
  'running',
  'interrupted',
  'stale',
  'failed',
  'succeeded',
  'skipped',
  'canceled',
] as const;
export type StepStatus = (typeof STEP_STATUSES)[number];

/** Statuses in which nothing more happens by itself. */
export const SETTLED_STATUSES: readonly StepStatus[] = [
  'failed',
  'succeeded',
  'skipped',
  'canceled',
];

export type StepTransitionEvent =
  | 'StepReadied'
  | 'ApprovalRequested'
  | 'StepDenied'
  | 'StepBlocked'
  | 'StepSkipped'
  | 'StepCarried'
  | 'SkipCarried'
  | 'GatePassed'
  | 'StepFailed'
  | 'StepRequeued'
  | 'StepInvalidated'
  | 'RunCanceled'
  | 'AttemptStarted'
  | 'AttemptSucceeded'
  | 'AttemptFailed'
  | 'AttemptRetrying'
  | 'AttemptInterrupted'
  | 'AttemptExhausted'
  | 'AttemptNeverStarted'
  | 'AttemptCanceled'
  | 'AttemptSuperseded';

export interface StepTransition {
  readonly from: StepStatus;
  readonly event: StepTransitionEvent;
  readonly to: StepStatus;
}

export const STEP_TRANSITIONS: readonly StepTransition[] = [
  { from: 'pending', event: 'StepReadied', to: 'ready' },
  { from: 'pending', event: 'ApprovalRequested', to: 'blocked' },
  { from: 'pending', event: 'StepDenied', to: 'blocked' },
  { from: 'pending', event: 'StepBlocked', to: 'blocked' },
  { from: 'pending', event: 'StepSkipped', to: 'skipped' },
  { from: 'pending', event: 'StepCarried', to: 'succeeded' },
  { from: 'pending', event: 'SkipCarried', to: 'skipped' },
  { from: 'pending', event: 'StepFailed', to: 'failed' },
  { from: 'pending', event: 'StepInvalidated', to: 'stale' },
  { from: 'blocked', event: 'StepReadied', to: 'ready' },
  { from: 'blocked', event: 'GatePassed', to: 'succeeded' },
  { from: 'blocked', event: 'StepFailed', to: 'failed' },
  { from: 'blocked', event: 'StepSkipped', to: 'skipped' },
  { from: 'blocked', event: 'StepRequeued', to: 'pending' },
  { from: 'blocked', event: 'StepInvalidated', to: 'stale' },
  { from: 'blocked', event: 'RunCanceled', to: 'canceled' },
  { from: 'ready', event: 'AttemptStarted', to: 'running' },
  { from: 'ready', event: 'StepRequeued', to: 'pending' },
  { from: 'ready', event: 'StepInvalidated', to: 'stale' },
  { from: 'ready', event: 'RunCanceled', to: 'canceled' },
  { from: 'running', event: 'AttemptSucceeded', to: 'succeeded' },
  { from: 'running', event: 'AttemptFailed', to: 'failed' },
  { from: 'running', event: 'AttemptRetrying', to: 'ready' },
  { from: 'running', event: 'AttemptInterrupted', to: 'interrupted' },
  { from: 'running', event: 'AttemptExhausted', to: 'blocked' },
  { from: 'running', event: 'AttemptNeverStarted', to: 'pending' },
  { from: 'running', event: 'AttemptCanceled', to: 'canceled' },
  { from: 'running', event: 'AttemptSuperseded', to: 'stale' },
  { from: 'running', event: 'StepInvalidated', to: 'running' },
  { from: 'running', event: 'ApprovalRequested', to: 'running' },
  { from: 'interrupted', event: 'StepSkipped', to: 'skipped' },
  { from: 'interrupted', event: 'StepRequeued', to: 'pending' },
  { from: 'interrupted', event: 'StepInvalidated', to: 'stale' },
  { from: 'interrupted', event: 'RunCanceled', to: 'canceled' },
  { from: 'failed', event: 'StepSkipped', to: 'skipped' },
  { from: 'failed', event: 'StepRequeued', to: 'pending' },
  { from: 'failed', event: 'StepInvalidated', to: 'stale' },
  { from: 'failed', event: 'RunCanceled', to: 'canceled' },
  { from: 'succeeded', event: 'StepInvalidated', to: 'stale' },
  { from: 'skipped', event: 'StepInvalidated', to: 'stale' },
  { from: 'stale', event: 'StepRequeued', to: 'pending' },
  { from: 'stale', event: 'RunCanceled', to: 'canceled' },
  { from: 'pending', event: 'RunCanceled', to: 'canceled' },
];

const toByKey = new Map<string, StepStatus>(
  STEP_TRANSITIONS.map((row) => [`${row.from} ${row.event}`, row.to]),
);

/** The status after `event`, or null where the table has no such row. */
export function statusAfter(from: StepStatus, event: StepTransitionEvent): StepStatus | null {
  return toByKey.get(`${from} ${event}`) ?? null;
}

/** As statusAfter; a missing row is a bug. */
export function requireStatusAfter(
  stepId: string,
  from: StepStatus,
  event: StepTransitionEvent,
): StepStatus {
  const to = statusAfter(from, event);
  if (to === null) throw new InvariantError(`step ${stepId}: ${event} cannot happen while ${from}`);
  return to;
}
