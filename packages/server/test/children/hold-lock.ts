/** Takes the lock of DIR, says `HELD` or what refused, and keeps it until it is killed or its stdin ends. */
import { acquireStateLock } from '../../src/store/lock.ts';

const lock = acquireStateLock(process.argv[2] ?? '');
process.stdout.write(lock.ok ? 'HELD\n' : `${JSON.stringify(lock.error)}\n`);
if (lock.ok) {
  process.stdin.on('end', () => lock.value.release());
  process.stdin.resume();
}
