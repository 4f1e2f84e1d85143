/**
 * Who may talk to the server at all, before anybody asks who they are: requests for another name (DNS rebinding), from
 * other sites (CSRF), and what every answer tells the browser.
 */
import { createHash } from 'node:crypto';
import type { Problem } from './problem.ts';

/** The names under which the server on `port` is meant. */
export function allowedHosts(port: number): ReadonlySet<string> {
  return new Set([`127.0.0.1:${port}`, `localhost:${port}`, `[::1]:${port}`]);
}

/**
 * Problem HostNotAllowed or OriginNotAllowed; null when the request may go on. `isPage`: a page that anybody may link
 * to; it shows nothing and changes nothing without a credential that the other site does not have.
 */
export function refuseForeign(
  headers: Headers,
  hosts: ReadonlySet<string>,
  isPage: boolean,
): Problem | null {
  const host = headers.get('host');
  if (host === null || !hosts.has(host)) {
    return {
      error: 'HostNotAllowed',
      detail: 'The server answers to 127.0.0.1, localhost and [::1] with its own port.',
      hint: `Use one of: ${[...hosts].join(', ')}`,
    };
  }
  const origin = headers.get('origin');
  const isOwnOrigin = origin === null || origin === `http://${host}`;
  const site = headers.get('sec-fetch-site');
  const isOwnSite = isPage || site === null || site === 'same-origin' || site === 'none';
  if (isOwnOrigin && isOwnSite) return null;
  return {
    error: 'OriginNotAllowed',
    detail: 'Only the pages of this server may send requests from a browser.',
    hint: 'Open the page that `ccdash serve` names.',
  };
}

/** Of every answer. Nothing may be loaded, framed, sniffed, kept or told to others. */
export const SECURITY_HEADERS: Readonly<Record<string, string>> = {
  'content-security-policy':
    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'cache-control': 'no-store',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
};

/**
 * As SECURITY_HEADERS, for a page whose only extras are the style sheets that stand in it, and for one with scripts those
 * of this server, which may talk to it and turn no text into markup or code.
 */
export function contentPolicyOf(page: string): string {
  const own = page.includes('<script ') ? ["'self'"] : [];
  const hashes = [...page.matchAll(/<style>([\s\S]*?)<\/style>/g)].map(
    ([, style = '']) => `'sha256-${createHash('sha256').update(style).digest('base64')}'`,
  );
  const styles = [...own, ...hashes];
  return [
    SECURITY_HEADERS['content-security-policy'] ?? '',
    ...(styles.length === 0 ? [] : [`style-src ${styles.join(' ')}`]),
    ...(own.length === 0 ? [] : SCRIPTED),
  ].join('; ');
}

const SCRIPTED = [
  "script-src 'self'",
  "connect-src 'self'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
];
