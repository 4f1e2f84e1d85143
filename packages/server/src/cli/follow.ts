/**
 * Follows a run to its end, or to where it waits for people. Never changes it but by a decision that the person at the
 * terminal gives.
 */
import { ClientGaveUp } from '@ccdash/api/client';
import type { Client, ClientError, Result, RunView, StoredEvent } from '@ccdash/api/client';
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

/** Servers that go one after the other without anything new from the run. */
const MAX_SERVERS = 5;

const SILENCE_MS = 5000;

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
    const exitCode = await followServers(context, connection, runId, detached);
    if (exitCode !== null) return exitCode;
    context.say('');
    context.say(`Detached. The run goes on; come back with: ccdash watch ${runId}`);
    return EXIT.interrupted;
  } finally {
    process.off('SIGINT', onInterrupt);
  }
}

/** null when somebody detached. */
async function followServers(
  context: Context,
  first: Connection,
  runId: string,
  detached: AbortController,
): Promise<number | null> {
  const follower = createFollower(context, runId, detached);
  let { client } = first;
  let idle = 0;
  for (;;) {
    const before = follower.next();
    try {
      return await follower.follow(client);
    } catch (error) {
      if (!(error instanceof ClientGaveUp)) throw error;
      if (detached.signal.aborted) return null;
      idle = follower.next() === before ? idle + 1 : 0;
      if (error.reason.error !== 'Unreachable' || idle === MAX_SERVERS) {
        return refuse(context, problemToRefusal(error.reason));
      }
    }
    // The server has gone: another one takes the run up, and the log says where to go on.
    const again = await connect(context);
    if (!again.ok) return refuse(context, again.error);
    ({ client } = again.value);
  }
}

interface Follower {
  /** Sequence of the event that has yet to be told. */
  next(): number;
  /** As `follow`; null when somebody detached. Throws ClientGaveUp when the server cannot be asked any more. */
  follow(client: Client): Promise<number | null>;
}

function createFollower(context: Context, runId: string, detached: AbortController): Follower {
  const { signal } = detached;
  const teller = createEventTeller(context, runId);
  const leftOpen = new Set<string>();
  let next = 0;

  function tell(event: StoredEvent): void {
    next = Number(event.sequence) + 1;
    if (context.isJson) context.writeJson(event);
    else for (const line of teller.linesOf(event)) context.say(...line);
  }

  /** Everything that is in the log now, without a look at each state in between. */
  async function tellPast(client: Client): Promise<void> {
    for (let isMore = true; isMore;) {
      const page = valueOf(await client.runEvents(runId, next, PAGE));
      for (const event of page.events) tell(event);
      isMore = page.next !== null;
    }
  }

  /** What to do now that the log has been told up to `next`. */
  async function look(client: Client): Promise<Outcome> {
    const run = valueOf(await client.run(runId));
    if (!isStopped(run)) return 'again';
    const later = valueOf(await client.runEvents(runId, next, 1));
    // The state is ahead of what was told: the events that led there come first.
    if (later.events.length > 0) return 'again';
    if (context.isInteractive && !isOver(run)) return askAll(client, run);
    return end(run);
  }

  function end(run: RunView): Outcome {
    if (context.isJson) context.writeJson({ type: 'run', ...run });
    else for (const line of summaryToLines(context, run)) context.say(...line);
    return { exitCode: exitCodeOf(run) };
  }

  async function askAll(client: Client, run: RunView): Promise<Outcome> {
    const ids = run.blocked.flatMap(({ approval }) => approval ?? []);
    const id = ids.find((candidate) => !leftOpen.has(candidate));
    if (id === undefined) return end(run);
    const approval = valueOf(await client.approval(id));
    if (approval.status !== 'open') return 'again';
    const fields = await formFieldsOf(client, approval, run);
    if (!fields.ok) return { exitCode: refuse(context, fields.error) };
    context.say('');
    for (const line of approvalToLines(context, approval, run)) context.say(...line);
    const answer = await askForDecision(context, fields.value);
    if (answer.type === 'interrupted') {
      detached.abort();
      return 'again';
    }
    if (answer.type === 'later') {
      leftOpen.add(id);
      return askAll(client, run);
    }
    const { decision, reason, form } = answer;
    const { subjectDigest } = approval;
    const decided = await client.decide(id, { decision, reason, subjectDigest, form });
    if (!decided.ok) {
      // Somebody else may have been faster: said once, and what is open then shows itself.
      refuse(context, problemToRefusal(decided.error));
      leftOpen.add(id);
      return look(client);
    }
    return 'again';
  }

  return {
    next: () => next,
    follow: async (client) => {
      await tellPast(client);
      const outcome = await look(client);
      if (outcome !== 'again') return outcome.exitCode;
      const looked = new AbortController();
      try {
        const events = client.events(runId, next, AbortSignal.any([signal, looked.signal]));
        for await (const event of withSilences(events, SILENCE_MS)) {
          if (event !== null) tell(event);
          if (event?.type === 'AttemptReported' && !hasGate(event)) continue;
          // Also after a silence: a run that is left alone for a bug says nothing in the log.
          const after = await look(client);
          if (after !== 'again') return after.exitCode;
        }
        return null;
      } finally {
        looked.abort();
      }
    },
  };
}

/** What `source` gives, and null whenever that takes longer than `silenceMs`. */
async function* withSilences<T>(
  source: AsyncGenerator<T, void>,
  silenceMs: number,
): AsyncGenerator<T | null, void> {
  const ask = (): Promise<IteratorResult<T, void>> => {
    const asked = source.next();
    // An error waits until somebody looks for what comes next.
    asked.catch(() => undefined);
    return asked;
  };
  let pending = ask();
  for (;;) {
    let timer: NodeJS.Timeout | undefined;
    const silence = new Promise<null>((resolve) => {
      timer = setTimeout(resolve, silenceMs, null);
    });
    const next = await Promise.race([pending, silence]);
    clearTimeout(timer);
    if (next === null) yield null;
    else if (next.done === true) return;
    else {
      pending = ask();
      yield next.value;
    }
  }
}

function valueOf<T>(answer: Result<T, ClientError>): T {
  if (!answer.ok) throw new ClientGaveUp(answer.error);
  return answer.value;
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
  const running = run.steps.filter(({ status }) => status === 'running');
  if (run.status === 'paused') return running.length === 0;
  const moving = [...running, ...run.steps.filter(({ status }) => status === 'ready')];
  return moving.length > 0 && moving.every(({ id }) => waiting.has(id));
}

function exitCodeOf(run: RunView): number {
  if (run.status === 'succeeded') return EXIT.done;
  if (isOver(run)) return EXIT.failed;
  const { blocked } = run;
  // What the policy refuses waits for nobody's decision.
  const isRefused = blocked.length > 0 && blocked.every(({ reason }) => reason === 'policy_denied');
  return isRefused ? EXIT.refused : EXIT.blocked;
}
