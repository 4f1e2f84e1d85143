/** The launcher stands between a terminal and the program: codes and signals must pass unchanged. */

import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, test } from 'vitest';

import { repository } from './setup.mjs';

const runtime = pathToFileURL(join(repository, 'packages/server/bin/runtime.mjs')).href;

interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly output: string;
}

/** Runs `program` below the launcher; signals the launcher once the program says it is ready. */
function launch(program: string, signal?: NodeJS.Signals): Promise<Ended> {
  const args = JSON.stringify(['-e', program]);
  const launcher = `import { runInstead } from '${runtime}'; await runInstead(process.execPath, ${args});`;
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ['--input-type=module', '-e', launcher], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      if (output === '' && signal) child.kill(signal);
      output += text;
    });
    child.on('error', reject);
    child.on('close', (code, endedBy) => resolve({ code, signal: endedBy, output }));
  });
}

const WAIT = `setInterval(() => {}, 1000); process.stdout.write('ready ');`;

describe('runInstead', () => {
  test('passes the exit code on', async () => {
    expect(await launch('process.exit(7)')).toMatchObject({ code: 7, signal: null });
  });

  test('ends by the signal that ended the program', async () => {
    expect(await launch(`process.kill(process.pid, 'SIGKILL')`)).toMatchObject({
      signal: 'SIGKILL',
    });
  });

  test.each(['SIGINT', 'SIGTERM'] as const)('hands %s to the program, once', async (signal) => {
    const program = `process.on('${signal}', () => { process.stdout.write('heard'); process.exit(3); }); ${WAIT}`;
    expect(await launch(program, signal)).toEqual({
      code: 3,
      signal: null,
      output: 'ready heard',
    });
  });

  test('a program that does not listen dies of SIGTERM, and so does the launcher', async () => {
    expect(await launch(WAIT, 'SIGTERM')).toMatchObject({ signal: 'SIGTERM' });
  });
});

test.each([
  ['20.19.0', false],
  ['22.17.1', false],
  ['22.18.0', true],
  ['24.0.0', true],
])('Node %s is recent enough: %s', async (version, expected) => {
  const { isRecentNode } = (await import(runtime)) as { isRecentNode: (v: string) => boolean };
  expect(isRecentNode(version)).toBe(expected);
});
