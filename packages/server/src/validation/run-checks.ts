/**
 * Checks over facts: what a step left, what the workspace holds. Each gives pass or fail with what it saw; a check that
 * cannot be made fails with the reason. Patterns run in linear time (RE2): the files they look at are hostile.
 */
import { lastAttempt } from '@ccdash/core';
import type {
  Check,
  CheckResult,
  Checkpoint,
  Json,
  Result,
  RunState,
  Failure,
  Workspaces,
} from '@ccdash/core';
import { RE2JS } from 're2js';
import { createHostileSchemaValidator } from '../base/hostile-schema.ts';
import { createSecretSearch, findSecrets } from './find-secrets.ts';
import type { FoundSecret, SecretSearch } from './find-secrets.ts';

export interface CheckSources {
  readonly workspaces: Pick<Workspaces, 'readFile' | 'changes' | 'diff'>;
  readonly isAllowedPath: (globs: readonly string[], path: string) => boolean;
  /** Value of a secret that steps are handed, by name; without it only well-known forms are found. */
  readonly secret?: (name: string) => string | undefined;
}

export interface ChecksContext {
  readonly runId: string;
  readonly state: RunState;
  readonly base: Checkpoint;
  readonly checkpoint: Checkpoint;
}

const LARGEST_FILE_BYTES = 16 * 1024 * 1024;
const LARGEST_DIFF_BYTES = 64 * 1024 * 1024;
/** Within these git looks for a zero byte; a file that has one is left out of the text of a diff. */
const BINARY_LOOK_BYTES = 8000;
/** Evidence goes into the log: enough to see what is wrong, whatever the workspace holds. */
const LONGEST_EVIDENCE = 2000;

/** One result a check, in their order. Never rejects for anything that a plan or a workspace can hold. */
export async function runChecks(
  sources: CheckSources,
  checks: readonly Check[],
  context: ChecksContext,
): Promise<readonly CheckResult[]> {
  const results: CheckResult[] = [];
  for (const check of checks) results.push(toRecord(await runCheck(sources, check, context)));
  return results;
}

/** Texts of the workspace may be long, and hold halves of characters that no event can. */
function toRecord({ check, pass: passed, evidence }: CheckResult): CheckResult {
  const shown =
    evidence.length > LONGEST_EVIDENCE ? `${evidence.slice(0, LONGEST_EVIDENCE)}…` : evidence;
  return { check, pass: passed, evidence: shown.toWellFormed() };
}

async function runCheck(
  sources: CheckSources,
  check: Check,
  context: ChecksContext,
): Promise<CheckResult> {
  switch (check.type) {
    case 'exit':
      return checkExit(check, context.state);
    case 'paths':
      return checkPaths(sources, check, context);
    case 'file':
      return checkFile(sources, check, context);
    case 'schema':
      return checkSchema(sources, check, context);
    case 'number':
      return checkNumber(sources, check, context);
    case 'noSecrets':
      return checkSecrets(sources, context);
  }
}

function pass(check: string, evidence: string): CheckResult {
  return { check, pass: true, evidence };
}

function fail(check: string, evidence: string): CheckResult {
  return { check, pass: false, evidence };
}

type Of<T extends Check['type']> = Extract<Check, { type: T }>;

function checkExit(check: Of<'exit'>, state: RunState): CheckResult {
  const name = `exit code of ${check.step} is ${String(check.equals)}`;
  const step = state.steps.get(check.step);
  const last = step === undefined ? undefined : lastAttempt(step);
  if (step === undefined || last === undefined || !['succeeded', 'failed'].includes(step.status)) {
    return fail(name, 'not run');
  }
  const evidence = `exit code ${String(last.exitCode)} in attempt ${String(last.number)}`;
  return last.exitCode === check.equals ? pass(name, evidence) : fail(name, evidence);
}

async function checkPaths(
  { workspaces, isAllowedPath }: CheckSources,
  check: Of<'paths'>,
  { runId, base, checkpoint }: ChecksContext,
): Promise<CheckResult> {
  const name = `only ${check.only.join(', ')} changed`;
  const changes = await workspaces.changes(runId, base, checkpoint);
  if (!changes.ok) return fail(name, changes.error.message);
  const outside = changes.value.filter(({ path }) => !isAllowedPath(check.only, path));
  if (outside.length === 0) return pass(name, `${String(changes.value.length)} paths changed`);
  const listed = outside.slice(0, 10).map(({ path }) => path);
  const more = outside.length > 10 ? ` and ${String(outside.length - 10)} more` : '';
  return fail(name, `also changed: ${listed.join(', ')}${more}`);
}

async function readText(
  { workspaces }: CheckSources,
  runId: string,
  path: string,
): Promise<Result<string, Failure>> {
  const bytes = await workspaces.readFile(runId, path, LARGEST_FILE_BYTES);
  return bytes.ok ? { ok: true, value: new TextDecoder().decode(bytes.value) } : bytes;
}

async function checkFile(
  sources: CheckSources,
  check: Of<'file'>,
  { runId }: ChecksContext,
): Promise<CheckResult> {
  const { path, matches, exists } = check;
  const name =
    matches === null
      ? `${path} ${exists ? 'exists' : 'does not exist'}`
      : `${path} matches ${matches}`;
  const text = await readText(sources, runId, path);
  if (!text.ok) {
    const isMissing = text.error.code === 'file_missing';
    return isMissing && !exists ? pass(name, 'no such file') : fail(name, text.error.message);
  }
  if (!exists) return fail(name, 'it exists');
  if (matches === null) return pass(name, `${String(text.value.length)} characters`);
  return matchText(name, text.value, matches);
}

function matchText(name: string, text: string, pattern: string): CheckResult {
  let matcher;
  try {
    matcher = RE2JS.compile(pattern, RE2JS.MULTILINE).matcher(text);
  } catch (error) {
    return fail(name, `not a pattern: ${error instanceof Error ? error.message : String(error)}`);
  }
  if (!matcher.find()) return fail(name, 'no match');
  const line = text.slice(0, matcher.start()).split('\n').length;
  return pass(name, `line ${String(line)}`);
}

async function readJson(
  sources: CheckSources,
  runId: string,
  path: string,
): Promise<Result<Json, string>> {
  const text = await readText(sources, runId, path);
  if (!text.ok) return { ok: false, error: text.error.message };
  try {
    return { ok: true, value: JSON.parse(text.value) as Json };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return { ok: false, error: `${path} is not JSON: ${why}` };
  }
}

async function checkSchema(
  sources: CheckSources,
  check: Of<'schema'>,
  { runId, state }: ChecksContext,
): Promise<CheckResult> {
  const name = `output of ${check.output} fits ${check.schema}`;
  const step = state.steps.get(check.output);
  if (step?.status !== 'succeeded') return fail(name, 'not run');
  const schema = await readJson(sources, runId, check.schema);
  if (!schema.ok) return fail(name, schema.error);
  const ajv = createHostileSchemaValidator();
  let validate;
  try {
    validate = ajv.compile(schema.value as object | boolean);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return fail(name, `${check.schema} is not a JSON Schema: ${why}`);
  }
  // Its answer would be a promise, which is never false.
  if ('$async' in validate) return fail(name, `${check.schema} is asynchronous, by $async`);
  try {
    if (validate(step.outputs)) return pass(name, 'it fits');
  } catch (error) {
    // A schema that refers to itself without end.
    const why = error instanceof Error ? error.message : String(error);
    return fail(name, `${check.schema} cannot be followed: ${why}`);
  }
  return fail(name, ajv.errorsText(validate.errors, { dataVar: check.output }));
}

async function checkNumber(
  sources: CheckSources,
  check: Of<'number'>,
  { runId }: ChecksContext,
): Promise<CheckResult> {
  const { file, at, min, max } = check;
  const bounds = [
    min === null ? [] : [`≥ ${String(min)}`],
    max === null ? [] : [`≤ ${String(max)}`],
  ];
  const name = `${file} at ${at} is ${bounds.flat().join(' and ')}`;
  const json = await readJson(sources, runId, file);
  if (!json.ok) return fail(name, json.error);
  const value = valueAt(json.value, at);
  if (typeof value !== 'number') {
    return fail(name, value === undefined ? `nothing at ${at}` : `not a number at ${at}`);
  }
  const holds = (min === null || value >= min) && (max === null || value <= max);
  return holds ? pass(name, String(value)) : fail(name, String(value));
}

/** What a JSON pointer (RFC 6901) leads to. */
function valueAt(json: Json, pointer: string): Json | undefined {
  let value: Json | undefined = json;
  for (const raw of pointer.split('/').slice(1)) {
    const key = raw.replaceAll('~1', '/').replaceAll('~0', '~');
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined;
    value = (value as Readonly<Record<string, Json>>)[key];
  }
  return value;
}

async function checkSecrets(
  sources: CheckSources,
  { runId, state, base, checkpoint }: ChecksContext,
): Promise<CheckResult> {
  const name = 'no secrets in the diff';
  const { workspaces } = sources;
  const diff = await workspaces.diff(runId, base, checkpoint, LARGEST_DIFF_BYTES);
  if (!diff.ok) return fail(name, diff.error.message);
  if (diff.value.truncated) return fail(name, 'the diff is too large to be searched whole');
  const search = createSecretSearch(handedSecrets(sources, state));
  const binary = await findBinarySecrets(sources, search, { runId, base, checkpoint });
  if (!binary.ok) return fail(name, binary.error.message);
  const found = [...findSecrets(diff.value.text, search), ...binary.value];
  if (found.length === 0) return pass(name, 'none found');
  const listed = found.slice(0, 5).map((secret) => `${secret.kind} in ${secret.path}`);
  return fail(name, listed.join('; '));
}

/** Names and values of the secrets that steps of this plan are handed. */
function handedSecrets(
  { secret }: CheckSources,
  state: RunState,
): readonly (readonly [string, string])[] {
  const names = state.created.plan.steps.flatMap((step) => ('secrets' in step ? step.secrets : []));
  return [...new Set(names)]
    .map((name) => [name, secret?.(name) ?? ''] as const)
    .filter(([, value]) => value !== '');
}

/** One zero byte takes a file out of the diff; such files are looked at whole. */
async function findBinarySecrets(
  { workspaces }: CheckSources,
  search: SecretSearch,
  { runId, base, checkpoint }: Pick<ChecksContext, 'runId' | 'base' | 'checkpoint'>,
): Promise<Result<readonly FoundSecret[], Failure>> {
  const changes = await workspaces.changes(runId, base, checkpoint);
  if (!changes.ok) return changes;
  const found: FoundSecret[] = [];
  for (const { path, change } of changes.value) {
    if (change === 'deleted') continue;
    const bytes = await workspaces.readFile(runId, path, LARGEST_DIFF_BYTES);
    if (!bytes.ok) {
      // The diff shows where a link leads; a submodule has no bytes.
      if (LINK_CODES.has(bytes.error.code)) continue;
      return bytes;
    }
    if (!bytes.value.subarray(0, BINARY_LOOK_BYTES).includes(0)) continue;
    // Without the zero bytes that UTF-16 has between letters.
    const text = new TextDecoder().decode(bytes.value).replaceAll('\0', '');
    for (const kind of search(text)) found.push({ kind, path });
  }
  return { ok: true, value: found };
}

/** What reading says to a link, or to a folder where a commit has a submodule. */
const LINK_CODES: ReadonlySet<string> = new Set(['leads_out', 'not_a_file', 'file_missing']);
