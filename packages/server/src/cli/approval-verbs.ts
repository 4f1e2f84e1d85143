/** What waits for people, and their decisions. */
import type { ApprovalView, RunView } from '@ccdash/api/client';
import { approvalToLines } from './approval-text.ts';
import { connect } from './connect.ts';
import type { Context } from './context.ts';
import { formFieldsOf, textsToFormValues } from './form-values.ts';
import { findApproval } from './ids.ts';
import { proofFrom } from './proof.ts';
import type { ProofOptions } from './proof.ts';
import { EXIT, problemToRefusal, refuse } from './refusals.ts';

export async function listApprovals(context: Context, isAll: boolean): Promise<number> {
  const connection = await connect(context);
  if (!connection.ok) return refuse(context, connection.error);
  const { client } = connection.value;
  const found = await client.approvals(isAll ? undefined : 'open');
  if (!found.ok) return refuse(context, problemToRefusal(found.error));
  const approvals: readonly ApprovalView[] = found.value;
  if (context.isJson) {
    context.writeJson(approvals);
    return EXIT.done;
  }
  const runById = new Map<string, RunView>();
  for (const approval of approvals) {
    const { runId } = approval;
    if (!runById.has(runId)) {
      const run = await client.run(runId);
      if (!run.ok) return refuse(context, problemToRefusal(run.error));
      runById.set(runId, run.value);
    }
    for (const line of approvalToLines(context, approval, runById.get(runId) ?? null)) {
      context.say(...line);
    }
    if (approval.status === 'open') {
      context.say({ text: `  ccdash approve ${approval.id} --reason "…"`, style: 'quiet' });
    }
    context.say('');
  }
  if (approvals.length === 0) context.say('Nothing waits for a decision.');
  return EXIT.done;
}

export async function showApproval(context: Context, id: string): Promise<number> {
  const connection = await connect(context);
  if (!connection.ok) return refuse(context, connection.error);
  const { client } = connection.value;
  const approval = await findApproval(client, id);
  if (!approval.ok) return refuse(context, approval.error);
  if (context.isJson) {
    context.writeJson(approval.value);
    return EXIT.done;
  }
  const run = await client.run(approval.value.runId);
  if (!run.ok) return refuse(context, problemToRefusal(run.error));
  for (const line of approvalToLines(context, approval.value, run.value)) context.say(...line);
  return EXIT.done;
}

export interface DecisionOptions {
  readonly decision: 'approve' | 'reject';
  readonly reason: string;
  /** What was seen; null: what is asked now. */
  readonly digest: string | null;
  readonly form: Readonly<Record<string, string>>;
  readonly proof: ProofOptions;
}

export async function decide(
  context: Context,
  id: string,
  { decision, reason, digest, form, proof: how }: DecisionOptions,
): Promise<number> {
  const connection = await connect(context);
  if (!connection.ok) return refuse(context, connection.error);
  const { client } = connection.value;
  const approval = await findApproval(client, id);
  if (!approval.ok) return refuse(context, approval.error);
  const run = await client.run(approval.value.runId);
  if (!run.ok) return refuse(context, problemToRefusal(run.error));
  if (!context.isJson) {
    for (const line of approvalToLines(context, approval.value, run.value)) context.say(...line);
  }
  const fields = await formFieldsOf(client, approval.value, run.value);
  if (!fields.ok) return refuse(context, fields.error);
  const values = textsToFormValues(form, fields.value);
  if (!values.ok) return refuse(context, values.error);
  const subjectDigest = digest ?? approval.value.subjectDigest;
  const me = await client.whoAmI();
  if (!me.ok) return refuse(context, problemToRefusal(me.error));
  const { id: approvalId } = approval.value;
  const said = { person: me.value.id, approvalId, decision, subjectDigest };
  const proof = await proofFrom(context, said, how);
  if (!proof.ok) return refuse(context, proof.error);
  const decided = await client.decide(approvalId, {
    ...{ decision, reason, subjectDigest, form: values.value, proof: proof.value },
  });
  if (!decided.ok) return refuse(context, problemToRefusal(decided.error));
  if (context.isJson) {
    context.writeJson(decided.value);
    return EXIT.done;
  }
  const isGood = decision === 'approve';
  context.say({ text: isGood ? 'approved' : 'rejected', style: isGood ? 'good' : 'bad' });
  return EXIT.done;
}
