/** Runs for people: in a list, in full, and in a few words at the end. */
import { waysOn } from '@ccdash/api/client';
import type { RunView } from '@ccdash/api/client';
import type { Context, Span } from './context.ts';
import type { Line } from './event-lines.ts';
import { durationToText, runMark, statusWord, stepMark } from './marks.ts';
import { toPlainLine } from './plain-text.ts';

export function runToListLine(context: Context, run: RunView): Line {
  const mark = runMark(context, run.status);
  const progress = `${countDone(run)}/${run.steps.length}`.padStart(7);
  const name = toPlainLine(run.plan.name, 60);
  return [
    mark,
    ` ${run.id}  `,
    { text: run.status.padEnd(9), style: styleOf(mark) },
    ` ${progress}  ${dateToText(run.createdAt)}  ${name}`,
  ];
}

export function runToLines(context: Context, run: RunView): readonly Line[] {
  const mark = runMark(context, run.status);
  const { plan, feature, requestedBy, inputs } = run;
  const width = Math.min(24, Math.max(...run.steps.map(({ id }) => id.length)));
  const given = Object.entries(inputs).map(([name, value]) => `${name}=${String(value)}`);
  return [
    [mark, ' ', { text: run.id, style: 'bold' }, '  ', statusWord(run.status, mark)],
    [`  ${toPlainLine(plan.name, 100)}, revision ${plan.revision}, ${plan.digest}`],
    [
      `  asked for by ${requestedBy.id}, ${dateToText(run.createdAt)}`,
      feature === null ? '' : `, feature ${feature}`,
    ],
    ...(given.length === 0 ? [] : [[`  inputs: ${given.join(', ')}`]]),
    [`  from commit ${run.baseCommit.slice(0, 12)}`, forkText(run)],
    ...run.notCarried.map((text): Line => [quiet(`  workspace: ${text}`)]),
    ...(run.paused === null ? [] : [pausedLine(run.paused)]),
    ...run.overrides.map((each) => overrideLine(each)),
    ...(run.failure === null
      ? []
      : [[`  ${run.failure.message}`], [quiet(`  ${run.failure.hint ?? ''}`)]]),
    [''],
    ...run.steps.flatMap((step) => [
      ...stepToLines(context, step, width),
      ...attemptToLines(run, step),
    ]),
    ...(run.removed.length === 0 ? [] : [[quiet('  left the plan:')]]),
    ...run.removed.flatMap((step) => [
      ...stepToLines(context, step, width),
      ...attemptToLines(run, step),
    ]),
    [''],
    ...summaryToLines(context, run),
    ...waysToLines(run),
  ];
}

/** What each way on would do; `--dry-run` of any of them says it in full. */
function waysToLines(run: RunView): readonly Line[] {
  const ways = waysOn(run).map(({ verb, of, takes, does }): Line => {
    const subject = verb === 'approve' ? [of] : [run.id, of];
    const words = ['ccdash', verb, ...subject, takes].filter((word) => word !== null);
    return [`    ${words.join(' ')}`, quiet(`  ${does}`)];
  });
  return ways.length === 0 ? [] : [['  what you can do:'], ...ways];
}

/** Of an attempt that did not succeed: what it printed and changed can be looked at. */
function attemptToLines(run: RunView, step: RunView['steps'][number]): readonly Line[] {
  return step.attempts
    .filter(
      ({ status }) => status !== 'succeeded' && status !== 'running' && status !== 'never-started',
    )
    .map(({ number, status, setAside }): Line => {
      const where = `${run.id} ${step.id} --attempt ${number}`;
      const changes = setAside === null ? '' : `, what it changed: ccdash diff ${where}`;
      return [quiet(`      attempt ${number} ${status}: ccdash logs ${where}${changes}`)];
    });
}

function forkText({ forkedFrom }: RunView): string {
  if (forkedFrom === null) return '';
  const { runId, at, checkpoint } = forkedFrom;
  const where = at === null ? checkpoint.commit.slice(0, 12) : `after ${at}`;
  return `, forked off ${runId} ${where}`;
}

function pausedLine({ by, reason, atMs }: NonNullable<RunView['paused']>): Line {
  const why = reason === null ? '' : `: ${toPlainLine(reason, 200)}`;
  return [`  paused by ${by.id}, ${dateToText(new Date(atMs).toISOString())}${why}`];
}

/** Marked until somebody says that they have looked at it. */
function overrideLine(override: RunView['overrides'][number]): Line {
  const { approval, step, by, reason, rules, review } = override;
  const what = `  ${step} was overridden by ${by.join(' and ')}: ${toPlainLine(reason, 200)}`;
  const lifted = quiet(` (${rules.join(', ')}; `);
  if (review !== null) return [what, lifted, quiet(`reviewed by ${review.by})`)];
  return [
    { text: what, style: 'bad' },
    lifted,
    quiet(`not reviewed: ccdash review ${approval} --note "…")`),
  ];
}

/** What became of the run, and what somebody could do now. */
export function summaryToLines(context: Context, run: RunView): readonly Line[] {
  const mark = runMark(context, run.status);
  const { status, createdAt, endedAt, usage } = run;
  const parts = [`${countDone(run)} of ${run.steps.length} steps`];
  if (endedAt !== null) parts.push(durationToText(Date.parse(endedAt) - Date.parse(createdAt)));
  if (usage.tokens > 0) parts.push(`${usage.tokens} tokens`);
  if (usage.usd > 0 || usage.unknownCost) {
    const atLeast = usage.unknownCost ? 'at least ' : '';
    parts.push(
      usage.usd === 0 && usage.unknownCost ? 'cost unknown' : `${atLeast}$${usage.usd.toFixed(2)}`,
    );
  }
  return [
    [mark, ' run ', run.id, ' ', statusWord(status, mark), quiet(`  ${parts.join(', ')}`)],
    ...nextSteps(run).map((text): Line => [quiet(`  ${text}`)]),
  ];
}

function nextSteps(run: RunView): readonly string[] {
  if (run.quarantine !== null) {
    return [
      `it met a bug and is left alone: ${toPlainLine(run.quarantine)}`,
      'nothing of it is lost; start the server again to try once more, and report the bug',
    ];
  }
  const waiting = run.blocked.map(({ reason, step, approval }) => {
    switch (reason) {
      case 'approval':
        return `${step} waits for approval: ccdash approve ${approval ?? ''} --reason "…"`;
      case 'interrupted':
        return `${step} is interrupted: ccdash resume ${run.id} ${step}`;
      case 'merge_conflict':
        return conflictToText(run);
      case 'policy_denied':
        return `${step} is denied by policy: ccdash run show ${run.id}`;
      case 'budget_exceeded':
        return `${step} has used up its budget: ccdash run show ${run.id}`;
      case 'adapter_unavailable':
      case 'configuration':
        return `${step} cannot start as things are: ccdash run show ${run.id}`;
    }
  });
  const failed = run.steps
    .filter((step) => step.status === 'failed')
    .map((step) => `${step.id} failed: ccdash retry ${run.id} ${step.id}`);
  const paused = run.status === 'paused' ? [`it is paused: ccdash resume ${run.id}`] : [];
  const isChanged = run.checkpoint !== null && run.checkpoint.commit !== run.baseCommit;
  const isLeft = run.status === 'succeeded' && isChanged && run.applied.length === 0;
  const result = isLeft ? [`bring the result into your repository: ccdash apply ${run.id}`] : [];
  return run.status === 'canceled' ? [] : [...paused, ...waiting, ...failed, ...result];
}

function conflictToText({ id, conflict }: RunView): string {
  if (conflict === null) return '';
  const { step, with: besides, files } = conflict;
  const sides = [...besides, step].map((side) => `--take ${side}`).join(', ');
  return `${step} and ${besides.join(', ')} have both changed ${files.join(', ')}: mend them in the workspace, then ccdash resume ${id}; or choose a side, ccdash resume ${id} with one of ${sides}`;
}

function stepToLines(
  context: Context,
  step: RunView['steps'][number],
  width: number,
): readonly Line[] {
  const mark = stepMark(context, step.status);
  const attempts = step.attempts.length > 1 ? `  ${step.attempts.length} attempts` : '';
  const outputs = Object.entries(step.outputs ?? {});
  return [
    [
      '  ',
      mark,
      ` ${step.id.padEnd(width)}  `,
      { text: step.status.padEnd(11), style: styleOf(mark) },
      quiet(`  ${step.kind}${attempts}`),
    ],
    ...(step.reason === null ? [] : [[`      ${toPlainLine(step.reason, 400)}`]]),
    ...(step.hint === null ? [] : [[quiet(`      ${toPlainLine(step.hint, 400)}`)]]),
    ...outputs.map(([name, value]): Line => [
      quiet(`      ${name} = ${toPlainLine(JSON.stringify(value), 200)}`),
    ]),
  ];
}

function countDone(run: RunView): number {
  return run.steps.filter(({ status }) => status === 'succeeded' || status === 'skipped').length;
}

function quiet(text: string): Span {
  return { text, style: 'quiet' };
}

function styleOf(span: Span): 'bold' | 'quiet' | 'good' | 'bad' | 'wait' {
  return typeof span === 'string' ? 'bold' : span.style;
}

/** `2026-01-31 14:03` on this machine's clock. */
function dateToText(at: string): string {
  const time = new Date(at);
  const two = (part: number): string => String(part).padStart(2, '0');
  const date = `${time.getFullYear()}-${two(time.getMonth() + 1)}-${two(time.getDate())}`;
  return `${date} ${two(time.getHours())}:${two(time.getMinutes())}`;
}
