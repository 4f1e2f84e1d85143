/**
 * Changes of a run that people ask for, made into commands: the plan that is meant, what the policy says to it, and the
 * subject that those who are asked decide on.
 */
import { diffPlans, err, ok, stepById, weakenedBy } from '@ccdash/core';
import type {
  Budget,
  JsonObject,
  Plan,
  Result,
  RunChange,
  RunCommand,
  RunState,
  Step,
} from '@ccdash/core';
import { requestToCommand } from '../base/run-requests.ts';
import type {
  Caller,
  ControlRequest,
  RunRequest,
  SavedPlan,
  StepChange,
  WorkbenchRefusal,
} from '../base/workbench.ts';
import type { EngineDeps } from './deps.ts';
import { asJson, controlPolicyFacts } from './facts.ts';
import { resolveInputs } from './inputs.ts';
import type { SavedPlans } from './saved-plans.ts';

type Replanning = {
  readonly plan: Plan;
  readonly source: string;
  readonly inputs: RunState['created']['inputs'];
  readonly goOn: string | null;
};
type Named = Pick<SavedPlan, 'id' | 'revision' | 'digest'>;

/** The command for what is asked; a plan that comes with it is saved. */
export async function controlCommand(
  deps: EngineDeps,
  plans: SavedPlans,
  state: RunState,
  asked: RunRequest,
  by: Caller,
): Promise<Result<RunCommand, WorkbenchRefusal>> {
  if (asked.type === 'skip') return skipCommand(deps, state, asked, by);
  const wanted = replanningOf(state, asked);
  if (!wanted.ok) return wanted;
  if (wanted.value === null) return plainCommand(asked, by, () => deps.ids.uuid());
  const saved = await plans.save(wanted.value.plan, wanted.value.source, by.actor);
  if (!saved.ok) return saved;
  return replanCommand(deps, state, reasonOf(asked), wanted.value, saved.value, by);
}

/** The same command, with names that are not given yet where a plan would be saved for it. */
export function foreseenCommand(
  deps: EngineDeps,
  plans: SavedPlans,
  state: RunState,
  asked: ControlRequest,
  by: Caller,
): Result<RunCommand, WorkbenchRefusal> {
  if (asked.type === 'skip') return skipCommand(deps, state, asked, by);
  const wanted = replanningOf(state, asked);
  if (!wanted.ok) return wanted;
  if (wanted.value === null) return plainCommand(asked, by, () => '');
  const named = plans.foresee(wanted.value.plan);
  return replanCommand(deps, state, reasonOf(asked), wanted.value, named, by);
}

function reasonOf(asked: RunRequest): string | null {
  return 'reason' in asked ? asked.reason : null;
}

function plainCommand(
  asked: RunRequest,
  by: Caller,
  newId: () => string,
): Result<RunCommand, never> {
  if (asked.type === 'skip' || asked.type === 'replan') throw new Error('it changes the run');
  return ok(requestToCommand(asked, by, newId));
}

function skipCommand(
  deps: EngineDeps,
  state: RunState,
  { step, reason }: Extract<RunRequest, { type: 'skip' }>,
  by: Caller,
): Result<RunCommand, WorkbenchRefusal> {
  const known = state.steps.get(step);
  if (known === undefined) return err({ type: 'StepNotFound', runId: state.runId, step });
  const about = {
    step,
    status: known.status,
    attempts: known.attempts.length,
    plan: state.created.digest,
  };
  return ok(changeCommand(deps, state, { type: 'skip', step }, about, reason, by));
}

function replanCommand(
  deps: EngineDeps,
  state: RunState,
  reason: string | null,
  { plan, inputs, goOn }: Replanning,
  { id: planId, revision, digest }: Named,
  by: Caller,
): Result<RunCommand, WorkbenchRefusal> {
  const change = { type: 'replan', planId, revision, digest, plan, inputs, goOn } as const;
  const differs = diffPlans(state.created.plan, plan);
  const about = {
    from: { revision: state.created.revision, digest: state.created.digest },
    to: { revision, digest },
    changes: asJson(differs),
    inputs,
  };
  return ok(changeCommand(deps, state, change, about, reason, by));
}

function changeCommand(
  deps: EngineDeps,
  state: RunState,
  change: RunChange,
  about: JsonObject,
  reason: string | null,
  by: Caller,
): RunCommand {
  const weakened = weakenedBy(state, change);
  const kind = by.actor.kind === 'person' ? 'person' : 'agent';
  const who = { kind, id: by.actor.id, roles: by.roles } as const;
  const weakens = weakened.length > 0;
  const verdict = deps.policy.evaluate(controlPolicyFacts(state, change.type, who, { weakens }));
  const subject: JsonObject = {
    ...{ v: 1, kind: change.type, run: state.runId, ...about, weakened: [...weakened] },
    workspace: state.checkpoint?.commit ?? null,
    policy: verdict.policyDigest,
    reason,
  };
  return {
    ...{ type: 'ChangeRun', change, verdict, subject, subjectDigest: deps.digest(subject), reason },
    approvalId: deps.ids.next('apr'),
  };
}

/** The plan that is asked for; null when the plan stays. */
function replanningOf(
  state: RunState,
  asked: RunRequest,
): Result<Replanning | null, WorkbenchRefusal> {
  if (asked.type === 'replan') {
    const { plan, source } = asked;
    const known = Object.entries(state.created.inputs).filter(([name]) =>
      Object.hasOwn(plan.inputs, name),
    );
    const inputs = resolveInputs(plan.inputs, { ...Object.fromEntries(known), ...asked.inputs });
    if (!inputs.ok) return err({ type: 'InputInvalid', detail: inputs.error });
    return ok({ plan, source, inputs: inputs.value, goOn: null });
  }
  if (asked.type !== 'retry' && asked.type !== 'resume') return ok(null);
  const { change = null, step } = asked;
  if (change === null || Object.keys(change).length === 0) return ok(null);
  const plan = planWith(state, step, change);
  if (!plan.ok) return plan;
  const goOn = asked.type === 'resume' ? step : null;
  const source = JSON.stringify(plan.value, null, 2);
  return ok({ plan: plan.value, source, inputs: state.created.inputs, goOn });
}

/** The plan of the run, but for what `change` says of one step, or of its budget. */
function planWith(
  state: RunState,
  stepId: string | null,
  change: StepChange,
): Result<Plan, WorkbenchRefusal> {
  const { plan } = state.created;
  const no = (detail: string): Result<never, WorkbenchRefusal> =>
    err({ type: 'PlanUnfit', runId: state.runId, detail });
  if (stepId === null) {
    const { budget, ...others } = change;
    if (budget === undefined || Object.keys(others).length > 0)
      return no('name the step to change');
    return ok({ ...plan, budget: budgetWith(plan.budget, budget) });
  }
  const step = stepById(plan).get(stepId);
  if (step === undefined) return err({ type: 'StepNotFound', runId: state.runId, step: stepId });
  const changed = stepWith(step, change);
  if (typeof changed === 'string') return no(changed);
  return ok({ ...plan, steps: plan.steps.map((each) => (each.id === stepId ? changed : each)) });
}

/** What is wrong with the change, in words, where it does not fit the step. */
function stepWith(step: Step, { prompt, model, command, budget }: StepChange): Step | string {
  if (step.kind === 'agent') {
    if (command !== undefined) return `${step.id} is an agent and runs no command of its own`;
    return {
      ...step,
      ...(prompt === undefined ? {} : { prompt: { text: prompt } }),
      ...(model === undefined ? {} : { model }),
      ...(budget === undefined ? {} : { budget: budgetWith(step.budget, budget) }),
    };
  }
  if (step.kind !== 'command') return `${step.id} is ${step.kind} and has nothing of the kind`;
  if (prompt !== undefined || model !== undefined) return `${step.id} is a command, no agent`;
  const { timeMs, ...others } = budget ?? {};
  if (Object.keys(others).length > 0) return `${step.id} is a command: it has a time, no money`;
  return {
    ...step,
    ...(command === undefined ? {} : { program: { script: command } }),
    ...(timeMs === undefined ? {} : { timeoutMs: timeMs }),
  };
}

function budgetWith(budget: Budget, change: NonNullable<StepChange['budget']>): Budget {
  return {
    usd: change.usd ?? budget.usd,
    tokens: change.tokens ?? budget.tokens,
    turns: change.turns ?? budget.turns,
    timeMs: change.timeMs ?? budget.timeMs,
  };
}
