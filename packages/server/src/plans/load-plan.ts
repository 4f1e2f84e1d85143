/** Plan files on disk: read with care, checked, and compared with what the project holds. */
import { constants, lstatSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { MAX_PLAN_BYTES, findingToProblem, parsePlan } from '@ccdash/api/plan';
import type { Finding, PlanReading, PlanSource, Problem, ValuePath } from '@ccdash/api/plan';
import { SETUP_STEP_ID, err, ok } from '@ccdash/core';
import type { Plan, Result, Step } from '@ccdash/core';
import { RE2JS, RE2JSException } from 're2js';
import { planDigest } from './plan-digest.ts';

export interface LoadedPlan {
  readonly plan: Plan;
  readonly digest: string;
  readonly source: PlanSource;
  /** In the order of the file. */
  readonly warnings: readonly Problem[];
}

/**
 * Reads, checks and compiles the plan at `path`. Files that the plan names are looked for below `projectDir`; one that
 * is missing is a warning, since a step before may make it.
 * Errors: everything that is wrong with the file, at least one problem; never throws for what a file may hold.
 */
export async function loadPlan(
  path: string,
  options: { readonly projectDir: string; readonly file?: string },
): Promise<Result<LoadedPlan, readonly Problem[]>> {
  const file = options.file ?? path;
  const text = await readPlanText(path);
  if (!text.ok) return err([findingToProblem(text.error, 'error', file)]);
  const reading = checkPlan(text.value, { file, projectDir: options.projectDir });
  if (!reading.ok) return err(reading.problems);
  const { plan, source, warnings } = reading;
  return ok({ plan, digest: planDigest(plan), source, warnings });
}

/**
 * Everything that can be said of the text of a plan, wherever it comes from. Files that the plan names are looked for
 * below `projectDir`; one that is missing is a warning, since a step before may make it.
 */
export function checkPlan(
  text: string,
  { file, projectDir }: { readonly file: string; readonly projectDir: string },
): PlanReading {
  const reading = parsePlan(text, { file });
  if (!reading.ok) return reading;
  const { plan, source } = reading;
  const toProblem = (finding: PlacedFinding, severity: Problem['severity']): Problem =>
    findingToProblem({ ...finding, at: source.positionOf(finding.path) }, severity, file);
  const patterns = patternFindings(plan);
  if (patterns.length > 0) {
    return { ok: false, problems: patterns.map((finding) => toProblem(finding, 'error')) };
  }
  const missing = missingFiles(plan, projectDir);
  const warnings = [
    ...reading.warnings,
    ...missing.map((finding) => toProblem(finding, 'warning')),
  ].toSorted((a, b) => a.at.line - b.at.line || a.at.column - b.at.column);
  return { ...reading, warnings };
}

async function readPlanText(path: string): Promise<Result<string, Finding>> {
  const refuse = (type: Finding['type'], detail: string, hint: string): Result<string, Finding> =>
    err({ type, detail, hint, at: { line: 1, column: 1 } });
  try {
    // Not blocking: a named pipe would otherwise be waited for.
    const handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const stat = await handle.stat();
      if (!stat.isFile()) {
        const what = stat.isDirectory() ? 'a folder' : 'no regular file';
        return refuse('NotAFile', `${path} is ${what}.`, 'Name a plan file, such as `plan.yaml`.');
      }
      // One byte more than allowed, so that a file that grows meanwhile is noticed as well.
      const buffer = new Uint8Array(MAX_PLAN_BYTES + 1);
      let length = 0;
      while (length < buffer.length) {
        const { bytesRead } = await handle.read(buffer, length, buffer.length - length, length);
        if (bytesRead === 0) break;
        length += bytesRead;
      }
      if (length > MAX_PLAN_BYTES) {
        const detail = `${path} holds more than ${MAX_PLAN_BYTES} bytes.`;
        const hint = 'Move long prompts to files of their own: `prompt: { file: … }`.';
        return refuse('FileTooLarge', detail, hint);
      }
      const text = decodeUtf8(buffer.subarray(0, length));
      return text === undefined
        ? refuse('NotText', `${path} is not text in UTF-8.`, 'Save it again in UTF-8.')
        : ok(text);
    } finally {
      await handle.close();
    }
  } catch (error) {
    const code = errorCode(error);
    if (code === undefined) throw error;
    return code === 'ENOENT' || code === 'ENOTDIR'
      ? refuse('FileNotFound', `There is no file ${path}.`, 'Check the path.')
      : refuse('NotAFile', `${path} cannot be read (${code}).`, 'Check its kind and permissions.');
  }
}

function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (error) {
    if (error instanceof TypeError) return undefined;
    throw error;
  }
}

/** The code of an error of the operating system; undefined for a bug. */
function errorCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string'
    ? error.code
    : undefined;
}

type PlacedFinding = Omit<Finding, 'at'> & { readonly path: ValuePath };

/** The steps as they stand in the file: without the one that the setup became. */
function stepsInFile(plan: Plan): readonly Step[] {
  return plan.steps.filter((step) => step.id !== SETUP_STEP_ID);
}

/** Patterns are RE2, whose time is bounded by the length of what it reads. */
function patternFindings(plan: Plan): readonly PlacedFinding[] {
  return stepsInFile(plan).flatMap((step, index) => {
    if (step.kind !== 'validation') return [];
    return step.checks.flatMap((check, at): PlacedFinding[] => {
      const fault =
        check.type === 'file' && check.matches !== null ? patternFault(check.matches) : undefined;
      if (fault === undefined) return [];
      return [
        {
          type: 'BadPattern',
          detail: `The pattern is not a regular expression: ${fault}.`,
          hint: 'Write it as for RE2: no look-around, no references back.',
          path: ['steps', index, 'validate', at, 'file', 'matches'],
        },
      ];
    });
  });
}

function patternFault(pattern: string): string | undefined {
  try {
    RE2JS.compile(pattern);
    return undefined;
  } catch (error) {
    if (error instanceof RE2JSException) return error.message;
    throw error;
  }
}

function missingFiles(plan: Plan, projectDir: string): readonly PlacedFinding[] {
  const findings: PlacedFinding[] = [];
  for (const { name, path } of namedFiles(plan)) {
    if (isThere(join(projectDir, name))) continue;
    findings.push({
      type: 'MissingFile',
      detail: `The project has no file ${JSON.stringify(name)}.`,
      hint: 'Create it, correct the path, or leave it if a step before makes it.',
      path,
    });
  }
  return findings;
}

function isThere(path: string): boolean {
  try {
    return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
  } catch (error) {
    // Whatever keeps it from being seen also keeps it from being read.
    if (errorCode(error) !== undefined) return false;
    throw error;
  }
}

interface NamedFile {
  readonly name: string;
  readonly path: ValuePath;
}

function namedFiles(plan: Plan): readonly NamedFile[] {
  const { prd, plan: document, progress, docs } = plan.context;
  const setup = plan.steps.find((step) => step.id === SETUP_STEP_ID);
  return [
    ...one(prd, ['context', 'prd']),
    ...one(document, ['context', 'plan']),
    ...each(progress, ['context', 'progress']),
    ...each(docs, ['context', 'docs']),
    ...each(setup?.kind === 'command' ? setup.copy : [], ['setup', 'copy']),
    ...stepsInFile(plan).flatMap((step, index) => filesOfStep(step, ['steps', index])),
  ];
}

function filesOfStep(step: Step, head: ValuePath): readonly NamedFile[] {
  if (step.kind === 'validation') {
    return step.checks.flatMap((check, at) =>
      check.type === 'schema'
        ? one(check.schema, [...head, 'validate', at, 'schema', 'schema'])
        : [],
    );
  }
  if (step.kind !== 'agent') return [];
  return [
    ...one('file' in step.prompt ? step.prompt.file : null, [...head, 'prompt', 'file']),
    ...each(step.context, [...head, 'context']),
    ...(step.outputSchema !== null && 'file' in step.outputSchema
      ? one(step.outputSchema.file, [...head, 'output', 'schema'])
      : []),
  ];
}

function one(name: string | null, path: ValuePath): readonly NamedFile[] {
  return name === null ? [] : [{ name, path }];
}

function each(names: readonly string[], path: ValuePath): readonly NamedFile[] {
  return names.map((name, index) => ({ name, path: [...path, index] }));
}
