/** Runs and approval requests by their ids, or by beginnings of ids that leave no doubt. */
import { err, ok } from '@ccdash/api/client';
import type { ApprovalView, Client, Result, RunView } from '@ccdash/api/client';
import { toPlainJson } from './plain-text.ts';
import { cliRefusal, problemToRefusal } from './refusals.ts';
import type { CliRefusal } from './refusals.ts';

/** What may stand in an address; nothing else is an id of anything. */
const ID = /^[\w-]{1,200}$/;

export async function findRun(client: Client, id: string): Promise<Result<RunView, CliRefusal>> {
  if (!ID.test(id)) return err(noId('a run', id, 'List them: ccdash runs'));
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
  if (!ID.test(id)) return err(noId('an approval request', id, 'List them: ccdash approvals'));
  const exact = await client.approval(id);
  if (exact.ok) return exact;
  if (exact.error.error !== 'ApprovalNotFound') return err(problemToRefusal(exact.error));
  const open = await client.approvals('open');
  if (!open.ok) return err(problemToRefusal(open.error));
  return onlyOne(id, open.value, problemToRefusal(exact.error));
}

function noId(what: string, given: string, hint: string): CliRefusal {
  const detail = given === '' ? 'The id is empty.' : `${toPlainJson(given)} is no id of ${what}.`;
  return cliRefusal('UsageError', detail, hint);
}

function onlyOne<T extends { readonly id: string }>(
  prefix: string,
  candidates: readonly T[],
  notFound: CliRefusal,
): Result<T, CliRefusal> {
  const [found, ...others] = candidates.filter(({ id }) => id.startsWith(prefix));
  if (found === undefined) return err(notFound);
  if (others.length === 0) return ok(found);
  const ids = [found, ...others].map(({ id }) => id).slice(0, 5);
  const detail = `${prefix} may be ${ids.join(', ')}${others.length > 4 ? ', …' : ''}.`;
  return err(cliRefusal('AmbiguousId', detail, 'Give more of the id.'));
}
