/** The figures as Prometheus reads them (text format 0.0.4). What is not known yet is left out, never zero. */
import type { Cost, CostRow, MetricsView } from '@ccdash/core';

type Labels = Readonly<Record<string, string>>;

export function metricsToPrometheus(metrics: MetricsView): string {
  const lines: string[] = [];
  const family = (
    name: string,
    help: string,
    samples: readonly (readonly [labels: Labels, value: number | null])[],
  ): void => {
    const known = samples.flatMap(([labels, value]) =>
      value === null ? [] : [`ccdash_${name}${labelsToText(labels)} ${value}`],
    );
    if (known.length === 0) return;
    lines.push(`# HELP ccdash_${name} ${help}`, `# TYPE ccdash_${name} gauge`, ...known);
  };
  const { runs, orchestration, resume, bypasses, recovery, approvals, cost } = metrics;
  const seconds = (ms: number | null): number | null => (ms === null ? null : ms / 1000);
  family(
    'runs',
    'Runs by what they are now.',
    Object.entries(runs.byStatus).map(([status, count]) => [{ status }, count]),
  );
  family('orchestration_share', orchestration.definition, [[{}, orchestration.value]]);
  family('resume_success_share', resume.definition, [[{}, resume.value]]);
  family('gate_bypasses', bypasses.definition, [[{}, bypasses.value]]);
  family('recovery_seconds_mean', recovery.definition, [[{}, seconds(recovery.meanMs)]]);
  family('approval_wait_seconds_median', approvals.definition, [[{}, seconds(approvals.medianMs)]]);
  family('approvals_open', 'Requests that wait for people.', [[{}, approvals.open]]);
  const by = (name: keyof Cost, help: string): void => {
    const samples = (label: string, rows: readonly CostRow[]): [Labels, number][] =>
      rows.map((row) => [{ [label]: row.name ?? '' }, row[name]]);
    family(`cost_${name}_by_feature`, help, samples('feature', cost.byFeature));
    family(`cost_${name}_by_adapter`, help, samples('adapter', cost.byAdapter));
    family(`cost_${name}_by_model`, help, samples('model', cost.byModel));
  };
  by('usd', 'US dollars that agents have cost, as far as it is known.');
  by('tokens', 'Tokens that agents have used.');
  by('unknown', 'Attempts of agents whose cost nobody knows.');
  return `${lines.join('\n')}\n`;
}

function labelsToText(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value)}"`);
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

function escaped(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}
