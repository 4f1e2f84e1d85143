/** Simple mode: the recommended next step with what it rests on, what the policy says to it, and one button. */
import { useState } from 'react';
import type { FeatureView } from '@ccdash/api/client';
import { useAction, useApi } from '../../api/queries.ts';
import { ErrorFace } from '../../ui/faces.tsx';
import { navigate } from '../../ui/router.tsx';
import { plain } from '../../ui/text.ts';
import { useSettled } from '../../ui/use-settled.ts';
import { PlanEditor } from './plan-editor.tsx';
import { VerdictOf } from './verdict.tsx';

export function NextStep({ feature }: { readonly feature: FeatureView }) {
  const { text, evidence, phase, rule } = feature.recommendation;
  const canPlan = rule !== 'R0_NOTHING_LEFT' && feature.phases.length > 0;
  return (
    <>
      <section className="card" aria-label="Recommended next step">
        <h2>{plain(text)}</h2>
        <ul className="small quiet" aria-label="What this rests on">
          {evidence.map(({ document, fact }, number) => (
            <li key={number}>
              {plain(fact)}
              {document !== null && (
                <>
                  {' '}
                  <code>{plain(document)}</code>
                </>
              )}
            </li>
          ))}
        </ul>
        {canPlan && <Recommended slug={feature.slug} phase={phase} />}
      </section>
      <OneCommand slug={feature.slug} />
    </>
  );
}

function Recommended({ slug, phase }: { readonly slug: string; readonly phase: string | null }) {
  const [agent, setAgent] = useState('claude');
  const adapters = useApi(['adapters'], (api) => api.adapters());
  const made = useApi(['features', slug, 'plan', phase, agent], (api) =>
    api.planFeature(slug, phase, agent),
  );
  const names = adapters.data?.map(({ id }) => id) ?? ['claude'];
  return (
    <>
      <label>
        Agent
        <select value={agent} onChange={(event) => setAgent(event.target.value)}>
          {names.map((name) => (
            <option key={name}>{name}</option>
          ))}
        </select>
      </label>
      {made.isError && <ErrorFace error={made.error} />}
      {made.data !== undefined && (
        <>
          {made.data.warnings.map((warning) => (
            <p key={warning} className="small quiet">
              {plain(warning)}
            </p>
          ))}
          <PlanEditor
            key={`${slug} ${phase ?? ''} ${agent}`}
            initial={made.data.text}
            saved={null}
            feature={slug}
            isFolded
          />
        </>
      )}
    </>
  );
}

/** The quick way: one command in a workspace of its own, without a network. */
function OneCommand({ slug }: { readonly slug: string }) {
  const [command, setCommand] = useState('');
  const asked = useSettled(command.trim());
  const checked = useApi(
    ['policy', 'check', asked],
    (api) => api.checkPolicy({ command: asked }),
    asked !== '',
  );
  const run = useAction(async (api, text: string) => {
    const plan = planOf(text, slug);
    const saved = await api.savePlan(JSON.stringify(plan), 'command');
    return saved.ok
      ? api.launch(saved.value.id, { revision: saved.value.revision, feature: slug })
      : saved;
  });
  const verdict = asked === command.trim() && asked !== '' ? checked.data : undefined;
  const start = (): void => {
    run.mutate(asked, { onSuccess: ({ id }) => navigate(`/runs/${id}`) });
  };
  return (
    <section className="card" aria-label="Run one command">
      <h2>Run one command</h2>
      <label>
        Command
        <input
          className="mono"
          value={command}
          placeholder="npm test"
          onChange={(event) => setCommand(event.target.value)}
        />
      </label>
      {asked !== '' && checked.isError && <ErrorFace error={checked.error} />}
      {verdict !== undefined && <VerdictOf {...verdict} />}
      {run.isError && <ErrorFace error={run.error} />}
      <div>
        <button
          type="button"
          disabled={verdict === undefined || verdict.verdict === 'deny' || run.isPending}
          onClick={start}
        >
          Run command
        </button>
      </div>
    </section>
  );
}

function planOf(command: string, feature: string): object {
  return {
    version: 1,
    name: command.slice(0, 200),
    feature,
    scope: { tools: ['read', 'edit', 'search', 'exec'], write: ['**'], network: 'none' },
    steps: [{ id: 'command', run: command }],
  };
}
