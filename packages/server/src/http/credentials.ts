/**
 * Who asks: the owner by the token of the state folder, or by a session that a browser got for a one-time code.
 * Codes and sessions live in memory only; a restart ends them.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Clock } from '@ccdash/core';
import type { Caller } from '../base/workbench.ts';
import type { Problem } from './problem.ts';

export interface Credentials {
  /** Who is behind a request; a problem when nobody is, or a browser's unsafe request lacks its header. */
  callerOf(
    headers: Headers,
    isUnsafe: boolean,
  ): { readonly caller: Caller; readonly isSession: boolean } | Problem;
  /** A code that opens one session. */
  createCode(): { readonly code: string; readonly expiresAtMs: number };
  /** The cookie of a new session, or null when the code is unknown, used or too old. */
  redeemCode(code: string): string | null;
}

/** A browser sends it with unsafe requests only when a script of our own page tells it to. */
export const CSRF_HEADER = 'x-ccdash-request';

const CODE_LIFE_MS = 15 * 60_000;
const SESSION_LIFE_MS = 12 * 60 * 60_000;
/** More than one person opens; a limit, so that codes and sessions cannot fill the memory. */
const MAX_OPEN = 64;

export function createCredentials(options: {
  readonly token: string;
  readonly owner: Caller;
  readonly clock: Pick<Clock, 'now'>;
}): Credentials {
  const { token, owner, clock } = options;
  // Cookies ignore ports: another instance on this host must not overwrite or receive ours.
  const cookieName = `ccdash_${randomBytes(8).toString('hex')}`;
  const expiryByCode = new Map<string, number>();
  const expiryBySession = new Map<string, number>();
  const tokenDigest = digestOf(token);

  function isLive(expiryBySecret: Map<string, number>, secret: string): boolean {
    const key = digestOf(secret).toString('hex');
    const expiresAtMs = expiryBySecret.get(key);
    return expiresAtMs !== undefined && clock.now() < expiresAtMs;
  }

  function keep(expiryBySecret: Map<string, number>, secret: string, expiresAtMs: number): void {
    expiryBySecret.set(digestOf(secret).toString('hex'), expiresAtMs);
    for (const key of expiryBySecret.keys()) {
      if (expiryBySecret.size <= MAX_OPEN) break;
      expiryBySecret.delete(key);
    }
  }

  return {
    callerOf: (headers, isUnsafe) => {
      const authorization = headers.get('authorization');
      if (authorization !== null) {
        const given = /^Bearer ([A-Za-z0-9_-]{1,200})$/i.exec(authorization)?.[1] ?? '';
        if (timingSafeEqual(digestOf(given), tokenDigest)) {
          return { caller: owner, isSession: false };
        }
        return NOT_AUTHENTICATED;
      }
      const session = cookieOf(headers, cookieName);
      if (session === null || !isLive(expiryBySession, session)) return NOT_AUTHENTICATED;
      if (isUnsafe && headers.get(CSRF_HEADER) === null) {
        return {
          error: 'OriginNotAllowed',
          detail: `A request of a browser that changes something needs the header ${CSRF_HEADER}.`,
          hint: 'Reload the page and try again.',
        };
      }
      return { caller: owner, isSession: true };
    },
    createCode: () => {
      const code = randomBytes(32).toString('base64url');
      const expiresAtMs = clock.now() + CODE_LIFE_MS;
      keep(expiryByCode, code, expiresAtMs);
      return { code, expiresAtMs };
    },
    redeemCode: (code) => {
      const isGood = isLive(expiryByCode, code);
      expiryByCode.delete(digestOf(code).toString('hex'));
      if (!isGood) return null;
      const session = randomBytes(32).toString('base64url');
      keep(expiryBySession, session, clock.now() + SESSION_LIFE_MS);
      const seconds = String(SESSION_LIFE_MS / 1000);
      return `${cookieName}=${session}; Path=/; HttpOnly; SameSite=Strict; Max-Age=${seconds}`;
    },
  };
}

const NOT_AUTHENTICATED: Problem = {
  error: 'NotAuthenticated',
  detail: 'Every address but the health check needs a credential.',
  hint: 'Send `Authorization: Bearer` with the token of the state folder, or open the link that `ccdash serve` prints.',
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
