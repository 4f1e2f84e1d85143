/** The product's own success figures, each with what it means. */
import type { MetricsView } from '@ccdash/api/client';
import type { ReactNode } from 'react';
import { useApi } from '../../api/queries.ts';
import { Loaded } from '../../ui/faces.tsx';
import { duration, plain, usd } from '../../ui/text.ts';

export function InsightsPage() {
  const metrics = useApi(['metrics'], (api) => api.metrics(null));
  return (
    <>
      <h1>Metrics</h1>
      <Loaded query={metrics}>{(found) => <Figures metrics={found} />}</Loaded>
    </>
  );
}

function Figures({ metrics }: { readonly metrics: MetricsView }) {
  const { runs, orchestration, resume, bypasses, recovery, approvals, cost } = metrics;
  return (
    <>
      <p className="quiet">
        {runs.total} {runs.total === 1 ? 'run' : 'runs'}
        {Object.entries(runs.byStatus).map(([status, count]) => ` · ${count} ${status}`)}
      </p>
      <Figure name="Orchestration share" definition={orchestration.definition}>
        {share(orchestration)}
      </Figure>
      <Figure name="Resume success" definition={resume.definition}>
        {share(resume)}
        {resume.open > 0 && `, ${resume.open} under way`}
      </Figure>
      <Figure name="Gate bypasses" definition={bypasses.definition}>
        {bypasses.value} in {bypasses.runs} runs; aim {bypasses.target}
      </Figure>
      <Figure name="Time to recover" definition={recovery.definition}>
        {spread(recovery)}
      </Figure>
      <Figure name="Wait for decisions" definition={approvals.definition}>
        {spread(approvals)}; {approvals.open} open now
      </Figure>
      <Costs name="feature" rows={cost.byFeature} />
      <Costs name="adapter" rows={cost.byAdapter} />
      <Costs name="model" rows={cost.byModel} />
    </>
  );
}

function Figure({
  name,
  definition,
  children,
}: {
  readonly name: string;
  readonly definition: string;
  readonly children: ReactNode;
}) {
  return (
    <section className="card" aria-label={name}>
      <h2>{name}</h2>
      <p className="figure">{children}</p>
      <p className="small quiet">{definition}</p>
    </section>
  );
}

function share({ value, counted, of, target }: MetricsView['orchestration']): string {
  if (value === null) return 'Nothing to count yet';
  return `${percent(value)}, ${counted} of ${of}; aim ${percent(target)}`;
}

function percent(value: number): string {
  return `${Math.round(value * 1000) / 10} %`;
}

function spread({ count, meanMs, medianMs }: MetricsView['recovery']): string {
  if (meanMs === null || medianMs === null) return 'Nothing to count yet';
  return `mean ${duration(meanMs)}, median ${duration(medianMs)}, of ${count}`;
}

function Costs({
  name,
  rows,
}: {
  readonly name: string;
  readonly rows: MetricsView['cost']['byFeature'];
}) {
  if (rows.length === 0) return null;
  return (
    <section className="card" aria-label={`Cost by ${name}`}>
      <h2>Cost by {name}</h2>
      <table>
        <thead>
          <tr>
            <th>{name}</th>
            <th className="num">cost</th>
            <th className="num">tokens</th>
            <th className="num">attempts</th>
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={row.name ?? ''}>
              <td>{row.name === null ? <span className="quiet">none</span> : plain(row.name)}</td>
              <td className="num">
                {row.unknown > 0 && '≥ '}
                {usd(row.usd)}
              </td>
              <td className="num">{row.tokens}</td>
              <td className="num">
                {row.attempts}
                {row.unknown > 0 && ` (${row.unknown} of unknown cost)`}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
