/** All runs, those that wait for people first. */
import type { RunView } from '@ccdash/api/client';
import { useApi } from '../../api/queries.ts';
import { Badge } from '../../ui/badges.tsx';
import { Face, Loaded } from '../../ui/faces.tsx';
import { Link, useParam } from '../../ui/router.tsx';
import { ago, plain, usd } from '../../ui/text.ts';

const SHOWN = 200;

export function RunsPage() {
  const runs = useApi(['runs'], (api) => api.runs());
  const [find, setFind] = useParam('find');
  const [status, setStatus] = useParam('status');
  return (
    <>
      <div className="head">
        <h1>Runs</h1>
      </div>
      <div className="row">
        <input
          type="search"
          aria-label="Find runs"
          placeholder="Find by plan, feature or id"
          value={find ?? ''}
          onChange={(event) => setFind(event.target.value)}
        />
        <div className="row" role="group" aria-label="Status">
          {['blocked', 'running', 'failed', 'succeeded'].map((one) => (
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
      <Loaded query={runs}>
        {(all) => {
          const text = (find ?? '').toLowerCase();
          const found = all.filter(
            (run) =>
              (status === null || run.status === status) &&
              `${run.plan.name} ${run.feature ?? ''} ${run.id}`.toLowerCase().includes(text),
          );
          const sorted = found.toSorted((a, b) => urgency(b) - urgency(a));
          if (all.length === 0) return <NoRuns />;
          if (found.length === 0) return <Face title="No run fits" />;
          return (
            <>
              <ul className="list" aria-label="Runs">
                {sorted.slice(0, SHOWN).map((run) => (
                  <RunItem key={run.id} run={run} />
                ))}
              </ul>
              {found.length > SHOWN && (
                <p className="quiet">
                  {found.length - SHOWN} more; find them by plan, feature or id.
                </p>
              )}
            </>
          );
        }}
      </Loaded>
    </>
  );
}

function urgency({ status }: RunView): number {
  return ['blocked', 'paused'].includes(status) ? 1 : 0;
}

function RunItem({ run }: { readonly run: RunView }) {
  const done = run.steps.filter(({ status }) => status === 'succeeded').length;
  const failed = run.steps.find(({ status }) => status === 'failed');
  const waiting = run.steps.find(({ status }) => status === 'blocked');
  const told = failed ?? waiting;
  return (
    <li>
      <Link to={`/runs/${run.id}`}>
        <span className="name">{plain(run.plan.name)}</span>
        <Badge state={run.status} />
        <span className="small quiet">
          {done} of {run.steps.length} steps
          {run.feature !== null && <> · {plain(run.feature)}</>} · {ago(run.createdAt)}
          {run.usage.usd > 0 && <> · {usd(run.usage.usd)}</>}
        </span>
        <span className="small quiet mono">{run.id.slice(-6)}</span>
        {told !== undefined && told.reason !== null && (
          <span className="small">
            {told.id}: {plain(told.reason)}
          </span>
        )}
      </Link>
    </li>
  );
}

function NoRuns() {
  return (
    <Face title="No runs yet">
      <p className="quiet">
        Launch one from a <Link to="/features">feature</Link>, or from a terminal:{' '}
        <code>ccdash run PLAN</code>
      </p>
    </Face>
  );
}
