/**
 * A host process: runs attempts apart from the engine and outlives it. Two shapes of one program: the pool, which
 * takes commands from engines over its socket; and the host of a single agent attempt, which goes when that has ended.
 *
 * 1. An engine must show the token of the lease, and an epoch not below the highest that has been here; a higher one
 *    displaces those before it.
 * 2. Secrets arrive on stdin or over the socket, and are nowhere else than in memory.
 * 3. The pool goes when nothing runs and nobody is connected: at once when told to, else after its idle limit.
 */
import { randomBytes, timingSafeEqual } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import type { Server, Socket } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';

import { assertInvariant } from '@ccdash/core';
import type { AttemptSpec } from '@ccdash/core';
import { identityOf } from '../base/process-identity.ts';
import { attemptKey } from './attempt-folder.ts';
import type { Work } from './attempt-work.ts';
import { startHostedAttempt } from './hosted-attempt.ts';
import type { HostedAttempt } from './hosted-attempt.ts';
import { PROTOCOL, writeLease } from './lease.ts';
import type { Lease } from './lease.ts';
import { onEngineMessage, send } from './messages.ts';
import type { EngineMessage } from './messages.ts';
import { poolLease } from './pool-folder.ts';
import { createPausableTimer } from './pausable-timer.ts';
import { shortTemporaryFolder } from './short-folder.ts';

/** What the engine writes on a host's stdin, as one JSON document. */
export type HostErrand =
  | {
      readonly kind: 'pool';
      readonly stateDir: string;
      readonly epoch: number;
      readonly idleLimitMs: number;
    }
  | {
      readonly kind: 'attempt';
      readonly stateDir: string;
      readonly spec: AttemptSpec;
      readonly secretByName: Readonly<Record<string, string>>;
    };

export interface HostProcessOptions {
  readonly errand: HostErrand;
  readonly work: Work;
  /** Between the friendly signal and the one that cannot be refused. */
  readonly graceMs: number;
  readonly log: (line: string) => void;
  /** Told once the lease is written: engines can connect. */
  readonly onReady: () => void;
}

/** Reads the errand whole. null when the engine died before it had written it: nothing was begun, and nothing may be. */
export async function readErrand(input: NodeJS.ReadableStream): Promise<HostErrand | null> {
  const document = await text(input);
  return document.endsWith('\n') ? (JSON.parse(document) as HostErrand) : null;
}

/** Resolves when the process may end. */
export async function runHostProcess(options: HostProcessOptions): Promise<void> {
  const { errand, work, graceMs, log } = options;
  const { stateDir } = errand;
  const host = identityOf(process.pid);
  assertInvariant(host !== null, 'this process does not find itself');
  const socketDir = mkdtempSync(join(shortTemporaryFolder(), 'ccdash-'));
  const lease = {
    protocol: PROTOCOL,
    host,
    socket: join(socketDir, 'host'),
    token: randomBytes(24).toString('hex'),
  };

  const attempts = new Map<string, HostedAttempt>();
  const connections = new Map<Socket, number>();
  let epoch = errand.kind === 'pool' ? errand.epoch : errand.spec.epoch;
  let retired = false;
  let finish: () => void = () => undefined;
  const finished = new Promise<void>((resolve) => (finish = resolve));
  const idleTimer = createPausableTimer(errand.kind === 'pool' ? errand.idleLimitMs : null, () =>
    finish(),
  );

  function begin(spec: AttemptSpec, secretByName: Readonly<Record<string, string>>): void {
    const attempt = startHostedAttempt({
      stateDir,
      socketDir,
      lease,
      spec,
      secretByName,
      work,
      graceMs,
      log,
    });
    if (attempt === null) {
      log(`attempt ${attemptKey(spec)} is claimed already`);
      return;
    }
    const key = attemptKey(spec);
    attempts.set(key, attempt);
    void attempt.done.then(() => {
      attempts.delete(key);
      settle();
    });
  }

  /** Goes, or begins to wait for going, when there is nothing to do. */
  function settle(): void {
    if (attempts.size > 0) {
      idleTimer.pause();
    } else if (errand.kind === 'attempt') {
      finish();
    } else if (connections.size > 0) {
      idleTimer.pause();
    } else if (retired) {
      finish();
    } else {
      idleTimer.reset();
      idleTimer.resume();
    }
  }

  function welcome(socket: Socket, hello: Extract<EngineMessage, { type: 'hello' }>): boolean {
    if (!isSame(hello.token, lease.token) || hello.epoch < epoch) {
      send(socket, { type: 'refused', epoch });
      socket.destroySoon();
      return false;
    }
    if (hello.epoch > epoch) {
      epoch = hello.epoch;
      for (const [other] of connections) {
        send(other, { type: 'refused', epoch });
        other.destroySoon();
        connections.delete(other);
      }
    }
    retired = false;
    connections.set(socket, hello.epoch);
    settle();
    send(socket, { type: 'welcome' });
    return true;
  }

  function serve(socket: Socket): void {
    let greeted = false;
    let followed: HostedAttempt | null = null;
    let unfollow: () => void = () => undefined;
    // An engine that goes without a word is the usual case; `close` follows.
    socket.on('error', () => undefined);
    socket.on('close', () => {
      unfollow();
      if (connections.delete(socket)) settle();
    });
    onEngineMessage(socket, (message) => {
      if (message.type === 'hello') {
        if (greeted || !welcome(socket, message)) return;
        greeted = true;
        if (message.attempt === null) return;
        followed = attempts.get(attemptKey(message.attempt)) ?? null;
        if (followed === null) {
          send(socket, { type: 'unknown' });
          return;
        }
        unfollow = followed.follow(tellGrown(socket));
        void followed.done.then(() => send(socket, { type: 'unknown' }));
        return;
      }
      // A displaced connection may still have words in flight.
      if (!connections.has(socket)) return;
      switch (message.type) {
        case 'start':
          begin(message.spec, message.secretByName);
          send(socket, { type: 'started', attempt: message.spec });
          break;
        case 'answer':
          followed?.answer(message.gateId, message.decision, message.reason);
          break;
        case 'tell':
          followed?.tell(message.messageId, message.text);
          break;
        case 'hold':
          followed?.hold(message.isHeld);
          break;
        case 'stop':
          followed?.stop({ type: 'asked', reason: message.reason });
          break;
        case 'retire':
          retired = true;
          break;
      }
    });
  }

  const server = await listen(lease.socket, serve);
  if (errand.kind === 'pool') {
    const folder = poolLease(stateDir);
    mkdirSync(join(folder, '..'), { recursive: true, mode: 0o700 });
    writeLease(folder, { ...lease, roots: [] } satisfies Lease);
  } else {
    begin(errand.spec, errand.secretByName);
  }
  options.onReady();
  settle();
  await finished;
  idleTimer.clear();
  for (const [socket] of connections) socket.destroy();
  await new Promise<void>((resolve) => server.close(() => resolve()));
  rmSync(socketDir, { recursive: true, force: true });
}

/** Many facts, one message: the next one only when the last has been taken. */
function tellGrown(socket: Socket): () => void {
  let waiting = false;
  let more = false;
  const tell = (): void => {
    more = waiting;
    if (waiting || socket.destroyed) return;
    waiting = true;
    socket.write(`${JSON.stringify({ type: 'grown' })}\n`, () => {
      waiting = false;
      if (more) tell();
    });
  };
  return tell;
}

function listen(path: string, onConnection: (socket: Socket) => void): Promise<Server> {
  const server = createServer(onConnection);
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, () => resolve(server));
  });
}

function isSame(shown: string, token: string): boolean {
  const [a, b] = [Buffer.from(shown), Buffer.from(token)];
  return a.length === b.length && timingSafeEqual(a, b);
}
