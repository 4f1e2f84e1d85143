/** A run told line by line, one for each transition. */
import type { CheckResult, RunEvent, StoredEvent } from '@ccdash/api/client';
import { programToText } from './approval-text.ts';
import type { Context, Span } from './context.ts';
import { clockToText, durationToText, markOf } from './marks.ts';
import { toPlainLine, toPlainText } from './plain-text.ts';

export type Line = readonly Span[];

export interface EventTeller {
  /** Lines for an event of the run, in order; none for what people need not see. */
  linesOf(event: StoredEvent): readonly Line[];
}

const TAIL_LINES = 20;
const WIDEST_STEP = 24;
const INDENT = '            ';

type Data<T extends RunEvent['type']> = Extract<RunEvent, { type: T }>['data'];
type Mark = Parameters<typeof markOf>[1];

/** Remembers from event to event what the lines need: when an attempt began, what a request was about. */
export function createEventTeller(context: Context, runId: string): EventTeller {
  const startedAtByAttempt = new Map<string, number>();
  const stepByApproval = new Map<string, string>();
  let stepWidth = 0;

  function transition(event: RunEvent, mark: Mark, step: string, word: string, detail = ''): Line {
    const marked = markOf(context, mark);
    const style = typeof marked === 'string' ? 'bold' : marked.style;
    return [
      { text: clockToText(event.at), style: 'quiet' },
      '  ',
      marked,
      ' ',
      { text: step.padEnd(stepWidth), style: 'bold' },
      '  ',
      { text: word, style },
      detail === '' ? '' : `  ${toPlainLine(detail, 400)}`,
    ];
  }

  function note(text: string): Line {
    return [INDENT, { text: toPlainLine(text, 400), style: 'quiet' }];
  }

  function hinted(hint: string | null): readonly Line[] {
    return hint === null ? [] : [note(hint)];
  }

  function took(step: string, attempt: number, at: string): string {
    const startedAt = startedAtByAttempt.get(`${step} ${attempt}`);
    return startedAt === undefined ? '' : durationToText(Math.max(0, Date.parse(at) - startedAt));
  }

  function failed(
    event: RunEvent,
    data: Data<'AttemptFailed'>,
    word: string,
    after: string,
  ): readonly Line[] {
    const { step, attempt, failure, output, checks } = data;
    const time = took(step, attempt, event.at);
    return [
      transition(event, 'bad', step, word, [failure.message, time].filter(Boolean).join(', ')),
      ...(output?.tail ?? []).slice(-TAIL_LINES).map(tailLine),
      ...checks.filter((check) => !check.pass).map(checkLine),
      ...hinted(failure.hint),
      ...(after === '' ? [] : [note(after)]),
    ];
  }

  function tailLine(text: string): Line {
    const bar = context.isUnicode ? '│ ' : '| ';
    return [INDENT, { text: bar, style: 'quiet' }, toPlainText(text)];
  }

  function checkLine({ check, evidence }: CheckResult): Line {
    return [INDENT, markOf(context, 'bad'), ` ${toPlainLine(`${check}: ${evidence}`, 400)}`];
  }

  function asked(event: RunEvent, data: Data<'ApprovalRequested'>): readonly Line[] {
    stepByApproval.set(data.approvalId, data.step);
    const what =
      data.kind === 'gate'
        ? 'waits for a decision'
        : data.kind === 'override'
          ? 'an override is asked for'
          : data.kind === 'skip' || data.kind === 'replan'
            ? `waits for approval to ${data.kind === 'skip' ? 'skip it' : 'change the plan'}`
            : data.kind === 'tool'
              ? 'the agent waits for approval'
              : 'waits for approval';
    const { question, title, program } = data.subject;
    const told = [question, title].find((text) => typeof text === 'string');
    const about = told ?? programToText(program) ?? '';
    return [
      transition(event, 'wait', data.step, what, about),
      ...data.why.map(({ rule, text }) => note(`${text} (${rule})`)),
      note(`ccdash approve ${data.approvalId} --reason "…"`),
    ];
  }

  function decided(event: RunEvent, data: Data<'ApprovalDecided'>): Line {
    const step = stepByApproval.get(data.approvalId) ?? '';
    const isGood = data.decision === 'approve';
    const reason = data.reason === '' ? '' : `: ${data.reason}`;
    const word = isGood ? 'approved' : 'rejected';
    return transition(event, isGood ? 'good' : 'bad', step, word, `by ${event.actor.id}${reason}`);
  }

  function facts(data: Data<'AttemptReported'>): readonly Line[] {
    return data.facts.flatMap((fact): readonly Line[] => {
      switch (fact.type) {
        case 'tool-started': {
          const depth = '  '.repeat(fact.agentPath.length);
          const title = toPlainLine(fact.title, 100);
          return [[INDENT, depth, { text: fact.tool, style: 'quiet' }, ` ${title}`]];
        }
        case 'tool-ended':
          if (fact.status === 'ok') {
            return (fact.changes ?? []).map(({ path, added, removed }) =>
              note(`${path}  +${added} -${removed}`),
            );
          }
          return fact.status === 'unknown' ? [] : [note(`tool ${endToText(fact)}`)];
        case 'notice':
          return fact.level === 'info' ? [] : [note(`${fact.level}: ${fact.text}`)];
        case 'told':
          return [note('the agent has the message')];
        case 'message':
          return [[INDENT, '  '.repeat(fact.agentPath.length), toPlainLine(fact.text, 400)]];
        case 'session':
        case 'gate-raised':
        case 'gate-answered':
        case 'usage':
        case 'extension':
          return [];
      }
    });
  }

  function linesOf(event: RunEvent): readonly Line[] {
    switch (event.type) {
      case 'RunCreated': {
        const { plan, revision, feature } = event.data;
        stepWidth = Math.min(WIDEST_STEP, Math.max(...plan.steps.map(({ id }) => id.length)));
        const of = feature === null ? '' : `, feature ${feature}`;
        const name = toPlainLine(plan.name, 100);
        return [[{ text: name, style: 'bold' }, `  revision ${revision}${of}, run ${runId}`]];
      }
      case 'RunStarted':
        return event.data.notCarried.map((text) => note(`workspace: ${text}`));
      case 'RunStartFailed': {
        const { message, hint } = event.data.failure;
        return [transition(event, 'bad', 'run', 'did not start', message), ...hinted(hint)];
      }
      case 'RunRequeued':
        return [transition(event, 'still', 'run', 'tries again')];
      case 'RunCancelRequested':
        return [transition(event, 'stopped', 'run', 'is being canceled', event.data.reason)];
      case 'ResultApplying':
        return [];
      case 'ResultApplied': {
        const { branch, commit } = event.data;
        return [transition(event, 'good', 'result', `on ${branch}`, commit.slice(0, 12))];
      }
      case 'ResultNotApplied': {
        const { branch, failure } = event.data;
        const line = transition(event, 'bad', 'result', `not on ${branch}`, failure.message);
        return [line, ...hinted(failure.hint)];
      }
      case 'PolicyChanged': {
        const short = event.data.policyDigest.slice(0, 19);
        return [transition(event, 'stopped', 'policy', 'changed', `now ${short}`)];
      }
      case 'RunPaused':
        return [transition(event, 'stopped', 'run', 'paused', event.data.reason ?? '')];
      case 'RunUnpaused':
        return [transition(event, 'going', 'run', 'goes on', event.data.reason ?? '')];
      case 'AgentTold': {
        const { step, text, how } = event.data;
        const word = how === 'now' ? 'is told' : 'is stopped and told';
        return [transition(event, 'still', step, word, `by ${event.actor.id}: ${text}`)];
      }
      case 'StepDenied':
        return [
          transition(event, 'bad', event.data.step, 'denied by policy'),
          ...event.data.verdict.why.map(({ rule, text }) => note(`${text} (${rule})`)),
        ];
      case 'StepBlocked': {
        const { step, failure } = event.data;
        return [
          transition(event, 'wait', step, 'blocked', failure.message),
          ...hinted(failure.hint),
        ];
      }
      case 'StepSkipped':
        return [
          transition(
            event,
            'still',
            event.data.step,
            'skipped',
            event.data.cause === 'condition'
              ? 'its condition is false'
              : `by ${event.actor.id}: ${event.data.reason ?? 'no reason given'}`,
          ),
        ];
      case 'StepCarried':
      case 'SkipCarried':
        return [transition(event, 'still', event.data.step, 'taken over', '')];
      case 'ChangeAsked':
        // The request that asks for it, or the change itself, comes right after.
        return [];
      case 'PlanReplaced': {
        const { revision } = event.data;
        const detail = `revision ${String(revision)}, by ${event.actor.id}`;
        return [transition(event, 'still', 'run', 'follows another plan', detail)];
      }
      case 'StepRequeued': {
        const { step, cause, reason, automatic } = event.data;
        if (cause !== 'retry' && cause !== 'resume') return [];
        const who = automatic ? 'by itself' : (reason ?? '');
        const word = cause === 'retry' ? 'to be tried again' : 'to be resumed';
        return [transition(event, 'still', step, word, who)];
      }
      case 'StepInvalidated': {
        const { step, cause, reason } = event.data;
        const detail = step === cause ? reason : `since ${cause} runs again`;
        return [transition(event, 'still', step, 'runs again', detail)];
      }
      case 'RunRewound': {
        const { step, checkpoint } = event.data;
        const detail = `the workspace is what ${step} began from, ${checkpoint.commit.slice(0, 12)}`;
        return [transition(event, 'still', 'run', 'went back', detail)];
      }
      case 'WorkJoined': {
        const { step, conflicts } = event.data;
        const side = conflicts?.take ?? null;
        const by = side === null ? 'as a person left them' : `as ${side} has them`;
        const detail = conflicts === undefined ? '' : `${conflicts.files.join(', ')}: ${by}`;
        return [transition(event, 'still', step, 'joined', detail)];
      }
      case 'JoinConflicted': {
        const { step, files, with: besides } = event.data;
        const detail = `it and ${besides.join(', ')} have both changed ${files.join(', ')}`;
        return [transition(event, 'wait', step, 'does not merge', detail)];
      }
      case 'JoinSettled': {
        const { step, take } = event.data;
        const detail = take === null ? 'by what is in the workspace' : `by the side of ${take}`;
        return [transition(event, 'still', step, 'conflict settled', detail)];
      }
      case 'StepFailed': {
        const { step, failure } = event.data;
        return [transition(event, 'bad', step, 'failed', failure.message), ...hinted(failure.hint)];
      }
      case 'GatePassed':
        return [transition(event, 'good', event.data.step, 'passed')];
      case 'ApprovalRequested':
        return asked(event, event.data);
      case 'ApprovalDecided':
        return [decided(event, event.data)];
      case 'OverrideReviewed': {
        const step = stepByApproval.get(event.data.approvalId) ?? '';
        const { note: said } = event.data;
        return [transition(event, 'still', step, `override reviewed by ${event.actor.id}`, said)];
      }
      case 'ApprovalEscalated': {
        const step = stepByApproval.get(event.data.approvalId) ?? '';
        return [transition(event, 'wait', step, 'asks further people', 'too few have decided')];
      }
      case 'ApprovalResolved': {
        const { approvalId, status, detail } = event.data;
        if (status === 'approved' || status === 'rejected') return [];
        const step = stepByApproval.get(approvalId) ?? '';
        return [transition(event, 'still', step, `request ${status}`, detail)];
      }
      case 'AttemptStarted': {
        const { step, attempt, sandbox } = event.data;
        startedAtByAttempt.set(`${step} ${attempt}`, Date.parse(event.at));
        const parts = [
          attempt === 1 ? '' : `attempt ${attempt}`,
          sandbox === 'none' ? 'outside a sandbox' : '',
        ];
        return [transition(event, 'going', step, 'running', parts.filter(Boolean).join(', '))];
      }
      case 'AttemptNeverStarted':
        return [];
      case 'AttemptReported':
        return facts(event.data);
      case 'ToolDecided':
        return event.data.decision === 'allow' ? [] : [note(`tool denied: ${event.data.reason}`)];
      case 'AttemptSucceeded': {
        const { step, attempt } = event.data;
        return [transition(event, 'good', step, 'succeeded', took(step, attempt, event.at))];
      }
      case 'AttemptFailed':
        return failed(event, event.data, 'failed', '');
      case 'AttemptRetrying': {
        const at = clockToText(new Date(event.data.notBeforeMs).toISOString());
        return failed(event, event.data, 'failed', `tried again at ${at}`);
      }
      case 'AttemptInterrupted': {
        const { step, detail } = event.data;
        return [
          transition(event, 'stopped', step, 'interrupted', detail),
          note(`ccdash resume ${runId} ${step}`),
        ];
      }
      case 'AttemptExhausted': {
        const { step, failure } = event.data;
        const hint = failure.hint === null ? [] : [note(failure.hint)];
        return [transition(event, 'wait', step, 'out of budget', failure.message), ...hint];
      }
      case 'AttemptCanceled':
        return [transition(event, 'still', event.data.step, 'stopped')];
      case 'StepReadied':
      case 'AttemptSuperseded':
      case 'RunCanceled':
      case 'RunEnded':
        return [];
      // The server may be of a later version, with events that this one has no words for.
      default:
        return [];
    }
  }

  return { linesOf: (event) => linesOf(event as unknown as RunEvent) };
}

/** How a call ended that did not end well. */
function endToText({ status, summary, exitCode }: EndedCall): string {
  if (exitCode === undefined) return `${status}: ${summary}`;
  const exit = `exit ${exitCode}`;
  return summary === exit ? exit : `${exit}: ${summary}`;
}

type EndedCall = Extract<Data<'AttemptReported'>['facts'][number], { readonly type: 'tool-ended' }>;
