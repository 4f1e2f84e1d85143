/** Plans of a page for tests: what is not said is the plainest there is. */
import type {
  AgentStep,
  ApprovalStep,
  CommandStep,
  Plan,
  Scope,
  Step,
  StepId,
  ValidationStep,
} from '../plan/plan.ts';

const WRITES: Scope = { tools: ['read', 'edit', 'exec'], write: ['src/**'], network: 'none' };
const READS: Scope = { tools: ['read'], write: [], network: 'none' };
const BUDGET = { usd: null, tokens: null, timeMs: null, turns: null };

type Rest<T extends Step> = Partial<Omit<T, 'id' | 'kind'>>;

const ATTEMPTED = {
  needs: [],
  when: null,
  risk: null,
  timeoutMs: null,
  retry: { attempts: 1, backoffMs: 10 },
  onInterrupt: 'ask',
  env: { profile: 'minimal', set: {}, from: {} },
  secrets: [],
  artifacts: [],
} as const;

/** A command that writes. */
export function testCommand(id: StepId, rest: Rest<CommandStep> = {}): CommandStep {
  const program = { argv: ['true'] } as const;
  const own = { program, cwd: '.', expectedExitCodes: [0], copy: [], scope: WRITES };
  return { kind: 'command', id, ...ATTEMPTED, ...own, ...rest };
}

/** A command that only reads. */
export function testReader(id: StepId, rest: Rest<CommandStep> = {}): CommandStep {
  return testCommand(id, { scope: READS, ...rest });
}

/** An agent that writes. */
export function testAgent(id: StepId, rest: Rest<AgentStep> = {}): AgentStep {
  const prompt = { text: 'do it' };
  const own = { adapter: 'scripted', prompt, context: [], model: null, budget: BUDGET };
  return {
    ...{ kind: 'agent', id, ...ATTEMPTED, ...own, scope: WRITES },
    ...{ outputSchema: null, ext: {}, ...rest },
  };
}

export function testValidation(id: StepId, rest: Rest<ValidationStep> = {}): ValidationStep {
  const own = { needs: [], when: null, risk: null, scope: READS, checks: [] };
  return { kind: 'validation', id, ...own, ...rest };
}

export function testApproval(id: StepId, rest: Rest<ApprovalStep> = {}): ApprovalStep {
  const by = { roles: [], people: [], count: 1, excludeRequester: false };
  const own = { question: 'go on?', show: [], by, form: {}, onReject: null, expiresMs: null };
  return { kind: 'approval', id, needs: [], when: null, risk: null, scope: READS, ...own, ...rest };
}

export function testPlan(
  steps: readonly Step[],
  rest: Partial<Omit<Plan, 'version' | 'steps'>> = {},
): Plan {
  return {
    version: 1,
    name: 'test',
    feature: null,
    context: { prd: null, plan: null, progress: [], sessions: [], docs: [] },
    inputs: {},
    scope: WRITES,
    budget: BUDGET,
    concurrency: 4,
    onFailure: 'continue',
    ...rest,
    steps,
  };
}
