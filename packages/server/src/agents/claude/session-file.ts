import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** Whether the program has kept `session` below `stateDir`, its own folder, so that it can be gone on with. */
export function hasSessionFile(session: string, stateDir: string): boolean {
  const projects = join(stateDir, 'projects');
  if (!/^[\w-]+$/.test(session) || !existsSync(projects)) return false;
  // The folder below is named for the working directory, in a spelling that is the program's own affair.
  return readdirSync(projects).some((folder) =>
    existsSync(join(projects, folder, `${session}.jsonl`)),
  );
}

const LONGEST_WAIT_MS = 10_000;
const LOOK_EVERY_MS = 5;

/**
 * Settles when the program has kept `session`, which it does a moment after it has begun; also when `isOver`, or when
 * that has taken so long that the program seems to keep none.
 */
export async function sessionKept(
  session: string,
  stateDir: string,
  isOver: () => boolean,
): Promise<void> {
  const deadline = performance.now() + LONGEST_WAIT_MS;
  while (!hasSessionFile(session, stateDir) && !isOver() && performance.now() < deadline) {
    await sleep(LOOK_EVERY_MS);
  }
}
