/** Building blocks that the schemas of stored values share. */
import type { Json, JsonObject } from '@ccdash/core';
import { z } from 'zod';

/** Any JSON value. A check by hand, since a recursive schema would cost most of the time of reading a log. */
export const jsonSchema: z.ZodType<Json> = z.custom<Json>(isJson, 'expected a JSON value');

export const jsonObjectSchema: z.ZodType<JsonObject> = z.custom<JsonObject>(
  (value) => isRecord(value) && isJson(value),
  'expected a JSON object',
);

/** A list that is never changed. `z.array().readonly()` would freeze every list that is read. */
export function listOf<T extends z.ZodType>(item: T): z.ZodType<readonly z.output<T>[]> {
  return z.array(item);
}

/** The first thing that is wrong, with where it is: `steps.2.id: expected a string`. */
export function firstFault(error: z.ZodError): string {
  const issue = error.issues[0];
  if (issue === undefined) return 'it does not have the expected shape';
  return issue.path.length === 0
    ? issue.message
    : `${issue.path.map(String).join('.')}: ${issue.message}`;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isJson(value: unknown): boolean {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return true;
  if (typeof value === 'number') return Number.isFinite(value);
  if (Array.isArray(value)) return value.every(isJson);
  return isRecord(value) && Object.values(value).every(isJson);
}
