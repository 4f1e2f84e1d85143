/** Whether a step's `when` holds. */
import { readCondition } from '@ccdash/api/plan';
import type { ConditionReference } from '@ccdash/api/plan';
import { err, ok } from '@ccdash/core';
import type { Failure, JsonObject, Result, StepStatus } from '@ccdash/core';

export interface ConditionFacts {
  readonly inputs: Readonly<Record<string, string | number | boolean>>;
  /** By step id. */
  readonly steps: Readonly<
    Record<string, { readonly status: StepStatus; readonly outputs: JsonObject }>
  >;
}

/**
 * Evaluates the CEL condition `expression`. Numbers are CEL doubles.
 * Work is bounded: the expression is small, calls no regular expression, and walks no list inside another walk.
 * Errors: Failure `configuration` when it cannot be read, reads something that does not exist, compares values that
 * cannot be compared, or gives something other than true or false.
 */
export function evaluateCondition(
  expression: string,
  facts: ConditionFacts,
): Result<boolean, Failure> {
  const fail = (message: string, hint: string): Result<boolean, Failure> =>
    err({ code: 'configuration', message: `The condition ${quote(expression)} ${message}.`, hint });
  const reading = readCondition(expression);
  if (!reading.ok) return fail(`cannot be read: ${reading.fault.detail}`, REPLAN_HINT);
  let value: unknown;
  try {
    value = reading.evaluate(facts);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const missing = reading.references
      .filter((reference) => !isThere(reference, facts))
      .map(referenceName);
    return missing.length > 0
      ? fail(`reads ${missing.join(', ')}, which does not exist`, MISSING_HINT)
      : fail(`cannot be evaluated: ${summaryOf(error)}`, TYPE_HINT);
  }
  return typeof value === 'boolean' ? ok(value) : fail('is neither true nor false', TYPE_HINT);
}

const REPLAN_HINT = 'Correct `when` in the plan and replan the run.';
const MISSING_HINT =
  "Guard it with `has(…)` or `'<key>' in …`, make the step before write that output, or skip this step.";
const TYPE_HINT = 'Compare values of one type; `string(…)`, `int(…)` and `double(…)` convert.';

function isThere(reference: ConditionReference, facts: ConditionFacts): boolean {
  if (reference.kind === 'input') return Object.hasOwn(facts.inputs, reference.name);
  const step = Object.hasOwn(facts.steps, reference.step) ? facts.steps[reference.step] : undefined;
  if (step === undefined) return false;
  if (reference.field === 'status' || reference.key === null) return true;
  return Object.hasOwn(step.outputs, reference.key);
}

function referenceName(reference: ConditionReference): string {
  return reference.kind === 'input'
    ? `inputs.${reference.name}`
    : `steps.${reference.step}.${reference.field}${reference.key === null ? '' : `.${reference.key}`}`;
}

/** The library's messages hold a drawing of the expression below their first line. */
function summaryOf(error: Error): string {
  return 'summary' in error && typeof error.summary === 'string'
    ? error.summary
    : (error.message.split('\n')[0] ?? '');
}

function quote(expression: string): string {
  return JSON.stringify(expression.length > 200 ? `${expression.slice(0, 200)}…` : expression);
}
