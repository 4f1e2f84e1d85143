/**
 * A plan as the machine runs it: parsed, defaults filled in, references checked, `setup` made a step of its own, and
 * the scope of each step resolved against the run's. The file format is in `@ccdash/api/plan`; nothing here parses.
 */
import type { Json, JsonObject } from '../base/json.ts';

/** `[a-z][a-z0-9-]{0,62}`, unique in its plan. */
export type StepId = string;

export type RiskClass = 'low' | 'medium' | 'high' | 'critical';
export const RISK_CLASSES: readonly RiskClass[] = ['low', 'medium', 'high', 'critical'];

/** The step every other step depends on when the plan has a `setup`. The id is reserved. */
export const SETUP_STEP_ID = 'setup';

export interface Plan {
  readonly version: 1;
  readonly name: string;
  readonly feature: string | null;
  readonly context: PlanContext;
  readonly inputs: Readonly<Record<string, InputSpec>>;
  /** The widest that any step gets. */
  readonly scope: Scope;
  readonly budget: Budget;
  /** How many attempts may be alive at once; at least 1. */
  readonly concurrency: number;
  readonly onFailure: 'continue' | 'stop';
  /** In the order of the file; `needs` always filled in (steps in order when the file has no `needs`). */
  readonly steps: readonly Step[];
}

/** Paths relative to the project, and session ids, that a plan refers to. */
export interface PlanContext {
  readonly prd: string | null;
  readonly plan: string | null;
  readonly progress: readonly string[];
  readonly sessions: readonly string[];
  readonly docs: readonly string[];
}

export interface InputSpec {
  readonly type: 'string' | 'number' | 'boolean';
  readonly default: string | number | boolean | null;
  readonly required: boolean;
  readonly description: string | null;
}

export type ToolName = 'read' | 'edit' | 'search' | 'exec' | 'fetch' | 'agent' | (string & {});

/** What a step may touch. Empty `write` mounts the workspace read-only. */
export interface Scope {
  /** Canonical tool names; `mcp:<server>/<tool>` for MCP tools. */
  readonly tools: readonly ToolName[];
  /** Globs as in `.gitignore`, relative to the workspace. */
  readonly write: readonly string[];
  readonly network: 'none' | { readonly hosts: readonly string[] };
}

/** Limits; `null` = none stated. */
export interface Budget {
  readonly usd: number | null;
  readonly tokens: number | null;
  readonly timeMs: number | null;
  readonly turns: number | null;
}

interface StepBase {
  readonly id: StepId;
  readonly needs: readonly StepId[];
  /** A CEL expression over `inputs`, `steps.<id>.outputs`, `steps.<id>.status`. */
  readonly when: string | null;
  /** Raises the computed risk class, never lowers it. */
  readonly risk: RiskClass | null;
  readonly scope: Scope;
}

interface AttemptedStep extends StepBase {
  readonly timeoutMs: number | null;
  /** `attempts` counts the first try; the n-th wait is `backoffMs * 2^(n-1)`. */
  readonly retry: { readonly attempts: number; readonly backoffMs: number };
  readonly onInterrupt: 'ask' | 'resume' | 'retry';
  readonly env: StepEnv;
  /** Names only; values come from the keyring or the server's environment when the attempt starts. */
  readonly secrets: readonly string[];
  /** Globs of workspace files kept as artifacts when the step succeeds. */
  readonly artifacts: readonly string[];
}

export interface StepEnv {
  readonly profile: string;
  readonly set: Readonly<Record<string, string>>;
  /** Variable -> `<step>.<output>`. */
  readonly from: Readonly<Record<string, string>>;
}

export type Program =
  | { readonly argv: readonly [string, ...string[]] }
  /** Run by `bash --norc --noprofile -e -o pipefail -c`. */
  | { readonly script: string };

export interface CommandStep extends AttemptedStep {
  readonly kind: 'command';
  readonly program: Program;
  /** Relative to the workspace; '.' by default. */
  readonly cwd: string;
  readonly expectedExitCodes: readonly number[];
  /** Untracked project paths copied into the workspace first; only `setup` has any. */
  readonly copy: readonly string[];
}

export interface AgentStep extends AttemptedStep {
  readonly kind: 'agent';
  /** `claude`, `codex`, `copilot`, `acp:<name>`, `scripted`. */
  readonly adapter: string;
  /** Text with `{{ … }}` placeholders, or a file in the workspace that holds it. */
  readonly prompt: { readonly text: string } | { readonly file: string };
  readonly context: readonly string[];
  readonly model: string | null;
  readonly budget: Budget;
  /** JSON Schema of the answer: a workspace path, or the schema itself. */
  readonly outputSchema: { readonly file: string } | { readonly inline: JsonObject } | null;
  /** Namespaced by adapter; validated by the adapter. */
  readonly ext: Readonly<Record<string, Json>>;
}

export interface ValidationStep extends StepBase {
  readonly kind: 'validation';
  readonly checks: readonly Check[];
}

export type Check =
  | { readonly type: 'exit'; readonly step: StepId; readonly equals: number }
  | { readonly type: 'paths'; readonly only: readonly string[] }
  | {
      readonly type: 'file';
      readonly path: string;
      readonly matches: string | null;
      readonly exists: boolean;
    }
  | { readonly type: 'schema'; readonly output: StepId; readonly schema: string }
  | {
      readonly type: 'number';
      readonly file: string;
      /** JSON pointer (RFC 6901). */
      readonly at: string;
      readonly min: number | null;
      readonly max: number | null;
    }
  | { readonly type: 'noSecrets' };

export interface ApprovalStep extends StepBase {
  readonly kind: 'approval';
  readonly question: string;
  /** `diff`, `<step>.output`, `<step>.<output key>`, or an artifact path. */
  readonly show: readonly string[];
  readonly by: ApproverRule;
  readonly form: Readonly<Record<string, FormField>>;
  readonly onReject: { readonly restart: StepId; readonly max: number } | null;
  readonly expiresMs: number | null;
  /** Who is asked as well once `afterMs` have passed. */
  readonly escalate?:
    | {
        readonly afterMs: number;
        readonly roles: readonly string[];
        readonly people: readonly string[];
      }
    | undefined;
}

export interface ApproverRule {
  readonly roles: readonly string[];
  readonly people: readonly string[];
  readonly count: number;
  readonly excludeRequester: boolean;
  /** Approvals come in the order of `people`, or of `roles` where nobody is named. */
  readonly inOrder?: boolean | undefined;
}

export interface FormField {
  readonly type: 'string' | 'number' | 'boolean';
  readonly required: boolean;
}

export type Step = CommandStep | AgentStep | ValidationStep | ApprovalStep;
export type StepKind = Step['kind'];

/** A step that may change the workspace: only one of them is alive in a run at a time. */
export function isWriter(step: Step): boolean {
  return (step.kind === 'command' || step.kind === 'agent') && step.scope.write.length > 0;
}

const stepsByPlan = new WeakMap<Plan, ReadonlyMap<StepId, Step>>();

/** Steps by id, in plan order. A plan never changes, so this is made once for each. */
export function stepById(plan: Plan): ReadonlyMap<StepId, Step> {
  let steps = stepsByPlan.get(plan);
  if (steps === undefined) {
    steps = new Map(plan.steps.map((step) => [step.id, step]));
    stepsByPlan.set(plan, steps);
  }
  return steps;
}

/** The steps that need `stepId`, directly or not, in plan order. `stepId` itself is not among them. */
export function dependentsOf(plan: Plan, stepId: StepId): readonly StepId[] {
  const reached = new Set<StepId>([stepId]);
  let grew = true;
  while (grew) {
    grew = false;
    for (const step of plan.steps) {
      if (!reached.has(step.id) && step.needs.some((needed) => reached.has(needed))) {
        reached.add(step.id);
        grew = true;
      }
    }
  }
  return plan.steps.map((step) => step.id).filter((id) => id !== stepId && reached.has(id));
}

/** More writers than this are taken to be beside each other somewhere, which costs nothing but a copy of files. */
const MOST_COMPARED = 100;

/** Whether two steps that write could be at work at once: neither depends on the other, and the plan lets two run. */
export function mayWriteBeside(plan: Plan): boolean {
  if (plan.concurrency < 2) return false;
  const writers = plan.steps.filter(isWriter).map(({ id }) => id);
  if (writers.length > MOST_COMPARED) return true;
  // In a chain the first has all the others after it, the next all but one, and so on.
  const after = writers.map((id) => {
    const dependents = new Set(dependentsOf(plan, id));
    return writers.filter((other) => dependents.has(other)).length;
  });
  return after.sort((a, b) => b - a).some((count, index) => count !== writers.length - 1 - index);
}
