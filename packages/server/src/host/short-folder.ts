import { statSync } from 'node:fs';
import { tmpdir } from 'node:os';

/** Leaves room for a random name and a socket's within the 107 bytes of a Unix socket's path. */
const LONGEST = 60;

/** A folder for short-lived sockets whose path is short enough. */
export function shortTemporaryFolder(): string {
  const candidates = [process.env['XDG_RUNTIME_DIR'], tmpdir(), '/tmp'];
  const fitting = candidates.find(
    (folder) =>
      folder !== undefined &&
      folder !== '' &&
      Buffer.byteLength(folder) <= LONGEST &&
      statSync(folder, { throwIfNoEntry: false })?.isDirectory() === true,
  );
  return fitting ?? '/tmp';
}
