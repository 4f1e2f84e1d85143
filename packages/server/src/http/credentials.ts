/**
 * Who asks: the owner by the token of the state folder, people by tokens of their own, or anybody by a session that a
 * browser got for a one-time code. Codes live in memory only; of sessions the digests outlive a restart, so that open
 * pages go on. What a person may do is looked up at each request, so that a change of their roles, or their end, counts
 * at once.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Clock } from '@ccdash/core';
import type { People } from '../base/people.ts';
import type { Caller } from '../base/workbench.ts';
import type { Problem } from './problem.ts';
import type { RestartFile } from './restart-file.ts';

export interface Credentials {
  /** Who is behind a request; a problem when nobody is, or a browser's unsafe request lacks its header. */
  callerOf(
    headers: Headers,
    isUnsafe: boolean,
  ): { readonly caller: Caller; readonly isSession: boolean } | Problem;
  /** A code that logs `person` in, once. */
  createCode(person: string): { readonly code: string; readonly expiresAtMs: number };
  /** Whose code it is, if it is good; it is used up. */
  redeemCode(code: string): string | null;
  /** The cookie of a new session. */
  openSession(person: string): string;
  /** Ends the session of a request, if it has one; gives the cookie that says so. */
  closeSession(headers: Headers): string;
}

/** A browser sends it with unsafe requests only when a script of our own page tells it to. */
export const CSRF_HEADER = 'x-ccdash-request';

const CODE_LIFE_MS = 15 * 60_000;
const SESSION_LIFE_MS = 12 * 60 * 60_000;
/** More than a team opens; a limit, so that codes and sessions cannot fill the memory. */
const MAX_OPEN = 256;

interface Held {
  readonly person: string;
  readonly expiresAtMs: number;
}

export function createCredentials(options: {
  readonly token: string;
  /** Whose token it is. */
  readonly owner: string;
  readonly people: Pick<People, 'callerOf' | 'personWithToken'>;
  readonly clock: Pick<Clock, 'now'>;
  readonly kept: RestartFile;
  /** Served over TLS: cookies go nowhere else. */
  readonly isSecure?: boolean;
}): Credentials {
  const { token, owner, people, clock, kept, isSecure = false } = options;
  const { cookieName } = kept.state;
  const attributes = `Path=/; HttpOnly; SameSite=Strict${isSecure ? '; Secure' : ''}`;
  const codes = new Map<string, Held>();
  const sessions = new Map<string, Held>(Object.entries(kept.state.sessions));
  const tokenDigest = digestOf(token);

  function personHolding(held: ReadonlyMap<string, Held>, secret: string): string | null {
    const found = held.get(digestOf(secret).toString('hex'));
    return found !== undefined && clock.now() < found.expiresAtMs ? found.person : null;
  }

  function keep(held: Map<string, Held>, secret: string, entry: Held): void {
    held.set(digestOf(secret).toString('hex'), entry);
    for (const key of held.keys()) {
      if (held.size <= MAX_OPEN) break;
      held.delete(key);
    }
  }

  function saveSessions(): void {
    for (const [key, { expiresAtMs }] of sessions) {
      if (clock.now() >= expiresAtMs) sessions.delete(key);
    }
    kept.change({ sessions: Object.fromEntries(sessions) });
  }

  function personOfBearer(authorization: string): string | null {
    const given = /^Bearer ([A-Za-z0-9_-]{1,200})$/i.exec(authorization)?.[1] ?? '';
    const digest = digestOf(given);
    if (timingSafeEqual(digest, tokenDigest)) return owner;
    return people.personWithToken(digest.toString('hex'));
  }

  return {
    callerOf: (headers, isUnsafe) => {
      const authorization = headers.get('authorization');
      const session = authorization === null ? cookieOf(headers, cookieName) : null;
      const person =
        authorization !== null
          ? personOfBearer(authorization)
          : session !== null
            ? personHolding(sessions, session)
            : null;
      const caller = person === null ? null : people.callerOf(person);
      if (caller === null) return session === null ? NOT_AUTHENTICATED : SESSION_OVER;
      const isSession = session !== null;
      if (isSession && isUnsafe && headers.get(CSRF_HEADER) === null) {
        return {
          error: 'OriginNotAllowed',
          detail: `A request of a browser that changes something needs the header ${CSRF_HEADER}.`,
          hint: 'Reload the page and try again.',
        };
      }
      return { caller, isSession };
    },
    createCode: (person) => {
      const code = randomBytes(32).toString('base64url');
      const expiresAtMs = clock.now() + CODE_LIFE_MS;
      keep(codes, code, { person, expiresAtMs });
      return { code, expiresAtMs };
    },
    redeemCode: (code) => {
      const person = personHolding(codes, code);
      codes.delete(digestOf(code).toString('hex'));
      return person !== null && people.callerOf(person) !== null ? person : null;
    },
    openSession: (person) => {
      const session = randomBytes(32).toString('base64url');
      keep(sessions, session, { person, expiresAtMs: clock.now() + SESSION_LIFE_MS });
      saveSessions();
      return `${cookieName}=${session}; ${attributes}; Max-Age=${String(SESSION_LIFE_MS / 1000)}`;
    },
    closeSession: (headers) => {
      const session = cookieOf(headers, cookieName);
      if (session !== null && sessions.delete(digestOf(session).toString('hex'))) saveSessions();
      return `${cookieName}=; ${attributes}; Max-Age=0`;
    },
  };
}

const NOT_AUTHENTICATED: Problem = {
  error: 'NotAuthenticated',
  detail: 'Every address but the health check needs a credential.',
  hint: 'Send `Authorization: Bearer` with the token of the state folder, or open the link that `ccdash serve` prints.',
  headers: { 'www-authenticate': 'Bearer' },
};

const SESSION_OVER: Problem = {
  error: 'NotAuthenticated',
  detail: 'The session is over.',
  hint: 'Log in again: open the link that `ccdash serve` prints, or ask an admin for one: ccdash users login NAME',
  headers: { 'www-authenticate': 'Bearer' },
};

/** Secrets are compared and looked up by digest: equal length, and no time that tells how much of one was right. */
function digestOf(secret: string): Buffer {
  return createHash('sha256').update(secret).digest();
}

function cookieOf(headers: Headers, name: string): string | null {
  for (const pair of (headers.get('cookie') ?? '').split(';')) {
    const [key, value] = pair.trim().split('=');
    if (key === name && value !== undefined && value !== '') return value;
  }
  return null;
}
