/** A command of simple mode as the plan of one step that it becomes. */
import { parsePlan } from '@ccdash/api/plan';
import type { Plan, Step } from '@ccdash/core';

/** Null when it cannot be a step: it is empty, or holds what no plan may. */
export function planOfCommand(
  command: string,
): { readonly plan: Plan; readonly step: Step } | null {
  const text = JSON.stringify({
    version: 1,
    name: 'policy check',
    scope: { tools: ['read', 'edit', 'search', 'exec'], write: ['**'], network: 'none' },
    steps: [{ id: 'command', run: command }],
  });
  const read = parsePlan(text, { file: 'command' });
  const step = read.ok ? read.plan.steps[0] : undefined;
  return read.ok && step !== undefined ? { plan: read.plan, step } : null;
}
