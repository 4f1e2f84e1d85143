import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';

import { assertInvariant } from '@ccdash/core';
import type { HostErrand } from './host-process.ts';

export interface HostCommand {
  /** Program and arguments of the host process. */
  readonly command: readonly [string, ...string[]];
  /** Its whole environment: what programs inside must not see has no place in it. */
  readonly env: Readonly<Record<string, string>>;
}

/**
 * Starts a host process that lives on when this one dies. Resolves once engines can connect to it.
 * Rejects with what it said when it cannot start.
 */
export async function startHost(
  host: HostCommand,
  errand: HostErrand,
  logPath: string,
): Promise<void> {
  mkdirSync(dirname(logPath), { recursive: true, mode: 0o700 });
  const log = openSync(logPath, 'a', 0o600);
  const [program, ...args] = host.command;
  const child = spawn(program, args, {
    cwd: '/',
    env: { ...host.env },
    detached: true,
    stdio: ['pipe', 'pipe', log],
  });
  closeSync(log);
  child.unref();
  const { stdin, stdout } = child;
  assertInvariant(stdin !== null && stdout !== null, 'a spawned host has its pipes');
  try {
    await new Promise<void>((resolve, reject) => {
      child.once('error', reject);
      child.once('exit', (code, signal) => {
        reject(new Error(`it ended with ${code ?? signal ?? '?'}: ${lastWords(logPath)}`));
      });
      stdout.once('data', () => {
        child.removeAllListeners('exit');
        resolve();
      });
      // A host that is gone before it has read its errand has an exit code, which says more.
      stdin.on('error', () => undefined);
      stdin.end(`${JSON.stringify(errand)}\n`);
    });
  } finally {
    stdin.destroy();
    stdout.destroy();
  }
}

/** The end of a log, without the stack of an error. */
function lastWords(logPath: string): string {
  const lines = readFileSync(logPath, 'utf8').split('\n');
  return lines
    .filter((line) => line.trim() !== '' && !/^\s+at /.test(line))
    .slice(-3)
    .join(' ');
}
