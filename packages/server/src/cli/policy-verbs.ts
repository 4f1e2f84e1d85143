/** Verbs that try a policy before it is trusted: what it says to a command, a step, and the cases beside it. */
import { readFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import type { judgeStep, PolicyStanding } from '../app.ts';
import type { Context, Style } from './context.ts';
import { findProject } from './project.ts';
import { cliRefusal, EXIT, failureToRefusal, refuse } from './refusals.ts';

type Judge = typeof judgeStep;
type Plan = Parameters<Judge>[1];
type Step = Parameters<Judge>[2];
type PolicyVerdict = Awaited<ReturnType<Judge>>['verdict'];
type CommandFacts = NonNullable<Awaited<ReturnType<Judge>>['does']>;

const CASES = '.ccdash/policy/cases.yaml';

export interface CheckOptions {
  readonly command: string | null;
  /** `FILE#ID`. */
  readonly step: string | null;
}

/** Without options: the files of the policy themselves. */
export async function checkPolicy(context: Context, options: CheckOptions): Promise<number> {
  const { command, step } = options;
  if (command !== null && step !== null) {
    const hint = 'Give --command or --step.';
    return refuse(context, cliRefusal('UsageError', 'There are two things to look at.', hint));
  }
  const standing = await standingOf(context);
  if (typeof standing === 'number') return standing;
  if (command === null && step === null) return tellStanding(context, standing);
  const found = command === null ? await readStep(context, step ?? '') : await asPlan(command);
  if (typeof found === 'string') {
    return refuse(context, cliRefusal('UsageError', found, 'See: ccdash policy check --help'));
  }
  const app = await import('../app.ts');
  const { verdict, does } = await app.judgeStep(standing.policy, found.plan, found.step);
  tellVerdict(context, standing, verdict, does);
  return { allow: EXIT.done, requires_approval: EXIT.blocked, deny: EXIT.refused }[verdict.verdict];
}

export async function testPolicy(context: Context, file: string | null): Promise<number> {
  const standing = await standingOf(context);
  if (typeof standing === 'number') return standing;
  const app = await import('../app.ts');
  const project = findProject(context);
  const path = file ?? (project.ok ? join(project.value.dir, CASES) : CASES);
  const text = readText(resolve(context.cwd, path));
  if (text === null) {
    const shown = relative(context.cwd, resolve(context.cwd, path));
    const hint = 'Name a file of cases, or write one: `ccdash init` brings an example.';
    return refuse(context, cliRefusal('FileUnusable', `${shown} cannot be read.`, hint));
  }
  const name = relative(context.cwd, resolve(context.cwd, path));
  const tested = app.testPolicy(standing.policy, { file: name, text });
  if (!tested.ok) return tellProblems(context, tested.error, 'The cases have mistakes.');
  const failed = tested.value.filter(({ pass }) => !pass);
  if (context.isJson) {
    context.writeJson({
      ok: failed.length === 0,
      policy: standing.policy.digest,
      cases: tested.value.map(({ name: of, line, pass, differences, verdict }) => ({
        ...{ name: of, line, pass, differences },
        verdict: verdict.verdict,
        rules: verdict.why.map(({ rule }) => rule),
      })),
    });
  } else {
    for (const { name: of, line, differences } of failed) {
      context.say({ text: 'failed', style: 'bad' }, ` ${name}:${line}: ${of}`);
      for (const difference of differences) context.say(`       ${difference}`);
    }
    const passed = tested.value.length - failed.length;
    const style: Style = failed.length === 0 ? 'good' : 'bad';
    context.say({ text: `${passed} of ${tested.value.length} cases pass`, style });
  }
  return failed.length === 0 ? EXIT.done : EXIT.failed;
}

async function standingOf(context: Context): Promise<PolicyStanding | number> {
  const { policyOfFiles } = await import('../app.ts');
  const project = findProject(context);
  // A policy can be tried anywhere; only a project that was named has to be there.
  if (!project.ok && context.projectOption !== null) return refuse(context, project.error);
  const standing = policyOfFiles(project.ok ? project.value.dir : null);
  if (standing.ok) return standing.value;
  const { error } = standing;
  if ('failure' in error) return refuse(context, failureToRefusal(error.failure));
  return tellProblems(context, error.problems, 'The policy has mistakes.');
}

interface Problem {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly detail: string;
  readonly hint: string | null;
}

function tellProblems(context: Context, problems: readonly Problem[], title: string): number {
  const [first] = problems;
  if (context.isJson) {
    const at =
      first === undefined
        ? {}
        : { at: { file: first.file, line: first.line, column: first.column } };
    const detail = first?.detail ?? title;
    context.writeJson({
      error: { type: 'PolicyInvalid', title, detail, hint: first?.hint ?? null, ...at },
      problems,
    });
    return EXIT.usage;
  }
  context.warn({ text: 'error', style: 'bad' }, ` ${title}`);
  for (const { file, line, column, detail, hint } of problems) {
    context.warn(`  ${file}:${line}:${column}: ${detail}${hint === null ? '' : ` (${hint})`}`);
  }
  return EXIT.usage;
}

function tellStanding(context: Context, { policy, source, files }: PolicyStanding): number {
  if (context.isJson) {
    context.writeJson({ ok: true, source, digest: policy.digest, files });
    return EXIT.done;
  }
  const what = source === 'shipped' ? 'the policy that ships with CCDash' : files.join(', ');
  context.say({ text: 'valid', style: 'good' }, `  ${what}, ${policy.digest}`);
  return EXIT.done;
}

const STYLES = { allow: 'good', requires_approval: 'wait', deny: 'bad' } as const;
const WORDS = { allow: 'allowed', requires_approval: 'asks', deny: 'denied' } as const;

function tellVerdict(
  context: Context,
  { source, policy }: PolicyStanding,
  verdict: PolicyVerdict,
  does: CommandFacts | null,
): void {
  const { why, requires, risk } = verdict;
  if (context.isJson) {
    context.writeJson({
      verdict: verdict.verdict,
      risk,
      why,
      requires: verdict.verdict === 'requires_approval' ? requires : null,
      effects: does?.effects ?? [],
      because: does?.because ?? [],
      programs: does?.programs ?? [],
      policy: { source, digest: policy.digest },
    });
    return;
  }
  context.say({ text: WORDS[verdict.verdict], style: STYLES[verdict.verdict] }, `  risk ${risk}`);
  for (const { rule, text } of why)
    context.say(`  because   ${text} `, { text: `(${rule})`, style: 'quiet' });
  if (verdict.verdict === 'requires_approval') {
    const { count, roles, assurance, excludeRequester } = requires;
    const who = `${count === 1 ? '1 person' : `${count} people`}, role ${roles.join(' or ')}`;
    const how = assurance === 'session' ? '' : `, authenticated by ${assurance}`;
    context.say(`  needs     ${who}${excludeRequester ? ', not who asked for the run' : ''}${how}`);
  }
  if (does === null) return;
  for (const { effect, text } of does.because) {
    context.say({ text: `  ${effect.padEnd(20)}`, style: 'quiet' }, text);
  }
}

interface Found {
  readonly plan: Plan;
  readonly step: Step;
}

async function asPlan(command: string): Promise<Found | string> {
  const { planOfCommand } = await import('../base/command-plan.ts');
  return planOfCommand(command) ?? 'The command cannot be a step.';
}

async function readStep(context: Context, reference: string): Promise<Found | string> {
  const at = reference.lastIndexOf('#');
  if (at < 1) return `${reference} does not name a step; write FILE#ID.`;
  const file = reference.slice(0, at);
  const id = reference.slice(at + 1);
  const { loadPlan } = await import('../app.ts');
  const project = findProject(context);
  const projectDir = project.ok ? project.value.dir : context.cwd;
  const loaded = await loadPlan(resolve(context.cwd, file), { projectDir, file });
  if (!loaded.ok) return `${file} is not a valid plan; see: ccdash plan check ${file}`;
  const { plan } = loaded.value;
  const step = plan.steps.find((each) => each.id === id);
  if (step === undefined) {
    return `${file} has no step ${id}; it has: ${plan.steps.map((each) => each.id).join(', ')}`;
  }
  return { plan, step };
}

function readText(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error) return null;
    throw error;
  }
}
