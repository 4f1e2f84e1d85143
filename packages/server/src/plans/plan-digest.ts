import { createHash } from 'node:crypto';
import { canonicalPlanJson } from '@ccdash/api/plan';
import type { Plan } from '@ccdash/core';

/** `sha256:<hex>` of the plan's canonical JSON: equal for files that mean the same plan. */
export function planDigest(plan: Plan): string {
  return `sha256:${createHash('sha256').update(canonicalPlanJson(plan)).digest('hex')}`;
}
