/**
 * The engine's side of attempt hosts: starts them, finds them again, follows them.
 *
 * Owns: the link to hosts, and the verdict on what became of an attempt. Does not own: the work, which goes on alone.
 * 1. An attempt runs at most once: its claim is made exclusively, by a host or by an engine that rules a host out.
 * 2. `never-started` and `gone` are proofs: no host will ever run it; nothing of it lives.
 * 3. A host that cannot be started is an attempt that failed, recorded like any other end.
 */
import type { AttemptHosts, AttemptRef, AttemptSpec } from '@ccdash/core';
import type { SandboxProbe } from '../base/enclosure.ts';
import { attemptFolder, makeAttemptFolder } from './attempt-folder.ts';
import { isHostAlive, readClaim, takeClaim } from './claim.ts';
import { startFollowing } from './following.ts';
import { DisplacedError, createPoolLink } from './pool-link.ts';
import { endRemains } from './remains.ts';
import { createSpoolWriter } from './spool-writer.ts';
import { hasEnd } from './spool-reader.ts';
import { startHost } from './start-host.ts';
import type { HostCommand } from './start-host.ts';
import { replaceFile } from './whole-file.ts';

export interface AttemptHostsOptions {
  /** Absolute; mode 0700; never visible inside a sandbox. */
  readonly stateDir: string;
  readonly host: HostCommand;
  /** Of this engine: higher than that of every engine before it. */
  readonly epoch: number;
  /** How long the pool stays without work and without an engine. */
  readonly poolIdleLimitMs: number;
  readonly probeSandbox: () => Promise<SandboxProbe>;
  /** A later engine has taken an attempt over. */
  readonly onDisplaced: (ref: AttemptRef) => void;
}

export interface OpenAttemptHosts extends AttemptHosts {
  /** Lets go of every host; their work goes on. A pool without work ends. */
  close(): void;
}

export function createAttemptHosts(options: AttemptHostsOptions): OpenAttemptHosts {
  const { stateDir, host, epoch, poolIdleLimitMs, onDisplaced } = options;
  const pool = createPoolLink({ stateDir, host, epoch, idleLimitMs: poolIdleLimitMs });

  async function start(
    spec: AttemptSpec,
    secretByName: Readonly<Record<string, string>>,
  ): Promise<void> {
    if (spec.work.kind === 'command') await pool.start(spec, secretByName);
    else {
      const errand = { kind: 'attempt', stateDir, spec, secretByName } as const;
      await startHost(host, errand, attemptFolder(stateDir, spec).log);
    }
  }

  return {
    launch: async (spec, secretByName) => {
      const folder = attemptFolder(stateDir, spec);
      makeAttemptFolder(folder);
      replaceFile(folder.spec, JSON.stringify(spec));
      try {
        await start(spec, secretByName);
      } catch (error) {
        if (error instanceof DisplacedError) onDisplaced(spec);
        else recordNoHost(stateDir, spec, error);
      }
    },
    find: async (ref) => {
      const folder = attemptFolder(stateDir, ref);
      if (await hasEnd(folder.spool)) return 'ended';
      makeAttemptFolder(folder);
      const reason = `no host had claimed it when engine ${epoch} looked`;
      if (takeClaim(folder, { kind: 'fence', reason })) return 'never-started';
      const claim = readClaim(folder);
      if (claim === null || claim.kind === 'fence') return 'never-started';
      if (isHostAlive(claim)) return 'alive';
      await endRemains(folder);
      return (await hasEnd(folder.spool)) ? 'ended' : 'gone';
    },
    follow: (ref, afterSeq, onFacts) => {
      const folder = attemptFolder(stateDir, ref);
      return startFollowing({ ref, folder, epoch, afterSeq, onFacts, onDisplaced });
    },
    outputPathOf: (ref) => attemptFolder(stateDir, ref).output,
    answersPathOf: (ref) => attemptFolder(stateDir, ref).answers,
    // Hosts end by themselves: what the engine needs of them is in the spool, not in a process.
    release: () => undefined,
    sandbox: options.probeSandbox,
    close: () => pool.close(),
  };
}

/** Ends an attempt whose host could not be started; when one has claimed it after all, that one will. */
function recordNoHost(stateDir: string, spec: AttemptSpec, error: unknown): void {
  const message = error instanceof Error ? error.message : String(error);
  const folder = attemptFolder(stateDir, spec);
  if (!takeClaim(folder, { kind: 'fence', reason: message })) return;
  const spool = createSpoolWriter(folder.spool, () => undefined);
  const failure = {
    code: 'host_failed',
    message: `its host process could not be started: ${message}`,
    hint: 'look at the limits of the machine (processes, memory, disk), then retry the step',
  };
  const nothing = { exitCode: null, signal: null, output: null, outputs: {}, usage: null };
  const outcome = { ...nothing, status: 'failed', failure, retryable: true } as const;
  spool.write({ type: 'ended', outcome }, true);
  spool.close();
}
