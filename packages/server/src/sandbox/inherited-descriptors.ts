/**
 * Closes what the process that started this one has left open by accident. A descriptor of a folder leads out of any
 * sandbox, and programs started from here would inherit it in turn.
 *
 * Node marks what it opens itself, so that no child inherits it; what lacks the mark has come from outside. Only Linux
 * tells which that is.
 */
import { closeSync, readFileSync, readdirSync } from 'node:fs';

const DESCRIPTORS = '/proc/self/fd';
/** O_CLOEXEC of Linux, as in the octal `flags` of /proc/self/fdinfo. */
const CLOSED_ON_EXEC = 0o2000000;

/** Gives how many there were. Call before anything is started. */
export function closeInheritedDescriptors(): number {
  if (process.platform !== 'linux') return 0;
  const inherited = readdirSync(DESCRIPTORS)
    .map(Number)
    .filter((descriptor) => descriptor > 2 && isInherited(descriptor));
  for (const descriptor of inherited) closeSync(descriptor);
  return inherited.length;
}

function isInherited(descriptor: number): boolean {
  let told: string;
  try {
    told = readFileSync(`/proc/self/fdinfo/${String(descriptor)}`, 'utf8');
  } catch (error) {
    // The one that the listing itself was read by is gone.
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return false;
    throw error;
  }
  const flags = parseInt(/^flags:\s*([0-7]+)$/m.exec(told)?.[1] ?? '', 8);
  return Number.isInteger(flags) && (flags & CLOSED_ON_EXEC) === 0;
}
