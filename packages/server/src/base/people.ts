/** Who may use the workbench, what they may do, and how they prove that they are there. */
import type { Actor, JsonObject, Result, StoreUnavailable } from '@ccdash/core';
import type { Caller } from './workbench.ts';

export const ROLES = ['viewer', 'operator', 'approver', 'admin'] as const;
export type Role = (typeof ROLES)[number];

/** Ways to say who one is: `token` and `oidc` log in, the others prove that the person is there. */
export type CredentialKind = 'token' | 'oidc' | 'totp' | 'ssh' | 'passkey';

export interface CredentialView {
  readonly id: string;
  readonly kind: CredentialKind;
  readonly label: string;
  readonly addedAt: string;
}

export interface PersonView {
  readonly id: string;
  /** Whose machine it is: has every role, and cannot be revoked. */
  readonly isOwner: boolean;
  readonly roles: readonly Role[];
  readonly addedAt: string | null;
  readonly revokedAt: string | null;
  readonly credentials: readonly CredentialView[];
}

/** What a person says about a request; a proof of presence is over exactly this. */
export interface Statement {
  readonly person: string;
  readonly approvalId: string;
  readonly decision: 'approve' | 'reject';
  readonly subjectDigest: string;
}

/** That the person was there when they said it. */
export type Proof =
  | { readonly kind: 'totp'; readonly code: string }
  /** Armored signature of `ssh-keygen -Y sign -n ccdash-decision` over `statementText`. */
  | { readonly kind: 'ssh'; readonly signature: string }
  /** What the browser's authenticator answered to the challenge, and where the browser must have been. */
  | { readonly kind: 'passkey'; readonly response: JsonObject; readonly origin: string };

/** What a proof is worth, and what to keep of it, so that others can check it later. */
export interface Proven {
  readonly assurance: Caller['assurance'];
  readonly evidence: JsonObject;
}

export type PeopleRefusal =
  | StoreUnavailable
  | { readonly type: 'PersonInvalid'; readonly detail: string }
  | { readonly type: 'PersonExists'; readonly person: string }
  | { readonly type: 'PersonNotFound'; readonly person: string }
  | { readonly type: 'OwnerFixed'; readonly person: string }
  | { readonly type: 'ProofRequired'; readonly detail: string }
  | { readonly type: 'ProofInvalid'; readonly detail: string };

export interface People {
  list(): readonly PersonView[];
  find(person: string): PersonView | null;
  /** Null when the person is unknown or revoked. */
  callerOf(person: string): Caller | null;
  /** They were revoked since, or have no role left that let them decide this. */
  hasLost(
    person: string,
    asked: { readonly roles: readonly string[]; readonly people: readonly string[] },
  ): boolean;
  /** Of the bearer token with this SHA-256, as hex; null when nobody has it. */
  personWithToken(digest: string): string | null;
  add(
    person: string,
    roles: readonly string[],
    by: Actor,
  ): Promise<Result<PersonView, PeopleRefusal>>;
  setRoles(
    person: string,
    roles: readonly string[],
    by: Actor,
  ): Promise<Result<PersonView, PeopleRefusal>>;
  /** Ends every credential of theirs at once; what they have decided and nobody used does not count any more. */
  revoke(person: string, reason: string, by: Actor): Promise<Result<PersonView, PeopleRefusal>>;
  /** A new bearer token; only its digest is kept. */
  createToken(person: string, label: string): Promise<Result<string, PeopleRefusal>>;
  /** Shown once. `proof` by one of the means they have, if they have any. */
  addTotp(
    person: string,
    proof: Proof | null,
  ): Promise<Result<{ readonly secret: string; readonly uri: string }, PeopleRefusal>>;
  addSshKey(
    person: string,
    publicKey: string,
    proof: Proof | null,
  ): Promise<Result<PersonView, PeopleRefusal>>;
  /** For `navigator.credentials.create`; its challenge is good once, for five minutes. */
  beginPasskey(person: string): Promise<Result<JsonObject, PeopleRefusal>>;
  addPasskey(
    person: string,
    answer: { readonly response: JsonObject; readonly origin: string },
    proof: Proof | null,
  ): Promise<Result<PersonView, PeopleRefusal>>;
  /** For `navigator.credentials.get`, by which the person signs exactly this. */
  askPasskey(statement: Statement): Promise<Result<JsonObject, PeopleRefusal>>;
  prove(statement: Statement, proof: Proof): Promise<Result<Proven, PeopleRefusal>>;
}

/** What a signature of a terminal is over. No part can hold a line break. */
export function statementText({ person, approvalId, decision, subjectDigest }: Statement): string {
  return `ccdash decision v1\n${approvalId}\n${decision}\n${subjectDigest}\n${person}\n`;
}

/** What adding a further means of proof is a statement about. */
export function enrolment(person: string): Statement {
  return { person, approvalId: 'credentials', decision: 'approve', subjectDigest: 'credentials' };
}

/** Namespace of SSH signatures, so that one made for anything else says nothing here. */
export const SSH_NAMESPACE = 'ccdash-decision';
