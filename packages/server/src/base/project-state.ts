/** Where a project's state is kept: one folder a project below the state home. */
import { createHash } from 'node:crypto';
import { basename, join } from 'node:path';

/**
 * `<stateHome>/<name of the project's folder>-<digest of its path>`. `projectDir` is a real path, so that one project
 * has one folder however it is reached.
 */
export function projectStateDir(stateHome: string, projectDir: string): string {
  const name = basename(projectDir).replace(/[^A-Za-z0-9._-]/g, '_');
  const digest = createHash('sha256').update(projectDir).digest('hex').slice(0, 12);
  return join(stateHome, `${name === '' ? 'root' : name.slice(0, 40)}-${digest}`);
}
