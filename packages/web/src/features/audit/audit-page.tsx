/** The log, newest first, in windows that the server filters; and whether it still is what was written. */
import type { AuditReportView, StoredEvent } from '@ccdash/api/client';
import { useAction, useApi } from '../../api/queries.ts';
import { Badge } from '../../ui/badges.tsx';
import { ErrorFace, Face, Loaded } from '../../ui/faces.tsx';
import { Link, useParam } from '../../ui/router.tsx';
import { cut, plain } from '../../ui/text.ts';
import { useSettled } from '../../ui/use-settled.ts';

const PAGE = 100;
const END = 1e15;

export function AuditPage() {
  const [find, setFind] = useParam('find');
  const [before, setBefore] = useParam('before');
  const [errors, setErrors] = useParam('errors');
  const text = useSettled(find ?? '');
  const from = /^\d{1,15}$/.test(before ?? '') ? Number(before) : END;
  const page = useApi(['runs', 'audit', text, from, errors], (api) =>
    api.eventWindow(null, {
      before: from,
      limit: PAGE,
      ...(text === '' ? {} : { find: text }),
      ...(errors === null ? {} : { errors: true }),
    }),
  );
  const verify = useAction((api) => api.auditVerify());
  return (
    <>
      <div className="head">
        <h1>Audit</h1>
        <div className="row end">
          <button
            type="button"
            disabled={verify.isPending}
            onClick={() => verify.mutate(undefined)}
          >
            Verify the log
          </button>
          <a className="button" href="/api/v1/audit/export" download>
            Export
          </a>
        </div>
      </div>
      {verify.isError && <ErrorFace error={verify.error} />}
      {verify.data !== undefined && <Report report={verify.data} />}
      <div className="row">
        <input
          type="search"
          aria-label="Find in the log"
          placeholder="Find a type, a person, or any text"
          value={find ?? ''}
          onChange={(event) => {
            setFind(event.target.value);
            setBefore(null);
          }}
        />
        <button
          type="button"
          aria-pressed={errors !== null}
          onClick={() => setErrors(errors === null ? '1' : null)}
        >
          errors only
        </button>
      </div>
      <Loaded query={page}>
        {({ events, previous, next, count }) => (
          <>
            {events.length === 0 ? (
              <Face title={previous === null ? 'Nothing fits' : 'Nothing fits in this part'} />
            ) : (
              <ol className="list" aria-label="Entries">
                {events.toReversed().map((event) => (
                  <Entry key={event.position} event={event} />
                ))}
              </ol>
            )}
            <div className="row">
              {next !== null && (
                <button type="button" onClick={() => setBefore(null)}>
                  Newest
                </button>
              )}
              {previous !== null && (
                <button type="button" onClick={() => setBefore(String(previous))}>
                  Older
                </button>
              )}
              <span className="small quiet">{count} entries in all</span>
            </div>
          </>
        )}
      </Loaded>
    </>
  );
}

function Report({ report }: { readonly report: AuditReportView }) {
  const { ok, size, bypasses, root, problem } = report;
  return (
    <section className={ok ? 'card' : 'card bad'} aria-label="Verification" role="status">
      <div className="row">
        <Badge state={ok ? 'done' : 'broken'} />
        <span>
          {ok ? `All ${size} entries are what was written.` : plain(problem?.detail ?? '')}
          {bypasses !== null && ` Gate bypasses: ${bypasses}.`}
        </span>
      </div>
      {root !== '' && <code className="small quiet">{root}</code>}
    </section>
  );
}

function Entry({ event }: { readonly event: StoredEvent }) {
  const { position, type, at, actor, runId, data } = event;
  return (
    <li>
      <div className="item">
        <span>
          <span className="name">{type}</span>{' '}
          <span className="small quiet">
            by {actor.kind} {plain(actor.id)}
            {runId !== null && (
              <>
                {' '}
                in <Link to={`/runs/${runId}`}>{runId.slice(-6)}</Link>
              </>
            )}
          </span>
        </span>
        <span className="small quiet mono">
          {position} · {new Date(at).toLocaleString()}
        </span>
        <details className="small">
          <summary className="quiet">what it says</summary>
          <pre>{cut(plain(JSON.stringify(data, null, 2)))}</pre>
        </details>
      </div>
    </li>
  );
}
