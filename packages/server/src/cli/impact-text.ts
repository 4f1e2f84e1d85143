/** What an action would do, in words. */
import type { ImpactSummaryView } from '@ccdash/api/client';
import { requirementToText } from './approval-text.ts';
import type { Line } from './event-lines.ts';
import { toPlainLine } from './plain-text.ts';

const SHOWN_FILES = 10;

export function impactToLines(runId: string, impact: ImpactSummaryView): readonly Line[] {
  const { action, status, rewinds, files, spent, expected } = impact;
  const lines: Line[] = [
    [{ text: `${action} ${runId}`, style: 'bold' }, `  ${status.before} -> ${status.after}`],
  ];
  const list = (label: string, items: readonly string[]): void => {
    if (items.length > 0) lines.push([`  ${label.padEnd(13)} ${items.join(', ')}`]);
  };
  list('runs again', impact.again);
  list('counts no more', impact.stale);
  list('kept', impact.kept);
  list('skipped', impact.skipped);
  list(
    'its dependents',
    impact.follows.map(({ step, how }) => `${step} ${FOLLOWS[how]}`),
  );
  list('leave the plan', impact.removed);
  lines.push(...planToLines(impact.plan));
  for (const { step, requires } of impact.asks) {
    lines.push([`  asks first    ${requirementToText(requires)} (${step})`]);
  }
  list('stopped first', impact.stopped);
  list('canceled', impact.canceled);
  list('looked again', impact.validations);
  list(
    'asked again',
    impact.approvals.map(({ id, step, was }) => `${id} (${step}, ${was})`),
  );
  list(
    'sessions',
    impact.sessions.map(({ step, way }) => `${step} ${way}`),
  );
  list('set aside', impact.setsAside);
  list(
    'may repeat',
    impact.sideEffects
      .filter(({ hosts }) => hosts.length > 0)
      .map(({ step, hosts }) => `what ${step} did at ${hosts.join(', ')}`),
  );
  for (const { step, did } of impact.sideEffects) {
    for (const { what, effects } of did) {
      lines.push([`  happens twice ${step}: ${toPlainLine(what, 120)} (${effects.join(', ')})`]);
    }
  }
  if (rewinds !== null) {
    const { from, to } = rewinds;
    const { lines: counted, keptAt } = impact;
    const much = counted === null ? '' : `, +${counted.added} -${counted.removed} lines`;
    lines.push([`  workspace     ${from.commit.slice(0, 12)} -> ${to.commit.slice(0, 12)}${much}`]);
    if (keptAt !== null) lines.push([`    what was there is kept at ${keptAt}`]);
    for (const { path, change } of files.slice(0, SHOWN_FILES)) {
      lines.push([`    ${change.padEnd(12)}  ${toPlainLine(path, 200)}`]);
    }
    if (files.length > SHOWN_FILES) lines.push([`    and ${files.length - SHOWN_FILES} more`]);
  }
  if (spent.tokens > 0) {
    const cost = spent.unknownCost ? 'cost unknown' : `$${spent.usd.toFixed(2)}`;
    lines.push([`  spent so far  ${spent.tokens} tokens, ${cost}`]);
    lines.push([`  to expect     ${rangeToText(expected.tokens, 'tokens')}`]);
  }
  lines.push([{ text: `  digest ${impact.digest}`, style: 'quiet' }]);
  return lines;
}

const FOLLOWS = {
  'goes on': 'goes on without it',
  blocks: 'reads its output and will be blocked',
  fails: 'checks it and will fail',
} as const;

/** The plans side by side, step by step and field by field. */
function planToLines(plan: ImpactSummaryView['plan']): readonly Line[] {
  if (plan === null) return [];
  const fieldLine = ({ name, before, after }: (typeof plan.fields)[number]): Line => [
    `      ${name}: `,
    { text: toPlainLine(JSON.stringify(before), 200), style: 'bad' },
    ' -> ',
    { text: toPlainLine(JSON.stringify(after), 200), style: 'good' },
  ];
  const steps = plan.steps.flatMap(({ step, change, fields }): readonly Line[] => [
    [`    ${change.padEnd(8)} ${step}`],
    ...fields.map(fieldLine),
  ]);
  return [
    [`  plan          ${plan.steps.length} steps differ`],
    ...plan.fields.map(fieldLine),
    ...steps,
  ];
}

function rangeToText(range: { least: number; most: number } | null, unit: string): string {
  if (range === null) return 'unknown';
  const { least, most } = range;
  return least === most ? `${least} ${unit}` : `${least} to ${most} ${unit}`;
}
