/** What the policy says before anything runs: the verdict, the risk, and why. */
import type { PolicyCheckView } from '@ccdash/api/client';
import { Badge } from '../../ui/badges.tsx';
import { plain } from '../../ui/text.ts';

type Told = Pick<PolicyCheckView, 'verdict' | 'risk' | 'why'>;

export function VerdictOf({ verdict, risk, why }: Told) {
  return (
    <div className="stack">
      <div className="row">
        <Badge state={verdict} />
        <Badge state={risk} prefix="risk " />
      </div>
      {why.length > 0 && (
        <ul className="small">
          {why.map(({ rule, text }) => (
            <li key={rule}>
              {plain(text)} <span className="quiet">({rule})</span>
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}
