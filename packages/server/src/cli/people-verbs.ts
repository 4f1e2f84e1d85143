/** Who may use the workbench, and how this terminal says who it is. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { createClient, err, ok } from '@ccdash/api/client';
import type { Client, PersonView, Result } from '@ccdash/api/client';
import { enrolment } from '../base/people.ts';
import { connect } from './connect.ts';
import type { Context } from './context.ts';
import { saveLogin } from './logins.ts';
import { proofFrom } from './proof.ts';
import type { ProofOptions } from './proof.ts';
import { EXIT, cliRefusal, problemToRefusal, refuse } from './refusals.ts';
import type { CliRefusal } from './refusals.ts';

export async function listPeople(context: Context): Promise<number> {
  return ask(
    context,
    (client) => client.people(),
    (people) => {
      for (const person of people) sayPerson(context, person);
    },
  );
}

export async function whoAmI(context: Context): Promise<number> {
  return ask(
    context,
    (client) => client.whoAmI(),
    (person) => sayPerson(context, person),
  );
}

/** Adds a person, and shows how they get in. */
export async function addPerson(
  context: Context,
  person: string,
  roles: readonly string[],
): Promise<number> {
  const connection = await connect(context);
  if (!connection.ok) return refuse(context, connection.error);
  const { client } = connection.value;
  const added = await client.addPerson({ person, roles });
  if (!added.ok) return refuse(context, problemToRefusal(added.error));
  const login = await client.createPersonLogin(person);
  if (!login.ok) return refuse(context, problemToRefusal(login.error));
  if (context.isJson) {
    context.writeJson({ person: added.value, login: login.value });
    return EXIT.done;
  }
  sayPerson(context, added.value);
  sayLogin(context, person, login.value);
  return EXIT.done;
}

export async function createPersonLogin(context: Context, person: string): Promise<number> {
  return ask(
    context,
    (client) => client.createPersonLogin(person),
    (login) => sayLogin(context, person, login),
  );
}

export async function setRoles(
  context: Context,
  person: string,
  roles: readonly string[],
): Promise<number> {
  return ask(
    context,
    (client) => client.setPersonRoles(person, { roles }),
    (changed) => sayPerson(context, changed),
  );
}

export async function revokePerson(
  context: Context,
  person: string,
  reason: string,
): Promise<number> {
  return ask(
    context,
    (client) => client.revokePerson(person, { reason }),
    (revoked) => sayPerson(context, revoked),
  );
}

export async function addTotp(context: Context, options: ProofOptions): Promise<number> {
  return ask(
    context,
    async (client) => {
      const proof = await enrolmentProof(context, client, options);
      return proof.ok ? client.addTotp({ proof: proof.value }) : proof;
    },
    ({ secret, uri }) => {
      context.say('Give this to an authenticator app; it is not shown again:');
      context.say(`  ${secret}`);
      context.say({ text: `  ${uri}`, style: 'quiet' });
      context.say({
        text: '  Then decide with it: ccdash approve ID --code 123456',
        style: 'quiet',
      });
    },
  );
}

export async function addSshKey(
  context: Context,
  file: string,
  options: ProofOptions,
): Promise<number> {
  return ask(
    context,
    async (client) => {
      const publicKey = readText(resolve(context.cwd, file));
      if (!publicKey.ok) return publicKey;
      const proof = await enrolmentProof(context, client, options);
      if (!proof.ok) return proof;
      return client.addSshKey({ publicKey: publicKey.value, proof: proof.value });
    },
    (person) => sayPerson(context, person),
  );
}

/** Trades a login code for a token of this terminal. */
export async function login(context: Context, server: string, code: string): Promise<number> {
  const client = createClient({ baseUrl: server, token: '' });
  const redeemed = await client.redeemLogin({ code });
  if (!redeemed.ok) return refuse(context, problemToRefusal(redeemed.error));
  const { person, token } = redeemed.value;
  const path = saveLogin(context, { server, person, token });
  if (context.isJson) context.writeJson({ person, server });
  else {
    context.say({ text: 'logged in', style: 'good' }, `  as ${person} at ${server}`);
    context.say({ text: `  The token is in ${path}`, style: 'quiet' });
    context.say({ text: `  export CCDASH_SERVER=${server}`, style: 'quiet' });
  }
  return EXIT.done;
}

async function enrolmentProof(
  context: Context,
  client: Client,
  options: ProofOptions,
): ReturnType<typeof proofFrom> {
  const me = await client.whoAmI();
  if (!me.ok) return err(problemToRefusal(me.error));
  return proofFrom(context, enrolment(me.value.id), options);
}

async function ask<T>(
  context: Context,
  act: (client: Client) => Promise<Result<T, Parameters<typeof problemToRefusal>[0] | CliRefusal>>,
  say: (value: T) => void,
): Promise<number> {
  const connection = await connect(context);
  if (!connection.ok) return refuse(context, connection.error);
  const answered = await act(connection.value.client);
  if (!answered.ok) {
    const { error } = answered;
    return refuse(context, 'error' in error ? problemToRefusal(error) : error);
  }
  if (context.isJson) context.writeJson(answered.value);
  else say(answered.value);
  return EXIT.done;
}

function sayPerson(context: Context, person: PersonView): void {
  const { id, roles, revokedAt, isOwner, credentials } = person;
  const means = credentials.map(({ kind, label }) =>
    label === kind ? kind : `${kind} (${label})`,
  );
  context.say(
    { text: id, style: 'bold' },
    `  ${roles.join(', ')}`,
    { text: isOwner ? '  owner of this machine' : '', style: 'quiet' },
    { text: revokedAt === null ? '' : `  revoked ${revokedAt}`, style: 'bad' },
    { text: means.length === 0 ? '' : `  ${means.join(', ')}`, style: 'quiet' },
  );
}

function sayLogin(
  context: Context,
  person: string,
  {
    url,
    code,
    expiresAt,
  }: { readonly url: string; readonly code: string; readonly expiresAt: string },
): void {
  const server = url.replace(/\/login\?.*$/, '');
  context.say(`Give this to ${person}; it works once, until ${expiresAt}:`);
  context.say(`  in a browser:   ${url}`);
  context.say(`  in a terminal:  ccdash login ${code} --server ${server}`);
}

function readText(path: string): Result<string, CliRefusal> {
  try {
    return ok(readFileSync(path, 'utf8'));
  } catch (error) {
    if (!(error instanceof Error && 'code' in error)) throw error;
    const detail = `${path} cannot be read (${String(error.code)}).`;
    return err(cliRefusal('FileUnusable', detail, 'Name a public key: ~/.ssh/id_ed25519.pub'));
  }
}
