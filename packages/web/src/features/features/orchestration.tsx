/** Orchestration mode: the plans of the feature, a new one from its documents, and the editor. */
import { useState } from 'react';
import type { FeatureView } from '@ccdash/api/client';
import { useApi } from '../../api/queries.ts';
import { ErrorFace, Loaded } from '../../ui/faces.tsx';
import { useParam } from '../../ui/router.tsx';
import { ago, plain } from '../../ui/text.ts';
import { PlanEditor } from './plan-editor.tsx';

export function Orchestration({ feature }: { readonly feature: FeatureView }) {
  const [plan, setPlan] = useParam('plan');
  if (plan === null) return <Plans feature={feature} open={setPlan} />;
  return (
    <>
      <div>
        <button type="button" onClick={() => setPlan(null)}>
          ← All plans of this feature
        </button>
      </div>
      {plan.startsWith('new') ? (
        <FromDocuments feature={feature} phase={plan.slice('new:'.length)} />
      ) : (
        <SavedPlan id={plan} slug={feature.slug} />
      )}
    </>
  );
}

function Plans({
  feature,
  open,
}: {
  readonly feature: FeatureView;
  readonly open: (plan: string) => void;
}) {
  const plans = useApi(['plans', feature.slug], (api) => api.plans(feature.slug));
  const [phase, setPhase] = useState('');
  return (
    <>
      <section className="card" aria-label="New plan">
        <h2>New plan from the documents</h2>
        <div className="row">
          <label>
            Phase
            <select value={phase} onChange={(event) => setPhase(event.target.value)}>
              <option value="">all that are not finished</option>
              {feature.phases.map(({ key, title }) => (
                <option key={key} value={key}>
                  {key} {title === null ? '' : plain(title)}
                </option>
              ))}
            </select>
          </label>
          <button type="button" className="main" onClick={() => open(`new:${phase}`)}>
            Make a plan
          </button>
        </div>
      </section>
      <Loaded query={plans}>
        {(found) =>
          found.length === 0 ? (
            <p className="quiet">No plan of this feature is saved yet.</p>
          ) : (
            <ul className="list" aria-label="Plans">
              {found.map(({ id, name, revision, steps, savedAt, savedBy }) => (
                <li key={id}>
                  <div className="item">
                    <span className="name">{plain(name)}</span>
                    <button type="button" onClick={() => open(id)}>
                      Open<span className="hidden"> {plain(name)}</span>
                    </button>
                    <span className="small quiet">
                      revision {revision} · {steps} steps · {ago(savedAt)} by {plain(savedBy.id)}
                    </span>
                  </div>
                </li>
              ))}
            </ul>
          )
        }
      </Loaded>
    </>
  );
}

function FromDocuments({
  feature,
  phase,
}: {
  readonly feature: FeatureView;
  readonly phase: string;
}) {
  const { slug } = feature;
  const made = useApi(['features', slug, 'plan', phase, 'claude'], (api) =>
    api.planFeature(slug, phase === '' ? null : phase, 'claude'),
  );
  if (made.isError) return <ErrorFace error={made.error} />;
  if (made.data === undefined) return <p role="status">Loading…</p>;
  return <PlanEditor initial={made.data.text} saved={null} feature={slug} />;
}

function SavedPlan({ id, slug }: { readonly id: string; readonly slug: string }) {
  const plan = useApi(['plan', id], (api) => api.plan(id));
  return (
    <Loaded query={plan}>
      {({ source, revision }) => (
        <PlanEditor key={id} initial={source} saved={{ id, revision }} feature={slug} />
      )}
    </Loaded>
  );
}
