/**
 * The people of a project: their roles and credentials, in the log.
 *
 * Owns: what is known of people, and the secrets of one-time codes (one file each, in `keyDir`). Does not own: sessions
 * and login codes (http), and what a role may do (the routes, core).
 * 1. Every change is an event before it counts. No secret is in an event: of tokens there is the digest, of the rest the
 *    public key.
 * 2. The owner of the machine has every role and cannot lose them: there is always somebody who may add people.
 * 3. Who has a means of proof adds another only with it: a stolen session does not become a stolen identity.
 */
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { err, ok } from '@ccdash/core';
import type { Actor, Clock, NewEvent, Result, StoredEvent, StoreUnavailable } from '@ccdash/core';
import { ROLES, enrolment, statementText } from '../base/people.ts';
import type { People, PeopleRefusal, PersonView, Proof, Role, Statement } from '../base/people.ts';
import type { Caller } from '../base/workbench.ts';
import { applyPeopleEvent, newPeopleState } from './people-state.ts';
import type { Credential, PeopleEventData, PeopleEventType } from './people-state.ts';
import {
  countOfAnswer,
  creationOptions,
  readCreated,
  requestOptions,
  signedPart,
} from './passkey.ts';
import type { Passkey } from './passkey.ts';
import { isSignedBy, readPublicKey } from './ssh-signature.ts';
import { stepOfCode, totpUri } from './totp.ts';

export interface PeopleOptions {
  readonly owner: string;
  /** Events of no run so far, oldest first. */
  readonly events: Iterable<StoredEvent>;
  readonly append: (
    events: readonly NewEvent[],
  ) => Promise<Result<readonly StoredEvent[], StoreUnavailable>>;
  /** Of mode 0700, out of reach of every step. */
  readonly keyDir: string;
  readonly clock: Pick<Clock, 'now'>;
}

const NAME = /^[A-Za-z0-9][A-Za-z0-9._@+-]{0,99}$/;
/** Wrong codes that a person may give in a while; a code has six digits only. */
const MAX_WRONG = 5;
const WRONG_WINDOW_MS = 5 * 60_000;
const CHALLENGE_LIFE_MS = 5 * 60_000;
const PROOFS: readonly string[] = ['totp', 'ssh', 'passkey'];

export function createPeople(options: PeopleOptions): People {
  const { owner, keyDir, clock } = options;
  const state = newPeopleState();
  for (const event of options.events) applyPeopleEvent(state, event);
  const wrongAtByPerson = new Map<string, readonly number[]>();
  /** Of passkeys that are being made; a restart ends them. */
  const challengeByPerson = new Map<
    string,
    { readonly bytes: Uint8Array<ArrayBuffer>; readonly endsAtMs: number }
  >();
  // One after the other: two that add one name must not both succeed.
  let tail: Promise<unknown> = Promise.resolve();

  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = tail.then(work);
    tail = turn.catch(() => undefined);
    return turn;
  }

  async function record<T extends PeopleEventType>(
    type: T,
    data: PeopleEventData[T],
    actor: Actor,
  ): Promise<Result<void, PeopleRefusal>> {
    const at = new Date(clock.now()).toISOString();
    const appended = await options.append([{ type, at, actor, data: { ...data } }]);
    if (!appended.ok) return appended;
    for (const event of appended.value) applyPeopleEvent(state, event);
    return ok(undefined);
  }

  const credentialsOf = (person: string): readonly Credential[] =>
    state.credentials.get(person) ?? [];

  function find(person: string): PersonView | null {
    const known = state.people.get(person);
    if (known === undefined && person !== owner) return null;
    const credentials = credentialsOf(person).map(({ id, kind, label, addedAt }) => ({
      ...{ id, kind, label, addedAt },
    }));
    if (person === owner) {
      const fixed = { isOwner: true, roles: ROLES, addedAt: null, revokedAt: null };
      return { id: person, ...fixed, credentials };
    }
    const { roles = [], addedAt = null, revokedAt = null } = known ?? {};
    return { id: person, isOwner: false, roles, addedAt, revokedAt, credentials };
  }

  function callerOf(person: string): Caller | null {
    const known = find(person);
    if (known === null || known.revokedAt !== null) return null;
    const roles = [...new Set<string>(['viewer', ...known.roles])];
    return { actor: { kind: 'person', id: person }, roles, assurance: 'session' };
  }

  function shown(person: string): Result<PersonView, PeopleRefusal> {
    const known = find(person);
    return known === null ? err({ type: 'PersonNotFound', person }) : ok(known);
  }

  /** Why `person`, who is not the owner, cannot be changed. */
  function unchangeable(person: string): PeopleRefusal | null {
    if (person === owner) return { type: 'OwnerFixed', person };
    const known = find(person);
    return known === null || known.revokedAt !== null ? { type: 'PersonNotFound', person } : null;
  }

  async function addCredential(
    person: string,
    kind: Credential['kind'],
    label: string,
    material: Credential['material'],
    proof: Proof | null,
  ): Promise<Result<string, PeopleRefusal>> {
    if (callerOf(person) === null) return err({ type: 'PersonNotFound', person });
    if (PROOFS.includes(kind) && credentialsOf(person).some((each) => PROOFS.includes(each.kind))) {
      if (proof === null) {
        const detail = `${person} has a means of proof already; a further one is added with it`;
        return err({ type: 'ProofRequired', detail });
      }
      const proven = await prove(enrolment(person), proof);
      if (!proven.ok) return proven;
    }
    const credential = `cred_${randomBytes(9).toString('base64url')}`;
    const data = { person, credential, kind, label, material };
    const added = await record('CredentialAdded', data, { kind: 'person', id: person });
    return added.ok ? ok(credential) : added;
  }

  async function prove(statement: Statement, proof: Proof): ReturnType<People['prove']> {
    const { person } = statement;
    const wrongAt = (wrongAtByPerson.get(person) ?? []).filter(
      (at) => clock.now() - at < WRONG_WINDOW_MS,
    );
    if (wrongAt.length >= MAX_WRONG) {
      return err({ type: 'ProofInvalid', detail: 'too many wrong proofs; wait five minutes' });
    }
    // Counted before it is looked at, so that many at once are no way round.
    wrongAtByPerson.set(person, [...wrongAt, clock.now()]);
    const own = credentialsOf(person).filter(({ kind }) => kind === proof.kind);
    if (own.length === 0) {
      const detail = `${person} has no ${proof.kind} to prove their presence with`;
      return err({ type: 'ProofInvalid', detail });
    }
    const proven = await proveBy(statement, proof, own);
    if (proven.ok) wrongAtByPerson.set(person, wrongAt);
    return proven;
  }

  async function proveBy(
    statement: Statement,
    proof: Proof,
    own: readonly Credential[],
  ): ReturnType<People['prove']> {
    switch (proof.kind) {
      case 'totp': {
        const used = own.find(({ id }) => useCode(id, proof.code));
        if (used === undefined) {
          return err({ type: 'ProofInvalid', detail: 'the one-time code is wrong, old or used' });
        }
        return ok({ assurance: 'reauth', evidence: { kind: 'totp', credential: used.id } });
      }
      case 'ssh': {
        const text = statementText(statement);
        for (const { id, material } of own) {
          const { publicKey: key } = material;
          if (typeof key !== 'string') continue;
          const signed = await isSignedBy([key], text, proof.signature);
          if (!signed.ok) return err({ type: 'ProofInvalid', detail: signed.error });
          if (!signed.value) continue;
          const { signature } = proof;
          const evidence = { kind: 'ssh', credential: id, publicKey: key, signature, text };
          return ok({ assurance: 'reauth', evidence });
        }
        return err({
          type: 'ProofInvalid',
          detail: 'the signature is not one of your keys over this decision',
        });
      }
      case 'passkey': {
        for (const credential of own) {
          const passkey = passkeyOf(credential);
          const { id } = credential;
          const count = await countOfAnswer(statement, proof, passkey, lastCount(id));
          if (count === null) continue;
          keepCount(id, count);
          const { handle, publicKey } = passkey;
          const signed = signedPart(proof.response);
          const text = statementText(statement);
          const evidence = { kind: 'passkey', credential: id, handle, publicKey, signed, text };
          return ok({ assurance: 'passkey', evidence });
        }
        return err({
          type: 'ProofInvalid',
          detail: 'the answer is not one of your passkeys over this decision, given at this server',
        });
      }
    }
  }

  /** Uses up a one-time code; a restart does not make it good again. */
  function useCode(credential: string, code: string): boolean {
    const path = join(keyDir, `totp-${credential}`);
    const kept = JSON.parse(readFileSync(path, 'utf8')) as { secret: string; usedStep: number };
    const secret = Buffer.from(kept.secret, 'base64url');
    const usedStep = stepOfCode(secret, code, clock.now(), kept.usedStep);
    if (usedStep === null) return false;
    keepSecret(path, JSON.stringify({ ...kept, usedStep }));
    return true;
  }

  /** An authenticator that counts never gives one count twice: an answer that was seen is not good again. */
  const countPath = (credential: string): string => join(keyDir, `passkey-${credential}`);

  function keepCount(credential: string, count: number): void {
    keepSecret(countPath(credential), JSON.stringify({ count }));
  }

  function lastCount(credential: string): number {
    const path = countPath(credential);
    // None yet when the server died between the event and its file.
    if (!existsSync(path)) return 0;
    return (JSON.parse(readFileSync(path, 'utf8')) as { count: number }).count;
  }

  const passkeysOf = (person: string): readonly Passkey[] =>
    credentialsOf(person).flatMap((each) => (each.kind === 'passkey' ? [passkeyOf(each)] : []));

  async function addPasskey(
    person: string,
    answer: Parameters<People['addPasskey']>[1],
    proof: Proof | null,
  ): ReturnType<People['addPasskey']> {
    const challenge = challengeByPerson.get(person);
    challengeByPerson.delete(person);
    const isOpen = challenge !== undefined && clock.now() < challenge.endsAtMs;
    const made = isOpen ? await readCreated(answer, challenge.bytes) : null;
    if (made === null) {
      const detail = isOpen
        ? 'this is no passkey made for this server with its person recognized'
        : 'no passkey is being made, or it took more than five minutes; begin again';
      return err({ type: 'PersonInvalid', detail });
    }
    const { count, ...passkey } = made;
    const taken = [...state.credentials.values()].flat();
    if (taken.some(({ material }) => material['handle'] === passkey.handle)) {
      return err({ type: 'PersonInvalid', detail: 'this passkey is somebody’s already' });
    }
    const material = { ...passkey, transports: [...passkey.transports] };
    const added = await addCredential(person, 'passkey', 'passkey', material, proof);
    if (!added.ok) return added;
    keepCount(added.value, count);
    return shown(person);
  }

  return {
    list: () => [...new Set([owner, ...state.people.keys()])].flatMap((id) => find(id) ?? []),
    find,
    callerOf,
    hasLost: (person, asked) => {
      const known = find(person);
      // Whoever was never added here (a log from elsewhere) cannot have lost anything either.
      if (known === null) return false;
      if (known.revokedAt !== null) return true;
      if (asked.roles.length === 0 || asked.people.includes(person)) return false;
      return !asked.roles.some((role) => known.roles.some((own) => own === role));
    },
    personWithToken: (digest) => {
      for (const [person, credentials] of state.credentials) {
        const has = credentials.some(
          ({ kind, material }) => kind === 'token' && material['sha256'] === digest,
        );
        if (has) return person;
      }
      return null;
    },
    add: (person, roles, by) =>
      inTurn(async () => {
        const wrong = nameFault(person) ?? rolesFault(roles);
        if (wrong !== null) return err({ type: 'PersonInvalid', detail: wrong });
        const known = find(person);
        if (known !== null && known.revokedAt === null)
          return err({ type: 'PersonExists', person });
        const added = await record('PersonAdded', { person, roles: asRoles(roles) }, by);
        return added.ok ? shown(person) : added;
      }),
    setRoles: (person, roles, by) =>
      inTurn(async () => {
        const wrong = rolesFault(roles);
        if (wrong !== null) return err({ type: 'PersonInvalid', detail: wrong });
        const fixed = unchangeable(person);
        if (fixed !== null) return err(fixed);
        const set = await record('PersonRolesSet', { person, roles: asRoles(roles) }, by);
        return set.ok ? shown(person) : set;
      }),
    revoke: (person, reason, by) =>
      inTurn(async () => {
        const fixed = unchangeable(person);
        if (fixed !== null) return err(fixed);
        const revoked = await record('PersonRevoked', { person, reason }, by);
        return revoked.ok ? shown(person) : revoked;
      }),
    createToken: (person, label) =>
      inTurn(async () => {
        const token = randomBytes(32).toString('base64url');
        const sha256 = createHash('sha256').update(token).digest('hex');
        const added = await addCredential(person, 'token', label, { sha256 }, null);
        return added.ok ? ok(token) : added;
      }),
    addTotp: (person, proof) =>
      inTurn(async () => {
        const secret = randomBytes(20);
        const added = await addCredential(person, 'totp', 'one-time codes', {}, proof);
        if (!added.ok) return added;
        const kept = JSON.stringify({ secret: secret.toString('base64url'), usedStep: 0 });
        keepSecret(join(keyDir, `totp-${added.value}`), kept);
        return ok(totpUri(secret, person));
      }),
    addSshKey: (person, publicKey, proof) =>
      inTurn(async () => {
        const key = readPublicKey(publicKey);
        if (key === null) {
          const detail = 'this is no SSH public key, as in ~/.ssh/id_ed25519.pub';
          return err({ type: 'PersonInvalid', detail });
        }
        const label = key.split(' ')[0] ?? 'ssh';
        const added = await addCredential(person, 'ssh', label, { publicKey: key }, proof);
        return added.ok ? shown(person) : added;
      }),
    beginPasskey: async (person) => {
      if (callerOf(person) === null) return err({ type: 'PersonNotFound', person });
      const bytes = new Uint8Array(randomBytes(32));
      challengeByPerson.set(person, { bytes, endsAtMs: clock.now() + CHALLENGE_LIFE_MS });
      return ok(await creationOptions(person, bytes, passkeysOf(person)));
    },
    addPasskey: (person, answer, proof) => inTurn(() => addPasskey(person, answer, proof)),
    askPasskey: async (statement) => {
      const { person } = statement;
      const own = passkeysOf(person);
      if (own.length > 0) return ok(await requestOptions(statement, own));
      return err({
        type: 'ProofInvalid',
        detail: `${person} has no passkey to prove their presence with`,
      });
    },
    prove: (statement, proof) => inTurn(() => prove(statement, proof)),
  };
}

function passkeyOf({ material }: Credential): Passkey {
  return material as unknown as Passkey;
}

function nameFault(person: string): string | null {
  if (NAME.test(person)) return null;
  return 'a name has up to 100 letters, digits and . _ @ + -, and begins with a letter or digit';
}

function rolesFault(roles: readonly string[]): string | null {
  const unknown = roles.find((role) => !(ROLES as readonly string[]).includes(role));
  if (unknown !== undefined) {
    return `there is no role ${JSON.stringify(unknown)}; there are: ${ROLES.join(', ')}`;
  }
  return roles.length === 0 ? `no role is named; there are: ${ROLES.join(', ')}` : null;
}

/** In the order of ROLES, each once. */
function asRoles(roles: readonly string[]): readonly Role[] {
  return ROLES.filter((role) => roles.includes(role));
}

function keepSecret(path: string, text: string): void {
  mkdirSync(join(path, '..'), { recursive: true, mode: 0o700 });
  const next = `${path}.next`;
  writeFileSync(next, text, { mode: 0o600, flush: true });
  renameSync(next, path);
}
