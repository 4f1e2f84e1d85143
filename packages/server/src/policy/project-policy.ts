/** Which policy is in force for a project: its own once it is trusted, else the one that ships with CCDash. */
import type { PolicyView } from '@ccdash/api';
import { InvariantError, err, ok } from '@ccdash/core';
import type { Failure, Policy, Result } from '@ccdash/core';

import { readAsset } from '../base/assets.ts';
import { listProjectFolder, readProjectText } from '../base/project-files.ts';
import { createCedarPolicy, policyDigest } from './cedar-policy.ts';
import { problemToText } from './policy-problem.ts';
import type { PolicyFile, PolicyProblem } from './policy-problem.ts';
import { readRules } from './policy-rules.ts';

const FOLDER = '.ccdash/policy';
const MAX_FILES = 32;
const MAX_FILE_BYTES = 64 * 1024;

export interface PolicyInForce {
  readonly policy: Policy;
  readonly source: 'shipped' | 'project';
  /** The files of what is in force. */
  readonly files: readonly PolicyFile[];
  /** Of what `.ccdash/policy` holds now, in force or not; null when it holds no rules, or cannot be read. */
  readonly projectDigest: string | null;
  /** For people: the project's rules are not in force, why, and what to do. null when there is nothing to say. */
  readonly notice: string | null;
}

/** What `.ccdash/policy` holds: read, not looked into. */
export interface ProjectPolicy {
  readonly digest: string;
  /** Sorted by name. */
  readonly files: readonly PolicyFile[];
}

/**
 * The policy in force. The project's own takes effect only while its digest is `trustedDigest`: it comes with the
 * repository, so anybody who can change the repository could change it. Reads files, blocking; call it once a run.
 * Errors: Failure `policy_invalid` when the trusted policy has mistakes (each with file:line:column); what
 * readProjectPolicy refuses, when a digest is trusted.
 */
export function loadProjectPolicy(
  projectDir: string,
  trustedDigest: string | null,
): Result<PolicyInForce, Failure> {
  const read = readProjectPolicy(projectDir);
  if (!read.ok) {
    // Without a trusted digest nothing in there could take effect anyway.
    if (trustedDigest !== null) return read;
    return shipped(null, `${read.error.message} ${NOT_IN_FORCE} ${read.error.hint ?? ''}`);
  }
  const found = read.value;
  if (found === null) {
    const notice = `${FOLDER} holds no rules, but a policy of this project was trusted. ${SHIPPED_INSTEAD} Restore the files, or accept this with \`ccdash trust\`.`;
    return shipped(null, trustedDigest === null ? null : notice);
  }
  const { digest, files } = found;
  if (digest === trustedDigest) return inForce(digest, files);
  if (digest === shippedPolicy().digest && trustedDigest === null) return shipped(digest, null);
  const state =
    trustedDigest === null ? 'has not been trusted yet' : 'has changed since it was trusted';
  const todo = 'Look at it and accept it with `ccdash trust`.';
  return shipped(digest, `The policy in ${FOLDER} ${state}. ${NOT_IN_FORCE} ${todo}`);
}

/** Only trusted rules get here: Cedar is kept away from text that anybody may have written. */
function inForce(digest: string, files: readonly PolicyFile[]): Result<PolicyInForce, Failure> {
  const checked = checkRules(files);
  if (checked.ok) {
    const policy = checked.value;
    return ok({ policy, source: 'project', files, projectDigest: digest, notice: null });
  }
  const mistakes = checked.error.map(problemToText).join('; ');
  const message = `The policy of this project has mistakes, so nothing may start: ${mistakes}.`;
  const hint = `Correct the files in ${FOLDER}, then accept them with \`ccdash trust\`.`;
  return err({ code: 'policy_invalid', message, hint });
}

/**
 * What `.ccdash/policy` holds now; null when it holds no `.cedar` file. checkRules tells whether it is fit to be trusted.
 * Errors: Failure `not_a_folder`, `not_a_file`, `too_large`, `not_text`, `unreadable`, `too_many_files`, `bad_name`.
 */
export function readProjectPolicy(projectDir: string): Result<ProjectPolicy | null, Failure> {
  const listed = listProjectFolder(projectDir, FOLDER);
  if (!listed.ok) return listed;
  const names = (listed.value ?? []).filter((name) => name.endsWith('.cedar'));
  const problem = problemOfNames(names);
  if (problem !== null) return err(problem);
  const files: PolicyFile[] = [];
  for (const name of names) {
    const file = `${FOLDER}/${name}`;
    const text = readProjectText(projectDir, file, MAX_FILE_BYTES);
    if (!text.ok) return text;
    if (text.value !== null) files.push({ file, text: text.value });
  }
  if (files.length === 0) return ok(null);
  return ok({ digest: policyDigest({ schema: readSchema(), policies: files }), files });
}

/** Rules against the schema that ships with CCDash: a policy, or every mistake in them. */
export function checkRules(files: readonly PolicyFile[]): Result<Policy, readonly PolicyProblem[]> {
  return createCedarPolicy({ schema: readSchema(), policies: files });
}

/** A policy in words: its rules in the order of its files. */
export function describePolicy({ policy, source, files, notice }: PolicyInForce): PolicyView {
  const rules = files.flatMap((file) => {
    const read = readRules(readSchema(), [file]);
    if (!read.ok) throw new InvariantError(`${file.file} is in force and cannot be read`);
    return read.value.map(({ id, doc, effect, isAbsolute, asks, source: text }) => ({
      ...{ id, text: doc, effect, absolute: isAbsolute, asks, file: file.file, source: text },
    }));
  });
  return { digest: policy.digest, source, notice, rules };
}

function readSchema(): string {
  return readAsset('policy/schema.cedarschema');
}

/** The policy that ships with CCDash. */
export function shippedPolicy(): Policy {
  shippedOnce ??= createShipped();
  return shippedOnce;
}

let shippedOnce: Policy | null = null;

function shippedFile(): PolicyFile {
  const path = 'policy/default.cedar';
  return { file: path, text: readAsset(path) };
}

/** The rules that ship, as `ccdash init` writes them into a project. */
export function shippedAsProject(): readonly PolicyFile[] {
  return [{ file: `${FOLDER}/default.cedar`, text: shippedFile().text }];
}

function createShipped(): Policy {
  const created = checkRules([shippedFile()]);
  if (created.ok) return created.value;
  const mistakes = created.error.map(problemToText).join('; ');
  throw new InvariantError(`the policy of this program has mistakes: ${mistakes}`);
}

const SHIPPED_INSTEAD = 'The policy that ships with CCDash is in force instead.';
const NOT_IN_FORCE = `It is not in force. ${SHIPPED_INSTEAD}`;

function shipped(
  projectDigest: string | null,
  notice: string | null,
): Result<PolicyInForce, never> {
  const files = [shippedFile()];
  return ok({ policy: shippedPolicy(), source: 'shipped', files, projectDigest, notice });
}

function problemOfNames(names: readonly string[]): Failure | null {
  if (names.length > MAX_FILES) {
    const message = `${FOLDER} holds ${names.length} files of rules; at most ${MAX_FILES} are read.`;
    return { code: 'too_many_files', message, hint: 'Put the rules into fewer files.' };
  }
  // Leaving a file out would leave out its rules.
  const odd = names.find((name) => !/^[A-Za-z0-9_][A-Za-z0-9._-]*$/.test(name));
  if (odd === undefined) return null;
  const message = `${FOLDER} holds a file with an unusable name: ${JSON.stringify(odd)}.`;
  const hint =
    'Rename it: letters, digits, dots, hyphens and underscores, not beginning with a dot.';
  return { code: 'bad_name', message, hint };
}
