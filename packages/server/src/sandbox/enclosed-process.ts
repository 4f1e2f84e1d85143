import type { ChildProcess } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';

import { assertInvariant } from '@ccdash/core';
import type { EnclosedProcess, ProcessEnd } from '../base/enclosure.ts';
import { isRootAlive, killRoot, signal } from '../base/process-identity.ts';
import type { ProcessRoot } from '../base/process-identity.ts';
import { GO_FD, STAGE_FD } from './gate-script.ts';

/** Between two looks at processes that have been killed: the kernel tells nobody but their parent. */
const DEATH_POLL_MS = 2;

/**
 * Follows a child whose first program is the gate script.
 * `root` resolves to what must be dead before the end is told; null when the sandbox could not be set up.
 */
export function createEnclosedProcess(
  child: ChildProcess,
  root: Promise<ProcessRoot | null>,
): EnclosedProcess {
  let stage: ProcessEnd['stage'] = 'not-set-up';
  const stagePipe = pipeOf(child, STAGE_FD) as Readable;
  stagePipe.on('data', (data: Buffer) => {
    stage = data.toString('latin1').startsWith('missing') ? 'missing' : 'ran';
  });
  const goPipe = pipeOf(child, GO_FD) as Writable;
  // The program may be gone before it is let go: its end tells.
  goPipe.on('error', () => undefined);

  const ended = new Promise<ProcessEnd>((resolve) => {
    child.on('error', () => {
      // The launcher itself could not be started; there is no `close` when there never was a process.
      if (child.pid === undefined) resolve({ exitCode: null, signal: null, stage: 'not-set-up' });
    });
    child.on('exit', (exitCode, signalName) => {
      goPipe.destroy();
      void (async () => {
        await drained(stagePipe);
        await untilDead(await root);
        resolve({ exitCode, signal: signalName, stage });
      })();
    });
  });

  return {
    child,
    root,
    ended,
    go: () => {
      goPipe.end('go\n');
    },
    signal: (name) => {
      void root.then((known) => {
        if (known === null || !isRootAlive(known)) killLauncher(child);
        else if (name === 'SIGKILL') killRoot(known);
        // The first process of a namespace leads the program's group, and takes no SIGTERM itself.
        else signal(-known.process.pid, 'SIGTERM');
      });
    },
  };
}

function killLauncher({ pid, exitCode, signalCode }: ChildProcess): void {
  if (pid !== undefined && exitCode === null && signalCode === null) signal(pid, 'SIGKILL');
}

/** A pipe that the child was spawned with, also beyond the five that the type of `stdio` knows. */
export function pipeOf(child: ChildProcess, fd: number): Readable | Writable {
  const pipe = (child.stdio as readonly (Readable | Writable | null | undefined)[])[fd];
  assertInvariant(pipe !== null && pipe !== undefined, `the child has no pipe ${fd}`);
  return pipe;
}

async function untilDead(root: ProcessRoot | null): Promise<void> {
  while (root !== null && isRootAlive(root)) {
    killRoot(root);
    await sleep(DEATH_POLL_MS);
  }
}

function drained(stream: Readable): Promise<void> {
  if (stream.readableEnded || stream.destroyed) return Promise.resolve();
  return new Promise((resolve) => stream.once('close', () => resolve()));
}
