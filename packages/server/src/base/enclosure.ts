/** What an attempt host needs of a sandbox. The sandbox implements it; the composition root joins the two. */
import type { ChildProcess } from 'node:child_process';

import type { Failure, Result, SandboxSpec } from '@ccdash/core';
import type { ProcessRoot } from './process-identity.ts';

export interface SandboxProbe {
  readonly available: boolean;
  /** Why not, and what to do about it; null when available. */
  readonly problem: string | null;
}

export interface EnclosureRequest {
  readonly spec: SandboxSpec;
  /** Absolute path of the work tree; inside it has the same path. */
  readonly workspace: string;
  /** Folders made by the host that the work may write; inside they have the same paths. */
  readonly writePaths: readonly string[];
  /** An empty folder of mode 0700 with a short path, for this enclosure's sockets. The caller removes it. */
  readonly runtimeDir: string;
  /** Unix socket of the model gateway, for agents. */
  readonly gatewaySocket: string | null;
}

export interface SpawnOptions {
  /** Absolute. */
  readonly cwd: string;
  /** Complete. */
  readonly env: Readonly<Record<string, string>>;
  readonly stdio: readonly ['pipe' | 'ignore', 'pipe' | number, 'pipe' | number];
}

/** How the first process of an enclosed program ended, reported once nothing of it lives. */
export interface ProcessEnd {
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  /** `missing`: no such program. `not-set-up`: the sandbox failed before the program, or `go` never came. */
  readonly stage: 'ran' | 'missing' | 'not-set-up';
}

export interface EnclosedProcess {
  readonly child: ChildProcess;
  /** What to kill should the host die. Known before the program runs; null when the sandbox could not be set up. */
  readonly root: Promise<ProcessRoot | null>;
  /** Lets the program begin. Without it nothing of the program ever runs, even if this process dies first. */
  go(): void;
  /** SIGTERM goes to the program's process group, SIGKILL to everything there is. */
  signal(name: 'SIGTERM' | 'SIGKILL'): void;
  /** Never rejects. */
  readonly ended: Promise<ProcessEnd>;
}

export interface Enclosure {
  /** Variables the work needs there (HOME, TMPDIR, the proxy); what the step sets itself goes before them. */
  readonly env: Readonly<Record<string, string>>;
  /** The gateway as the work reaches it; null without one. */
  readonly gatewayUrl: string | null;
  spawn(program: readonly [string, ...string[]], options: SpawnOptions): EnclosedProcess;
  /** Frees sockets and temporary files. Everything spawned has ended before. */
  close(): Promise<void>;
}

export interface Sandbox {
  /** Tries the real thing once and remembers. */
  probe(): Promise<SandboxProbe>;
  /** Errors: Failure `sandbox_unavailable`, `unsafe_path`. */
  enclose(request: EnclosureRequest): Promise<Result<Enclosure, Failure>>;
}
