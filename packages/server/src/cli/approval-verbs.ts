/** What waits for people, and their decisions. */
import type { ApprovalView, RunView } from '@ccdash/api/client';
import { approvalToLines } from './approval-text.ts';
import { connect } from './connect.ts';
import type { Context } from './context.ts';
import { formFieldsOf, textsToFormValues } from './form-values.ts';
import { findApproval, findRun } from './ids.ts';
import { proofFrom } from './proof.ts';
import type { ProofOptions } from './proof.ts';
import { EXIT, problemToRefusal, refuse } from './refusals.ts';
import type { CliRefusal } from './refusals.ts';

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
  // One that is closed is refused below, by a sentence that says how it ended.
  if (!context.isJson && approval.value.status === 'open') {
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

export interface OverrideOptions extends ProofOptions {
  readonly reason: string;
  readonly dryRun: boolean;
}

/** Shows what would be lifted, and asks for it; somebody else may have to agree. */
export async function override(
  context: Context,
  runId: string,
  stepId: string,
  options: OverrideOptions,
): Promise<number> {
  const connection = await connect(context);
  if (!connection.ok) return refuse(context, connection.error);
  const { client } = connection.value;
  const run = await findRun(client, runId);
  if (!run.ok) return refuse(context, run.error);
  const step = run.value.steps.find(({ id }) => id === stepId);
  if (step === undefined) {
    const detail = `Run ${run.value.id} has no step ${stepId}.`;
    return refuse(context, stepNotFound(detail, `See its steps: ccdash run show ${run.value.id}`));
  }
  if (!context.isJson) {
    context.say(
      { text: step.id, style: 'bold' },
      `  ${step.status}, ${step.verdict ?? 'not judged'}`,
    );
    for (const { rule, text, absolute } of step.why) {
      const mark = absolute === true ? '  absolute: no override lifts it' : '';
      context.say('  lifts     ', text, { text: ` (${rule})${mark}`, style: 'quiet' });
    }
  }
  if (options.dryRun) {
    if (context.isJson) context.writeJson({ step: step.id, lifts: step.why });
    return EXIT.done;
  }
  const me = await client.whoAmI();
  if (!me.ok) return refuse(context, problemToRefusal(me.error));
  const subjectDigest = step.subjectDigest ?? '';
  const said = {
    person: me.value.id,
    approvalId: step.id,
    decision: 'approve',
    subjectDigest,
  } as const;
  const proof = await proofFrom(context, said, options);
  if (!proof.ok) return refuse(context, proof.error);
  const asked = { step: step.id, reason: options.reason, subjectDigest, proof: proof.value };
  const overridden = await client.override(run.value.id, asked);
  if (!overridden.ok) return refuse(context, problemToRefusal(overridden.error));
  if (context.isJson) {
    context.writeJson(overridden.value);
    return EXIT.done;
  }
  const granted = overridden.value.overrides.at(-1);
  if (granted?.step === step.id && granted.usedBy === null) {
    context.say(
      { text: 'overridden', style: 'bad' },
      '  once, within 15 minutes; it is marked until reviewed:',
    );
    context.say({ text: `  ccdash review ${granted.approval} --note "…"`, style: 'quiet' });
  } else {
    context.say({ text: 'asked', style: 'wait' }, '  a second admin decides: ccdash approvals');
  }
  return EXIT.done;
}

export async function review(context: Context, id: string, note: string): Promise<number> {
  const connection = await connect(context);
  if (!connection.ok) return refuse(context, connection.error);
  const reviewed = await connection.value.client.reviewOverride(id, { note });
  if (!reviewed.ok) return refuse(context, problemToRefusal(reviewed.error));
  if (context.isJson) context.writeJson(reviewed.value);
  else context.say({ text: 'reviewed', style: 'good' });
  return EXIT.done;
}

function stepNotFound(detail: string, hint: string): CliRefusal {
  return { type: 'StepNotFound', title: 'The run has no such step.', detail, hint };
}
