/** Answers to unsafe requests by their Idempotency-Key: a request that is sent again has no second effect. */
import { createHash } from 'node:crypto';
import type { Problem } from './problem.ts';

export interface Idempotency {
  /** The answer that this key has had at this path, or that of `act`, which is called at most once for it. */
  once(
    key: string | null,
    path: string,
    body: string,
    act: () => Promise<Response>,
  ): Promise<Response | Problem>;
}

interface Entry {
  readonly bodyDigest: string;
  readonly answer: Promise<Response>;
}

const MAX_ENTRIES = 500;
const KEY = /^[\x21-\x7e]{1,200}$/;

/** Kept in memory, the newest 500: enough for a client that repeats what it got no answer to. */
export function createIdempotency(): Idempotency {
  const entries = new Map<string, Entry>();
  return {
    once: async (key, path, body, act) => {
      if (key === null) return act();
      if (!KEY.test(key)) {
        return {
          error: 'IdempotencyKeyInvalid',
          detail: 'It has 1 to 200 visible ASCII characters.',
          hint: 'Send a UUID.',
        };
      }
      const id = `${path}\n${key}`;
      const bodyDigest = createHash('sha256').update(body).digest('hex');
      const known = entries.get(id);
      if (known !== undefined) {
        if (known.bodyDigest === bodyDigest) return (await known.answer).clone();
        return {
          error: 'IdempotencyKeyReused',
          detail: `The key ${JSON.stringify(key)} came with another body before.`,
          hint: 'Send a new key with a new request.',
        };
      }
      const answer = act();
      entries.set(id, { bodyDigest, answer });
      for (const oldest of entries.keys()) {
        if (entries.size <= MAX_ENTRIES) break;
        entries.delete(oldest);
      }
      try {
        const response = await answer;
        // What failed for reasons of the server may be tried again.
        if (response.status >= 500) entries.delete(id);
        return response.clone();
      } catch (error) {
        entries.delete(id);
        throw error;
      }
    },
  };
}
