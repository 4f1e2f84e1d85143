/** What steps changed and what they wrote, for people who review it. */
import type { DiffView } from '@ccdash/api/client';
import { connect } from './connect.ts';
import { diffLine } from './diff-line.ts';
import type { Context } from './context.ts';
import { copyOutput, createLineReader } from './copy-output.ts';
import { findApproval, findRun } from './ids.ts';
import { toPlainJson, toPlainText } from './plain-text.ts';
import { EXIT, cliRefusal, problemToRefusal, refuse } from './refusals.ts';
import type { CliRefusal } from './refusals.ts';

export interface AttemptOptions {
  readonly step: string | null;
  /** null: the newest. */
  readonly attempt: number | null;
}

/** What a run changed, or a step of it. */
export async function diffRun(
  context: Context,
  id: string,
  { step, attempt }: AttemptOptions,
): Promise<number> {
  if (attempt !== null && step === null) {
    const hint = 'Name the step: ccdash run diff RUN STEP --attempt N';
    return refuse(context, cliRefusal('UsageError', 'An attempt is one of a step.', hint));
  }
  const connection = await connect(context);
  if (!connection.ok) return refuse(context, connection.error);
  const { client } = connection.value;
  const run = await findRun(client, id);
  if (!run.ok) return refuse(context, run.error);
  const diff = await client.diff(run.value.id, step, attempt);
  if (!diff.ok) return refuse(context, problemToRefusal(diff.error));
  return tellDiff(context, diff.value, run.value.id);
}

/** What has changed in the workspace that a request is about. */
export async function diffApproval(context: Context, id: string): Promise<number> {
  const connection = await connect(context);
  if (!connection.ok) return refuse(context, connection.error);
  const { client } = connection.value;
  const approval = await findApproval(client, id);
  if (!approval.ok) return refuse(context, approval.error);
  const diff = await client.approvalDiff(approval.value.id);
  if (!diff.ok) return refuse(context, problemToRefusal(diff.error));
  return tellDiff(context, diff.value, approval.value.runId);
}

function tellDiff(context: Context, diff: DiffView, runId: string): number {
  if (context.isJson) {
    context.writeJson(diff);
    return EXIT.done;
  }
  const { text, files, from, to, truncated } = diff;
  const now = to === null ? 'the work tree as it is now' : to.slice(0, 12);
  const count = files.length === 1 ? '1 file' : `${files.length} files`;
  const range = from === to ? `at ${now}` : `${from.slice(0, 12)} to ${now}`;
  context.warn({
    text: `${files.length === 0 ? 'no file' : count} changed, ${range}`,
    style: 'quiet',
  });
  const lines = text.split('\n');
  if (lines.at(-1) === '') lines.pop();
  for (const line of lines) context.say(diffLine(line));
  if (truncated) {
    const whole = `the whole result as a patch: ccdash apply ${runId} --as patch --out FILE`;
    context.warn({ text: `cut off here; ${whole}`, style: 'wait' });
  }
  return EXIT.done;
}

export interface LogOptions {
  /** null: the newest. */
  readonly attempt: number | null;
  readonly isFollowed: boolean;
  /** The bytes as they are; never to a terminal. */
  readonly isRaw: boolean;
}

/** The whole output of an attempt; with `isFollowed` until it ends. Ctrl-C only ends the looking. */
export async function showOutput(
  context: Context,
  id: string,
  step: string,
  { attempt, isFollowed, isRaw }: LogOptions,
): Promise<number> {
  if (isRaw && (context.isJson || process.stdout.isTTY)) {
    const detail = '--raw is for files and pipes: such bytes could drive a terminal.';
    const hint = 'Send them to a file or a program, or leave --raw out.';
    return refuse(context, cliRefusal('UsageError', detail, hint));
  }
  const connection = await connect(context);
  if (!connection.ok) return refuse(context, connection.error);
  const { client } = connection.value;
  const run = await findRun(client, id);
  if (!run.ok) return refuse(context, run.error);
  const known = run.value.steps.find((one) => one.id === step);
  if (known === undefined) return refuse(context, noStep(run.value.id, step));
  const found = attempt ?? known.attempts.length;
  if (found === 0) return refuse(context, nothingRan(run.value.id, step, known.kind));
  const gone = new AbortController();
  const onInterrupt = (): void => gone.abort();
  process.on('SIGINT', onInterrupt);
  const lines = createLineReader();
  const tell = (texts: readonly string[]): Promise<void> =>
    context.write(
      texts
        .map((text) =>
          context.isJson
            ? `${toPlainJson({ type: 'output', step, attempt: found, text })}\n`
            : outputToText(text),
        )
        .join(''),
    );
  try {
    const copied = await copyOutput({
      ...{ client, runId: run.value.id, step, attempt: found, isFollowed, signal: gone.signal },
      write: (bytes) => (isRaw ? context.write(bytes) : tell(lines.push(bytes))),
    });
    await tell(lines.end());
    if (!copied.ok) return refuse(context, problemToRefusal(copied.error));
    return gone.signal.aborted ? EXIT.interrupted : EXIT.done;
  } finally {
    process.off('SIGINT', onInterrupt);
  }
}

/** A progress line that draws over itself becomes lines. */
function outputToText(text: string): string {
  return toPlainText(text.replace(/\r(?!\n)/g, '\n'));
}

function noStep(runId: string, step: string): CliRefusal {
  const detail = `Run ${runId} has no step ${toPlainJson(step)}.`;
  const hint = `See its steps: ccdash run show ${runId}`;
  return { type: 'StepNotFound', title: 'The run has no such step.', detail, hint };
}

function nothingRan(runId: string, step: string, kind: string): CliRefusal {
  const isGate = kind === 'approval';
  const detail = isGate ? `${step} is an approval: it runs nothing.` : `${step} has not run yet.`;
  return {
    ...{ type: 'AttemptNotFound', title: 'The step has no such attempt.', detail },
    hint: isGate
      ? `See what it is about: ccdash run diff ${runId}`
      : `Follow the run: ccdash watch ${runId}`,
  };
}
