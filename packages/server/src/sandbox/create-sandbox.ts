/**
 * Encloses programs. Owns: what they see, whom they reach, and that nothing of them outlives its end. Does not own:
 * when they start and stop.
 *
 * 1. The launcher itself has no environment and no telling arguments: inside, /proc/1 shows them.
 * 2. What is not named is not there: files by an allow list, variables by `--clearenv`, the network by a namespace.
 * 3. Where bubblewrap cannot be set up the probe says so; nothing falls back to less by itself.
 */
import { execFile } from 'node:child_process';

import { err } from '@ccdash/core';
import type { Failure, Result } from '@ccdash/core';
import type { Enclosure, EnclosureRequest, Sandbox, SandboxProbe } from '../base/enclosure.ts';
import { encloseInBubblewrap } from './bubblewrap.ts';
import { systemArgs } from './bubblewrap-args.ts';
import type { MachineView } from './bubblewrap-args.ts';
import type { Reach } from './egress-proxy.ts';
import { findProgram } from './find-program.ts';
import { encloseInGroup } from './process-group.ts';

export interface SandboxOptions extends MachineView {
  /** The file of `inside`: program that joins the sandbox's loopback to our sockets. */
  readonly insideProgram: string;
  /** How the outside is reached; tests bring their own. */
  readonly reach: Reach;
}

/** The machine's mounts are looked up again after this long: a pooled host lives for days. */
const SYSTEM_ARGS_AGE_MS = 60_000;

export function createSandbox(options: SandboxOptions): Sandbox {
  let probed: Promise<SandboxProbe> | null = null;
  let system: { readonly args: readonly string[]; readonly at: number } | null = null;

  const probe = (): Promise<SandboxProbe> => (probed ??= probeBubblewrap(options.path));

  async function enclose(request: EnclosureRequest): Promise<Result<Enclosure, Failure>> {
    if (request.spec.kind === 'none') return encloseInGroup(request, options.path);
    const { problem } = await probe();
    const launcher = findProgram('bwrap', options.path);
    if (problem !== null || launcher === null) {
      return err({
        code: 'sandbox_unavailable',
        message: `the sandbox cannot be set up: ${problem ?? 'bubblewrap is gone'}`,
        hint: 'mend that and retry the step',
      });
    }
    if (system === null || performance.now() - system.at > SYSTEM_ARGS_AGE_MS) {
      system = { args: systemArgs(options), at: performance.now() };
    }
    return encloseInBubblewrap(request, launcher, system.args, options);
  }

  return { probe, enclose };
}

const PROBE_ARGS = ['--unshare-all', '--die-with-parent', '--new-session', '--cap-drop', 'ALL'];
const PROBE_MOUNTS = ['--ro-bind', '/', '/', '--proc', '/proc', '--dev', '/dev'];
/** In a PID namespace of its own the shell is among the first processes. */
const PROBE_PROGRAM = ['--', '/bin/sh', '-c', 'echo $$'];

/** Whether bubblewrap, found on `path`, works on this machine, by running it once. */
export async function probeBubblewrap(path: string): Promise<SandboxProbe> {
  const unavailable = (problem: string): SandboxProbe => ({ available: false, problem });
  if (process.platform !== 'linux') {
    return unavailable(`this is ${process.platform}, and steps are sandboxed on Linux only.`);
  }
  const program = findProgram('bwrap', path);
  if (program === null) {
    return unavailable(
      'bubblewrap (bwrap) is not installed. Install it: apt install bubblewrap, dnf install bubblewrap, or pacman -S bubblewrap.',
    );
  }
  return new Promise((resolve) => {
    const limits = { env: {}, timeout: 10_000 };
    const args = [...PROBE_ARGS, ...PROBE_MOUNTS, ...PROBE_PROGRAM];
    execFile(program, args, limits, (error, stdout, stderr) => {
      if (error !== null) resolve(unavailable(toProblem(error, stderr.trim())));
      else if (/^[1-9]\n$/.test(stdout)) {
        resolve({ available: true, problem: null });
      } else {
        resolve(
          unavailable(
            `${program} is not bubblewrap, or does not do its work: a program under it was not apart from the others. Put the real bwrap first in the PATH of the server.`,
          ),
        );
      }
    });
  });
}

function toProblem(error: Error, stderr: string): string {
  const said = stderr === '' ? error.message : stderr;
  if (/namespace|permission|operation not permitted|uid map/i.test(said)) {
    return `bubblewrap may not make namespaces here (${said}). Allow unprivileged user namespaces: sysctl kernel.unprivileged_userns_clone=1, and on Ubuntu an AppArmor profile for bwrap or kernel.apparmor_restrict_unprivileged_userns=0; in a container, a seccomp profile that permits unshare.`;
  }
  return `bubblewrap failed (${said}).`;
}
