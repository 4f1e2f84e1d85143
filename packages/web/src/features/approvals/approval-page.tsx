/** One request, on a page of its own. */
import { ApprovalCard } from '../../ui/approval-card.tsx';
import { Link } from '../../ui/router.tsx';

export function ApprovalPage({ params }: { readonly params: Readonly<Record<string, string>> }) {
  const id = params['id'] ?? '';
  return (
    <>
      <p className="small quiet">
        <Link to="/approvals">Approvals</Link> / <span className="mono">{id}</span>
      </p>
      <h1>A decision is asked for</h1>
      <ApprovalCard id={id} />
    </>
  );
}
