/**
 * For machines without bubblewrap: a process group that dies with its host as far as that can be had. It hides nothing
 * and closes no network, and a program that leaves its group escapes. Policy knows such steps as not sandboxed.
 */
import { spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { createServer, connect } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { join } from 'node:path';

import { ok } from '@ccdash/core';
import type { Result } from '@ccdash/core';
import type { Enclosure, EnclosureRequest } from '../base/enclosure.ts';
import { identityOf } from '../base/process-identity.ts';
import type { ProcessRoot } from '../base/process-identity.ts';
import { createEnclosedProcess } from './enclosed-process.ts';
import { findProgram } from './find-program.ts';
import { gated } from './gate-script.ts';

export async function encloseInGroup(
  request: EnclosureRequest,
  path: string,
): Promise<Result<Enclosure, never>> {
  // Where it exists the first process dies with this one, whatever happens to this one.
  const setpriv = findProgram('setpriv', path);
  const watched = setpriv === null ? [] : [setpriv, '--pdeathsig', 'KILL', '--'];
  const home = join(request.runtimeDir, 'home');
  const temporary = join(request.runtimeDir, 'tmp');
  mkdirSync(home);
  mkdirSync(temporary);
  const gateway =
    request.gatewaySocket === null ? null : await listenOnLoopback(request.gatewaySocket);
  return ok({
    env: { HOME: home, TMPDIR: temporary },
    gatewayUrl: gateway?.url ?? null,
    spawn: (program, { cwd, env, stdio }) => {
      const [first, ...rest] = [...watched, ...gated(program)];
      const child = spawn(first ?? '/bin/sh', rest, {
        cwd,
        env,
        detached: true,
        stdio: [...stdio, 'pipe', 'pipe'],
      });
      return createEnclosedProcess(child, Promise.resolve(groupOf(child.pid)));
    },
    close: async () => {
      await gateway?.close();
    },
  });
}

function groupOf(pid: number | undefined): ProcessRoot | null {
  const process = pid === undefined ? null : identityOf(pid);
  return process === null ? null : { kind: 'group', process };
}

/** Joins a port of the machine's loopback to a Unix socket. */
async function listenOnLoopback(
  socketPath: string,
): Promise<{ readonly url: string; close(): Promise<void> }> {
  const open = new Set<Socket>();
  const server = createServer((incoming) => {
    const outgoing = connect(socketPath);
    for (const socket of [incoming, outgoing]) {
      open.add(socket);
      // One side's failure is the other side's end.
      socket.on('error', () => socket.destroy());
      socket.on('close', () => {
        open.delete(socket);
        incoming.destroy();
        outgoing.destroy();
      });
    }
    incoming.pipe(outgoing).pipe(incoming);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    close: () =>
      new Promise((resolve) => {
        for (const socket of open) socket.destroy();
        server.close(() => resolve());
      }),
  };
}
