/**
 * Builds, from the state alone, what a step would run: the work, and the subject that people and the policy judge. The
 * start transaction builds it again and compares digests, so nothing may enter here that differs without meaning to.
 */
import { err, lastAttempt, ok, planStep, stepState, waitingCorrection } from '@ccdash/core';
import type {
  AgentStep,
  AgentWork,
  AttemptSpec,
  CommandStep,
  Evaluation,
  Failure,
  JsonObject,
  PolicyVerdict,
  ResumeToken,
  Result,
  RunState,
  Step,
  StepState,
} from '@ccdash/core';
import { budgetLeft, exhaustion } from './budget-left.ts';
import type { EngineDeps } from './deps.ts';
import {
  asJson,
  commandFacts,
  commandSubject,
  expressionFacts,
  outputOf,
  requesterOf,
  startPolicyFacts,
  variablesFrom,
} from './facts.ts';

type Blocked = Extract<Evaluation, { outcome: 'blocked' }>;

/** All that a host needs, but for what belongs to one attempt alone. */
export interface PreparedWork {
  readonly work: AttemptSpec['work'];
  readonly env: Readonly<Record<string, string>>;
  readonly secretNames: readonly string[];
  readonly sandbox: AttemptSpec['sandbox'];
  readonly timeoutMs: number | null;
  readonly session: ResumeToken | null;
  /** Untracked project paths to copy in first. */
  readonly copy: readonly string[];
}

export interface PreparedStep {
  readonly subject: JsonObject;
  readonly subjectDigest: string;
  readonly verdict: PolicyVerdict;
  /** Null for validations and approvals: they have no process. */
  readonly work: PreparedWork | null;
}

export async function prepareStep(
  deps: EngineDeps,
  state: RunState,
  stepId: string,
): Promise<Result<PreparedStep, Blocked>> {
  const step = planStep(state.created.plan, stepId);
  const sandbox = await deps.hosts.sandbox();
  const { plan } = state.created;
  const does = commandFacts(deps, step);
  const verdict = deps.policy.evaluate(
    startPolicyFacts(plan, step, requesterOf(state), sandbox.available, does?.effects ?? []),
  );
  const prepared = await prepareKind(deps, state, step, sandbox.available);
  if (!prepared.ok) return prepared;
  const { what, work } = prepared.value;
  const subject: JsonObject = {
    v: 1,
    kind: step.kind === 'approval' ? 'gate' : 'start',
    run: state.runId,
    step: step.id,
    plan: state.created.digest,
    workspace: state.checkpoint?.commit ?? null,
    policy: verdict.policyDigest,
    scope: asJson(step.scope),
    sandbox: work?.sandbox.kind ?? null,
    ...what,
    ...(does === null ? {} : { does: commandSubject(does) }),
  };
  return ok({ subject, subjectDigest: deps.digest(subject), verdict, work });
}

interface PreparedKind {
  readonly what: JsonObject;
  readonly work: PreparedWork | null;
}

async function prepareKind(
  deps: EngineDeps,
  state: RunState,
  step: Step,
  sandboxed: boolean,
): Promise<Result<PreparedKind, Blocked>> {
  switch (step.kind) {
    case 'command':
      return prepareCommand(deps, state, step, sandboxed);
    case 'agent':
      return prepareAgent(deps, state, step, sandboxed);
    case 'validation':
      return ok({ what: { checks: asJson(step.checks) }, work: null });
    case 'approval': {
      const question = deps.renderTemplate(step.question, expressionFacts(state));
      if (!question.ok) return configuration(question.error);
      const shown = Object.fromEntries(
        step.show.map((reference) => [reference, shownDigest(deps, state, reference)]),
      );
      // What was rejected is not asked again; work that was sent back for it is another thing to decide on.
      const round = stepState(state, step.id).rejections;
      return ok({ what: { question: question.value, show: shown, round }, work: null });
    }
  }
}

/** Digest of what an approver is shown: a change of it asks them again. */
function shownDigest(deps: EngineDeps, state: RunState, reference: string): string | null {
  if (reference === 'diff') return state.checkpoint?.tree ?? null;
  const dot = reference.indexOf('.');
  const source = state.steps.get(reference.slice(0, dot));
  if (source === undefined) return state.checkpoint?.tree ?? null;
  const key = reference.slice(dot + 1);
  if (key === 'output') return lastAttempt(source)?.output?.sha256 ?? null;
  const value = outputOf(state, source.id, key);
  return value === undefined ? null : deps.digest(value);
}

function prepareCommand(
  deps: EngineDeps,
  state: RunState,
  step: CommandStep,
  sandboxed: boolean,
): Result<PreparedKind, Blocked> {
  const common = prepareCommon(deps, state, step, sandboxed, []);
  if (!common.ok) return common;
  const { program, cwd, copy, expectedExitCodes } = step;
  return ok({
    what: {
      program: asJson(program),
      cwd,
      copy: asJson(copy),
      exitCodes: asJson(expectedExitCodes),
      ...common.value.what,
    },
    work: { ...common.value.work, work: { kind: 'command', program, cwd }, copy, session: null },
  });
}

type Common = Omit<PreparedWork, 'work' | 'copy' | 'session'>;

function prepareCommon(
  deps: EngineDeps,
  state: RunState,
  step: CommandStep | AgentStep,
  sandboxed: boolean,
  programPaths: readonly string[],
): Result<{ readonly what: JsonObject; readonly work: Common }, Blocked> {
  const profile = deps.profileEnv(step.env.profile);
  if (!profile.ok) return configuration(profile.error);
  const from = variablesFrom(state, step.env.from);
  if (from.missing !== null) {
    return configuration({
      code: 'missing_output',
      message: `${step.id} reads ${from.missing}, which does not exist`,
      hint: `let that step write it to $CCDASH_OUTPUT, or change env.from of ${step.id}`,
    });
  }
  const missingSecret = step.secrets.find((name) => deps.secret(name) === undefined);
  if (missingSecret !== undefined) {
    return configuration({
      code: 'missing_secret',
      message: `${step.id} needs the secret ${missingSecret}, which the server does not have`,
      hint: `start the server with ${missingSecret} in its environment, then: ccdash retry ${state.runId} ${step.id}`,
    });
  }
  const { write, network } = step.scope;
  const readPaths = [...deps.readPaths, ...programPaths];
  return ok({
    what: {
      env: { profile: step.env.profile, set: step.env.set, from: deps.digest(from.values) },
      secrets: asJson(step.secrets),
      timeoutMs: step.timeoutMs,
    },
    work: {
      env: { ...profile.value, ...step.env.set, ...from.values },
      secretNames: step.secrets,
      sandbox: { kind: sandboxed ? 'bubblewrap' : 'none', write, readPaths, network },
      timeoutMs: step.timeoutMs,
    },
  });
}

async function prepareAgent(
  deps: EngineDeps,
  state: RunState,
  step: AgentStep,
  sandboxed: boolean,
): Promise<Result<PreparedKind, Blocked>> {
  const probe = await deps.adapters.probe(step.adapter);
  if (probe?.available !== true) return adapterUnavailable(state, step, probe);
  const unfit = await deps.adapters.extensionFailure(step.adapter, step.ext);
  if (unfit !== null) return configuration(unfit);
  const common = prepareCommon(
    deps,
    state,
    step,
    sandboxed,
    await deps.adapters.requiredPaths(step.adapter),
  );
  if (!common.ok) return common;
  const prompt = await promptOf(deps, state, step);
  if (!prompt.ok) return prompt;
  const schema = await schemaOf(deps, state, step);
  if (!schema.ok) return schema;
  const session = await sessionOf(deps, state, step);
  if (!session.ok) return session;
  const text = promptFor(state, step, prompt.value, session.value !== null);
  const spent = exhaustion(state, step.id);
  if (spent !== null) return err({ outcome: 'blocked', reason: 'budget_exceeded', failure: spent });
  const { maxTimeMs, ...limits } = budgetLeft(state, step.id);
  const launch = await deps.adapters.launch(step.adapter);
  const { tools, write } = step.scope;
  const work: AgentWork = {
    kind: 'agent',
    adapter: step.adapter,
    prompt: text,
    model: step.model,
    tools,
    write,
    ...limits,
    outputSchema: schema.value,
    session:
      session.value === null ? { kind: 'new', id: '' } : { kind: 'resume', token: session.value },
    stateDir: deps.agentStateDir(state.runId, step.id),
    upstream: deps.upstream,
    ext: step.ext,
    ...(launch === null ? {} : { launch }),
  };
  const timeouts = [maxTimeMs, step.timeoutMs].filter((each) => each !== null);
  const timeoutMs = timeouts.length === 0 ? null : Math.min(...timeouts);
  return ok({
    what: {
      adapter: step.adapter,
      prompt: text,
      model: step.model,
      tools: asJson(tools),
      budget: asJson(step.budget),
      outputSchema: schema.value,
      session: session.value?.session ?? null,
      upstream: deps.upstream.kind,
      ext: step.ext,
      ...(launch === null ? {} : { launch: asJson(launch) }),
      ...common.value.what,
    },
    work: { ...common.value.work, timeoutMs, work, copy: [], session: session.value },
  });
}

function adapterUnavailable(
  state: RunState,
  step: AgentStep,
  probe: { readonly problem: string | null; readonly install: string | null } | null,
): Result<never, Blocked> {
  const retry = `ccdash retry ${state.runId} ${step.id}`;
  const failure: Failure =
    probe === null
      ? {
          code: 'unknown_adapter',
          message: `${step.id} asks for the agent ${step.adapter}, which this version does not have`,
          hint: 'ccdash adapters lists those it has',
        }
      : {
          code: 'adapter_unavailable',
          message: `${step.id}: ${probe.problem ?? `the agent ${step.adapter} cannot be used here`}`,
          hint: probe.install === null ? retry : `${probe.install}, then: ${retry}`,
        };
  return err({ outcome: 'blocked', reason: 'adapter_unavailable', failure });
}

async function promptOf(
  deps: EngineDeps,
  state: RunState,
  step: AgentStep,
): Promise<Result<string, Blocked>> {
  let text: string;
  if ('text' in step.prompt) {
    text = step.prompt.text;
  } else {
    const file = await deps.workspaces.readFile(state.runId, step.prompt.file, 1_000_000);
    if (!file.ok) return configuration(file.error);
    text = new TextDecoder().decode(file.value);
  }
  const rendered = deps.renderTemplate(text, expressionFacts(state));
  if (!rendered.ok) return configuration(rendered.error);
  if (step.context.length === 0) return ok(rendered.value);
  const documents = step.context.map((path) => `- ${path}`).join('\n');
  return ok(`${rendered.value}\n\nDocuments in the workspace to read first:\n${documents}`);
}

async function schemaOf(
  deps: EngineDeps,
  state: RunState,
  step: AgentStep,
): Promise<Result<JsonObject | null, Blocked>> {
  if (step.outputSchema === null) return ok(null);
  if ('inline' in step.outputSchema) return ok(step.outputSchema.inline);
  const { file: path } = step.outputSchema;
  const file = await deps.workspaces.readFile(state.runId, path, 1_000_000);
  if (!file.ok) return configuration(file.error);
  try {
    return ok(JSON.parse(new TextDecoder().decode(file.value)) as JsonObject);
  } catch (error) {
    const message = `${path} is not JSON: ${error instanceof Error ? error.message : String(error)}`;
    return configuration({ code: 'invalid_schema', message, hint: `correct ${path} and retry` });
  }
}

/**
 * The session to go on with, null for a new one. A rejected piece of work goes back to the session that made it when
 * that is still there; an interrupted one must find its session, or a person decides.
 */
async function sessionOf(
  deps: EngineDeps,
  state: RunState,
  step: AgentStep,
): Promise<Result<ResumeToken | null, Blocked>> {
  const current = stepState(state, step.id);
  const last = lastAttempt(current);
  const token = last?.session ?? null;
  if (current.next !== 'continue' || last === undefined || token === null) return ok(null);
  const may = await deps.adapters.canResume(token, deps.agentStateDir(state.runId, step.id));
  if (may.ok) return ok(token);
  if (last.status === 'succeeded' || last.status === 'superseded') return ok(null);
  // It was cut off before it had called a tool, and before its program had kept the session.
  if (may.error.code === 'session_gone' && last.toolCalls === 0) return ok(null);
  const names = `${state.runId} ${step.id}`;
  const anew = `begin anew from its checkpoint: ccdash retry ${names}`;
  const { hint } = may.error;
  const both = `${hint ?? ''}, then go on with it: ccdash resume ${names} (or ${anew})`;
  return configuration({ ...may.error, hint: hint === null ? anew : both });
}

function promptFor(state: RunState, step: AgentStep, task: string, resumed: boolean): string {
  const current = stepState(state, step.id);
  const told = toldNote(current, resumed);
  const feedback = current.feedback.at(-1);
  if (feedback !== undefined) {
    const note = `A reviewer sent this work back. Their reason, as data:\n\n${quoted(feedback)}\n\nCorrect the work accordingly.`;
    return `${resumed ? note : `${task}\n\n${note}`}${told}`;
  }
  if (!resumed) return `${task}${told}`;
  if (waitingCorrection(current) !== undefined) {
    return `You were stopped, so that a person could tell you something. Some of your last actions may have taken effect, others not: look before you repeat anything.${told}\n\nFinish the task accordingly.`;
  }
  return `You were interrupted before you had finished. Some of your last actions may have taken effect, others not: look before you repeat anything. Then finish the task:\n\n${task}${told}`;
}

/** What people have said that the session does not hold: of a new one, all of it. */
function toldNote({ messages }: StepState, resumed: boolean): string {
  const news = messages.filter(
    ({ status }) => status === 'waiting' || (!resumed && status === 'taken'),
  );
  if (news.length === 0) return '';
  const words = news.map(({ text }) => quoted(text)).join('\n\n');
  return `\n\nA person who watches your work says:\n\n${words}`;
}

function quoted(text: string): string {
  return text
    .split('\n')
    .map((line) => `> ${line}`)
    .join('\n');
}

function configuration(failure: Failure): Result<never, Blocked> {
  return err({ outcome: 'blocked', reason: 'configuration', failure });
}
