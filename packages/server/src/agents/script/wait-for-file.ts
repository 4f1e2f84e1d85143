import { existsSync, watch } from 'node:fs';
import { dirname } from 'node:path';

/** Resolves once there is a file at `path`, whose folder exists. Rejects when `signal` aborts or the folder is gone. */
export function waitForFile(path: string, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const watcher = watch(dirname(path), { signal }, look);
    const aborted = (): void => reject(new Error(`no longer waiting for ${path}`));
    watcher.on('error', reject);
    signal.addEventListener('abort', aborted, { once: true });
    if (signal.aborted) aborted();
    // After the watch began, or a file made in between would be missed.
    look();

    function look(): void {
      if (!existsSync(path)) return;
      signal.removeEventListener('abort', aborted);
      watcher.close();
      resolve();
    }
  });
}
