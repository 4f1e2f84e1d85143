/**
 * The repository's own settings, where a step asks for them. They are hostile like all that comes with it: hooks and
 * servers never run (see claude-options), and what would run a program, or change the environment that the gate and
 * the gateway rely on, is refused before anything starts.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Failure } from '@ccdash/core';

const FILE = '.claude/settings.json';

/** What may be there. `hooks` has no effect. */
const HARMLESS = new Set([
  ...['$schema', 'permissions', 'hooks', 'model', 'outputStyle', 'language', 'attribution'],
  ...['includeCoAuthoredBy', 'cleanupPeriodDays', 'respectGitignore'],
]);
const HARMLESS_PERMISSIONS = new Set(['allow', 'ask', 'deny']);

/** Why the settings of the repository cannot be taken; null when they can, or there are none. */
export function projectSettingsFailure(workspace: string): Failure | null {
  let settings: unknown;
  try {
    settings = JSON.parse(readFileSync(join(workspace, FILE), 'utf8'));
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
    return refusal(`cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
  if (typeof settings !== 'object' || settings === null) return refusal('is no object');
  const { permissions } = settings as { readonly permissions?: unknown };
  const unfit = [
    ...Object.keys(settings).filter((key) => !HARMLESS.has(key)),
    ...Object.keys(permissions ?? {})
      .filter((key) => !HARMLESS_PERMISSIONS.has(key))
      .map((key) => `permissions.${key}`),
  ];
  return unfit.length === 0
    ? null
    : refusal(`sets ${unfit.join(', ')}, which no step takes from a repository`);
}

function refusal(problem: string): Failure {
  return {
    code: 'invalid_options',
    message: `${FILE} ${problem}`,
    hint: `correct ${FILE} in the repository, or leave ext.claude.settings out of the step`,
  };
}
