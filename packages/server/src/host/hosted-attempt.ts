/**
 * One attempt inside its host, from the claim to the end in the spool.
 *
 * Owns: claim, lease, spool, gates, limits of time, the attempt's end. Does not own: the work, the connections.
 * 1. Nothing of the work begins before the claim is durable; it is taken once and for ever.
 * 2. A fact is in the spool before anybody is told. Gates, their answers, sessions and the end are on disk.
 * 3. A gate opens only by an answer. Without an engine it waits; when the work is stopping it says no.
 * 4. The end is written once, when nothing of the work lives any more.
 */
import { randomBytes } from 'node:crypto';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';

import type { AttemptOutcome, AttemptSpec, Failure, GateAnswer, GateQuestion } from '@ccdash/core';
import type { ProcessRoot } from '../base/process-identity.ts';
import { attemptFolder, makeAttemptFolder } from './attempt-folder.ts';
import type { StopCause, Work } from './attempt-work.ts';
import { takeClaim } from './claim.ts';
import { writeLease } from './lease.ts';
import type { Lease } from './lease.ts';
import { createHold } from './hold.ts';
import { createMailbox } from './mailbox.ts';
import { createPausableTimer } from './pausable-timer.ts';
import { createRedaction } from './redaction.ts';
import { createSpoolWriter } from './spool-writer.ts';
import type { HostFactBody } from './spool-writer.ts';

export interface HostedAttempt {
  readonly spec: AttemptSpec;
  /** Calls back whenever the spool has grown, and at once if it has. Counts as an engine's presence until called off. */
  follow(onGrown: () => void): () => void;
  answer(gateId: string, decision: 'allow' | 'deny', reason: string): void;
  /** While it is held no model call begins, and the time limit stands still. */
  hold(isHeld: boolean): void;
  /** Hands a person's message to the work, once, however often it comes; kept until the work takes messages. */
  tell(messageId: string, text: string): void;
  stop(cause: StopCause): void;
  /** Resolves when the end is in the spool, or the spool could not be written and nothing lives. Never rejects. */
  readonly done: Promise<void>;
}

export interface HostedAttemptOptions {
  readonly stateDir: string;
  /** The host process's own folder for sockets. */
  readonly socketDir: string;
  readonly lease: Omit<Lease, 'roots'>;
  readonly spec: AttemptSpec;
  readonly secretByName: Readonly<Record<string, string>>;
  readonly work: Work;
  readonly graceMs: number;
  /** For the host's own log; never holds what the work said. */
  readonly log: (line: string) => void;
}

let started = 0;

/** Claims the attempt and begins; null when the claim was taken already. */
export function startHostedAttempt(options: HostedAttemptOptions): HostedAttempt | null {
  const { spec, log } = options;
  const folder = attemptFolder(options.stateDir, spec);
  makeAttemptFolder(folder);
  if (!takeClaim(folder, { kind: 'host', host: options.lease.host })) return null;

  const roots: ProcessRoot[] = [];
  const modelToken = randomBytes(24).toString('hex');
  const redaction = createRedaction({
    ...options.secretByName,
    ...(spec.work.kind === 'agent' ? { MODEL_TOKEN: modelToken } : {}),
  });
  const followers = new Set<() => void>();
  const stopping = new AbortController();
  const gates = new Map<string, (answer: GateAnswer) => void>();
  const messages = createMailbox();
  const held = createHold(stopping.signal);
  let raised = 0;
  const spool = createSpoolWriter(folder.spool, () => {
    for (const tell of followers) tell();
  });

  const write = (fact: HostFactBody, durable: boolean): void => {
    spool.write(redaction.json(fact), durable);
  };
  const stop = (cause: StopCause): void => {
    if (stopping.signal.aborted) return;
    stopping.abort(cause);
    for (const gateId of [...gates.keys()]) settleGate(gateId, 'deny', 'the work is being stopped');
  };
  const orphanTimer = createPausableTimer(spec.orphanLimitMs, () => stop({ type: 'orphaned' }));
  const wallTimer = createPausableTimer(spec.timeoutMs, () => stop({ type: 'timed-out' }));

  /** Time in which people keep the work waiting is not the work's. */
  function look(): void {
    if (gates.size > 0 || held.isHeld()) wallTimer.pause();
    else wallTimer.resume();
  }

  function settleGate(gateId: string, decision: 'allow' | 'deny', reason: string): void {
    const resolve = gates.get(gateId);
    if (resolve === undefined) return;
    write({ type: 'gate-answered', gateId, decision }, true);
    gates.delete(gateId);
    look();
    resolve(decision === 'allow' ? { decision } : { decision, reason });
  }

  async function gate(question: GateQuestion): Promise<GateAnswer> {
    if (stopping.signal.aborted) return { decision: 'deny', reason: 'the work is being stopped' };
    raised += 1;
    const gateId = `g${raised}`;
    const answered = new Promise<GateAnswer>((resolve) => gates.set(gateId, resolve));
    look();
    write({ type: 'gate-raised', gateId, ...question }, true);
    return answered;
  }

  async function run(): Promise<void> {
    started += 1;
    const runtimeDir = join(options.socketDir, `${started}`);
    try {
      writeLease(folder.lease, { ...options.lease, roots });
      mkdirSync(runtimeDir, { mode: 0o700 });
      const outcome = await options.work({
        spec,
        folder,
        runtimeDir,
        secretByName: options.secretByName,
        redaction,
        modelToken,
        graceMs: options.graceMs,
        stopping: stopping.signal,
        emit: write,
        gate,
        notHeld: held.passed,
        onMessage: messages.open,
        stop,
        addRoot: (root) => {
          roots.push(root);
          writeLease(folder.lease, { ...options.lease, roots });
        },
      });
      const ended = settled(outcome, stopping.signal, spec);
      write({ type: 'ended', outcome: timed(ended, spec, wallTimer.spentMs()) }, true);
    } catch (error) {
      // The work kills what it has started before it throws. What is left is to say so, if the disk takes it.
      log(`attempt ${spec.runId}/${spec.step}/${spec.attempt}: ${String(error)}`);
      write({ type: 'ended', outcome: broken(error) }, true);
    } finally {
      orphanTimer.clear();
      wallTimer.clear();
      spool.close();
      rmSync(runtimeDir, { recursive: true, force: true });
    }
  }

  const done = run().catch((error: unknown) => {
    log(`attempt ${spec.runId}/${spec.step}/${spec.attempt} has no end: ${String(error)}`);
  });
  return {
    spec,
    follow: (onGrown) => {
      followers.add(onGrown);
      orphanTimer.reset();
      orphanTimer.pause();
      return () => {
        followers.delete(onGrown);
        if (followers.size === 0) orphanTimer.resume();
      };
    },
    answer: settleGate,
    tell: messages.put,
    hold: (isHeld) => {
      held.set(isHeld);
      look();
    },
    stop,
    done,
  };
}

/** Of an agent it is told how much of its time is spent: what it has left is for whoever goes on. */
function timed(outcome: AttemptOutcome, spec: AttemptSpec, timeMs: number | null): AttemptOutcome {
  if (spec.work.kind !== 'agent' || timeMs === null) return outcome;
  return { ...outcome, usage: { ...(outcome.usage ?? UNKNOWN_USAGE), timeMs } };
}

const UNKNOWN_USAGE = { inputTokens: null, outputTokens: null, cachedTokens: null, usd: null };

/** What the work says, unless it was told to stop: then why it was. */
function settled(
  outcome: AttemptOutcome,
  stopping: AbortSignal,
  spec: AttemptSpec,
): AttemptOutcome {
  if (!stopping.aborted) return outcome;
  const { exitCode, signal, output, outputs, usage } = outcome;
  const common = { exitCode, signal, output, outputs, usage };
  const cause = stopping.reason as StopCause;
  if (cause.type === 'asked') {
    const failure = { code: 'stopped', message: `it was stopped: ${cause.reason}`, hint: null };
    return { ...common, status: 'stopped', failure };
  }
  return { ...common, status: 'failed', failure: limitFailure(cause, spec), retryable: true };
}

function limitFailure(
  cause: Exclude<StopCause, { readonly type: 'asked' }>,
  spec: AttemptSpec,
): Failure {
  switch (cause.type) {
    case 'timed-out':
      return {
        code: 'timed_out',
        message: `it ran longer than its time limit of ${(spec.timeoutMs ?? 0) / 1000} s and was stopped`,
        hint: 'raise the time limit of the step in the plan, or find out what takes so long',
      };
    case 'orphaned':
      return {
        code: 'orphaned',
        message: `no workbench was there for ${spec.orphanLimitMs / 1000} s, so it was stopped`,
        hint: 'retry the step',
      };
    case 'stalled':
      return {
        code: 'stalled',
        message: 'the agent gave no sign of life for too long and was stopped',
        hint: 'resume or retry the step',
      };
  }
}

function broken(error: unknown): AttemptOutcome {
  return {
    status: 'failed',
    failure: {
      code: 'host_failed',
      message: `the host of the attempt failed: ${error instanceof Error ? error.message : String(error)}`,
      hint: 'retry the step; if it happens again, look at the free space and the limits of the machine',
    },
    retryable: true,
    exitCode: null,
    signal: null,
    output: null,
    outputs: {},
    usage: null,
  };
}
