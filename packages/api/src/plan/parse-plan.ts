/** From the text of a plan file to a plan, or to everything that is wrong with it. */
import type { Plan } from '@ccdash/core';
import { compilePlan } from './compile-plan.ts';
import { planFileSchema } from './plan-schema.ts';
import { referenceFindings } from './plan-references.ts';
import { planWarnings } from './plan-warnings.ts';
import { findingToProblem } from './problem.ts';
import type { Finding, Problem } from './problem.ts';
import { schemaFindings } from './schema-problems.ts';
import { readYaml } from './yaml-source.ts';
import type { PlanSource } from './yaml-source.ts';

/** More than anybody reads; a file that is no plan at all could make tens of thousands. */
const MAX_PROBLEMS = 200;

export type PlanReading =
  | {
      readonly ok: true;
      readonly plan: Plan;
      readonly source: PlanSource;
      readonly warnings: readonly Problem[];
    }
  /** At least one error; in the order of the file. */
  | { readonly ok: false; readonly problems: readonly Problem[] };

/**
 * Reads a plan file. `file` is only a name for messages.
 * Reports every error at once, with one exception: while the YAML cannot be read, nothing else is looked at.
 * Never throws.
 */
export function parsePlan(text: string, options: { readonly file: string }): PlanReading {
  const { file } = options;
  const { source, value, findings, refused } = readYaml(text, file);
  if (value === undefined) return { ok: false, problems: toProblems(findings, file) };
  const errors = [
    ...findings,
    ...schemaFindings(value, source, refused),
    ...referenceFindings(value, source),
  ];
  if (errors.length > 0) return { ok: false, problems: toProblems(errors, file) };
  const planFile = planFileSchema.parse(value);
  const plan = compilePlan(planFile);
  const warnings = inOrder(planWarnings(planFile, plan, source));
  return {
    ok: true,
    plan,
    source,
    warnings: warnings.map((finding) => findingToProblem(finding, 'warning', file)),
  };
}

function toProblems(findings: readonly Finding[], file: string): readonly Problem[] {
  const ordered = inOrder(findings);
  const shown = ordered.slice(0, MAX_PROBLEMS);
  const next = ordered[MAX_PROBLEMS];
  if (next !== undefined) {
    shown.push({
      type: 'TooManyProblems',
      detail: `There are ${ordered.length - MAX_PROBLEMS} more problems from here on.`,
      hint: 'Correct those above and check again.',
      at: next.at,
    });
  }
  return shown.map((finding) => findingToProblem(finding, 'error', file));
}

function inOrder(findings: readonly Finding[]): Finding[] {
  return findings.toSorted((a, b) => a.at.line - b.at.line || a.at.column - b.at.column);
}
