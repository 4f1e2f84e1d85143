/** One feature: what to do next, its plans, its documents, its tasks and its runs. */
import { Suspense, lazy } from 'react';
import type { FeatureView } from '@ccdash/api/client';
import { useApi } from '../../api/queries.ts';
import { Badge } from '../../ui/badges.tsx';
import { Face, Loaded } from '../../ui/faces.tsx';
import { Link, useParam } from '../../ui/router.tsx';
import { ago, plain } from '../../ui/text.ts';
import { NextStep } from './next-step.tsx';
import { Orchestration } from './orchestration.tsx';

type Feature = FeatureView & { readonly runs: readonly string[] };

const TABS = [
  ['next', 'Next step'],
  ['orchestration', 'Orchestration'],
  ['tasks', 'Tasks'],
  ['documents', 'Documents'],
  ['runs', 'Runs'],
] as const;

const Document = lazy(async () => ({
  default: (await import('../../ui/markdown.tsx')).Document,
}));

export function FeaturePage({ params }: { readonly params: Readonly<Record<string, string>> }) {
  const slug = params['slug'] ?? '';
  const feature = useApi(['features', slug], (api) => api.feature(slug));
  const [chosen, setChosen] = useParam('tab');
  const tab = TABS.find(([id]) => id === chosen)?.[0] ?? 'next';
  return (
    <Loaded query={feature}>
      {(found) => (
        <>
          <div className="head">
            <h1>{plain(found.title)}</h1>
            <Badge state={found.status} />
            {found.riskLevel !== null && <Badge state={found.riskLevel} prefix="risk " />}
          </div>
          <div className="row" role="tablist" aria-label="Parts of the feature">
            {TABS.map(([id, name]) => (
              <button
                key={id}
                type="button"
                role="tab"
                id={`tab-${id}`}
                aria-selected={tab === id}
                aria-controls="part"
                onClick={() => setChosen(id === 'next' ? null : id)}
              >
                {name}
              </button>
            ))}
          </div>
          <div id="part" role="tabpanel" aria-labelledby={`tab-${tab}`} className="stack">
            {tab === 'next' && <NextStep feature={found} />}
            {tab === 'orchestration' && <Orchestration feature={found} />}
            {tab === 'tasks' && <Tasks feature={found} />}
            {tab === 'documents' && <Documents feature={found} />}
            {tab === 'runs' && <Runs feature={found} />}
          </div>
        </>
      )}
    </Loaded>
  );
}

function Tasks({ feature }: { readonly feature: Feature }) {
  if (feature.phases.length === 0) return <Face title="The documents name no phases" />;
  return feature.phases.map(({ key, title, status, tasks }) => (
    <section key={key} className="card" aria-label={`Phase ${key}`}>
      <div className="row">
        <h2>
          Phase {key}
          {title !== null && `: ${plain(title)}`}
        </h2>
        <Badge state={status} />
      </div>
      {tasks.length === 0 ? (
        <p className="quiet">No tasks.</p>
      ) : (
        <div className="scroll" tabIndex={0} role="region" aria-label={`Tasks of phase ${key}`}>
          <table>
            <thead>
              <tr>
                <th>Task</th>
                <th>Status</th>
                <th>Needs</th>
              </tr>
            </thead>
            <tbody>
              {tasks.map((task) => (
                <tr key={task.id}>
                  <td>
                    <span className="mono">{plain(task.id)}</span> {plain(task.title)}
                  </td>
                  <td>
                    <Badge state={task.status} />
                  </td>
                  <td>{task.dependsOn.map(({ id }) => plain(id)).join(', ')}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  ));
}

function Documents({ feature }: { readonly feature: Feature }) {
  const [path, setPath] = useParam('document');
  const shown = path ?? feature.documents[0]?.path ?? null;
  const text = useApi(
    ['documents', feature.slug, shown],
    (api) => api.document(feature.slug, shown ?? ''),
    shown !== null,
  );
  if (shown === null) return <Face title="No documents" />;
  return (
    <>
      <label>
        Document
        <select value={shown} onChange={(event) => setPath(event.target.value)}>
          {feature.documents.map((document) => (
            <option key={document.path} value={document.path}>
              {document.kind}: {plain(document.path)}
            </option>
          ))}
        </select>
      </label>
      <div className="card">
        <Loaded query={text}>
          {(document) => (
            <Suspense fallback={<p role="status">Loading…</p>}>
              <Document text={document.text} />
            </Suspense>
          )}
        </Loaded>
      </div>
    </>
  );
}

function Runs({ feature }: { readonly feature: Feature }) {
  const runs = useApi(['runs'], (api) => api.runs());
  return (
    <Loaded query={runs}>
      {(all) => {
        const own = all.filter((run) => run.feature === feature.slug);
        if (own.length === 0) return <Face title="No runs of this feature yet" />;
        return (
          <ul className="list" aria-label="Runs of this feature">
            {own.map((run) => (
              <li key={run.id}>
                <Link to={`/runs/${run.id}`}>
                  <span className="name">{plain(run.plan.name)}</span>
                  <Badge state={run.status} />
                  <span className="small quiet">{ago(run.createdAt)}</span>
                </Link>
              </li>
            ))}
          </ul>
        );
      }}
    </Loaded>
  );
}
