import { spawn } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { text } from 'node:stream/consumers';

import { assertInvariant, ok } from '@ccdash/core';
import type { Failure, Result } from '@ccdash/core';
import type {
  EnclosedProcess,
  Enclosure,
  EnclosureRequest,
  SpawnOptions,
} from '../base/enclosure.ts';
import { identityOf } from '../base/process-identity.ts';
import type { ProcessRoot } from '../base/process-identity.ts';
import { INSIDE_DIR, INSIDE_HOME, attemptArgs } from './bubblewrap-args.ts';
import type { MachineView } from './bubblewrap-args.ts';
import { createEgressProxy } from './egress-proxy.ts';
import type { Reach } from './egress-proxy.ts';
import { createEnclosedProcess, pipeOf } from './enclosed-process.ts';
import { gated } from './gate-script.ts';

/** Ports on the loopback of the sandbox, where nothing else listens when the work starts. */
const PROXY_PORT = 8118;
const GATEWAY_PORT = 8119;
const ARGS_FD = 5;
const INFO_FD = 6;

const NAMESPACE_ARGS = [
  '--unshare-all',
  '--die-with-parent',
  '--new-session',
  '--cap-drop',
  'ALL',
  '--clearenv',
];

export interface BubblewrapOptions extends MachineView {
  readonly insideProgram: string;
  readonly reach: Reach;
}

/** `launcher` is the path of bubblewrap; `system` the mounts that every sandbox has. */
export async function encloseInBubblewrap(
  request: EnclosureRequest,
  launcher: string,
  system: readonly string[],
  options: BubblewrapOptions,
): Promise<Result<Enclosure, Failure>> {
  const { spec, workspace, writePaths, runtimeDir, gatewaySocket } = request;
  const mounts = attemptArgs(spec, workspace, writePaths, options.hiddenPaths);
  if (!mounts.ok) return mounts;

  const forwards: { readonly port: number; readonly socket: string }[] = [];
  const sockets: string[] = [];
  const env: Record<string, string> = { HOME: INSIDE_HOME, TMPDIR: '/tmp' };
  let proxy: { close(): Promise<void> } | null = null;
  const hosts = spec.network === 'none' ? [] : spec.network.hosts;
  if (hosts.length > 0) {
    const socket = `${runtimeDir}/proxy`;
    proxy = await createEgressProxy({ socket, hosts, reach: options.reach });
    forward(socket, 'proxy', PROXY_PORT);
    Object.assign(env, proxyVariables(PROXY_PORT));
  }
  if (gatewaySocket !== null) forward(gatewaySocket, 'gateway', GATEWAY_PORT);

  function forward(socket: string, name: string, port: number): void {
    const inside = `${INSIDE_DIR}/${name}`;
    sockets.push('--bind', socket, inside);
    forwards.push({ port, socket: inside });
  }

  const extension = options.insideProgram.endsWith('.ts') ? 'mts' : 'mjs';
  const insideProgram = `${INSIDE_DIR}/inside.${extension}`;
  const args = [...NAMESPACE_ARGS, ...system, ...mounts.value, ...sockets];
  if (forwards.length > 0) args.push('--ro-bind', options.insideProgram, insideProgram);
  // Last: what lies outside of every mount is an error to write, not lost without a word.
  args.push('--remount-ro', '/');

  return ok({
    env,
    gatewayUrl: gatewaySocket === null ? null : `http://127.0.0.1:${GATEWAY_PORT}`,
    spawn: (program, spawnOptions) => {
      const first =
        forwards.length === 0
          ? gated(program)
          : [options.nodeProgram, insideProgram, JSON.stringify(forwards), ...gated(program)];
      return spawnInBubblewrap(launcher, args, first, spawnOptions);
    },
    close: async () => {
      await proxy?.close();
    },
  });
}

function spawnInBubblewrap(
  launcher: string,
  mounts: readonly string[],
  program: readonly string[],
  { cwd, env, stdio }: SpawnOptions,
): EnclosedProcess {
  // In the list of arguments the character would end one and begin another: whoever controls a value, the mounts.
  const telling = [...program, cwd, ...Object.entries(env).flat()];
  assertInvariant(!telling.some((arg) => arg.includes('\0')), 'an argument or variable holds NUL');
  const child = spawn(
    launcher,
    ['--args', `${ARGS_FD}`, '--info-fd', `${INFO_FD}`, '--', ...program],
    {
      // Its environment and arguments are those of the first process inside, for all inside to read.
      env: {},
      stdio: [...stdio, 'pipe', 'pipe', 'pipe', 'pipe'],
    },
  );
  const variables = Object.entries(env).flatMap(([name, value]) => ['--setenv', name, value]);
  const argsPipe = pipeOf(child, ARGS_FD) as Writable;
  // When bubblewrap ends before it has read them, its end tells.
  argsPipe.on('error', () => undefined);
  argsPipe.end([...mounts, '--chdir', cwd, ...variables].map((arg) => `${arg}\0`).join(''));
  return createEnclosedProcess(child, rootOf(pipeOf(child, INFO_FD) as Readable));
}

/** The first process of the namespace: when it dies the kernel kills the rest, and only then is it gone. */
async function rootOf(infoPipe: Readable): Promise<ProcessRoot | null> {
  const info = await text(infoPipe).catch(() => '');
  const pid = /"child-pid":\s*(\d+)/.exec(info)?.[1];
  const process = pid === undefined ? null : identityOf(Number(pid));
  return process === null ? null : { kind: 'namespace', process };
}

function proxyVariables(port: number): Readonly<Record<string, string>> {
  const proxy = `http://127.0.0.1:${port}`;
  const local = 'localhost,127.0.0.1';
  return {
    HTTP_PROXY: proxy,
    http_proxy: proxy,
    HTTPS_PROXY: proxy,
    https_proxy: proxy,
    NO_PROXY: local,
    no_proxy: local,
    NODE_USE_ENV_PROXY: '1',
  };
}
