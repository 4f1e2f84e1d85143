/**
 * The engine's side of one attempt: reads its spool as it grows, and passes answers, holds and stops to its host.
 *
 * 1. Facts come from the file alone, so a host that is dead is read like one that lives, and none comes twice.
 * 2. The next facts are read when the engine has taken the last ones.
 * 3. What the engine has said is said again to every connection: hosts take no harm from repetition.
 * 4. `gone` only after the host is dead, everything below it is dead, and the spool has been read once more.
 */
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

import type { AttemptRef, Following, HostFact } from '@ccdash/core';
import type { AttemptFolder } from './attempt-folder.ts';
import { isHostAlive, readClaim } from './claim.ts';
import { readLease } from './lease.ts';
import type { Lease } from './lease.ts';
import { onHostMessage, send } from './messages.ts';
import type { EngineMessage } from './messages.ts';
import { endRemains } from './remains.ts';
import { createSpoolReader } from './spool-reader.ts';

/** Between two looks for the lease of a host that has just claimed, and between two tries to connect. */
const RETRY_MS = 20;

export interface FollowingOptions {
  readonly ref: AttemptRef;
  readonly folder: AttemptFolder;
  readonly epoch: number;
  readonly afterSeq: number;
  readonly onFacts: (facts: readonly HostFact[]) => Promise<void>;
  /** A later engine has taken over: this one hears nothing more of the attempt. */
  readonly onDisplaced: (ref: AttemptRef) => void;
}

/** A connection while it lasts. */
interface Attached {
  over: 'closed' | 'unknown' | 'refused' | null;
  /** Something has happened since the spool was last read. */
  stirred: boolean;
  wake: () => void;
}

export function startFollowing(options: FollowingOptions): Following {
  const { ref, folder, epoch } = options;
  const reader = createSpoolReader(folder.spool);
  const answers = new Map<string, EngineMessage>();
  const messages = new Map<string, EngineMessage>();
  let hold: EngineMessage | null = null;
  let stop: EngineMessage | null = null;
  let socket: Socket | null = null;
  let lastSeq = options.afterSeq;
  let detached = false;
  /** Ends what is waited for at present. */
  let letGo: () => void = () => undefined;

  function say(message: EngineMessage): void {
    if (socket !== null) send(socket, message);
  }

  /** Hands on everything that is in the spool now; true when the end was among it. */
  async function drain(): Promise<boolean> {
    for (let facts = await reader.next(); facts.length > 0; facts = await reader.next()) {
      if (detached) return false;
      const fresh = facts.filter(({ seq }) => seq > lastSeq);
      for (const fact of fresh) {
        lastSeq = fact.seq;
        if (fact.type === 'gate-answered') answers.delete(fact.gateId);
        else if (fact.type === 'told') messages.delete(fact.messageId);
      }
      if (fresh.length > 0) await options.onFacts(fresh);
      if (facts.at(-1)?.type === 'ended') return true;
    }
    return false;
  }

  async function run(): Promise<'ended' | 'gone'> {
    while (true) {
      if (await drain()) return 'ended';
      if (detached) return 'gone';
      const claim = readClaim(folder);
      if (claim !== null && !isHostAlive(claim)) {
        await endRemains(folder);
        return (await drain()) ? 'ended' : 'gone';
      }
      const lease = claim === null ? null : readLease(folder.lease);
      const how = lease === null ? 'closed' : await attach(lease);
      if (how === 'ended') return 'ended';
      if (how === 'unknown') return (await drain()) ? 'ended' : 'gone';
      if (how === 'refused') {
        options.onDisplaced(ref);
        await new Promise<void>((resolve) => (letGo = resolve));
      } else {
        await sleep(RETRY_MS);
      }
    }
  }

  /** Stays connected and reads on, until the spool has its end or the connection is over. */
  async function attach(lease: Lease): Promise<'ended' | NonNullable<Attached['over']>> {
    const state: Attached = { over: null, stirred: false, wake: () => undefined };
    const isStirred = (): boolean => state.stirred;
    const stir = (): void => {
      state.stirred = true;
      state.wake();
    };
    const link = connect(lease.socket);
    letGo = () => link.destroy();
    // A connection that fails is closed too; whether the host is dead is looked up then.
    link.on('error', () => undefined);
    link.on('close', () => {
      state.over ??= 'closed';
      stir();
    });
    onHostMessage(link, (message) => {
      if (message.type === 'welcome') {
        socket = link;
        for (const repeated of [hold, ...messages.values(), ...answers.values(), stop]) {
          if (repeated !== null) send(link, repeated);
        }
      } else if (message.type === 'unknown' || message.type === 'refused') {
        state.over ??= message.type;
      }
      stir();
    });
    send(link, { type: 'hello', token: lease.token, epoch, attempt: ref });
    try {
      while (true) {
        state.stirred = false;
        if (await drain()) return 'ended';
        if (isStirred()) continue;
        if (state.over !== null) return state.over;
        await new Promise<void>((resolve) => (state.wake = resolve));
      }
    } finally {
      socket = null;
      link.destroy();
    }
  }

  return {
    answer: (gateId, decision, reason) => {
      const message = { type: 'answer', gateId, decision, reason } as const;
      answers.set(gateId, message);
      say(message);
    },
    tell: (messageId, words) => {
      const message = { type: 'tell', messageId, text: words } as const;
      messages.set(messageId, message);
      say(message);
    },
    hold: (isHeld) => {
      hold = { type: 'hold', isHeld };
      say(hold);
    },
    stop: (reason) => {
      stop = { type: 'stop', reason };
      say(stop);
    },
    done: run().finally(() => reader.close()),
    detach: () => {
      detached = true;
      letGo();
    },
  };
}
