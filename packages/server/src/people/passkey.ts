/**
 * Passkeys: what a browser's authenticator is asked, and whether its answer is one.
 *
 * 1. A browser knows passkeys by name, never by an address: ours are of `localhost`, whatever the port.
 * 2. The challenge of a decision is the digest of its statement, so that an answer is over that decision and nothing else,
 *    and can be checked by whoever has the event.
 * 3. The person was there and was recognized (user verification), at a page of this very server (origin).
 */
import { createHash } from 'node:crypto';
import type {
  AuthenticationResponseJSON,
  AuthenticatorTransport,
  RegistrationResponseJSON,
} from '@simplewebauthn/server';
import type { JsonObject } from '@ccdash/core';
import { statementText } from '../base/people.ts';
import type { Statement } from '../base/people.ts';

export const PASSKEY_HOST = 'localhost';
/** How long a browser lets its person think. */
const PATIENCE_MS = 120_000;

/** ES256, EdDSA, RS256: what whoever keeps an event can check with any tool, in years as well. */
const ALGORITHMS = [-7, -8, -257];

/** What is public of a passkey. */
export interface Passkey {
  /** As its authenticator knows it, base64url. */
  readonly handle: string;
  /** COSE, base64url. */
  readonly publicKey: string;
  readonly transports: readonly string[];
}

export interface PasskeyAnswer {
  readonly response: JsonObject;
  /** Where the browser must have been. */
  readonly origin: string;
}

/** What `navigator.credentials.create` is given (PublicKeyCredentialCreationOptionsJSON). */
export async function creationOptions(
  person: string,
  challenge: Uint8Array<ArrayBuffer>,
  own: readonly Passkey[],
): Promise<JsonObject> {
  const { generateRegistrationOptions } = await import('@simplewebauthn/server');
  const options = await generateRegistrationOptions({
    rpName: 'CCDash',
    rpID: PASSKEY_HOST,
    userName: person,
    userID: new Uint8Array(createHash('sha256').update(person).digest()),
    challenge,
    timeout: PATIENCE_MS,
    attestationType: 'none',
    supportedAlgorithmIDs: ALGORITHMS,
    excludeCredentials: own.map(({ handle }) => ({ id: handle })),
    authenticatorSelection: { residentKey: 'preferred', userVerification: 'required' },
  });
  return options as unknown as JsonObject;
}

/** The passkey that a browser made for `challenge`; null when the answer is not one. */
export async function readCreated(
  { response, origin }: PasskeyAnswer,
  challenge: Uint8Array,
): Promise<(Passkey & { readonly count: number }) | null> {
  const { verifyRegistrationResponse } = await import('@simplewebauthn/server');
  try {
    const { verified, registrationInfo } = await verifyRegistrationResponse({
      response: response as unknown as RegistrationResponseJSON,
      expectedChallenge: Buffer.from(challenge).toString('base64url'),
      expectedOrigin: origin,
      expectedRPID: PASSKEY_HOST,
      requireUserVerification: true,
      supportedAlgorithmIDs: ALGORITHMS,
    });
    if (!verified) return null;
    const { id, publicKey, counter, transports = [] } = registrationInfo.credential;
    const known = transports.filter((each) => /^[a-z-]{1,20}$/.test(each)).slice(0, 8);
    const key = Buffer.from(publicKey).toString('base64url');
    return { handle: id, publicKey: key, transports: known, count: counter };
  } catch {
    // The library throws at whatever a hostile answer gets wrong.
    return null;
  }
}

/** What `navigator.credentials.get` is given (PublicKeyCredentialRequestOptionsJSON). */
export async function requestOptions(
  statement: Statement,
  own: readonly Passkey[],
): Promise<JsonObject> {
  const { generateAuthenticationOptions } = await import('@simplewebauthn/server');
  const options = await generateAuthenticationOptions({
    rpID: PASSKEY_HOST,
    challenge: challengeOf(statement),
    timeout: PATIENCE_MS,
    userVerification: 'required',
    allowCredentials: own.map(({ handle, transports }) => ({
      id: handle,
      transports: [...transports] as AuthenticatorTransport[],
    })),
  });
  return options as unknown as JsonObject;
}

/** What the authenticator counts up to with this answer; null when it is not `passkey`'s over `statement`, or an old one. */
export async function countOfAnswer(
  statement: Statement,
  { response, origin }: PasskeyAnswer,
  { handle, publicKey }: Passkey,
  lastCount: number,
): Promise<number | null> {
  const { verifyAuthenticationResponse } = await import('@simplewebauthn/server');
  try {
    const { verified, authenticationInfo } = await verifyAuthenticationResponse({
      response: response as unknown as AuthenticationResponseJSON,
      expectedChallenge: challengeOf(statement).toString('base64url'),
      expectedOrigin: origin,
      expectedRPID: PASSKEY_HOST,
      requireUserVerification: true,
      credential: {
        id: handle,
        publicKey: new Uint8Array(Buffer.from(publicKey, 'base64url')),
        counter: lastCount,
      },
    });
    return verified ? authenticationInfo.newCounter : null;
  } catch {
    return null;
  }
}

/** What of an answer has to be kept for others to check it: the rest is the browser's business. */
export function signedPart(response: JsonObject): JsonObject {
  const { clientDataJSON, authenticatorData, signature } = response['response'] as JsonObject;
  return { clientDataJSON, authenticatorData, signature } as JsonObject;
}

function challengeOf(statement: Statement): Buffer<ArrayBuffer> {
  return createHash('sha256').update(statementText(statement)).digest();
}
