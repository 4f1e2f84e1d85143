/** What each route about people does. */
import {
  emptyRequest,
  loginRequest,
  passkeyChallengeRequest,
  passkeyRequest,
  personRequest,
  proofRequest,
  revokeRequest,
  rolesRequest,
  sshKeyRequest,
} from '@ccdash/api';
import type { Result } from '@ccdash/core';
import type { ProofRequest } from '@ccdash/api';
import type { People, PeopleRefusal, Proof } from '../base/people.ts';
import type { Credentials } from './credentials.ts';
import type { Handler } from './handlers.ts';
import { refusalToProblem } from './problem.ts';
import type { Problem } from './problem.ts';

export type PeopleRoute =
  | 'listPeople'
  | 'whoAmI'
  | 'addPerson'
  | 'setPersonRoles'
  | 'revokePerson'
  | 'createLogin'
  | 'createPersonLogin'
  | 'redeemLogin'
  | 'logout'
  | 'addTotp'
  | 'addSshKey'
  | 'beginPasskey'
  | 'addPasskey'
  | 'askPasskey';

export interface PeopleHandlerOptions {
  readonly people: People;
  readonly credentials: Credentials;
  /** `http://HOST:PORT` for links. */
  readonly baseUrl: string;
}

export function createPeopleHandlers({
  people,
  credentials,
  baseUrl,
}: PeopleHandlerOptions): Readonly<Record<PeopleRoute, Handler>> {
  function linkFor(person: string): Response {
    const { code, expiresAtMs } = credentials.createCode(person);
    const expiresAt = new Date(expiresAtMs).toISOString();
    return Response.json({ url: loginUrl(baseUrl, code), code, expiresAt }, { status: 201 });
  }

  const origin = passkeyOrigin(baseUrl);

  /** A browser at an address knows no passkeys; better said than left to its own words. */
  function refuseAddress(headers: Headers): Problem | null {
    if (headers.get('host') === new URL(origin).host) return null;
    return {
      error: 'ProofInvalid',
      detail: 'Passkeys are of a name, and not of an address.',
      hint: `Open ${origin} and log in there.`,
    };
  }

  return {
    listPeople: () => Response.json(people.list()),
    whoAmI: ({ caller }) => Response.json({ ...people.find(caller.actor.id), roles: caller.roles }),
    addPerson: async (call) => {
      const { person, roles } = call.body(personRequest);
      return answer(await people.add(person, roles, call.caller.actor), 201);
    },
    setPersonRoles: async (call) => {
      const { roles } = call.body(rolesRequest);
      return answer(await people.setRoles(call.param('id'), roles, call.caller.actor));
    },
    revokePerson: async (call) => {
      const { reason } = call.body(revokeRequest);
      return answer(await people.revoke(call.param('id'), reason, call.caller.actor));
    },
    createLogin: (call) => {
      call.body(emptyRequest);
      return linkFor(call.caller.actor.id);
    },
    createPersonLogin: (call) => {
      call.body(emptyRequest);
      const person = call.param('id');
      const isOwner = people.find(person)?.isOwner === true;
      // Nobody logs in as the owner of the machine but from that machine.
      if (isOwner && call.caller.actor.id !== person) {
        return refusalToProblem({ type: 'OwnerFixed', person });
      }
      if (people.callerOf(person) === null) {
        return refusalToProblem({ type: 'PersonNotFound', person });
      }
      return linkFor(person);
    },
    redeemLogin: async (call) => {
      const { code, label } = call.body(loginRequest);
      const person = credentials.redeemCode(code);
      if (person === null) return LOGIN_INVALID;
      const token = await people.createToken(person, label);
      if (!token.ok) return refusalToProblem(token.error);
      return Response.json({ person, token: token.value }, { status: 201 });
    },
    logout: (call) => {
      call.body(emptyRequest);
      const headers = { 'set-cookie': credentials.closeSession(call.headers) };
      return Response.json({ status: 'ok' }, { headers });
    },
    addTotp: async (call) => {
      const { proof } = call.body(proofRequest);
      return answer(await people.addTotp(call.caller.actor.id, asProof(proof, baseUrl)), 201);
    },
    addSshKey: async (call) => {
      const { publicKey, proof } = call.body(sshKeyRequest);
      const by = asProof(proof, baseUrl);
      return answer(await people.addSshKey(call.caller.actor.id, publicKey, by), 201);
    },
    beginPasskey: async (call) => {
      call.body(emptyRequest);
      const refused = refuseAddress(call.headers);
      return refused ?? answer(await people.beginPasskey(call.caller.actor.id));
    },
    addPasskey: async (call) => {
      const { response, proof } = call.body(passkeyRequest);
      const by = asProof(proof, baseUrl);
      return answer(await people.addPasskey(call.caller.actor.id, { response, origin }, by), 201);
    },
    askPasskey: async (call) => {
      const statement = { person: call.caller.actor.id, ...call.body(passkeyChallengeRequest) };
      const refused = refuseAddress(call.headers);
      return refused ?? answer(await people.askPasskey(statement));
    },
  };
}

/** Where a browser has to be to answer with a passkey of this server. */
function passkeyOrigin(baseUrl: string): string {
  return `http://localhost:${new URL(baseUrl).port}`;
}

/** A proof as it came, with what this server knows of it. */
export function asProof(proof: ProofRequest | null, baseUrl: string): Proof | null {
  return proof?.kind === 'passkey' ? { ...proof, origin: passkeyOrigin(baseUrl) } : proof;
}

/** Opens the pages in a browser, once. */
export function loginUrl(baseUrl: string, code: string): string {
  return `${baseUrl}/login?code=${code}`;
}

export const LOGIN_INVALID: Problem = {
  error: 'LoginInvalid',
  detail: 'A login link works once, for 15 minutes, and while its server runs.',
  hint: 'Get a new one: ccdash serve, or from an admin: ccdash users login NAME',
};

function answer(result: Result<unknown, PeopleRefusal>, status = 200): Response | Problem {
  return result.ok ? Response.json(result.value, { status }) : refusalToProblem(result.error);
}
