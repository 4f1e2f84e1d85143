/** Who there is, as the fold of the log's events about people. */
import type { JsonObject, StoredEvent } from '@ccdash/core';
import type { CredentialKind, Role } from '../base/people.ts';

export interface Credential {
  readonly id: string;
  readonly kind: CredentialKind;
  readonly label: string;
  readonly addedAt: string;
  /** What is public of it: a digest, a public key. */
  readonly material: JsonObject;
}

export interface Person {
  readonly id: string;
  readonly roles: readonly Role[];
  readonly addedAt: string;
  readonly revokedAt: string | null;
}

export interface PeopleState {
  readonly people: Map<string, Person>;
  /** By person; the owner of the machine has some without having been added. */
  readonly credentials: Map<string, readonly Credential[]>;
}

/** Data by the type of the event. Every event is of no run. */
export interface PeopleEventData {
  PersonAdded: { readonly person: string; readonly roles: readonly Role[] };
  PersonRolesSet: { readonly person: string; readonly roles: readonly Role[] };
  PersonRevoked: { readonly person: string; readonly reason: string };
  CredentialAdded: {
    readonly person: string;
    readonly credential: string;
    readonly kind: CredentialKind;
    readonly label: string;
    readonly material: JsonObject;
  };
}
export type PeopleEventType = keyof PeopleEventData;

export function newPeopleState(): PeopleState {
  return { people: new Map(), credentials: new Map() };
}

/** Changes `state`; events about other things change nothing. */
export function applyPeopleEvent(state: PeopleState, event: StoredEvent): void {
  switch (event.type) {
    case 'PersonAdded': {
      const { person, roles } = event.data as unknown as PeopleEventData['PersonAdded'];
      state.people.set(person, { id: person, roles, addedAt: event.at, revokedAt: null });
      return;
    }
    case 'PersonRolesSet': {
      const { person, roles } = event.data as unknown as PeopleEventData['PersonRolesSet'];
      const known = state.people.get(person);
      if (known !== undefined) state.people.set(person, { ...known, roles });
      return;
    }
    case 'PersonRevoked': {
      const { person } = event.data as unknown as PeopleEventData['PersonRevoked'];
      const known = state.people.get(person);
      if (known !== undefined) state.people.set(person, { ...known, revokedAt: event.at });
      state.credentials.delete(person);
      return;
    }
    case 'CredentialAdded': {
      const data = event.data as unknown as PeopleEventData['CredentialAdded'];
      const { person, credential: id, kind, label, material } = data;
      const added = { id, kind, label, material, addedAt: event.at };
      state.credentials.set(person, [...(state.credentials.get(person) ?? []), added]);
      return;
    }
    default:
    // Something else of the log.
  }
}
