/** Verbs that need no server: a project's first files, and plan files. */
import { resolve } from 'node:path';
import type { PlanProblem, Result } from '@ccdash/api/client';
import type { loadPlan } from '../app.ts';
import type { Context } from './context.ts';
import { findProject } from './project.ts';
import { EXIT, failureToRefusal, planProblemToText, refuse } from './refusals.ts';

export async function init(context: Context, policy: 'default' | 'strict'): Promise<number> {
  const project = findProject(context);
  if (!project.ok) return refuse(context, project.error);
  const { initProject } = await import('../app.ts');
  const initialized = initProject(project.value.dir, policy);
  if (!initialized.ok) return refuse(context, failureToRefusal(initialized.error));
  const { written, kept } = initialized.value;
  if (context.isJson) {
    context.writeJson({ project: project.value.dir, written, kept });
    return EXIT.done;
  }
  for (const path of written) context.say({ text: 'wrote', style: 'good' }, `  ${path}`);
  for (const path of kept) context.say({ text: 'kept', style: 'quiet' }, `   ${path}`);
  if (written.includes('.ccdash/policy/strict.cedar')) {
    context.say('The strict policy is in force once you have accepted it: ccdash trust');
  }
  const plan = [...written, ...kept].find((path) => path.startsWith('.ccdash/plans/'));
  if (written.length > 0) tellTrust(context);
  context.say(`Next: ccdash run ${plan ?? 'PLAN'}`);
  return EXIT.done;
}

function tellTrust(context: Context): void {
  context.say('The policy and config take effect once you have accepted them: ccdash trust');
  context.say('Until then the rules as they are shipped are in force.');
}

export async function checkPlan(context: Context, file: string): Promise<number> {
  const loaded = await load(context, file);
  const problems = loaded.ok ? loaded.value.warnings : loaded.error;
  const errors = problems.filter((problem) => problem.severity === 'error').length;
  if (context.isJson) {
    context.writeJson({ ok: loaded.ok, file, problems });
    return loaded.ok ? EXIT.done : EXIT.usage;
  }
  for (const problem of problems) context.say(planProblemToText(problem));
  if (!loaded.ok) {
    context.say({ text: errors === 1 ? '1 error' : `${errors} errors`, style: 'bad' });
    return EXIT.usage;
  }
  const { plan, digest } = loaded.value;
  const steps = plan.steps.length === 1 ? '1 step' : `${plan.steps.length} steps`;
  context.say({ text: 'valid', style: 'good' }, `  ${plan.name}, ${steps}, ${digest}`);
  return EXIT.done;
}

export async function showPlan(context: Context, file: string): Promise<number> {
  const loaded = await load(context, file);
  if (!loaded.ok) return refuseInvalid(context, file, loaded.error);
  const { plan, digest } = loaded.value;
  if (context.isJson) {
    context.writeJson({ digest, plan });
    return EXIT.done;
  }
  const { planToText } = await import('@ccdash/api/plan');
  context.writeRaw(planToText(plan, { width: context.width, ascii: !context.isUnicode }));
  return EXIT.done;
}

export async function printPlanSchema(context: Context): Promise<number> {
  const { planJsonSchema } = await import('@ccdash/api/plan');
  context.writeRaw(`${JSON.stringify(planJsonSchema(), null, 2)}\n`);
  return EXIT.done;
}

/** A plan file is looked at with the project around it, or with its own folder where there is none. */
async function load(
  context: Context,
  file: string,
): Promise<Result<Loaded, readonly PlanProblem[]>> {
  const app = await import('../app.ts');
  const project = findProject(context);
  const projectDir = project.ok ? project.value.dir : context.cwd;
  return app.loadPlan(resolve(context.cwd, file), { projectDir, file });
}

type Loaded = Extract<Awaited<ReturnType<typeof loadPlan>>, { readonly ok: true }>['value'];

function refuseInvalid(context: Context, file: string, problems: readonly PlanProblem[]): number {
  const at = problems[0]?.at;
  return refuse(context, {
    type: 'PlanInvalid',
    title: 'The plan is not valid.',
    detail: `${file} is not a valid plan.`,
    hint: `See all of it: ccdash plan check ${file}`,
    ...(at === undefined ? {} : { at }),
    problems,
  });
}
