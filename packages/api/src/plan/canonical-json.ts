import { InvariantError } from '@ccdash/core';
import type { Plan } from '@ccdash/core';
import canonicalize from 'canonicalize';

/** The canonical JSON (RFC 8785) of a plan: equal plans give equal text, however their files are written. */
export function canonicalPlanJson(plan: Plan): string {
  const text = canonicalize(plan);
  if (text === undefined) throw new InvariantError('a plan is always an object');
  return text;
}
