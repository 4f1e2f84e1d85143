/** Bringing results into the project: what a person is shown, and what they agreed to by its digest. */
import { err, ok, runToView } from '@ccdash/core';
import type {
  ApplyMode,
  Checkpoint,
  Failure,
  PolicyVerdict,
  Result,
  RunState,
  RunView,
} from '@ccdash/core';
import type {
  ApplyRequest,
  ApplySummary,
  Caller,
  Workbench,
  WorkbenchRefusal,
} from '../base/workbench.ts';
import type { EngineDeps } from './deps.ts';
import type { Engine } from './engine.ts';
import { asJson, controlPolicyFacts } from './facts.ts';

export function createApply(
  deps: EngineDeps,
  engine: Engine,
): Pick<Workbench, 'previewApply' | 'apply' | 'patch'> {
  /** The run, where it began and what it has come to. */
  function resultOf(
    runId: string,
  ): Result<{ state: RunState; base: Checkpoint; result: Checkpoint }, WorkbenchRefusal> {
    const state = engine.state(runId);
    if (state === null) return err({ type: 'RunNotFound', runId });
    const { origin, checkpoint } = state;
    if (origin === null || checkpoint === null) return err({ type: 'NothingToApply', runId });
    return ok({ state, base: origin, result: checkpoint });
  }

  async function previewApply(
    runId: string,
    { as, branch, message: asked }: ApplyRequest,
  ): Promise<Result<ApplySummary, WorkbenchRefusal>> {
    const found = resultOf(runId);
    if (!found.ok) return found;
    const { state, base, result } = found.value;
    const { projectDir } = deps;
    const target = { projectDir, base, result, mode: as, branch };
    const preview = await deps.workspaces.previewApply(runId, target);
    if (!preview.ok) return err({ type: 'NotApplicable', failure: preview.error });
    const message = asked ?? defaultMessage(state, as);
    const summary = { ...preview.value, as, message };
    const digest = deps.digest(asJson({ v: 1, run: runId, result: result.commit, ...summary }));
    return ok({ ...summary, digest });
  }

  function verdictFor(state: RunState, { actor, roles }: Caller): PolicyVerdict {
    const kind = actor.kind === 'person' ? 'person' : 'agent';
    const who = { kind, id: actor.id, roles } as const;
    return deps.policy.evaluate(controlPolicyFacts(state, 'apply', who));
  }

  return {
    previewApply,
    async apply(runId, { digest, reason, ...request }, by: Caller) {
      const summary = await previewApply(runId, request);
      if (!summary.ok) return summary;
      const { as, branch, from, tree, message, conflicts } = summary.value;
      if (summary.value.digest !== digest) return err({ type: 'SummaryMoved', runId });
      if (conflicts.length > 0) return err(conflicting(runId, conflicts));
      const found = resultOf(runId);
      if (!found.ok) return found;
      const { result, state } = found.value;
      const verdict = verdictFor(state, by);
      const barred = reasonBarred(verdict, state, by);
      if (barred !== null) return err({ type: 'NotApplicable', failure: barred });
      const what = { as, branch, from, result, tree, message, summaryDigest: digest, reason };
      const asked = { ...what, verdict };
      const begun = await engine.command(runId, { type: 'ApplyResult', asked }, by.actor);
      if (!begun.ok) return begun;
      return ok(await untilApplied(engine, runId));
    },
    async patch(runId) {
      const found = resultOf(runId);
      if (!found.ok) return found;
      const { base, result } = found.value;
      const patch = await deps.workspaces.patch(runId, base, result);
      return patch.ok ? patch : err({ type: 'NotApplicable', failure: patch.error });
    },
  };
}

const ASSURANCES = ['session', 'reauth', 'passkey'] as const;

/**
 * Why the policy does not let this person apply it, or null. Who agrees to the summary by its digest decides on it: that
 * is the approval, where one is enough and theirs counts.
 */
function reasonBarred(verdict: PolicyVerdict, state: RunState, by: Caller): Failure | null {
  const { requires, why } = verdict;
  const because = why.map(({ rule, text }) => `${text} (${rule})`).join(' ');
  if (verdict.verdict === 'deny') {
    const hint = 'Ask somebody who may, or have the policy changed: ccdash policy check';
    return { code: 'policy_denied', message: `The policy denies it. ${because}`, hint };
  }
  if (verdict.verdict === 'allow') return null;
  const lacks = [
    ...(requires.count > 1 ? [`${String(requires.count)} people`] : []),
    ...(by.roles.some((role) => requires.roles.includes(role))
      ? []
      : [`somebody with the role ${requires.roles.join(' or ')}`]),
    ...(requires.excludeRequester && by.actor.id === state.requester.id
      ? ['somebody else than who asked for the run']
      : []),
    ...(ASSURANCES.indexOf(by.assurance) < ASSURANCES.indexOf(requires.assurance)
      ? [`a login by ${requires.assurance}`]
      : []),
  ];
  if (lacks.length === 0) return null;
  const message = `It needs ${lacks.join(', ')}. ${because}`;
  return { code: 'approval_needed', message, hint: 'Have it applied by somebody who may.' };
}

function defaultMessage(state: RunState, as: ApplyMode): string {
  const { name } = state.created.plan;
  const title = as === 'merge' ? `Merge ${name}` : name;
  return `${title}\n\nCCDash-Run: ${state.runId}\n`;
}

function conflicting(runId: string, conflicts: readonly string[]): WorkbenchRefusal {
  const failure = {
    code: 'conflicts',
    message: `The result of run ${runId} does not merge by itself: ${conflicts.join(', ')}`,
    hint: 'Apply it --as branch, and merge that branch by hand.',
  };
  return { type: 'NotApplicable', failure };
}

function untilApplied(engine: Engine, runId: string): Promise<RunView> {
  return new Promise((resolve) => {
    const look = (): void => {
      const state = engine.state(runId);
      if (state === null || state.applying !== null) return;
      unsubscribe();
      resolve(runToView(state));
    };
    const unsubscribe = engine.subscribe((event) => {
      if (event.runId === runId) look();
    });
    look();
  });
}
