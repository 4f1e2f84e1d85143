/** Verbs that change what becomes of a run; each can say first what it would do. */
import type { Client, ClientError, ControlAction, Result, RunView } from '@ccdash/api/client';
import { askYes } from './ask.ts';
import { flagsToChange } from './change-options.ts';
import type { ChangeFlags } from './change-options.ts';
import type { Context } from './context.ts';
import { impactToLines } from './impact-text.ts';
import { EXIT, cliRefusal, problemToRefusal, refuse } from './refusals.ts';
import { connectToRun, readPlanFile } from './run-verbs.ts';

export interface ControlOptions {
  readonly step: string | null;
  readonly reason: string | null;
  /** Further fields of the request. */
  readonly also: object;
  /** Of a summary that was looked at; the action is refused when it would do something else by now. */
  readonly digest: string | null;
  readonly isDryRun: boolean;
  /** For actions that ask first. */
  readonly isAgreed: boolean;
}

/** They take along what has succeeded, or go past what was planned: people see what, and say yes. */
const ASKS: ReadonlySet<ControlAction> = new Set<ControlAction>(['restart', 'skip', 'replan']);

export async function controlRun(
  context: Context,
  id: string,
  action: ControlAction,
  options: ControlOptions,
): Promise<number> {
  const found = await connectToRun(context, id);
  if (!found.ok) return refuse(context, found.error);
  const { client } = found.value.connection;
  const { run } = found.value;
  const asks = ASKS.has(action) && options.digest === null;
  let { digest } = options;
  if (options.isDryRun || asks) {
    const summary = await client.preview(run.id, action, bodyOf(action, options));
    if (!summary.ok) return refuse(context, problemToRefusal(summary.error));
    if (context.isJson && options.isDryRun) context.writeJson(summary.value);
    if (!context.isJson) {
      for (const line of impactToLines(run.id, summary.value)) context.say(...line);
    }
    if (options.isDryRun) return EXIT.done;
    ({ digest } = summary.value);
  }
  if (asks && !options.isAgreed) {
    if (!context.isInteractive) {
      const hint = 'Look with --dry-run, then say --yes, or --digest with what it shows.';
      return refuse(context, cliRefusal('NotAgreed', 'Nobody has agreed to this.', hint));
    }
    if ((await askYes(context, `${action}?`)) === 'no') return EXIT.blocked;
  }
  const done = await send(client, run, action, { ...options, digest });
  if (!done.ok) return refuse(context, problemToRefusal(done.error));
  if (context.isJson) {
    context.writeJson(done.value);
    return EXIT.done;
  }
  const { id: runId, status, canceling } = done.value;
  for (const { approval } of done.value.blocked) {
    if (approval !== null) context.say(`It waits for approval: ccdash approve ${approval}`);
  }
  context.say(`Run ${runId} is ${canceling ? 'being canceled' : status}.`);
  if (status !== 'canceled') context.say(`Follow it: ccdash watch ${runId}`);
  return EXIT.done;
}

/** Begins a new run from a checkpoint of `id`. */
export async function forkRun(
  context: Context,
  id: string,
  at: string | null,
  { reason, digest, isDryRun }: Pick<ControlOptions, 'reason' | 'digest' | 'isDryRun'>,
): Promise<number> {
  const found = await connectToRun(context, id);
  if (!found.ok) return refuse(context, found.error);
  const { client } = found.value.connection;
  const { run } = found.value;
  if (isDryRun) {
    const summary = await client.preview(run.id, 'fork', { at });
    if (!summary.ok) return refuse(context, problemToRefusal(summary.error));
    if (context.isJson) context.writeJson(summary.value);
    else for (const line of impactToLines(run.id, summary.value)) context.say(...line);
    return EXIT.done;
  }
  const forked = await client.fork(run.id, { at, reason, digest });
  if (!forked.ok) return refuse(context, problemToRefusal(forked.error));
  if (context.isJson) {
    context.writeJson(forked.value);
    return EXIT.done;
  }
  const { id: newId, forkedFrom } = forked.value;
  const taken = forkedFrom?.steps ?? [];
  context.say(`Run ${newId} begins from ${run.id}: ${taken.length} steps are done already.`);
  context.say(`Follow it: ccdash watch ${newId}`);
  return EXIT.done;
}

/** As `controlRun`, with what the flags say that a step is to have otherwise. */
export async function controlWithChange(
  context: Context,
  id: string,
  action: ControlAction,
  flags: ChangeFlags,
  options: ControlOptions,
): Promise<number> {
  const change = await flagsToChange(context, flags);
  if (!change.ok) return refuse(context, change.error);
  const also = change.value === null ? options.also : { ...options.also, change: change.value };
  return controlRun(context, id, action, { ...options, also });
}

export async function replanRun(
  context: Context,
  id: string,
  file: string,
  options: ControlOptions,
): Promise<number> {
  const read = await readPlanFile(context, file);
  if (!read.ok) return refuse(context, read.error);
  return controlRun(context, id, 'replan', {
    ...options,
    also: { ...options.also, ...read.value },
  });
}

function bodyOf(action: ControlAction, { step, reason, digest, also }: ControlOptions): object {
  const why = reason === null ? {} : { reason };
  const agreed = digest === null ? {} : { digest };
  return action === 'cancel' || action === 'pause'
    ? { ...why, ...agreed }
    : { ...(step === null ? {} : { step }), ...also, ...why, ...agreed };
}

function send(
  client: Client,
  run: RunView,
  action: ControlAction,
  options: ControlOptions,
): Promise<Result<RunView, ClientError>> {
  const body = bodyOf(action, options);
  switch (action) {
    case 'cancel':
      return client.cancel(run.id, body);
    case 'pause':
      return client.pause(run.id, body);
    case 'resume':
      return client.resume(run.id, body);
    case 'retry':
      return client.retry(run.id, body);
    case 'restart':
      return client.restart(run.id, { step: options.step ?? '', ...body });
    case 'skip':
      return client.skip(run.id, { step: options.step ?? '', ...body });
    case 'replan':
      return client.replan(run.id, { text: '', file: '', ...body });
  }
}
