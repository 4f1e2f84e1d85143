/** What a server in the background says. Nobody may read it for months, so it is bounded: two files of this size. */
import { copyFileSync, lstatSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { isErrno } from '../base/process-identity.ts';

const MOST_BYTES = 1024 * 1024;

export function serverLogPath(stateDir: string): string {
  return join(stateDir, 'server.log');
}

/** Sets what is there aside as `<path>.1` once it is large. Whoever has it open for appending goes on at its start. */
export function boundServerLog(path: string): void {
  try {
    const stats = lstatSync(path, { throwIfNoEntry: false });
    if (stats?.isFile() !== true || stats.size <= MOST_BYTES) return;
    copyFileSync(path, `${path}.1`);
    truncateSync(path);
  } catch (error) {
    // A log that cannot be set aside is no reason to serve nobody: it only grows.
    if (!isErrno(error, 'ENOSPC', 'EACCES', 'EIO', 'EROFS')) throw error;
  }
}
