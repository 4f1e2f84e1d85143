/** Verbs that launch, list, follow and control runs. */
import { resolve } from 'node:path';
import { readFile } from 'node:fs/promises';
import type { Client, Result, RunView } from '@ccdash/api/client';
import { err, ok } from '@ccdash/api/client';
import { connect } from './connect.ts';
import type { Connection } from './connect.ts';
import type { Context, Style } from './context.ts';
import { follow } from './follow.ts';
import { findRun } from './ids.ts';
import { budgetToText } from './marks.ts';
import { toPlainLine } from './plain-text.ts';
import { EXIT, cliRefusal, problemToRefusal, refuse } from './refusals.ts';
import type { CliRefusal } from './refusals.ts';
import { runToLines, runToListLine } from './run-text.ts';

export interface LaunchOptions {
  readonly feature: string | null;
  readonly inputs: Readonly<Record<string, string>>;
  readonly isDetached: boolean;
}

interface PlanText {
  readonly file: string;
  readonly text: string;
}

/** Larger files are refused by the server with more words; this keeps them out of memory here. */
const MAX_PLAN_FILE_BYTES = 4_000_000;

export async function runPlan(
  context: Context,
  file: string,
  options: LaunchOptions,
): Promise<number> {
  const plan = await readPlanFile(context, file);
  return plan.ok ? launch(context, plan.value, options) : refuse(context, plan.error);
}

/** One command as a run of one step: it may change everything in its own workspace, and use no network. */
export async function execCommand(
  context: Context,
  argv: readonly string[],
  options: LaunchOptions,
): Promise<number> {
  const plan = {
    version: 1,
    name: toPlainLine(argv.join(' '), 200),
    scope: { tools: ['read', 'edit', 'search', 'exec'], write: ['**'], network: 'none' },
    steps: [{ id: 'command', argv }],
  };
  return launch(context, { file: 'exec', text: JSON.stringify(plan) }, options);
}

export async function dryRunPlan(
  context: Context,
  file: string,
  inputs: LaunchOptions['inputs'],
): Promise<number> {
  const plan = await readPlanFile(context, file);
  if (!plan.ok) return refuse(context, plan.error);
  const connection = await connect(context);
  if (!connection.ok) return refuse(context, connection.error);
  const tried = await connection.value.client.dryRun(plan.value.text, file, inputs);
  if (!tried.ok) return refuse(context, problemToRefusal(tried.error));
  const { steps, approvalsNeeded, budget, notCarried } = tried.value;
  if (context.isJson) {
    context.writeJson(tried.value);
    return EXIT.done;
  }
  const width = Math.min(24, Math.max(...steps.map(({ step }) => step.length)));
  for (const { step, kind, needs, verdict, budget: most } of steps) {
    const isAsked = verdict.verdict === 'allow' && approvalsNeeded.includes(step);
    const word = isAsked ? 'asks people' : VERDICT_WORDS[verdict.verdict];
    const after = needs.length === 0 ? '' : `  after ${needs.join(', ')}`;
    const limit = most === null ? '' : budgetToText(most);
    context.say(
      { text: step.padEnd(width), style: 'bold' },
      `  ${kind.padEnd(10)}  `,
      { text: word.padEnd(14), style: isAsked ? 'wait' : VERDICT_STYLES[verdict.verdict] },
      { text: `  risk ${verdict.risk}${after}`, style: 'quiet' },
    );
    if (limit !== '') context.say({ text: `    at most ${limit}`, style: 'quiet' });
    if (verdict.verdict === 'allow') continue;
    for (const { rule, text } of verdict.why) {
      context.say({ text: `    ${text} (${rule})`, style: 'quiet' });
    }
  }
  for (const text of notCarried) context.say(`workspace: ${text}`);
  const whole = budgetToText(budget);
  context.say(whole === '' ? 'Budget: no limit' : `Budget: at most ${whole}`);
  const count = approvalsNeeded.length;
  context.say(count === 0 ? 'No approval will be needed.' : `Approvals needed: ${count}`);
  return EXIT.done;
}

const VERDICT_WORDS = {
  allow: 'allowed',
  requires_approval: 'needs approval',
  deny: 'denied',
} as const;
const VERDICT_STYLES: Readonly<Record<keyof typeof VERDICT_WORDS, Style>> = {
  allow: 'good',
  requires_approval: 'wait',
  deny: 'bad',
};

export async function listRuns(context: Context): Promise<number> {
  const connection = await connect(context);
  if (!connection.ok) return refuse(context, connection.error);
  const runs = await connection.value.client.runs();
  if (!runs.ok) return refuse(context, problemToRefusal(runs.error));
  if (context.isJson) {
    context.writeJson(runs.value);
    return EXIT.done;
  }
  for (const run of runs.value) context.say(...runToListLine(context, run));
  if (runs.value.length === 0) context.say('No runs yet. Launch one: ccdash run PLAN');
  return EXIT.done;
}

export async function showRun(context: Context, id: string): Promise<number> {
  const found = await connectToRun(context, id);
  if (!found.ok) return refuse(context, found.error);
  const { run } = found.value;
  if (context.isJson) context.writeJson(run);
  else for (const line of runToLines(context, run)) context.say(...line);
  await sayOthers(context, found.value.connection.client, run);
  return EXIT.done;
}

/** Two runs of one feature at once work on the same thing in workspaces of their own: people should know. */
async function sayOthers(context: Context, client: Client, run: RunView): Promise<void> {
  if (run.feature === null || OVER.has(run.status)) return;
  const runs = await client.runs();
  if (!runs.ok) return;
  const others = runs.value.filter(
    ({ id, feature, status }) => id !== run.id && feature === run.feature && !OVER.has(status),
  );
  for (const { id, status } of others) {
    context.warn(
      `Run ${id} works on ${run.feature} as well (${status}); their results may conflict.`,
    );
  }
}

const OVER: ReadonlySet<RunView['status']> = new Set(['succeeded', 'failed', 'canceled']);

export async function watchRun(context: Context, id: string): Promise<number> {
  const found = await connectToRun(context, id);
  if (!found.ok) return refuse(context, found.error);
  return follow(context, found.value.connection, found.value.run.id);
}

export async function connectToRun(
  context: Context,
  id: string,
): Promise<Result<{ connection: Connection; run: RunView }, CliRefusal>> {
  const connection = await connect(context);
  if (!connection.ok) return connection;
  const run = await findRun(connection.value.client, id);
  return run.ok ? ok({ connection: connection.value, run: run.value }) : run;
}

async function launch(
  context: Context,
  { file, text }: PlanText,
  { feature, inputs, isDetached }: LaunchOptions,
): Promise<number> {
  const connection = await connect(context);
  if (!connection.ok) return refuse(context, connection.error);
  const { client } = connection.value;
  const saved = await client.savePlan(text, file);
  if (!saved.ok) return refuse(context, problemToRefusal(saved.error));
  const { id, revision } = saved.value;
  const launched = await client.launch(id, { revision, feature, inputs });
  if (!launched.ok) return refuse(context, problemToRefusal(launched.error));
  const run = launched.value;
  await sayOthers(context, client, run);
  if (!isDetached) return follow(context, connection.value, run.id);
  if (context.isJson) {
    context.writeJson(run);
    return EXIT.done;
  }
  context.say(`Launched ${run.id}. Follow it: ccdash watch ${run.id}`);
  return EXIT.done;
}

export async function readPlanFile(
  context: Context,
  file: string,
): Promise<Result<PlanText, CliRefusal>> {
  const path = resolve(context.cwd, file);
  try {
    const text = await readFile(path, 'utf8');
    if (text.length <= MAX_PLAN_FILE_BYTES) return ok({ file, text });
    const hint = 'Move long prompts to files of their own.';
    return err(cliRefusal('FileUnusable', `${file} is too large for a plan.`, hint));
  } catch (error) {
    if (!(error instanceof Error && 'code' in error)) throw error;
    const isGone = error.code === 'ENOENT';
    const detail = isGone
      ? `There is no file ${file}.`
      : `${file} cannot be read (${String(error.code)}).`;
    const hint = 'Name a plan file; `ccdash init` writes an example.';
    return err(cliRefusal('FileUnusable', detail, hint));
  }
}
