/** Values for the inputs of a plan. */
import { err, ok } from '@ccdash/core';
import type { InputSpec, Result } from '@ccdash/core';
import type { LaunchRequest } from '../base/workbench.ts';

type Inputs = LaunchRequest['inputs'];

/** Defaults filled in and types checked; the error says which input and what it should be. */
export function resolveInputs(
  specs: Readonly<Record<string, InputSpec>>,
  given: Inputs,
): Result<Inputs, string> {
  const unknown = Object.keys(given).find((name) => !Object.hasOwn(specs, name));
  if (unknown !== undefined) {
    const known = Object.keys(specs).join(', ');
    return err(`the plan has no input ${unknown}${known === '' ? '' : `; it has: ${known}`}`);
  }
  const resolved: Record<string, string | number | boolean> = {};
  for (const [name, spec] of Object.entries(specs)) {
    const value = (Object.hasOwn(given, name) ? given[name] : undefined) ?? spec.default;
    if (value === null) {
      if (spec.required) return err(`the input ${name} (${spec.type}) is required`);
      continue;
    }
    const typed = toType(value, spec.type);
    if (typed === null)
      return err(`the input ${name} must be a ${spec.type}, not ${String(value)}`);
    resolved[name] = typed;
  }
  return ok(resolved);
}

/** A command line gives every value as text. */
function toType(
  value: string | number | boolean,
  type: InputSpec['type'],
): string | number | boolean | null {
  if (typeof value === type) return value;
  if (type === 'string') return String(value);
  if (typeof value !== 'string') return null;
  if (type === 'boolean') return value === 'true' ? true : value === 'false' ? false : null;
  const number = Number(value);
  return value.trim() === '' || !Number.isFinite(number) ? null : number;
}
