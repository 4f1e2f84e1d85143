import { spawn } from 'node:child_process';
import { once } from 'node:events';

import { expect, test } from 'vitest';
import { identityOf, isAlive, isRootAlive, killRoot } from './process-identity.ts';

test('[AH19] a process is itself only with its start time and its boot', () => {
  const self = identityOf(process.pid)!;
  expect(isAlive(self)).toBe(true);
  expect(isAlive({ ...self, startedTicks: '1' })).toBe(false);
  expect(isAlive({ ...self, bootId: 'another' })).toBe(false);
  expect(identityOf(2 ** 22 + 1)).toBeNull();
});

test('[AH9] a group lives as long as one of it does, and is killed as a whole', async () => {
  const script = 'sleep 71600 & echo $!; exec sleep 71600';
  const leader = spawn('sh', ['-c', script], {
    detached: true,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  await once(leader.stdout, 'data');
  const root = { kind: 'group', process: identityOf(leader.pid!)! } as const;
  leader.kill('SIGKILL');
  await once(leader, 'exit');
  expect(isAlive(root.process)).toBe(false);
  expect(isRootAlive(root)).toBe(true);
  killRoot(root);
  await expect.poll(() => isRootAlive(root)).toBe(false);
});
