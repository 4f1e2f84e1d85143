/** git's own three-way merge, by content alone: no driver, configured by whomever, and no attribute of the files counts. */
import { join } from 'node:path';
import { ok } from '@ccdash/core';
import type { Failure, Result } from '@ccdash/core';
import type { BytePath } from './byte-path.ts';
import { BYTE_EXACT } from './git.ts';
import type { Git } from './git.ts';
import type { RunFolder } from './run-folder.ts';

export interface Merged {
  readonly tree: string;
  /** Paths that both sides have changed, each in its own way. */
  readonly conflicts: readonly BytePath[];
}

/** The merge of two commits, in memory. `objects`: where those are that the run's own repository does not have. */
export async function mergeCommits(
  git: Git,
  folder: RunFolder,
  objects: string,
  onto: string,
  other: string,
): Promise<Result<Merged, Failure>> {
  // In a git folder with no attributes: those of the checkpoint repository let no two changes of a file go together.
  const merged = await git.run(
    [
      ...[`--git-dir=${join(folder.pristine, '.git')}`, '-c', 'core.bare=true', 'merge-tree'],
      ...['--write-tree', '-z', '--name-only', '--no-messages', onto, other],
    ],
    {
      accept: [1],
      config: BYTE_EXACT,
      env: {
        GIT_OBJECT_DIRECTORY: join(folder.repository, 'objects'),
        GIT_ALTERNATE_OBJECT_DIRECTORIES: objects,
      },
    },
  );
  if (!merged.ok) return merged;
  const [tree = '', ...names] = merged.value.stdout.toString('latin1').split('\0');
  const conflicts = merged.value.code === 0 ? [] : names.filter((name) => name !== '');
  return ok({ tree, conflicts: [...new Set(conflicts)].sort() });
}
