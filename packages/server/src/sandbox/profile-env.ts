import { err, ok } from '@ccdash/core';
import type { Failure, Result } from '@ccdash/core';

type Env = Readonly<Record<string, string | undefined>>;

/** Environment profiles: what each lets through of the server's own environment, and what it sets. */
const PROFILES: Readonly<Record<string, (hostEnv: Env) => Readonly<Record<string, string>>>> = {
  minimal: (hostEnv) => ({
    PATH: hostEnv['PATH'] ?? '/usr/local/bin:/usr/bin:/bin',
    LANG: hostEnv['LANG'] ?? 'C.UTF-8',
    TERM: 'dumb',
    USER: hostEnv['USER'] ?? 'user',
  }),
};

/**
 * The variables that a step's environment profile gives it. HOME and TMPDIR are not among them: the sandbox makes
 * private ones for each attempt.
 * Errors: Failure `unknown_profile`.
 */
export function profileEnv(
  profile: string,
  hostEnv: Env,
): Result<Readonly<Record<string, string>>, Failure> {
  if (!Object.hasOwn(PROFILES, profile)) {
    return err({
      code: 'unknown_profile',
      message: `there is no environment profile ${JSON.stringify(profile)}`,
      hint: `set env.profile to one of: ${Object.keys(PROFILES).join(', ')}`,
    });
  }
  return ok(PROFILES[profile]?.(hostEnv) ?? {});
}
