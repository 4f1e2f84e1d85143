/** Messages for the work, each handed over once; those that come early wait until somebody takes them. */
export interface Mailbox {
  /** Putting a message in again does nothing. */
  readonly put: (messageId: string, text: string) => void;
  readonly open: (take: (messageId: string, text: string) => void) => void;
}

export function createMailbox(): Mailbox {
  const seen = new Set<string>();
  const early: (readonly [messageId: string, text: string])[] = [];
  let taker: ((messageId: string, text: string) => void) | null = null;
  return {
    put: (messageId, text) => {
      if (seen.has(messageId)) return;
      seen.add(messageId);
      if (taker === null) early.push([messageId, text]);
      else taker(messageId, text);
    },
    open: (take) => {
      taker = take;
      for (const [messageId, text] of early.splice(0)) take(messageId, text);
    },
  };
}
