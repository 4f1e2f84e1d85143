import { lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

export interface HiddenPaths {
  readonly files: readonly string[];
  readonly folders: readonly string[];
}

/** Keys that some systems leave readable for everybody. */
const ALWAYS_HIDDEN = new Set(['/etc/ssh', '/etc/ssl/private', '/etc/krb5.keytab']);
const READ_FOR_OTHERS = 0o004;
const READ_AND_ENTER_FOR_OTHERS = 0o005;

/**
 * What must be covered below a system folder before a program of the same user may see it: everything that not every
 * user of the machine may read. Links are not followed.
 */
export function privatePathsIn(folder: string): HiddenPaths {
  const files: string[] = [];
  const folders: string[] = [];
  const visit = (current: string): void => {
    for (const entry of readdirSync(current, { withFileTypes: true })) {
      if (entry.isSymbolicLink()) continue;
      const path = join(current, entry.name);
      const mode = lstatSync(path, { throwIfNoEntry: false })?.mode;
      if (mode === undefined) continue;
      if (entry.isDirectory()) {
        const open = (mode & READ_AND_ENTER_FOR_OTHERS) === READ_AND_ENTER_FOR_OTHERS;
        if (open && !ALWAYS_HIDDEN.has(path)) visit(path);
        else folders.push(path);
      } else if ((mode & READ_FOR_OTHERS) === 0 || ALWAYS_HIDDEN.has(path)) {
        files.push(path);
      }
    }
  };
  visit(folder);
  return { files, folders };
}
