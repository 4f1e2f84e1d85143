/** Makes the machine's plan of a checked plan file: defaults filled in, `needs` and scopes resolved, setup a step. */
import { SETUP_STEP_ID } from '@ccdash/core';
import type { ApprovalStep, Budget, Check, Plan, Scope, Step } from '@ccdash/core';
import { durationToMs } from './plan-fields.ts';
import type {
  ApprovalInFile,
  AttemptedInFile,
  BudgetInFile,
  CheckInFile,
  PlanFile,
  ScopeInFile,
  StepInFile,
} from './plan-file.ts';

const DEFAULT_CONCURRENCY = 4;

/** Reads and searches, runs programs, changes nothing, reaches nothing. */
export const DEFAULT_SCOPE: Scope = {
  tools: ['read', 'search', 'exec'],
  write: [],
  network: 'none',
};

/** `file` has no errors left: references exist, and scopes lie within the run's. */
export function compilePlan(file: PlanFile): Plan {
  const scope = resolveScope(file.scope, DEFAULT_SCOPE);
  const setup = file.setup === undefined ? [] : [setupStep(file.setup, scope)];
  const needsByStep = resolveNeeds(file.steps, file.setup !== undefined);
  return {
    version: 1,
    name: file.name,
    feature: file.feature ?? null,
    context: {
      prd: file.context?.prd ?? null,
      plan: file.context?.plan ?? null,
      progress: file.context?.progress ?? [],
      sessions: file.context?.sessions ?? [],
      docs: file.context?.docs ?? [],
    },
    inputs: mapValues(file.inputs ?? {}, (input) => ({
      type: input.type,
      default: input.default ?? null,
      required: input.required ?? input.default === undefined,
      description: input.description ?? null,
    })),
    scope,
    budget: compileBudget(file.budget),
    concurrency: file.concurrency ?? DEFAULT_CONCURRENCY,
    onFailure: file.onFailure ?? 'continue',
    steps: [
      ...setup,
      ...file.steps.map((step, index) => compileStep(step, needsByStep[index] ?? [], scope)),
    ],
  };
}

/** For each step what it needs, in the order of `steps`. Every step comes after the setup, if there is one. */
export function resolveNeeds(
  steps: readonly { readonly id: string; readonly needs?: readonly string[] | undefined }[],
  hasSetup: boolean,
): readonly (readonly string[])[] {
  const inOrder = steps.every((step) => step.needs === undefined);
  return steps.map((step, index) => {
    const before = inOrder ? steps[index - 1]?.id : undefined;
    const stated = before === undefined ? [...new Set(step.needs ?? [])] : [before];
    return stated.length === 0 && hasSetup ? [SETUP_STEP_ID] : stated;
  });
}

function setupStep(setup: NonNullable<PlanFile['setup']>, scope: Scope): Step {
  const script = (setup.run ?? []).join('\n');
  return {
    id: SETUP_STEP_ID,
    kind: 'command',
    needs: [],
    when: null,
    risk: null,
    // Installing writes anywhere in the workspace; it reaches no more of the network than the run may.
    scope: { tools: ['exec'], write: ['**'], network: scope.network },
    ...compileAttempted({}),
    program: { script: script === '' ? 'true' : script },
    cwd: '.',
    expectedExitCodes: [0],
    copy: setup.copy ?? [],
  };
}

function compileStep(step: StepInFile, needs: readonly string[], runScope: Scope): Step {
  const base = {
    id: step.id,
    needs,
    when: step.when ?? null,
    risk: step.risk ?? null,
    scope: resolveScope(step.scope, runScope),
  };
  if ('validate' in step) {
    return { ...base, kind: 'validation', checks: step.validate.map(compileCheck) };
  }
  if ('approve' in step) {
    const people = step.by?.people ?? [];
    // Whoever names people means these, not everybody with the usual role besides.
    const usualRoles = people.length > 0 ? [] : ['approver'];
    return {
      ...base,
      kind: 'approval',
      question: step.approve,
      show: step.show ?? [],
      by: {
        roles: step.by?.roles ?? usualRoles,
        people,
        count: step.by?.count ?? 1,
        excludeRequester: step.by?.excludeRequester ?? false,
        ...(step.by?.inOrder === true ? { inOrder: true } : {}),
      },
      form: mapValues(step.form ?? {}, (input) => ({
        type: input.type,
        required: input.required ?? false,
      })),
      onReject:
        step.onReject === undefined
          ? null
          : { restart: step.onReject.restart, max: step.onReject.max ?? 1 },
      expiresMs: compileDuration(step.expires),
      ...compileEscalation(step.escalate),
    };
  }
  const attempted = { ...base, ...compileAttempted(step) };
  if ('agent' in step) {
    const schema = step.output?.schema;
    return {
      ...attempted,
      kind: 'agent',
      adapter: step.agent,
      prompt: typeof step.prompt === 'string' ? { text: step.prompt } : { file: step.prompt.file },
      context: step.context ?? [],
      model: step.model ?? null,
      budget: compileBudget(step.budget),
      outputSchema:
        schema === undefined
          ? null
          : typeof schema === 'string'
            ? { file: schema }
            : { inline: schema },
      ext: step.ext ?? {},
    };
  }
  return {
    ...attempted,
    kind: 'command',
    program: 'run' in step ? { script: step.run } : { argv: step.argv as [string, ...string[]] },
    cwd: step.cwd ?? '.',
    expectedExitCodes: step.exitCodes ?? [0],
    copy: [],
  };
}

function compileAttempted(step: Omit<AttemptedInFile, 'id'>) {
  return {
    timeoutMs: compileDuration(step.timeout),
    retry: {
      attempts: step.retry?.attempts ?? 1,
      backoffMs: compileDuration(step.retry?.backoff) ?? 0,
    },
    onInterrupt: step.onInterrupt ?? 'ask',
    env: {
      profile: step.env?.profile ?? 'minimal',
      set: step.env?.set ?? {},
      from: step.env?.from ?? {},
    },
    secrets: step.secrets ?? [],
    artifacts: step.artifacts ?? [],
  };
}

function compileEscalation(escalate: ApprovalInFile['escalate']): Pick<ApprovalStep, 'escalate'> {
  const afterMs = compileDuration(escalate?.after);
  if (escalate === undefined || afterMs === null) return {};
  return { escalate: { afterMs, roles: escalate.roles ?? [], people: escalate.people ?? [] } };
}

function compileCheck(check: CheckInFile): Check {
  if ('exit' in check) return { type: 'exit', ...check.exit };
  if ('paths' in check) return { type: 'paths', only: check.paths.only };
  if ('file' in check) {
    const { path, matches, exists } = check.file;
    return { type: 'file', path, matches: matches ?? null, exists: exists ?? true };
  }
  if ('schema' in check) return { type: 'schema', ...check.schema };
  if ('number' in check) {
    const { file, at, min, max } = check.number;
    return { type: 'number', file, at, min: min ?? null, max: max ?? null };
  }
  return { type: 'noSecrets' };
}

/** What `scope` leaves open is as in `outer`. */
function resolveScope(scope: ScopeInFile | undefined, outer: Scope): Scope {
  return {
    tools: scope?.tools ?? outer.tools,
    write: scope?.write ?? outer.write,
    network: scope?.network ?? outer.network,
  };
}

function compileBudget(budget: BudgetInFile | undefined): Budget {
  return {
    usd: budget?.usd ?? null,
    tokens: budget?.tokens ?? null,
    timeMs: compileDuration(budget?.time),
    turns: budget?.turns ?? null,
  };
}

function compileDuration(duration: string | undefined): number | null {
  return duration === undefined ? null : (durationToMs(duration) ?? null);
}

function mapValues<T, U>(
  record: Readonly<Record<string, T>>,
  change: (value: T) => U,
): Readonly<Record<string, U>> {
  return Object.fromEntries(Object.entries(record).map(([key, item]) => [key, change(item)]));
}
