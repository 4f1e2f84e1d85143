/** Does what a state asks for: one function for each kind of effect. */
import type { EngineDeps } from './deps.ts';
import { evaluateStep, startStep } from './begin.ts';
import type { Launchable } from './begin.ts';
import type { Performed, Performer, RunHandle } from './engine.ts';
import { evaluateGate } from './gates.ts';
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
      case 'EvaluateStep':
        return evaluateStep(deps, run, effect.step);
      case 'StartStep':
        return startStep(deps, launchable, run, effect.step);
      case 'SuperviseAttempt':
        return supervisor.supervise(run, effect.step, effect.attempt);
      case 'EvaluateGate':
        return evaluateGate(deps, run, effect.step, effect.attempt, effect.gateId);
      case 'StopAttempt':
      case 'HoldAttempt':
      case 'UnholdAttempt':
      case 'AnswerGate':
        supervisor.passOn(run, effect.step, effect.attempt);
        return 'held';
    }
  };
}

async function prepareWorkspace(deps: EngineDeps, run: RunHandle): Promise<Performed> {
  const { projectDir } = deps;
  const { baseCommit } = run.state().created;
  const inspected = await deps.workspaces.inspect(projectDir);
  const made = inspected.ok
    ? await deps.workspaces.create(run.runId, { projectDir, baseCommit })
    : inspected;
  if (!made.ok) {
    const failed = await run.apply({ type: 'FailRunStart', failure: made.error });
    return failed.ok ? 'done' : 'again';
  }
  deps.crashPoint?.('workspace-made', run.runId);
  const notCarried = inspected.ok ? inspected.value.notCarried : [];
  const { checkpoint } = made.value;
  const started = await run.apply({ type: 'StartRun', started: { checkpoint, notCarried } });
  return started.ok ? 'done' : 'again';
}
