/** Runs and approval requests by their ids, or by beginnings of ids that leave no doubt. */
import { err, ok } from '@ccdash/api/client';
import type { ApprovalView, Client, Result, RunView } from '@ccdash/api/client';
import { cliRefusal, problemToRefusal } from './refusals.ts';
import type { CliRefusal } from './refusals.ts';

export async function findRun(client: Client, id: string): Promise<Result<RunView, CliRefusal>> {
  const exact = await client.run(id);
  if (exact.ok) return exact;
  if (exact.error.error !== 'RunNotFound') return err(problemToRefusal(exact.error));
  const runs = await client.runs();
  if (!runs.ok) return err(problemToRefusal(runs.error));
  return onlyOne(id, runs.value, problemToRefusal(exact.error));
}

export async function findApproval(
  client: Client,
  id: string,
): Promise<Result<ApprovalView, CliRefusal>> {
  const exact = await client.approval(id);
  if (exact.ok) return exact;
  if (exact.error.error !== 'ApprovalNotFound') return err(problemToRefusal(exact.error));
  const open = await client.approvals('open');
  if (!open.ok) return err(problemToRefusal(open.error));
  return onlyOne(id, open.value, problemToRefusal(exact.error));
}

function onlyOne<T extends { readonly id: string }>(
  prefix: string,
  candidates: readonly T[],
  notFound: CliRefusal,
): Result<T, CliRefusal> {
  const [found, ...others] = candidates.filter(({ id }) => prefix !== '' && id.startsWith(prefix));
  if (found === undefined) return err(notFound);
  if (others.length === 0) return ok(found);
  const ids = [found, ...others].map(({ id }) => id).slice(0, 5);
  const detail = `${prefix} may be ${ids.join(', ')}${others.length > 4 ? ', …' : ''}.`;
  return err(cliRefusal('AmbiguousId', detail, 'Give more of the id.'));
}
