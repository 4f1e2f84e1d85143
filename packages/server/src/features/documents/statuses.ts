/** One word for each of the many that people write into `status`. */
import type { FeatureStatus, TaskStatus } from '@ccdash/api';

const TASK_WORDS: Readonly<Record<TaskStatus, readonly string[]>> = {
  pending: [
    'pending',
    'todo',
    'draft',
    'planning',
    'planned',
    'backlog',
    'ready',
    'not_started',
    'approved',
    'proposed',
  ],
  in_progress: ['in_progress', 'active', 'wip', 'started', 'running'],
  review: ['review', 'in_review', 'completed_pending_verification'],
  completed: [
    'completed',
    'complete',
    'done',
    'merged',
    'accepted',
    'concluded',
    'finalized',
    'published',
    'inferred_complete',
    'spike_resolved',
  ],
  deferred: ['deferred', 'skipped', 'postponed', 'superseded', 'archived', 'canceled', 'cancelled'],
  blocked: ['blocked', 'waiting', 'stalled'],
};

const STATUS_OF_WORD: ReadonlyMap<string, TaskStatus> = new Map(
  Object.entries(TASK_WORDS).flatMap(([status, words]) =>
    words.map((word) => [word, status as TaskStatus] as const),
  ),
);

/** A word that nobody knows is work still to be done. */
export function taskStatusOf(raw: string | null): TaskStatus {
  const word = (raw ?? '')
    .toLowerCase()
    .trim()
    .replace(/[\s-]+/g, '_');
  return STATUS_OF_WORD.get(word) ?? 'pending';
}

export function isTerminal(status: TaskStatus): boolean {
  return status === 'completed' || status === 'deferred';
}

const FEATURE_STATUS: Readonly<Record<TaskStatus, FeatureStatus>> = {
  pending: 'backlog',
  in_progress: 'in-progress',
  review: 'review',
  completed: 'done',
  deferred: 'deferred',
  blocked: 'in-progress',
};

export function featureStatusOf(status: TaskStatus): FeatureStatus {
  return FEATURE_STATUS[status];
}
