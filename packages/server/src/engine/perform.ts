/** Does what a state asks for: one function for each kind of effect. */
import type { EngineDeps } from './deps.ts';
import { evaluateStep, startStep } from './begin.ts';
import type { Launchable } from './begin.ts';
import type { Performed, Performer, RunHandle } from './engine.ts';
import { evaluateGate } from './gates.ts';
import { joinWork } from './join.ts';
import type { Supervisor } from './supervise.ts';

export function createPerformer(
  deps: EngineDeps,
  launchable: Launchable,
  supervisor: Supervisor,
): Performer {
  return async (run, effect) => {
    switch (effect.type) {
      case 'PrepareWorkspace':
        return prepareWorkspace(deps, run);
      case 'ApplyResult':
        return applyResult(deps, run);
      case 'JoinWork':
        return joinWork(deps, run, effect.step);
      case 'EvaluateStep':
        return evaluateStep(deps, run, effect.step);
      case 'StartStep':
        return startStep(deps, launchable, run, effect.step);
      case 'SuperviseAttempt':
        return supervisor.supervise(run, effect.step, effect.attempt);
      case 'EvaluateGate':
        return evaluateGate(deps, run, effect.step, effect.attempt, effect.gateId);
      case 'StopAttempt':
      case 'TellAttempt':
      case 'HoldAttempt':
      case 'UnholdAttempt':
      case 'AnswerGate':
        supervisor.passOn(run, effect.step, effect.attempt);
        return 'held';
    }
  };
}

/** Repeated after a crash, it finds what it has done: the same order makes the same commit. */
async function applyResult(deps: EngineDeps, run: RunHandle): Promise<Performed> {
  const { runId } = run;
  const { applying, origin } = run.state();
  if (applying === null || origin === null) return 'done';
  const { as: mode, branch, from, result, tree, message } = applying.asked;
  const commit = await deps.workspaces.applyResult(runId, {
    ...{ projectDir: deps.projectDir, base: origin, result, mode },
    ...{ branch, from, tree, message, at: applying.at },
  });
  deps.crashPoint?.('result-applied', runId);
  const outcome = commit.ok
    ? ({ applied: true, commit: commit.value } as const)
    : ({ applied: false, failure: commit.error } as const);
  const ended = await run.apply({ type: 'EndApply', outcome });
  return ended.ok ? 'done' : 'again';
}

async function prepareWorkspace(deps: EngineDeps, run: RunHandle): Promise<Performed> {
  const { projectDir } = deps;
  const { baseCommit, forkedFrom = null } = run.state().created;
  const inspected = await deps.workspaces.inspect(projectDir);
  const made = inspected.ok
    ? await deps.workspaces.create(run.runId, {
        ...{ projectDir, baseCommit },
        ...(forkedFrom === null ? {} : { forkedFrom: forkedFrom.runId }),
      })
    : inspected;
  if (!made.ok) {
    const failed = await run.apply({ type: 'FailRunStart', failure: made.error });
    return failed.ok ? 'done' : 'again';
  }
  if (forkedFrom !== null) {
    const set = await deps.workspaces.restore(run.runId, forkedFrom.checkpoint, 'forked');
    if (!set.ok) {
      const failed = await run.apply({ type: 'FailRunStart', failure: set.error });
      return failed.ok ? 'done' : 'again';
    }
  }
  deps.crashPoint?.('workspace-made', run.runId);
  const notCarried = inspected.ok ? inspected.value.notCarried : [];
  const { checkpoint } = made.value;
  const started = await run.apply({ type: 'StartRun', started: { checkpoint, notCarried } });
  return started.ok ? 'done' : 'again';
}
