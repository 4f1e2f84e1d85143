import { createPrivateKey, createPublicKey, generateKeyPairSync, sign } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { lstatSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { assertInvariant, err, ok } from '@ccdash/core';
import type { Result } from '@ccdash/core';
import { formatPublicKey, parsePublicKey } from '../../assets/verify-log.mjs';
import type { PublicKey } from '../../assets/verify-log.mjs';
import { makePrivateDirectory, replaceFileDurably } from './durable-file.ts';
import type { LogRefused } from './open-refusal.ts';

/** Name of the private key (PEM, PKCS #8, mode 0600) in the folder of keys. */
export const SIGNING_KEY_FILE = 'log-signing-key.pem';

export interface SigningKey {
  readonly publicKey: PublicKey;
  sign(body: Buffer): Buffer;
}

/**
 * The Ed25519 key with which heads of the log `origin` are signed. Created only for a log that is new (`mayCreate`):
 * a second key would make every earlier head worthless.
 * Errors: SigningKeyUnusable. Errors of the disk are thrown.       Rules: LG20
 */
export function openSigningKey(
  keyDir: string,
  origin: string,
  mayCreate: boolean,
): Result<SigningKey, LogRefused> {
  const path = join(keyDir, SIGNING_KEY_FILE);
  const refuse = (detail: string, hint: string): Result<never, LogRefused> =>
    err({ type: 'SigningKeyUnusable', path, detail, hint });

  let stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat === undefined) {
    if (!mayCreate) {
      return refuse('the key that signed this log is missing', 'Restore it from a backup.');
    }
    makePrivateDirectory(keyDir);
    const { privateKey } = generateKeyPairSync('ed25519');
    replaceFileDurably(path, privateKey.export({ type: 'pkcs8', format: 'pem' }).toString());
    stat = lstatSync(path);
  }
  if (!stat.isFile()) return refuse('the key is not a regular file', 'Put the file itself there.');
  if ((stat.mode & 0o077) !== 0) {
    return refuse('the key is open to other users', `Run: chmod 600 '${path}'`);
  }
  const privateKey = pemToPrivateKey(readFileSync(path, 'utf8'));
  if (privateKey?.asymmetricKeyType !== 'ed25519') {
    return refuse('the file holds no Ed25519 private key', 'Restore it from a backup.');
  }
  const der = createPublicKey(privateKey).export({ type: 'spki', format: 'der' });
  const publicKey = parsePublicKey(formatPublicKey(origin, der.subarray(-32)));
  assertInvariant(publicKey !== null, `no verifier key can be made for the origin "${origin}"`);
  return ok({ publicKey, sign: (body) => sign(null, body, privateKey) });
}

function pemToPrivateKey(pem: string): KeyObject | null {
  try {
    return createPrivateKey(pem);
  } catch {
    return null; // the parser's own words may quote the key
  }
}
