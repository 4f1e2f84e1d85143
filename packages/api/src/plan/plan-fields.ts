/**
 * The single values of a plan file. The message of a format is the type of problem that it makes; `schema-problems.ts`
 * puts it into words.
 */
import { z } from 'zod';
import { globFault, pathFault } from './globs.ts';
import type { ProblemType } from './problem.ts';

/** Longest duration that timers and people can deal with. */
const MAX_DURATION_MS = 365 * 86_400_000;
const UNIT_MS = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const DURATION = /^([1-9]\d{0,8})([smhd])$/;

const STEP_ID = /^[a-z][a-z0-9-]{0,62}$/;
/** Of inputs and form fields: usable in conditions as they are. */
const NAME = /^[A-Za-z_][A-Za-z0-9_]{0,62}$/;
const ADAPTER = /^(?:claude|codex|copilot|scripted|acp:[a-z0-9][a-z0-9._-]{0,62})$/;
const TOOL =
  /^(?:read|edit|search|exec|fetch|agent|mcp:[A-Za-z0-9._-]{1,64}\/[A-Za-z0-9._-]{1,64})$/;
const HOST =
  /^(?=.{1,253}$)(?:\*\.)?[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*(?::[1-9]\d{0,4})?$/;
const SLUG = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;

/** Milliseconds of `90s`, `10m`, `2h`, `1d`; undefined when it is none, or longer than 365 days. */
export function durationToMs(duration: string): number | undefined {
  const [, amount, unit] = DURATION.exec(duration) ?? [];
  if (amount === undefined || unit === undefined) return undefined;
  const ms = Number(amount) * UNIT_MS[unit as keyof typeof UNIT_MS];
  return ms <= MAX_DURATION_MS ? ms : undefined;
}

export function isStepId(id: string): boolean {
  return STEP_ID.test(id);
}

const problem = (type: ProblemType): ProblemType => type;

export const line: z.ZodString = z
  .string()
  .min(1)
  .max(200)
  .regex(/^[^\r\n]*$/, problem('BadName'));
export const longText: z.ZodString = z.string().min(1).max(200_000);
export const slug: z.ZodString = z.string().regex(SLUG, problem('BadName'));
export const name: z.ZodString = z.string().regex(NAME, problem('BadName'));
export const label: z.ZodString = z.string().min(1).max(254);
/** An id that is defined here. */
export const stepId: z.ZodString = z.string().regex(STEP_ID, problem('BadId'));
/** An id that is defined elsewhere: whether it exists says enough. */
export const stepReference: z.ZodString = z.string();
export const adapter: z.ZodString = z.string().regex(ADAPTER, problem('UnknownAdapter'));
export const tool: z.ZodString = z.string().regex(TOOL, problem('BadName'));
export const host: z.ZodString = z.string().regex(HOST, problem('BadName'));
export const condition: z.ZodString = z.string().min(1).max(2000);
export const pointer: z.ZodString = z
  .string()
  .regex(/^(?:\/(?:[^~/]|~[01])*)*$/, problem('BadValue'));

export const duration: z.ZodString = z
  .string()
  .regex(DURATION, problem('BadDuration'))
  .refine((text) => !DURATION.test(text) || durationToMs(text) !== undefined, {
    message: problem('BadDuration'),
  });
export const path: z.ZodString = z
  .string()
  .refine((text) => pathFault(text) === undefined, { message: problem('BadPath') });
export const glob: z.ZodString = z
  .string()
  .refine((text) => globFault(text) === undefined, { message: problem('BadGlob') });
