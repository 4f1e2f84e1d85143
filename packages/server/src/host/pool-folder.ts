import { join } from 'node:path';

/** Path of the lease of the host process that runs commands. */
export function poolLease(stateDir: string): string {
  return join(stateDir, 'pool', 'lease.json');
}

/** Path of what that process itself has to say. */
export function poolLog(stateDir: string): string {
  return join(stateDir, 'pool', 'host.log');
}
