import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { expect, onTestFinished, test } from 'vitest';
import { identityOf, isRootAlive } from '../base/process-identity.ts';
import { attemptFolder, makeAttemptFolder } from './attempt-folder.ts';
import { PROTOCOL, writeLease } from './lease.ts';
import { endRemains } from './remains.ts';

test('[AH18] what a dead host has left is dead, and its sockets are gone, when that is told', async () => {
  const stateDir = mkdtempSync(join(tmpdir(), 'ccdash-remains-'));
  onTestFinished(() => rmSync(stateDir, { recursive: true }));
  const folder = attemptFolder(stateDir, { runId: 'run_1', step: 'step', attempt: 1 });
  makeAttemptFolder(folder);
  await endRemains(folder);

  const left = spawn('sh', ['-c', 'trap "" TERM; sleep 71700 & echo up; wait'], {
    detached: true,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  await once(left.stdout, 'data');
  const root = { kind: 'group', process: identityOf(left.pid!)! } as const;
  const sockets = join(stateDir, 'sockets');
  mkdirSync(sockets);
  writeFileSync(join(sockets, 'host'), '');
  const host = { ...identityOf(process.pid)!, startedTicks: '1' };
  const lease = { protocol: PROTOCOL, host, socket: join(sockets, 'host'), token: '' };
  writeLease(folder.lease, { ...lease, roots: [root] });
  await endRemains(folder);
  expect(isRootAlive(root)).toBe(false);
  expect(existsSync(sockets)).toBe(false);
});
