/** The features that the project's documents tell of: how far each is, what it waits for, what comes next. */
import type { ApprovalView, FeatureSummary, RunView } from '@ccdash/api/client';
import { useApi } from '../../api/queries.ts';
import { Badge } from '../../ui/badges.tsx';
import { Face, Loaded } from '../../ui/faces.tsx';
import { Link, useParam } from '../../ui/router.tsx';
import { plain } from '../../ui/text.ts';

const STATUSES = ['in-progress', 'review', 'backlog', 'done', 'deferred'] as const;
const SHOWN = 200;

export function FeaturesPage() {
  const list = useApi(['features'], (api) => api.features());
  const runs = useApi(['runs'], (api) => api.runs());
  const open = useApi(['approvals', 'open'], (api) => api.approvals('open'));
  const [find, setFind] = useParam('find');
  const [status, setStatus] = useParam('status');
  return (
    <>
      <div className="head">
        <h1>Features</h1>
      </div>
      <div className="row">
        <input
          type="search"
          aria-label="Find features"
          placeholder="Find by title or slug"
          value={find ?? ''}
          onChange={(event) => setFind(event.target.value)}
        />
        <div className="row" role="group" aria-label="Status">
          {STATUSES.map((one) => (
            <button
              key={one}
              type="button"
              aria-pressed={status === one}
              onClick={() => setStatus(status === one ? null : one)}
            >
              {one}
            </button>
          ))}
        </div>
      </div>
      <Loaded query={list}>
        {({ features, broken }) => {
          const text = (find ?? '').toLowerCase();
          const found = features.filter(
            (one) =>
              (status === null || one.status === status) &&
              `${one.title} ${one.slug}`.toLowerCase().includes(text),
          );
          return (
            <>
              {features.length === 0 ? (
                <NoFeatures />
              ) : found.length === 0 ? (
                <Face title="No feature fits" />
              ) : (
                <ul className="list" aria-label="Features">
                  {found.slice(0, SHOWN).map((feature) => (
                    <Item
                      key={feature.slug}
                      feature={feature}
                      waiting={waitingFor(feature.slug, runs.data ?? [], open.data ?? [])}
                    />
                  ))}
                </ul>
              )}
              {found.length > SHOWN && (
                <p className="quiet">{found.length - SHOWN} more; find them by title or slug.</p>
              )}
              {broken.length > 0 && (
                <details>
                  <summary>{broken.length} documents cannot be read</summary>
                  <ul>
                    {broken.slice(0, SHOWN).map(({ path, problem }) => (
                      <li key={path} className="small">
                        <code>{plain(path)}</code>
                        {problem !== null && `:${problem.line}: ${plain(problem.detail)}`}
                      </li>
                    ))}
                  </ul>
                </details>
              )}
            </>
          );
        }}
      </Loaded>
    </>
  );
}

function waitingFor(slug: string, runs: readonly RunView[], open: readonly ApprovalView[]): number {
  const own = new Set(runs.filter(({ feature }) => feature === slug).map(({ id }) => id));
  return open.filter(({ runId }) => own.has(runId)).length;
}

function Item({
  feature,
  waiting,
}: {
  readonly feature: FeatureSummary;
  readonly waiting: number;
}) {
  const { slug, title, status, tasks, phases, recommendation } = feature;
  const { finished, total } = tasks.total > 0 ? tasks : phases;
  return (
    <li>
      <Link to={`/features/${encodeURIComponent(slug)}`}>
        <span className="name">{plain(title)}</span>
        <Badge state={status} />
        <span className="small quiet">
          {tasks.total > 0 ? `${finished} of ${total} tasks` : `${finished} of ${total} phases`}
          {tasks.blocked > 0 && ` · ${tasks.blocked} blocked`} · {plain(recommendation.text)}
        </span>
        {waiting > 0 ? (
          <span className="count">
            {waiting} waiting<span className="hidden"> for a decision</span>
          </span>
        ) : (
          <span />
        )}
        <span className="meter" aria-hidden="true">
          <span style={{ width: `${total === 0 ? 0 : (100 * finished) / total}%` }} />
        </span>
      </Link>
    </li>
  );
}

function NoFeatures() {
  return (
    <Face title="No features yet">
      <p className="quiet">
        They are read from the documents of the project: PRDs and implementation plans below{' '}
        <code>docs/project_plans</code>, progress below <code>.claude/progress</code>.
      </p>
    </Face>
  );
}
