/** What runs on this machine, as /proc has it; nothing is found where there is no /proc. */
import { existsSync, readFileSync, readdirSync } from 'node:fs';

export function isRunning(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return !/^[ZX]/.test(stat.slice(stat.lastIndexOf(')') + 2));
  } catch {
    return false;
  }
}

/** Processes whose command line holds `mark`, by pid; this one is not among them. */
export function processesWith(mark: string): readonly number[] {
  if (!existsSync('/proc')) return [];
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((name) => {
      try {
        return (
          readFileSync(`/proc/${name}/cmdline`, 'latin1').includes(mark) && isRunning(Number(name))
        );
      } catch {
        return false;
      }
    })
    .map(Number);
}
