/** Mends what programs can mend: lint first, since its fixes may need formatting. */

import { spawnSync } from 'node:child_process';

import { repository } from './setup.mjs';
import { toolPath } from './tools.mjs';

const COMMANDS = [
  ['eslint', '--fix', '.'],
  ['prettier', '--write', '--log-level=warn', '.'],
] as const;

for (const [tool, ...args] of COMMANDS) {
  const command = [toolPath(tool), ...args];
  const { status } = spawnSync(process.execPath, command, { cwd: repository, stdio: 'inherit' });
  // Formatting still helps when lint found something only a person can mend.
  if (status !== 0) process.exitCode = 1;
}
