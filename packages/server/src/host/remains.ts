import { rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { isAlive, isRootAlive, killRoot } from '../base/process-identity.ts';
import type { AttemptFolder } from './attempt-folder.ts';
import { readLease } from './lease.ts';

/** Between two looks at processes that have been killed: the kernel tells nobody but their parent. */
const DEATH_POLL_MS = 2;

/** Ends what a dead host may have left: resolves when nothing of the attempt lives and its sockets are removed. */
export async function endRemains(folder: AttemptFolder): Promise<void> {
  const lease = readLease(folder.lease);
  if (lease === null) return;
  for (const root of lease.roots) {
    while (isRootAlive(root)) {
      killRoot(root);
      await sleep(DEATH_POLL_MS);
    }
  }
  rmSync(folder.out, { recursive: true, force: true });
  if (!isAlive(lease.host)) rmSync(dirname(lease.socket), { recursive: true, force: true });
}
