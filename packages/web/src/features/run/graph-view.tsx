/** Who waits for whom: the steps and their needs, as a drawing and as a table that says the same. */
import { useMemo } from 'react';
import type { RunView } from '@ccdash/api/client';
import { Badge, toneOf } from '../../ui/badges.tsx';
import { NODE_HEIGHT, NODE_WIDTH, layOutGraph } from './graph-layout.ts';

/** A drawing of more is no help. */
const MOST_DRAWN = 400;

export function GraphView({
  run,
  selected,
  onStep,
}: {
  readonly run: RunView;
  readonly selected: string | null;
  readonly onStep: (step: string) => void;
}) {
  const shape = JSON.stringify(run.steps.map(({ id, needs }) => ({ id, needs })));
  const graph = useMemo(
    () => layOutGraph(JSON.parse(shape) as { id: string; needs: readonly string[] }[]),
    [shape],
  );
  const byId = new Map(run.steps.map((step) => [step.id, step]));
  return (
    <section className="stack" aria-label="Graph">
      {run.steps.length <= MOST_DRAWN ? (
        <div className="graph" tabIndex={0} role="group" aria-label="Drawing of the steps">
          <div className="graph-size" style={{ width: graph.width, height: graph.height }}>
            <svg width={graph.width} height={graph.height} aria-hidden="true">
              {graph.edges.map(({ from, to, path }) => (
                <path
                  key={`${from} ${to}`}
                  d={path}
                  className={from === selected || to === selected ? 'near' : ''}
                />
              ))}
            </svg>
            {graph.nodes.map(({ id, x, y }) => {
              const step = byId.get(id);
              return step === undefined ? null : (
                <button
                  key={id}
                  type="button"
                  className={`node ${toneOf(step.status)}`}
                  aria-pressed={id === selected}
                  style={{ left: x, top: y, width: NODE_WIDTH, height: NODE_HEIGHT }}
                  onClick={() => onStep(id)}
                >
                  <span className="mono name">{id}</span>
                  <span className="row">
                    <Badge state={step.status} />
                    <span className="small quiet">{step.kind}</span>
                  </span>
                </button>
              );
            })}
          </div>
        </div>
      ) : (
        <p className="quiet">
          {run.steps.length} steps are too many for a drawing; the table has all of them.
        </p>
      )}
      <details open={run.steps.length > MOST_DRAWN}>
        <summary>The same as a table</summary>
        <div className="scroll">
          <table>
            <thead>
              <tr>
                <th scope="col">Step</th>
                <th scope="col">Status</th>
                <th scope="col">Kind</th>
                <th scope="col">Needs</th>
              </tr>
            </thead>
            <tbody>
              {run.steps.map(({ id, status, kind, needs }) => (
                <tr key={id}>
                  <td>
                    <button type="button" className="plain mono" onClick={() => onStep(id)}>
                      {id}
                    </button>
                  </td>
                  <td>
                    <Badge state={status} />
                  </td>
                  <td>{kind}</td>
                  <td className="mono">{needs.join(', ') || '–'}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      </details>
    </section>
  );
}
