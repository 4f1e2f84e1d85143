/** Which settings are in force for a project: its own once they are trusted, else the defaults. */
import { createHash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';

import { err, ok } from '@ccdash/core';
import type { Failure, Result } from '@ccdash/core';

import { readProjectText } from '../base/project-files.ts';
import {
  DEFAULT_PROJECT_CONFIG,
  configProblemToText,
  parseProjectConfig,
} from './project-config.ts';
import type { ConfigProblem, ProjectConfig } from './project-config.ts';

const FILE = '.ccdash/config.yaml';
const MAX_BYTES = 64 * 1024;

export interface ConfigInForce {
  readonly config: ProjectConfig;
  readonly source: 'default' | 'project';
  /** Of what the file holds now, in force or not; null when there is none, or it cannot be read. */
  readonly projectDigest: string | null;
  /** For people: the project's settings are not in force, why, and what to do. null when there is nothing to say. */
  readonly notice: string | null;
}

/** What `.ccdash/config.yaml` holds. */
export interface ConfigFile {
  /** `sha256:` and the hash of its text. */
  readonly digest: string;
  /** Its path in the project. */
  readonly file: string;
  readonly text: string;
  readonly checked: Result<ProjectConfig, readonly ConfigProblem[]>;
}

/**
 * The settings in force. The project's own take effect only while their digest is `trustedDigest`: they widen what
 * steps may read, and anybody who can change the repository could change them.
 * Errors: Failure `config_invalid` when the trusted file has mistakes (each with file:line:column); what
 * readProjectConfig refuses, when a digest is trusted.
 */
export function loadProjectConfig(
  projectDir: string,
  trustedDigest: string | null,
): Result<ConfigInForce, Failure> {
  const read = readProjectConfig(projectDir);
  if (!read.ok) {
    if (trustedDigest !== null) return read;
    return defaults(null, `${read.error.message} ${DEFAULTS_INSTEAD} ${read.error.hint ?? ''}`);
  }
  if (read.value === null) {
    const notice = `${FILE} is gone, but settings of this project were trusted. ${DEFAULTS_INSTEAD} Restore it, or accept this with \`ccdash trust\`.`;
    return defaults(null, trustedDigest === null ? null : notice);
  }
  const { digest, checked } = read.value;
  const mistakes = checked.ok ? [] : checked.error.map(configProblemToText);
  if (digest === trustedDigest) {
    if (checked.ok) {
      return ok({ config: checked.value, source: 'project', projectDigest: digest, notice: null });
    }
    const message = `The settings of this project have mistakes: ${mistakes.join('; ')}.`;
    return err({
      code: 'config_invalid',
      message,
      hint: `Correct ${FILE}, then accept it with \`ccdash trust\`.`,
    });
  }
  const same = checked.ok && isDeepStrictEqual(checked.value, DEFAULT_PROJECT_CONFIG);
  if (same && trustedDigest === null) return defaults(digest, null);
  const state =
    trustedDigest === null ? 'have not been trusted yet' : 'have changed since they were trusted';
  const todo = checked.ok
    ? 'Look at them and accept them with `ccdash trust`.'
    : `They have mistakes: ${mistakes.join('; ')}. Correct them, then accept them with \`ccdash trust\`.`;
  return defaults(digest, `The settings in ${FILE} ${state}. ${DEFAULTS_INSTEAD} ${todo}`);
}

/**
 * What `.ccdash/config.yaml` holds now, checked but not in force; null when there is none.
 * Errors: Failure `not_a_folder`, `not_a_file`, `too_large`, `not_text`, `unreadable`.
 */
export function readProjectConfig(projectDir: string): Result<ConfigFile | null, Failure> {
  const read = readProjectText(projectDir, FILE, MAX_BYTES);
  if (!read.ok || read.value === null) return read.ok ? ok(null) : read;
  const text = read.value;
  const digest = `sha256:${createHash('sha256').update(text).digest('hex')}`;
  return ok({ digest, file: FILE, text, checked: parseProjectConfig(text, FILE) });
}

const DEFAULTS_INSTEAD = 'The defaults are in force instead.';

function defaults(
  projectDigest: string | null,
  notice: string | null,
): Result<ConfigInForce, never> {
  return ok({ config: DEFAULT_PROJECT_CONFIG, source: 'default', projectDigest, notice });
}
