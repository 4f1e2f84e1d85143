/** Passkeys of a real browser (Chromium's virtual authenticator) against a real server. */
import { createHash, createPublicKey, verify } from 'node:crypto';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { CDPSession, Page } from 'playwright-core';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { openWorkbench } from './workbench.ts';
import type { Workbench } from './workbench.ts';

const PLAN = `version: 1
name: Ship
scope: { tools: [exec], write: ['**'] }
steps: [{ id: ship, approve: 'Ship it?' }]
`;
const ENROLMENT = {
  approvalId: 'credentials',
  decision: 'approve',
  subjectDigest: 'credentials',
} as const;

const WRONG = 'The answer is not one of your passkeys over this decision, given at this server.';

type Json = Readonly<Record<string, unknown>>;
interface Answered {
  readonly status: number;
  readonly body: Json;
}

let workbench: Workbench;
let origin = '';
let page: Page;
let cdp: CDPSession;
let authenticator = '';

beforeEach(async () => {
  workbench = await openWorkbench();
  origin = workbench.url.replace('127.0.0.1', 'localhost');
  page = await workbench.open('/runs');
  const login = await workbench.client.createLogin();
  if (!login.ok) throw new Error(login.error.detail);
  await page.goto(login.value.url.replace('127.0.0.1', 'localhost'));
  cdp = await page.context().newCDPSession(page);
  await cdp.send('WebAuthn.enable');
  const options = {
    ...({ protocol: 'ctap2', transport: 'internal', hasResidentKey: true } as const),
    ...{ hasUserVerification: true, isUserVerified: true, automaticPresenceSimulation: true },
  };
  authenticator = (await cdp.send('WebAuthn.addVirtualAuthenticator', { options })).authenticatorId;
});

afterEach(() => workbench.close());

/** A request as the pages send it. */
function post(path: string, body: unknown): Promise<Answered> {
  return page.evaluate(
    async ([to, text]) => {
      const answer = await fetch(`/api/v1/${to}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'x-ccdash-request': '1' },
        body: text,
      });
      return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
    },
    [path, JSON.stringify(body)] as const,
  );
}

/** What the authenticator makes of these options, in the page that is open. */
function use(kind: 'create' | 'get', options: Json, on = page): Promise<Json> {
  return on.evaluate(
    async ([how, text]) => {
      const json = JSON.parse(text) as never;
      const made =
        how === 'create'
          ? await navigator.credentials.create({
              publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(json),
            })
          : await navigator.credentials.get({
              publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(json),
            });
      return (made as PublicKeyCredential).toJSON() as unknown as Record<string, unknown>;
    },
    [kind, JSON.stringify(options)] as const,
  );
}

async function enrol(proof: Json | null = null): Promise<Answered> {
  const asked = await post('me/passkeys/options', {});
  expect(asked.status).toBe(200);
  return post('me/passkeys', { response: await use('create', asked.body), proof });
}

async function waiting(): Promise<{ readonly approvalId: string; readonly subjectDigest: string }> {
  const { id: run } = await workbench.launch(PLAN);
  const { id, subjectDigest } = await vi.waitFor(
    async () => {
      const open = await workbench.client.approvals('open');
      const found = open.ok ? open.value.find(({ runId }) => runId === run) : undefined;
      if (found === undefined) throw new Error('it does not wait yet');
      return found;
    },
    { timeout: 60_000 },
  );
  return { approvalId: id, subjectDigest };
}

interface Said {
  readonly approvalId: string;
  readonly decision: string;
  readonly subjectDigest: string;
}

async function signed(said: Said): Promise<Json> {
  const asked = await post('me/passkeys/challenges', said);
  expect(asked.status).toBe(200);
  return { kind: 'passkey', response: await use('get', asked.body) };
}

function decide({ approvalId, ...said }: Said, proof: Json): Promise<Answered> {
  return post(`approvals/${approvalId}/decisions`, { ...said, reason: 'looked at it', proof });
}

describe('a passkey', () => {
  test('[ID13] makes a decision as sure as it gets, and whoever has the event can check its signature', async () => {
    expect((await enrol()).body).toMatchObject({ credentials: [{ kind: 'passkey' }] });
    const said = { ...(await waiting()), decision: 'approve' };
    expect((await decide(said, await signed(said))).status).toBe(201);
    const approval = await workbench.client.approval(said.approvalId);
    if (!approval.ok) throw new Error(approval.error.detail);
    const [by] = approval.value.decisions as unknown as readonly Json[];
    expect(by).toMatchObject({ assurance: 'passkey', evidence: { kind: 'passkey' } });
    const {
      publicKey,
      signed: kept,
      text,
    } = by?.['evidence'] as {
      publicKey: string;
      signed: Record<'clientDataJSON' | 'authenticatorData' | 'signature', string>;
      text: string;
    };
    expect(text).toContain(said.subjectDigest);
    const bytes = (part: string): Buffer => Buffer.from(part, 'base64url');
    const client = JSON.parse(bytes(kept.clientDataJSON).toString('utf8')) as Json;
    expect(client).toMatchObject({
      challenge: createHash('sha256').update(text).digest('base64url'),
      origin,
    });
    // COSE of P-256: -2 is x, -3 is y, 32 bytes each.
    const cose = bytes(publicKey);
    const at = (label: number): string => {
      const begin = cose.indexOf(Buffer.from([label, 0x58, 0x20])) + 3;
      return cose.subarray(begin, begin + 32).toString('base64url');
    };
    const jwk = { kty: 'EC', crv: 'P-256', x: at(0x21), y: at(0x22) };
    const over = Buffer.concat([
      bytes(kept.authenticatorData),
      createHash('sha256').update(bytes(kept.clientDataJSON)).digest(),
    ]);
    const key = createPublicKey({ key: jwk, format: 'jwk' });
    expect(verify('sha256', over, key, bytes(kept.signature))).toBe(true);
  });

  test('[ID14] signs one decision on one digest of one request, once, and nothing else', async () => {
    await enrol();
    const said = { ...(await waiting()), decision: 'approve' };
    const other = await waiting();
    for (const over of [
      { ...said, decision: 'reject' },
      { ...said, subjectDigest: 'sha256:other' },
      { ...said, approvalId: other.approvalId },
      ENROLMENT,
    ]) {
      const { status, body } = await decide(said, await signed(over));
      expect([status, body['detail']]).toEqual([403, WRONG]);
    }
  });

  test('[ID14] is good once, and what is no answer is refused', async () => {
    await enrol();
    const said = { ...(await waiting()), decision: 'approve' };
    const proof = await signed(ENROLMENT);
    expect((await post('me/totp', { proof })).status).toBe(201);
    expect((await post('me/totp', { proof })).body).toMatchObject({ error: 'ProofInvalid' });
    const good = await signed(said);
    const { response } = good['response'] as { response: Json };
    const forged = { ...response, signature: response['authenticatorData'] };
    for (const bad of [{}, { response: {} }, { ...(good['response'] as Json), response: forged }]) {
      const { body } = await decide(said, { kind: 'passkey', response: bad });
      expect([body['error'], body['detail']]).toEqual(['ProofInvalid', WRONG]);
    }
  });

  test('[ID14] answers for its person only when they were recognized', async () => {
    await enrol();
    const said = { ...(await waiting()), decision: 'approve' };
    await cdp.send('WebAuthn.setUserVerified', {
      authenticatorId: authenticator,
      isUserVerified: false,
    });
    const { body } = await post('me/passkeys/challenges', said);
    const response = await use('get', { ...body, userVerification: 'discouraged' });
    expect((await decide(said, { kind: 'passkey', response })).body).toMatchObject({
      error: 'ProofInvalid',
    });
  });

  test('[ID15] is no use to another page of this machine that begs for an answer', async () => {
    await enrol();
    const said = { ...(await waiting()), decision: 'approve' };
    const { body } = await post('me/passkeys/challenges', said);
    const evil = await listen();
    await page.goto(`http://localhost:${String((evil.address() as AddressInfo).port)}/`);
    const response = await use('get', body);
    await page.goto(origin);
    expect((await decide(said, { kind: 'passkey', response })).body).toMatchObject({
      error: 'ProofInvalid',
    });
    evil.close();
  });

  test('[ID16] is followed by a further one only with a proof, and is made for a challenge that is open', async () => {
    const { body } = await post('me/passkeys/options', {});
    const response = await use('create', body);
    expect((await post('me/passkeys', { response })).status).toBe(201);
    expect((await post('me/passkeys', { response })).body).toMatchObject({
      error: 'PersonInvalid',
      detail: expect.stringContaining('begin again') as unknown,
    });
    await post('me/passkeys/options', {});
    expect((await post('me/passkeys', { response })).body).toMatchObject({
      error: 'PersonInvalid',
    });
    const second = {
      ...({ protocol: 'ctap2', transport: 'usb', hasResidentKey: true } as const),
      ...{ hasUserVerification: true, isUserVerified: true },
    };
    await cdp.send('WebAuthn.removeVirtualAuthenticator', { authenticatorId: authenticator });
    await cdp.send('WebAuthn.addVirtualAuthenticator', { options: second });
    expect((await enrol()).body).toMatchObject({ error: 'ProofRequired' });
  });

  test('[ID16] is asked for at a name: a browser at an address is told where to go', async () => {
    const options = await workbench.client.beginPasskey();
    expect(options).toMatchObject({
      ok: false,
      error: { error: 'ProofInvalid', hint: `Open ${origin} and log in there.` },
    });
  });
});

function listen(): Promise<Server> {
  return new Promise((resolve) => {
    const server = createServer((_request, answer) => {
      answer.setHeader('content-type', 'text/html').end('<!doctype html><p>Please confirm</p>');
    });
    server.listen(0, 'localhost', () => resolve(server));
  });
}
