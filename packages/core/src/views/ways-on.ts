/** What people can do with a run that stands still, each way in one sentence. Nothing is decided here: the run refuses. */
import type { RunView, StepView } from './run-view.ts';

export interface Way {
  readonly verb:
    | 'resume'
    | 'retry'
    | 'restart'
    | 'skip'
    | 'replan'
    | 'override'
    | 'approve'
    | 'fork'
    | 'apply'
    | 'cancel';
  /** The step, or for `approve` the request. */
  readonly of: string | null;
  /** What it takes besides. */
  readonly takes: string | null;
  readonly does: string;
}

/** None while something moves: then there is nothing to choose. */
export function waysOn(run: RunView): readonly Way[] {
  switch (run.status) {
    case 'queued':
    case 'running':
      return [];
    case 'succeeded':
      return [...applyOf(run), ...forkOf(run)];
    case 'canceled':
      // Nothing else goes on with it.
      return [...forkOf(run), ...applyOf(run)];
    case 'paused':
      return [wayOf('resume', null, 'lets steps and model calls begin again'), ...endOf(run)];
    case 'blocked':
    case 'failed':
      if (run.quarantine !== null) return [...forkOf(run), ...applyOf(run)];
      return [
        ...run.steps.flatMap((step) => waysOfStep(run, step)),
        ...restartOf(run),
        wayOf(
          'replan',
          null,
          'goes on with another plan; steps that it leaves as they are stay done',
          'FILE',
        ),
        ...endOf(run),
      ];
  }
}

function waysOfStep(run: RunView, { id, kind, status }: StepView): readonly Way[] {
  const asked = run.blocked.filter(({ step }) => step === id);
  const requests = asked.flatMap(({ approval }) =>
    approval === null
      ? []
      : [wayOf('approve', approval, `agrees to what ${id} asks`, '--reason …')],
  );
  const skip = wayOf('skip', id, `goes on without ${id}, by the policy's leave`, '--reason …');
  if (status === 'failed') {
    const change = kind === 'agent' ? '--prompt-file, --model or --budget' : '--command';
    const again = 'runs it again from where it began, what it left is set aside';
    const retry = wayOf(
      'retry',
      id,
      again,
      kind === 'agent' || kind === 'command' ? `[${change}]` : null,
    );
    return [retry, skip];
  }
  if (status === 'interrupted') {
    return [
      wayOf('resume', id, 'goes on in its workspace as it is, an agent in its session'),
      wayOf('retry', id, 'begins it anew, what it left is set aside'),
      skip,
    ];
  }
  if (status !== 'blocked') return requests;
  const reason = asked[0]?.reason;
  if (reason === 'budget_exceeded') {
    return [
      wayOf('resume', id, 'raises its budget and goes on in its session', '--budget usd=…'),
      skip,
    ];
  }
  if (reason === 'policy_denied') {
    return [
      wayOf('override', id, 'lets it start once although the policy denies it', '--reason …'),
      skip,
    ];
  }
  if (reason === 'approval') return [...requests, skip];
  return [wayOf('retry', id, 'tries again once what is missing is there'), skip];
}

function restartOf(run: RunView): readonly Way[] {
  if (!run.steps.some(({ attempts }) => attempts.length > 0)) return [];
  const does = 'goes back to before that step; it and what was built on it run again';
  return [wayOf('restart', null, does, 'STEP')];
}

function endOf(run: RunView): readonly Way[] {
  const end = wayOf('cancel', null, 'ends it and keeps its work; from then on only a fork goes on');
  return [...forkOf(run), ...applyOf(run), end];
}

function forkOf(run: RunView): readonly Way[] {
  if (run.checkpoint === null) return [];
  return [
    wayOf('fork', null, 'begins a new run that has what was done; this one stays', '[--at STEP]'),
  ];
}

function applyOf(run: RunView): readonly Way[] {
  if (run.checkpoint === null || run.checkpoint.commit === run.baseCommit) return [];
  return [wayOf('apply', null, 'brings what was done so far into your repository')];
}

function wayOf(
  verb: Way['verb'],
  of: string | null,
  does: string,
  takes: string | null = null,
): Way {
  return { verb, of, takes, does };
}
