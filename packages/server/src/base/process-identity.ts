/** Which process a pid means: pids are used again, and after a reboot all of them are. */
import { readFileSync, readdirSync } from 'node:fs';

export interface ProcessIdentity {
  readonly pid: number;
  /** Start time in clock ticks since boot, as text; '' where the system does not tell. */
  readonly startedTicks: string;
  /** '' where the system does not tell. */
  readonly bootId: string;
}

/** What to kill so that nothing of an attempt is left: a PID namespace by its first process, or a process group. */
export interface ProcessRoot {
  readonly kind: 'namespace' | 'group';
  readonly process: ProcessIdentity;
}

/** The process that has `pid` now; null when none has, or only its remains (a zombie). */
export function identityOf(pid: number): ProcessIdentity | null {
  if (process.platform !== 'linux') {
    return canBeSignaled(pid) ? { pid, startedTicks: '', bootId: '' } : null;
  }
  const stat = readProcFile(`/proc/${pid}/stat`);
  if (stat === null) return null;
  // The name, in parentheses, may hold anything, so fields are counted from the last parenthesis on.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [state] = fields;
  const startedTicks = fields[19];
  if (state === 'Z' || state === 'X' || startedTicks === undefined) return null;
  return { pid, startedTicks, bootId: bootId() };
}

/** Whether the process still runs, and not another one with its pid. */
export function isAlive(identity: ProcessIdentity): boolean {
  const now = identityOf(identity.pid);
  return (
    now !== null && now.startedTicks === identity.startedTicks && now.bootId === identity.bootId
  );
}

/** Whether anything of the root lives. Of a group whose leader is gone, any member counts. */
export function isRootAlive(root: ProcessRoot): boolean {
  if (root.kind === 'namespace') return isAlive(root.process);
  if (root.process.bootId !== bootId()) return false;
  const leader = identityOf(root.process.pid);
  if (leader !== null) return leader.startedTicks === root.process.startedTicks;
  return canBeSignaled(-root.process.pid) && hasLivingMember(root.process.pid);
}

/** Kills all of it. To be called again until `isRootAlive` says no: what forks meanwhile joins the group. */
export function killRoot(root: ProcessRoot): void {
  if (!isRootAlive(root)) return;
  signal(root.kind === 'group' ? -root.process.pid : root.process.pid, 'SIGKILL');
}

/** Sends a signal; a process that has just ended is no error. */
export function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if (!isErrno(error, 'ESRCH')) throw error;
  }
}

/** Whether a value thrown by the system carries this error code. */
export function isErrno(
  error: unknown,
  ...codes: readonly string[]
): error is NodeJS.ErrnoException {
  return error instanceof Error && 'code' in error && codes.includes(String(error.code));
}

let knownBootId: string | null = null;

function bootId(): string {
  if (process.platform !== 'linux') return '';
  knownBootId ??= readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  return knownBootId;
}

/** Zombies can be signaled, and wait for a parent that may take its time. */
function hasLivingMember(group: number): boolean {
  if (process.platform !== 'linux') return true;
  return readdirSync('/proc').some((name) => {
    if (!/^\d+$/.test(name)) return false;
    const stat = readProcFile(`/proc/${name}/stat`);
    const [state, , inGroup] = stat?.slice(stat.lastIndexOf(')') + 2).split(' ') ?? [];
    return inGroup === `${group}` && state !== 'Z' && state !== 'X';
  });
}

function canBeSignaled(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    if (isErrno(error, 'EPERM')) return true;
    if (isErrno(error, 'ESRCH')) return false;
    throw error;
  }
}

function readProcFile(path: string): string | null {
  try {
    return readFileSync(path, 'latin1');
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ESRCH')) return null;
    throw error;
  }
}
