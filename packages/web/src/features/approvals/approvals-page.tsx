/** The inbox: what waits for a decision, the oldest first, and what was decided. */
import type { ApprovalView } from '@ccdash/api/client';
import { useApi } from '../../api/queries.ts';
import { questionOf } from '../../ui/approval-card.tsx';
import { Badge } from '../../ui/badges.tsx';
import { Face, Loaded } from '../../ui/faces.tsx';
import { Link, useParam } from '../../ui/router.tsx';
import { ago } from '../../ui/text.ts';
import { toVisibleText } from '../../ui/visible-text.ts';

const SHOWN = 200;

export function ApprovalsPage() {
  const [which, setWhich] = useParam('show');
  const isAll = which === 'all';
  const approvals = useApi(['approvals', isAll ? 'all' : 'open'], (api) =>
    api.approvals(isAll ? undefined : 'open'),
  );
  return (
    <>
      <div className="head">
        <h1>Approvals</h1>
        <div className="row end" role="group" aria-label="Which">
          <button type="button" aria-pressed={!isAll} onClick={() => setWhich(null)}>
            Waiting
          </button>
          <button type="button" aria-pressed={isAll} onClick={() => setWhich('all')}>
            All
          </button>
        </div>
      </div>
      <Loaded query={approvals}>
        {(all) =>
          all.length === 0 ? (
            <Face title={isAll ? 'Nothing was ever asked' : 'Nothing waits for a decision'}>
              <p className="quiet">
                Steps that the policy or a plan wants people to decide on appear here.
              </p>
            </Face>
          ) : (
            <>
              <ul className="list" aria-label="Requests">
                {(isAll ? all : all.toReversed()).slice(0, SHOWN).map((one) => (
                  <Item key={one.id} approval={one} />
                ))}
              </ul>
              {all.length > SHOWN && (
                <p className="quiet">{all.length - SHOWN} more are not listed.</p>
              )}
            </>
          )
        }
      </Loaded>
    </>
  );
}

function Item({ approval }: { readonly approval: ApprovalView }) {
  const { id, stepId, runId, risk, status, why, requestedAt, expiresAtMs } = approval;
  return (
    <li>
      <Link to={`/approvals/${id}`}>
        <span className="name">
          <span className="mono">{stepId}</span>: {questionOf(approval)}
        </span>
        <span className="row">
          <Badge state={risk} prefix="risk " />
          <Badge state={status} />
        </span>
        <span className="small quiet">
          {why.map(({ text }) => toVisibleText(text)).join('; ')}
          {why.length > 0 && ' · '}asked {ago(requestedAt)}
          {expiresAtMs !== null && status === 'open' && <> · ends {ago(expiresAtMs)}</>}
        </span>
        <span className="small quiet mono">{runId.slice(-6)}</span>
      </Link>
    </li>
  );
}
