/** The product's own success figures, with what each means. */
import type { MetricsView } from '@ccdash/api/client';
import { connect } from './connect.ts';
import type { Context, Style } from './context.ts';
import { cliRefusal, EXIT, problemToRefusal, refuse } from './refusals.ts';

/** `since`: a date or a time in ISO 8601; null counts everything. */
export async function showMetrics(context: Context, since: string | null): Promise<number> {
  const fromMs = since === null ? null : Date.parse(since);
  if (Number.isNaN(fromMs)) {
    const hint = 'Write it as 2026-01-31 or 2026-01-31T12:00:00Z.';
    return refuse(context, cliRefusal('UsageError', `--since ${since ?? ''} is no time.`, hint));
  }
  const connection = await connect(context);
  if (!connection.ok) return refuse(context, connection.error);
  const from = fromMs === null ? null : new Date(fromMs).toISOString();
  const metrics = await connection.value.client.metrics(from);
  if (!metrics.ok) return refuse(context, problemToRefusal(metrics.error));
  if (context.isJson) context.writeJson(metrics.value);
  else sayMetrics(context, metrics.value);
  return EXIT.done;
}

function sayMetrics(context: Context, metrics: MetricsView): void {
  const { runs, orchestration, resume, bypasses, recovery, approvals, cost } = metrics;
  const states = Object.entries(runs.byStatus).map(([status, count]) => `${count} ${status}`);
  const say = (name: string, value: string, style: Style, definition: string): void => {
    context.say({ text: name.padEnd(22), style: 'bold' }, { text: value, style });
    context.say({ text: `  ${definition}`, style: 'quiet' });
  };
  const share = ({ value, counted, of, target }: MetricsView['orchestration']): string =>
    value === null
      ? 'nothing to count yet'
      : `${percent(value)} (${counted} of ${of}; aim ${percent(target)})`;
  const styleOf = ({ value, target }: MetricsView['orchestration']): Style =>
    value === null ? 'quiet' : value >= target ? 'good' : 'wait';
  context.say(
    `${runs.total} ${runs.total === 1 ? 'run' : 'runs'}${states.length === 0 ? '' : `: ${states.join(', ')}`}`,
  );
  say(
    'Orchestration share',
    share(orchestration),
    styleOf(orchestration),
    orchestration.definition,
  );
  const open = resume.open === 0 ? '' : `, ${resume.open} under way`;
  say('Resume success', `${share(resume)}${open}`, styleOf(resume), resume.definition);
  const isClean = bypasses.value === 0;
  say('Gate bypasses', String(bypasses.value), isClean ? 'good' : 'bad', bypasses.definition);
  say('Time to recover', spread(recovery), 'bold', recovery.definition);
  say(
    'Approval wait',
    `${spread(approvals)}; ${approvals.open} open`,
    'bold',
    approvals.definition,
  );
  const groups = [
    ['feature', cost.byFeature],
    ['adapter', cost.byAdapter],
    ['model', cost.byModel],
  ] as const;
  for (const [what, rows] of groups) {
    if (rows.length === 0) continue;
    context.say({ text: `Cost by ${what}`, style: 'bold' });
    for (const row of rows)
      context.say(`  ${(row.name ?? '(none)').padEnd(30)}  ${costToText(row)}`);
  }
}

function percent(value: number): string {
  return `${Math.round(value * 1000) / 10} %`;
}

function spread({ count, meanMs, medianMs }: MetricsView['recovery']): string {
  if (meanMs === null || medianMs === null) return 'nothing to count yet';
  return `mean ${seconds(meanMs)}, median ${seconds(medianMs)} (${count})`;
}

function seconds(ms: number): string {
  return ms < 120_000 ? `${(ms / 1000).toFixed(1)} s` : `${(ms / 60_000).toFixed(1)} min`;
}

function costToText({ usd, tokens, unknown }: MetricsView['cost']['total']): string {
  const lower = unknown === 0 ? '' : ` or more (${unknown} attempts of unknown cost)`;
  return `$${usd.toFixed(4)}${lower}, ${tokens} tokens`;
}
