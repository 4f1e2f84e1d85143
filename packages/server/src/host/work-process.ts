import type { EnclosedProcess } from '../base/enclosure.ts';
import type { WorkContext } from './attempt-work.ts';

/** Lets an enclosed program begin once what to kill is on record. */
export async function startProcess(
  process: EnclosedProcess,
  context: Pick<WorkContext, 'addRoot'>,
): Promise<void> {
  const root = await process.root;
  if (root === null) return;
  context.addRoot(root);
  process.go();
}

/** Asks it to end, and after the grace period makes it. */
export function stopProcess(process: EnclosedProcess, graceMs: number): void {
  process.signal('SIGTERM');
  const timer = setTimeout(() => process.signal('SIGKILL'), graceMs);
  void process.ended.then(() => clearTimeout(timer));
}
