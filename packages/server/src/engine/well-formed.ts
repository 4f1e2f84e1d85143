import type { Json } from '@ccdash/core';

/** The same JSON without lone surrogates, which programs may print and no canonical form can hold. */
export function wellFormed<T>(value: T): T {
  // Only strings change, and only in characters that mean nothing.
  return mend(value as Json) as T;
}

function mend(value: Json): Json {
  if (typeof value === 'string') return value.toWellFormed();
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(mend);
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [key.toWellFormed(), mend(inner)]),
  );
}
