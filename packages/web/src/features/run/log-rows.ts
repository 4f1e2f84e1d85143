/** A run's log as rows that people read: one for each thing that happened, with what it says still as hostile as it came. */
import type { RunEvent, StoredEvent } from '@ccdash/api/client';

export type Tone = 'going' | 'good' | 'bad' | 'wait' | 'still';

export interface LogRow {
  /** Of this row alone, in the whole run. */
  readonly key: string;
  readonly at: string;
  readonly step: string | null;
  readonly tone: Tone;
  /** Who speaks: the run, an agent in its own words, a tool, or a person. */
  readonly voice: 'run' | 'agent' | 'tool' | 'person';
  /** In our words. */
  readonly title: string;
  /** In the words of whoever spoke. */
  readonly detail: string | null;
  readonly body: LogBody | null;
  /** How deep in agents that agents started. */
  readonly depth: number;
}

export type LogBody =
  | { readonly kind: 'text' | 'output' | 'diff'; readonly text: string }
  | { readonly kind: 'files'; readonly files: readonly ChangedFile[] };

export interface ChangedFile {
  readonly path: string;
  readonly added: number;
  readonly removed: number;
  readonly diff: string;
}

type Data<T extends RunEvent['type']> = Extract<RunEvent, { type: T }>['data'];
type Fact = Data<'AttemptReported'>['facts'][number];
type Said = Pick<LogRow, 'title'> & Partial<LogRow>;

/** `stepOf` knows the step of an approval request. */
export function rowsOf(
  stored: StoredEvent,
  stepOf: (approval: string) => string | null,
): readonly LogRow[] {
  // The log is checked where it is read; an event of a later server has no words here and no row.
  const event = stored as unknown as RunEvent;
  const said =
    event.type === 'AttemptReported'
      ? event.data.facts.flatMap((fact) => wordsOfFact(fact, event.data.step))
      : wordsOf(event, stepOf);
  return said.map((row, i) => ({
    ...{ key: `${String(stored.sequence)}.${String(i)}`, at: stored.at, step: null },
    ...{ tone: 'still' as const, voice: 'run' as const, detail: null, body: null, depth: 0 },
    ...row,
  }));
}

function wordsOfFact(fact: Fact, step: string): readonly Said[] {
  const of = { step, at: fact.at };
  switch (fact.type) {
    case 'session':
      return [{ ...of, title: 'session', detail: fact.token.session }];
    case 'message': {
      const body = { kind: 'text' as const, text: fact.text };
      return [{ ...of, voice: 'agent', title: 'says', body, depth: fact.agentPath.length }];
    }
    case 'tool-started':
      return [
        {
          ...{ ...of, voice: 'tool', tone: 'going', title: fact.name, detail: fact.title },
          ...{ body: inputBody(fact.input, fact.title), depth: fact.agentPath.length },
        },
      ];
    case 'tool-ended':
      return toolEnd(fact, of);
    case 'told':
      return [{ ...of, voice: 'agent', title: 'has the message' }];
    case 'notice':
      if (fact.level === 'info') return [{ ...of, title: 'notice', detail: fact.text }];
      return [
        {
          ...of,
          tone: fact.level === 'error' ? 'bad' : 'wait',
          title: fact.level,
          detail: fact.text,
        },
      ];
    case 'gate-raised':
    case 'gate-answered':
    case 'usage':
    case 'extension':
      return [];
  }
}

function toolEnd(
  fact: Extract<Fact, { readonly type: 'tool-ended' }>,
  of: { readonly step: string; readonly at: string },
): readonly Said[] {
  const files = fact.changes ?? [];
  const isOk = fact.status === 'ok' && (fact.exitCode ?? 0) === 0;
  const tone = isOk ? 'still' : 'bad';
  const ended = fact.exitCode === undefined ? fact.status : `exit ${String(fact.exitCode)}`;
  if (files.length > 0) {
    const title = files.length === 1 ? 'changed a file' : `changed ${String(files.length)} files`;
    return [{ ...of, tone, voice: 'tool', title, body: { kind: 'files', files } }];
  }
  const body = fact.summary === '' ? null : { kind: 'output' as const, text: fact.summary };
  return [{ ...of, tone, voice: 'tool', title: ended, body }];
}

/** What a tool was called with, unless its title says all of it. */
function inputBody(input: unknown, title: string): LogBody | null {
  if (input === null || typeof input !== 'object') return null;
  const values = Object.values(input);
  if (values.length === 1 && values[0] === title) return null;
  return { kind: 'text', text: JSON.stringify(input, null, 2) };
}

function wordsOf(event: RunEvent, stepOf: (approval: string) => string | null): readonly Said[] {
  const by = event.actor.id;
  switch (event.type) {
    case 'RunCreated': {
      const { plan, revision } = event.data;
      return [
        {
          voice: 'person',
          title: `${by} launched revision ${String(revision)}`,
          detail: plan.name,
        },
      ];
    }
    case 'RunStarted': {
      const { notCarried } = event.data;
      const rest = notCarried.length === 0 ? null : `left out: ${notCarried.join(', ')}`;
      return [{ tone: 'going', title: 'the workspace is ready', detail: rest }];
    }
    case 'RunStartFailed':
      return [{ tone: 'bad', title: 'the run did not start', detail: event.data.failure.message }];
    case 'RunRequeued':
      return [{ title: 'the run starts again', detail: event.data.reason }];
    case 'StepCarried':
      return [{ title: `${event.data.step} is taken over, with what it did`, detail: null }];
    case 'SkipCarried':
      return [{ title: `${event.data.step} is taken over as skipped`, detail: null }];
    case 'RunPaused':
      return [
        { tone: 'wait', voice: 'person', title: `paused by ${by}`, detail: event.data.reason },
      ];
    case 'RunUnpaused':
      return [
        { tone: 'going', voice: 'person', title: `resumed by ${by}`, detail: event.data.reason },
      ];
    case 'PolicyChanged':
      return [{ title: 'goes on under a changed policy', detail: event.data.policyDigest }];
    case 'RunCancelRequested':
      return [
        { tone: 'wait', voice: 'person', title: `cancel, by ${by}`, detail: event.data.reason },
      ];
    case 'RunCanceled':
      return [{ title: 'the run is canceled', detail: event.data.reason }];
    case 'RunEnded': {
      const isGood = event.data.status === 'succeeded';
      return [{ tone: isGood ? 'good' : 'bad', title: `the run has ${event.data.status}` }];
    }
    case 'ResultApplying':
      return [{ tone: 'going', title: `the result is brought to ${event.data.branch}` }];
    case 'ResultApplied':
      return [
        { tone: 'good', title: `the result is on ${event.data.branch}`, detail: event.data.commit },
      ];
    case 'ResultNotApplied':
      return [
        {
          tone: 'bad',
          title: `the result is not on ${event.data.branch}`,
          detail: event.data.failure.message,
        },
      ];
    case 'StepDenied':
      return [
        {
          ...{ step: event.data.step, tone: 'bad', title: 'denied by the policy' },
          detail: event.data.verdict.why.map(({ text }) => text).join('; '),
        },
      ];
    case 'StepBlocked': {
      const { step, failure } = event.data;
      return [{ step, tone: 'wait', title: 'blocked', detail: failure.message }];
    }
    case 'StepSkipped': {
      const { step, cause } = event.data;
      if (cause === 'condition') return [{ step, title: 'skipped: its condition is false' }];
      return [
        { step, voice: 'person', title: `skipped by ${by}`, detail: event.data.reason ?? null },
      ];
    }
    case 'StepRequeued': {
      const { step, cause, reason } = event.data;
      if (cause !== 'retry' && cause !== 'resume') return [];
      const title = cause === 'retry' ? 'to be tried again' : 'to be resumed';
      return [{ step, title, detail: reason }];
    }
    case 'StepInvalidated': {
      const { step, cause, reason } = event.data;
      const title = step === cause ? 'to be run again' : `to be run again, since ${cause} is`;
      return [{ step, title, detail: reason }];
    }
    case 'RunRewound': {
      const { step, checkpoint } = event.data;
      return [{ step, title: 'the workspace went back to before it', detail: checkpoint.commit }];
    }
    case 'WorkJoined':
      return [{ step: event.data.step, title: 'its work is joined to that of the others' }];
    case 'JoinConflicted': {
      const { step, files, with: others } = event.data;
      const title = `it and ${others.join(', ')} have changed the same: a person settles it`;
      return [{ step, tone: 'wait', title, detail: files.join(', ') }];
    }
    case 'JoinSettled': {
      const { step, take } = event.data;
      const how = take === null ? 'by what is in the workspace' : `by the side of ${take}`;
      return [{ step, voice: 'person', title: `conflict settled ${how}, by ${by}` }];
    }
    case 'StepFailed': {
      const { step, failure } = event.data;
      return [{ step, tone: 'bad', title: 'failed', detail: failure.message }];
    }
    case 'GatePassed':
      return [{ step: event.data.step, tone: 'good', title: 'passed' }];
    case 'PlanReplaced': {
      const title = `follows revision ${String(event.data.revision)} of the plan, by ${by}`;
      return [{ voice: 'person', title }];
    }
    case 'ApprovalRequested': {
      const { step, why, kind, subject } = event.data;
      const { question } = subject;
      const rules = why.map(({ text }) => text).join('; ');
      const detail = typeof question === 'string' ? question : rules === '' ? null : rules;
      return [{ step, tone: 'wait', title: QUESTIONS[kind], detail }];
    }
    case 'ApprovalDecided': {
      const { approvalId, decision, reason } = event.data;
      const isGood = decision === 'approve';
      return [
        {
          ...{ step: stepOf(approvalId), voice: 'person', tone: isGood ? 'good' : 'bad' },
          title: `${isGood ? 'approved' : 'rejected'} by ${by}`,
          detail: reason === '' ? null : reason,
        },
      ];
    }
    case 'ApprovalEscalated':
      return [
        {
          step: stepOf(event.data.approvalId),
          tone: 'wait',
          title: 'asks further people, since too few have decided',
        },
      ];
    case 'ApprovalResolved': {
      const { approvalId, status, detail } = event.data;
      if (status === 'approved' || status === 'rejected') return [];
      return [{ step: stepOf(approvalId), title: `the request is ${status}`, detail }];
    }
    case 'OverrideReviewed':
      return [
        {
          ...{ step: stepOf(event.data.approvalId), voice: 'person' },
          ...{ title: `override reviewed by ${by}`, detail: event.data.note },
        },
      ];
    case 'AttemptStarted': {
      const { step, attempt, sandbox, mode } = event.data;
      const parts = [
        `attempt ${String(attempt)}`,
        mode === 'continue' ? 'goes on' : 'began',
        sandbox === 'none' ? 'without a sandbox' : '',
      ];
      return [{ step, tone: 'going', title: parts.filter(Boolean).join(' ') }];
    }
    case 'AttemptSucceeded': {
      const { step, output, changedPaths } = event.data;
      const changed =
        changedPaths === 1 ? '1 path changed' : `${String(changedPaths)} paths changed`;
      const body = tailBody(output);
      return [
        {
          step,
          tone: 'good',
          title: 'succeeded',
          detail: changedPaths === 0 ? null : changed,
          body,
        },
      ];
    }
    case 'AttemptFailed':
    case 'AttemptRetrying':
    case 'AttemptExhausted':
      return [failed(event)];
    case 'AttemptInterrupted': {
      const { step, detail, output = null } = event.data;
      return [{ step, tone: 'wait', title: 'interrupted', detail, body: tailBody(output) }];
    }
    case 'AttemptCanceled':
      return [{ step: event.data.step, title: 'stopped', detail: event.data.failure.message }];
    case 'AgentTold': {
      const { step, text, how } = event.data;
      const title = how === 'now' ? `${by} tells the agent` : `${by} stops the agent and says`;
      return [{ step, voice: 'person', title, body: { kind: 'text', text } }];
    }
    case 'ToolDecided': {
      const { step, decision, reason } = event.data;
      if (decision === 'allow') return [];
      return [{ step, tone: 'bad', voice: 'tool', title: 'denied', detail: reason }];
    }
    case 'StepReadied':
    case 'ChangeAsked':
    case 'AttemptNeverStarted':
    case 'AttemptReported':
    case 'AttemptSuperseded':
      return [];
    default:
      return [];
  }
}

const QUESTIONS: Readonly<Record<Data<'ApprovalRequested'>['kind'], string>> = {
  start: 'may this step start?',
  gate: 'waits for a decision',
  tool: 'may the agent use this tool?',
  override: 'may it start although the policy says otherwise?',
  skip: 'may the run go on without this step?',
  replan: 'may the run follow another plan?',
};

function failed(
  event: Extract<RunEvent, { type: 'AttemptFailed' | 'AttemptRetrying' | 'AttemptExhausted' }>,
): Said {
  const { step, failure, output, checks } = event.data;
  const missed = checks
    .filter(({ pass }) => !pass)
    .map(({ check, evidence }) => `${check}: ${evidence}`);
  const text = missed.length > 0 ? missed.join('\n') : (output?.tail.join('\n') ?? '');
  const body = text === '' ? null : { kind: 'output' as const, text };
  const tone = event.type === 'AttemptExhausted' ? 'wait' : 'bad';
  const title =
    event.type === 'AttemptExhausted'
      ? 'out of budget'
      : event.type === 'AttemptRetrying'
        ? 'failed, and is tried again'
        : 'failed';
  return { step, tone, title, detail: failure.message, body };
}

function tailBody(output: Data<'AttemptSucceeded'>['output']): LogBody | null {
  const text = output?.tail.join('\n') ?? '';
  return text === '' ? null : { kind: 'output', text };
}
