/** Entry of plan files: reading, checking, schema. Runs in browsers and Node alike. */
export { canonicalPlanJson } from './canonical-json.ts';
export { readCondition } from './condition-syntax.ts';
export type { ConditionFault, ConditionReading, ConditionReference } from './condition-syntax.ts';
export { globFault } from './globs.ts';
export { parsePlan } from './parse-plan.ts';
export type { PlanReading } from './parse-plan.ts';
export { placeholdersOf } from './placeholders.ts';
export type { Placeholder, PlaceholderTarget } from './placeholders.ts';
export { planToText } from './plan-text.ts';
export type { PlanTextOptions } from './plan-text.ts';
export { planJsonSchema } from './plan-schema.ts';
export { durationToMs } from './plan-fields.ts';
export { TITLE_BY_PROBLEM, findingToProblem } from './problem.ts';
export type { Finding, Position, Problem, ProblemType } from './problem.ts';
export { MAX_PLAN_BYTES } from './yaml-source.ts';
export type { PlanSource, ValuePath } from './yaml-source.ts';
