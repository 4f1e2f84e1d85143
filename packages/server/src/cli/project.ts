/** Which project a verb is about, and where its state is. */
import { realpathSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, isAbsolute, join, resolve, sep } from 'node:path';
import { err, ok } from '@ccdash/api/client';
import type { Result } from '@ccdash/api/client';
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
