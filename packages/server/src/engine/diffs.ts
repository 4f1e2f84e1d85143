/** What steps have changed, for those who review it. Reads only. */
import { attemptsOf, err, ok, stepById } from '@ccdash/core';
import type { AttemptState, Checkpoint, Failure, Result, RunState } from '@ccdash/core';
import type { DiffView, Workbench, WorkbenchRefusal } from '../base/workbench.ts';
import { workspaceOf } from './supervise.ts';
import type { EngineDeps } from './deps.ts';
import type { Engine } from './engine.ts';

/** More than people read; a page and a terminal can still hold it. */
const MAX_DIFF_BYTES = 4 * 1024 * 1024;

type Answer = Promise<Result<DiffView, WorkbenchRefusal>>;

export function createDiffs(
  deps: EngineDeps,
  engine: Engine,
): Pick<Workbench, 'diff' | 'diffOfApproval'> {
  const { store, workspaces } = deps;

  async function between(
    runId: string,
    from: Checkpoint,
    to: Checkpoint,
    toCommit: string | null,
  ): Answer {
    const files = await workspaces.changes(runId, from, to);
    if (!files.ok) return unavailable(files.error);
    const diff = await workspaces.diff(runId, from, to, MAX_DIFF_BYTES);
    if (!diff.ok) return unavailable(diff.error);
    return ok({ from: from.commit, to: toCommit, files: files.value, ...diff.value });
  }

  async function ofAttempt(runId: string, step: string, attempt: AttemptState): Answer {
    const from = attempt.inputCheckpoint;
    // Of one that was interrupted the work still lies in the work tree, until the step goes on or begins anew.
    const isOpen = attempt.status === 'running' || attempt.status === 'interrupted';
    const end = attempt.checkpoint ?? attempt.setAside;
    if (end !== null || !isOpen) return between(runId, from, end ?? from, (end ?? from).commit);
    const tree = await workspaces.treeNow(workspaceOf(runId, step, attempt), from);
    if (!tree.ok) return unavailable(tree.error);
    return between(runId, from, { commit: from.commit, tree: tree.value }, null);
  }

  function ofRun(state: RunState, to: Checkpoint | null): Answer {
    const { runId, origin } = state;
    if (origin === null || to === null) return Promise.resolve(notBegun(runId));
    return between(runId, origin, to, to.commit);
  }

  return {
    async diff(runId, step, attempt) {
      const state = engine.state(runId);
      if (state === null) return err({ type: 'RunNotFound', runId });
      if (step === null) return ofRun(state, state.checkpoint);
      const attempts = attemptsOf(state, step);
      if (attempts.length === 0 && !state.steps.has(step))
        return err({ type: 'StepNotFound', runId, step });
      // An approval runs nothing: what it is about is all that came before it.
      const isGate = stepById(state.created.plan).get(step)?.kind === 'approval';
      if (isGate && attempt === null) return ofRun(state, state.checkpoint);
      const named = attempt === null ? attempts.at(-1) : attempts[attempt - 1];
      return named === undefined
        ? err({ type: 'AttemptNotFound', runId, step })
        : ofAttempt(runId, step, named);
    },
    async diffOfApproval(approvalId) {
      const states = store.runIds().map((runId) => engine.state(runId));
      const state = states.find((one) => one?.approvals.has(approvalId)) ?? null;
      const approval = state?.approvals.get(approvalId);
      if (state === null || approval === undefined) {
        return err({ type: 'ApprovalNotFound', approvalId });
      }
      const { kind, step, subject } = approval;
      if (kind === 'tool') {
        const attempt = state.steps.get(step)?.attempts[Number(subject['attempt']) - 1];
        return attempt === undefined
          ? err({ type: 'AttemptNotFound', runId: state.runId, step })
          : ofAttempt(state.runId, step, attempt);
      }
      const { workspace } = subject;
      // Git takes a commit for its tree.
      const bound = typeof workspace === 'string' ? { commit: workspace, tree: workspace } : null;
      return ofRun(state, bound);
    },
  };
}

function unavailable(failure: Failure): Result<never, WorkbenchRefusal> {
  return err({ type: 'DiffUnavailable', failure });
}

function notBegun(runId: string): Result<never, WorkbenchRefusal> {
  const message = `Run ${runId} has no workspace yet.`;
  return unavailable({
    code: 'no_workspace',
    message,
    hint: `Look at it: ccdash run show ${runId}`,
  });
}
