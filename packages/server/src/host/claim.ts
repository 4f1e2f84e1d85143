/**
 * Who may run an attempt. The first to make the file decides for ever: a host that then runs it, or an engine that
 * thereby knows that no host ever will.
 */
import { isAlive } from '../base/process-identity.ts';
import type { ProcessIdentity } from '../base/process-identity.ts';
import type { AttemptFolder } from './attempt-folder.ts';
import { createFileOnce, readIfExists } from './whole-file.ts';

export type Claim =
  | { readonly kind: 'host'; readonly host: ProcessIdentity }
  | { readonly kind: 'fence'; readonly reason: string };

/** Durable when it returns. Of several who try at once exactly one gets `true`. */
export function takeClaim(folder: AttemptFolder, claim: Claim): boolean {
  return createFileOnce(folder.claim, JSON.stringify(claim));
}

/** null while nobody has claimed it. */
export function readClaim(folder: AttemptFolder): Claim | null {
  const text = readIfExists(folder.claim);
  return text === null ? null : (JSON.parse(text) as Claim);
}

export function isHostAlive(claim: Claim): boolean {
  return claim.kind === 'host' && isAlive(claim.host);
}
