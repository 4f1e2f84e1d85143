/** Which project a verb is about, and where its state is. */
import { accessSync, constants, mkdirSync, realpathSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, isAbsolute, join, resolve, sep } from 'node:path';
import { err, ok } from '@ccdash/api/client';
import type { Result } from '@ccdash/api/client';
import { isErrno } from '../base/process-identity.ts';
import { projectStateDir } from '../base/project-state.ts';
import type { Context } from './context.ts';
import { cliRefusal } from './refusals.ts';
import type { CliRefusal } from './refusals.ts';

export interface Project {
  /** Top folder of the git repository, a real path. */
  readonly dir: string;
  readonly stateHome: string;
  readonly stateDir: string;
}

/** Errors: NoProject; StateUnusable when the state would lie in the repository or nowhere for sure. */
export function findProject(context: Context): Result<Project, CliRefusal> {
  const from = resolve(context.cwd, context.projectOption ?? '.');
  const isFolder = statSync(from, { throwIfNoEntry: false })?.isDirectory() === true;
  if (!isFolder) {
    const hint = 'Name a folder within a git repository: --project DIR';
    return err(cliRefusal('NoProject', `There is no folder ${from}.`, hint));
  }
  const dir = repositoryAround(from);
  if (dir === null) {
    const hint = 'Go to a git repository, make one with `git init`, or name one: --project DIR';
    return err(cliRefusal('NoProject', `${from} is in no git repository.`, hint));
  }
  const stateHome = stateHomeOf(context.env);
  if (!isAbsolute(stateHome)) {
    const hint = 'Give an absolute path, such as ~/.local/state/ccdash.';
    return err(cliRefusal('StateUnusable', `CCDASH_HOME is ${stateHome}, a relative path.`, hint));
  }
  const stateDir = projectStateDir(stateHome, dir);
  if (`${stateDir}${sep}`.startsWith(`${dir}${sep}`)) {
    const hint = 'Set CCDASH_HOME to a folder outside of the repository.';
    return err(cliRefusal('StateUnusable', `${stateDir} lies inside the project.`, hint));
  }
  return ok({ dir, stateHome, stateDir });
}

/**
 * Makes the state folder where it is missing. Errors: StateUnusable.
 * Folder by folder: where the system has no such folders (`/proc`), Node's own way of making parents never ends.
 */
export function makeStateDir(stateDir: string): Result<void, CliRefusal> {
  const missing: string[] = [];
  try {
    for (let dir = stateDir; ; dir = dirname(dir)) {
      if (statSync(dir, { throwIfNoEntry: false }) !== undefined) break;
      missing.unshift(dir);
    }
    for (const dir of missing) makeFolder(dir);
    accessSync(stateDir, constants.R_OK | constants.W_OK | constants.X_OK);
    return ok(undefined);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error)) throw error;
    const detail = `The state folder ${stateDir} cannot be used (${String(error.code)}).`;
    const hint = 'Make it writable for you, or set CCDASH_HOME to another folder.';
    return err(cliRefusal('StateUnusable', detail, hint));
  }
}

/** Somebody else may make it at the same time. */
function makeFolder(dir: string): void {
  try {
    mkdirSync(dir, { mode: 0o700 });
  } catch (error) {
    if (!isErrno(error, 'EEXIST')) throw error;
  }
}

function stateHomeOf(env: NodeJS.ProcessEnv): string {
  const { CCDASH_HOME: own = '', XDG_STATE_HOME: shared = '' } = env;
  if (own !== '') return own;
  // The XDG specification has relative paths ignored.
  return join(isAbsolute(shared) ? shared : join(homedir(), '.local/state'), 'ccdash');
}

function repositoryAround(from: string): string | null {
  for (let dir = realpathSync(from); ; dir = dirname(dir)) {
    if (statSync(join(dir, '.git'), { throwIfNoEntry: false }) !== undefined) return dir;
    if (dir === dirname(dir)) return null;
  }
}
