/** One-time codes of authenticator apps (RFC 6238: SHA-1, six digits, 30 seconds). */
import { createHmac, timingSafeEqual } from 'node:crypto';

const STEP_MS = 30_000;
const BASE32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

/**
 * The number of the time step that `code` is for, if it is one next to `nowMs` and later than `usedStep`; null
 * otherwise. A step that was used is never good again.
 */
export function stepOfCode(
  secret: Uint8Array,
  code: string,
  nowMs: number,
  usedStep: number,
): number | null {
  if (!/^\d{6}$/.test(code)) return null;
  const now = Math.floor(nowMs / STEP_MS);
  for (const step of [now - 1, now, now + 1]) {
    const isRight = timingSafeEqual(Buffer.from(codeAt(secret, step)), Buffer.from(code));
    if (isRight && step > usedStep) return step;
  }
  return null;
}

export function codeAt(secret: Uint8Array, step: number): string {
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(step));
  const mac = createHmac('sha1', secret).update(counter).digest();
  const number = mac.readUInt32BE((mac.at(-1) ?? 0) & 0xf) & 0x7fffffff;
  return String(number % 1_000_000).padStart(6, '0');
}

/** What apps take, by hand (`secret`) or as a QR code (`uri`). */
export function totpUri(
  secret: Uint8Array,
  person: string,
): { readonly secret: string; readonly uri: string } {
  const text = toBase32(secret);
  const label = encodeURIComponent(`CCDash:${person}`);
  return { secret: text, uri: `otpauth://totp/${label}?secret=${text}&issuer=CCDash` };
}

export function toBase32(bytes: Uint8Array): string {
  const bits = [...bytes].map((byte) => byte.toString(2).padStart(8, '0')).join('');
  return (bits.match(/.{1,5}/g) ?? [])
    .map((part) => BASE32[Number.parseInt(part.padEnd(5, '0'), 2)] ?? '')
    .join('');
}
