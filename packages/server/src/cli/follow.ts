/**
 * Follows a run to its end, or to where it waits for people. Never changes it but by a decision that the person at the
 * terminal gives.
 */
import { ClientGaveUp } from '@ccdash/api/client';
import type { RunView, StoredEvent } from '@ccdash/api/client';
import { approvalToLines } from './approval-text.ts';
import { askForDecision } from './ask.ts';
import { connect } from './connect.ts';
import type { Connection } from './connect.ts';
import type { Context } from './context.ts';
import { createEventTeller } from './event-lines.ts';
import { formFieldsOf } from './form-values.ts';
import { EXIT, problemToRefusal, refuse } from './refusals.ts';
import { summaryToLines } from './run-text.ts';

const PAGE = 500;

/** `again`: go on following. */
type Outcome = { readonly exitCode: number } | 'again';

/** From the first event on; gives the exit code of the verb. Ctrl-C detaches: the run goes on. */
export async function follow(
  context: Context,
  connection: Connection,
  runId: string,
): Promise<number> {
  const detached = new AbortController();
  const onInterrupt = (): void => detached.abort();
  process.on('SIGINT', onInterrupt);
  try {
    const exitCode = await followUntilStop(context, connection, runId, detached);
    if (exitCode !== null) return exitCode;
    context.say('');
    context.say(`Detached. The run goes on; come back with: ccdash watch ${runId}`);
    return EXIT.interrupted;
  } finally {
    process.off('SIGINT', onInterrupt);
  }
}

/** null when somebody detached. */
async function followUntilStop(
  context: Context,
  connection: Connection,
  runId: string,
  detached: AbortController,
): Promise<number | null> {
  const { signal } = detached;
  const teller = createEventTeller(context, runId);
  const leftOpen = new Set<string>();
  let client = connection.client;
  let next = 0;

  function tell(event: StoredEvent): void {
    next = Number(event.sequence) + 1;
    if (context.isJson) context.writeJson(event);
    else for (const line of teller.linesOf(event)) context.say(...line);
  }

  /** Everything that is in the log now, without a look at each state in between. */
  async function tellPast(): Promise<number | null> {
    for (let isMore = true; isMore;) {
      const page = await client.runEvents(runId, next, PAGE);
      if (!page.ok) return refuse(context, problemToRefusal(page.error));
      for (const event of page.value.events) tell(event);
      isMore = page.value.next !== null;
    }
    return null;
  }

  /** What to do now that the log has been told up to `next`. */
  async function look(): Promise<Outcome> {
    const found = await client.run(runId);
    if (!found.ok) return { exitCode: refuse(context, problemToRefusal(found.error)) };
    const run = found.value;
    if (!isStopped(run)) return 'again';
    const later = await client.runEvents(runId, next, 1);
    if (!later.ok) return { exitCode: refuse(context, problemToRefusal(later.error)) };
    // The state is ahead of what was told: the events that led there come first.
    if (later.value.events.length > 0) return 'again';
    if (context.isInteractive && !isOver(run)) return askAll(run);
    return end(run);
  }

  function end(run: RunView): Outcome {
    if (context.isJson) context.writeJson({ type: 'run', ...run });
    else for (const line of summaryToLines(context, run)) context.say(...line);
    return { exitCode: exitCodeOf(run) };
  }

  async function askAll(run: RunView): Promise<Outcome> {
    const ids = run.blocked.flatMap(({ approval }) => approval ?? []);
    const id = ids.find((candidate) => !leftOpen.has(candidate));
    if (id === undefined) return end(run);
    const approval = await client.approval(id);
    if (!approval.ok) return { exitCode: refuse(context, problemToRefusal(approval.error)) };
    if (approval.value.status !== 'open') return 'again';
    const fields = await formFieldsOf(client, approval.value, run);
    if (!fields.ok) return { exitCode: refuse(context, fields.error) };
    context.say('');
    for (const line of approvalToLines(context, approval.value, run)) context.say(...line);
    const answer = await askForDecision(context, fields.value);
    if (answer.type === 'interrupted') {
      detached.abort();
      return 'again';
    }
    if (answer.type === 'later') {
      leftOpen.add(id);
      return askAll(run);
    }
    const { decision, reason, form } = answer;
    const { subjectDigest } = approval.value;
    const decided = await client.decide(id, { decision, reason, subjectDigest, form });
    // Somebody else may have been faster: the next look tells.
    if (!decided.ok) {
      refuse(context, problemToRefusal(decided.error));
      leftOpen.add(id);
    }
    return 'again';
  }

  for (;;) {
    const past = await tellPast();
    if (past !== null) return past;
    const outcome = await look();
    if (signal.aborted) return null;
    if (outcome !== 'again') return outcome.exitCode;
    try {
      for await (const event of client.events(runId, next, signal)) {
        tell(event);
        if (event.type === 'AttemptReported' && !hasGate(event)) continue;
        const after = await look();
        if (after !== 'again') return after.exitCode;
      }
    } catch (error) {
      if (!(error instanceof ClientGaveUp)) throw error;
      if (error.reason.error !== 'Unreachable') {
        return refuse(context, problemToRefusal(error.reason));
      }
      // The server has gone: another one takes the run up, and the log says where to go on.
      const again = await connect(context);
      if (!again.ok) return refuse(context, again.error);
      ({ client } = again.value);
      continue;
    }
    return null;
  }
}

function hasGate(event: StoredEvent): boolean {
  const { facts } = event.data as unknown as { readonly facts: readonly { type: string }[] };
  return facts.some(({ type }) => type === 'gate-raised');
}

function isOver({ status }: RunView): boolean {
  return status === 'succeeded' || status === 'failed' || status === 'canceled';
}

/** Over, or nothing goes on until people do something: also while the only agents at work wait at a gate. */
function isStopped(run: RunView): boolean {
  if (isOver(run) || run.status === 'blocked') return true;
  const waiting = new Set(run.blocked.map(({ step }) => step));
  const moving = run.steps.filter(({ status }) => status === 'running' || status === 'ready');
  return moving.length > 0 && moving.every(({ id }) => waiting.has(id));
}

function exitCodeOf(run: RunView): number {
  if (run.status === 'succeeded') return EXIT.done;
  return isOver(run) ? EXIT.failed : EXIT.blocked;
}
