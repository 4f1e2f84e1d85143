/** `name=value` pairs of a command line, and the values that the form of an approval wants. */
import { err, ok } from '@ccdash/api/client';
import type { ApprovalView, Client, FormField, Result, RunView } from '@ccdash/api/client';
import { cliRefusal, problemToRefusal } from './refusals.ts';
import type { CliRefusal } from './refusals.ts';

export type FormFields = Readonly<Record<string, FormField>>;
export type FormValues = Readonly<Record<string, string | number | boolean>>;

/** Fields that the plan has approvers of this request fill in; none for what is no approval step. */
export async function formFieldsOf(
  client: Client,
  approval: ApprovalView,
  run: RunView,
): Promise<Result<FormFields, CliRefusal>> {
  if (approval.kind !== 'gate') return ok({});
  const saved = await client.plan(run.plan.id, run.plan.revision);
  if (!saved.ok) return err(problemToRefusal(saved.error));
  const step = saved.value.plan.steps.find(({ id }) => id === approval.stepId);
  return ok(step?.kind === 'approval' ? step.form : {});
}

/** Errors: UsageError for a field that the form does not have, or a value that is not of its type. */
export function textsToFormValues(
  texts: Readonly<Record<string, string>>,
  fields: FormFields,
): Result<FormValues, CliRefusal> {
  const values: Record<string, string | number | boolean> = {};
  for (const [name, text] of Object.entries(texts)) {
    const field = Object.hasOwn(fields, name) ? fields[name] : undefined;
    if (field === undefined) {
      const known = Object.keys(fields).join(', ');
      const hint = known === '' ? 'Leave --form out.' : `Its fields: ${known}`;
      return err(cliRefusal('UsageError', `The form has no field ${name}.`, hint));
    }
    const value = textToValue(text, field.type);
    if (value === null) {
      const hint = `Give it as ${name}=${EXAMPLES[field.type]}`;
      return err(cliRefusal('UsageError', `${name} must be a ${field.type}.`, hint));
    }
    values[name] = value;
  }
  return ok(values);
}

const EXAMPLES: Readonly<Record<FormField['type'], string>> = {
  string: 'text',
  number: '12',
  boolean: 'true',
};

export function textToValue(
  text: string,
  type: FormField['type'],
): string | number | boolean | null {
  switch (type) {
    case 'string':
      return text;
    case 'boolean':
      return text === 'true' ? true : text === 'false' ? false : null;
    case 'number':
      return text.trim() === '' || !Number.isFinite(Number(text)) ? null : Number(text);
  }
}
