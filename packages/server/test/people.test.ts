/** People over the real HTTP server: roles, logins, revocation, proofs of presence. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ROUTES, roleOf } from '@ccdash/api';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { SSH_NAMESPACE, enrolment, statementText } from '../src/base/people.ts';
import { codeAt } from '../src/people/totp.ts';
import { openHttpFixture, planText } from './http-fixture.ts';
import type { HttpFixture, Received } from './http-fixture.ts';

let http: HttpFixture;
let nowMs = 0;

beforeEach(async () => {
  nowMs = Date.parse('2026-01-02T03:04:05Z');
  http = await openHttpFixture({ clock: { now: () => nowMs } });
});

afterEach(() => http.close());

type Body = Readonly<Record<string, unknown>>;

function post(path: string, body: Body = {}, token?: string): Promise<Received> {
  return http.send({ method: 'POST', path, body, ...(token === undefined ? {} : { token }) });
}

/** A person with these roles, by their token. */
async function join_(person: string, ...roles: readonly string[]): Promise<string> {
  expect((await post('people', { person, roles })).status).toBe(201);
  return tokenOf(person);
}

async function tokenOf(person: string): Promise<string> {
  const { code } = (await post(`people/${person}/logins`)).json();
  const redeemed = await http.send({
    ...{ method: 'POST', path: 'logins/redeem', body: { code }, token: null },
  });
  expect(redeemed.status).toBe(201);
  return String(redeemed.json()['token']);
}

async function gate(): Promise<{ id: string; subjectDigest: string }> {
  const saved = (await post('plans', { text: planText({ gate: 'approve' }) })).json();
  await post(`plans/${String(saved['id'])}/runs`);
  const open = (await http.send({ path: 'approvals?status=open' })).json() as unknown as readonly {
    id: string;
    subjectDigest: string;
  }[];
  return open[0]!;
}

describe('people', () => {
  test('[ID1] are added by an admin, with roles that exist, under a name of their own', async () => {
    const added = await post('people', { person: 'ann@example.com', roles: ['approver'] });
    expect(added.json()).toMatchObject({ id: 'ann@example.com', roles: ['approver'] });
    const wrong = async (body: Body): Promise<readonly unknown[]> => {
      const { status, json } = await post('people', body);
      return [status, json()['error'], json()['detail']];
    };
    expect(await wrong({ person: 'bob', roles: ['boss'] })).toEqual([
      ...[422, 'PersonInvalid'],
      'There is no role "boss"; there are: viewer, operator, approver, admin.',
    ]);
    expect((await post('people', { person: 'bob', roles: [] })).status).toBe(422);
    for (const person of ['', 'a b', '../x', 'a\nb', '-x', 'x'.repeat(101), 'ann\u202e']) {
      expect((await post('people', { person, roles: ['viewer'] })).status).toBe(422);
    }
    for (const person of ['ann@example.com', 'owner']) {
      expect((await wrong({ person, roles: ['viewer'] })).slice(0, 2)).toEqual([
        ...[409, 'PersonExists'],
      ]);
    }
  });

  test('[ID1] two that add one name at once: one of them does', async () => {
    const both = await Promise.all(
      [['viewer'], ['admin']].map((roles) => post('people', { person: 'ann', roles })),
    );
    expect(both.map(({ status }) => status).sort()).toEqual([201, 409]);
  });

  test('[ID2] may do what their roles say, at every route', async () => {
    const tokens: Record<string, string> = {};
    for (const role of ['viewer', 'operator', 'approver', 'admin']) {
      tokens[role] = await join_(role, role);
    }
    for (const [name, route] of Object.entries(ROUTES)) {
      if (route.isOpen === true || name === 'shutdown') continue;
      const needed = roleOf(route);
      for (const [role, token] of Object.entries(tokens)) {
        const path = route.path.slice(1).replaceAll(/\{\w+\}/g, 'x');
        const method = route.method.toUpperCase();
        const body = method === 'POST' ? { nonsense: true } : undefined;
        const { status, text } = await http.send({ method, path, body, token });
        const isAllowed = needed === 'viewer' || needed === role;
        expect([name, role, text.includes('RoleRequired')]).toEqual([name, role, !isAllowed]);
        if (!isAllowed) expect(status).toBe(403);
      }
    }
  });

  test('[ID3] who is revoked is out at once, with all their tokens and sessions', async () => {
    const token = await join_('ann', 'approver');
    const { url } = (await post('people/ann/logins')).json();
    const { pathname, search } = new URL(String(url));
    const opened = await http.send({ path: `${pathname}${search}`, token: null });
    const cookie = opened.headers['set-cookie']?.[0]?.split(';')[0] ?? '';
    const unused = String((await post('people/ann/logins')).json()['code']);
    expect(
      (await http.send({ path: 'me', headers: { cookie }, token: null })).json(),
    ).toMatchObject({
      id: 'ann',
    });
    expect((await http.send({ path: 'me', token })).status).toBe(200);
    const revoked = await post('people/ann/revoke', { reason: 'left' });
    expect(revoked.json()).toMatchObject({ id: 'ann', credentials: [] });
    expect((await http.send({ path: 'me', token })).status).toBe(401);
    expect((await http.send({ path: 'me', headers: { cookie }, token: null })).status).toBe(401);
    const late = { method: 'POST', path: 'logins/redeem', body: { code: unused }, token: null };
    expect((await http.send(late)).json()).toMatchObject({ error: 'LoginInvalid' });
    expect((await post('people/ann/logins')).status).toBe(404);
    expect((await post('people/ann/roles', { roles: ['admin'] })).status).toBe(404);
  });

  test('[ID3] a change of roles counts at the next request', async () => {
    const token = await join_('ann', 'operator');
    expect((await post('plans', { text: planText({ a: 'true' }) }, token)).status).toBe(201);
    await post('people/ann/roles', { roles: ['viewer'] });
    expect((await post('plans', { text: planText({ b: 'true' }) }, token)).status).toBe(403);
  });

  test('[ID4] the owner of the machine keeps every role, and nobody logs in as them from elsewhere', async () => {
    const admin = await join_('ann', 'admin');
    for (const path of ['people/owner/revoke', 'people/owner/roles', 'people/owner/logins']) {
      const body = path.endsWith('roles') ? { roles: ['viewer'] } : {};
      const { status, json } = await post(path, body, admin);
      expect([path, status, json()['error']]).toEqual([path, 403, 'OwnerFixed']);
    }
  });

  test('[ID5] a login code is good once, and of a token only the digest is in the log', async () => {
    await post('people', { person: 'ann', roles: ['viewer'] });
    const { code } = (await post('people/ann/logins')).json();
    const redeem = { method: 'POST', path: 'logins/redeem', body: { code }, token: null };
    const [first, second] = [await http.send(redeem), await http.send(redeem)];
    expect([first.status, second.status]).toEqual([201, 401]);
    const { token } = first.json();
    const known = http.people.find('ann');
    expect(JSON.stringify(known)).not.toContain(String(token));
    expect(known?.credentials).toMatchObject([{ kind: 'token' }]);
    nowMs += 15 * 60_000;
    expect((await http.send(redeem)).status).toBe(401);
  });

  test('[ID6] an Idempotency-Key of one person gives nothing of another', async () => {
    const [ann, bob] = [await join_('ann', 'approver'), await join_('bob', 'approver')];
    const { id, subjectDigest } = await gate();
    const path = `approvals/${id}/decisions`;
    const body = { decision: 'reject', reason: 'no', subjectDigest };
    const headers = { 'idempotency-key': 'one' };
    const first = await http.send({ method: 'POST', path, body, headers, token: ann });
    const second = await http.send({ method: 'POST', path, body, headers, token: bob });
    expect([first.status, second.json()['error']]).toEqual([201, 'ApprovalNotOpen']);
  });

  test('[ID7] a decision is by who sends it, with the roles they have then', async () => {
    const [viewer, ann] = [await join_('vic', 'viewer'), await join_('ann', 'approver')];
    const { id, subjectDigest } = await gate();
    const path = `approvals/${id}/decisions`;
    const body = { decision: 'approve', subjectDigest };
    expect((await post(path, body, viewer)).json()).toMatchObject({ error: 'NotAllowedToDecide' });
    expect((await post(path, body, ann)).status).toBe(201);
    const approval = (await http.send({ path: `approvals/${id}` })).json();
    expect(approval['decisions']).toMatchObject([
      { approver: 'ann', roles: ['viewer', 'approver'], selfApproved: false },
    ]);
  });

  test('[ID8] logging out ends the session', async () => {
    const { pathname, search } = new URL(http.server.loginUrl);
    const opened = await http.send({ path: `${pathname}${search}`, token: null });
    const cookie = opened.headers['set-cookie']?.[0]?.split(';')[0] ?? '';
    const headers = { cookie, 'x-ccdash-request': '1' };
    const out = { method: 'POST', path: 'logout', body: {}, headers, token: null };
    expect((await http.send(out)).headers['set-cookie']?.[0]).toContain('Max-Age=0');
    const after = await http.send({ path: 'me', headers: { cookie }, token: null });
    expect(after.json()).toMatchObject({
      status: 401,
      detail: 'The session is over.',
    });
  });
});

describe('one-time codes', () => {
  const secretOf = (): Buffer => {
    const folder = join(http.stateDir, 'keys');
    const file = join(
      folder,
      readdirSync(folder).find((name) => name.startsWith('totp-'))!,
    );
    expect(statSync(file).mode & 0o077).toBe(0);
    const { secret } = JSON.parse(readFileSync(file, 'utf8')) as { secret: string };
    return Buffer.from(secret, 'base64url');
  };
  const now = (): number => Math.floor(nowMs / 30_000);

  test('[ID10] follow RFC 6238', () => {
    const secret = Buffer.from('12345678901234567890');
    const at = (seconds: number): string => codeAt(secret, Math.floor(seconds / 30));
    expect([59, 1111111109, 1234567890, 20000000000].map(at)).toEqual([
      ...['287082', '081804', '005924', '353130'],
    ]);
  });

  test('[ID10] prove presence for a decision, each once', async () => {
    const token = await join_('ann', 'approver');
    expect((await post('me/totp', {}, token)).json()['uri']).toContain('otpauth://totp/');
    const { id, subjectDigest } = await gate();
    const code = codeAt(secretOf(), now());
    const path = `approvals/${id}/decisions`;
    const body = { decision: 'approve', subjectDigest, proof: { kind: 'totp', code } };
    expect((await post(path, body, token)).status).toBe(201);
    const approval = (await http.send({ path: `approvals/${id}` })).json();
    expect(approval['decisions']).toMatchObject([
      { assurance: 'reauth', evidence: { kind: 'totp' } },
    ]);
    expect(JSON.stringify(approval)).not.toContain(code);
    const other = await gate();
    const again = { ...body, subjectDigest: other.subjectDigest };
    const refused = await post(`approvals/${other.id}/decisions`, again, token);
    expect(refused.json()).toMatchObject({
      ...{ status: 403, error: 'ProofInvalid' },
      detail: 'The one-time code is wrong, old or used.',
    });
  });

  test('[ID10] cannot be guessed: after five wrong ones the right one waits as well', async () => {
    const token = await join_('ann', 'approver');
    await post('me/totp', {}, token);
    const { id, subjectDigest } = await gate();
    const send = (code: string): Promise<Received> => {
      const proof = { kind: 'totp', code };
      const body = { decision: 'approve', subjectDigest, proof };
      return post(`approvals/${id}/decisions`, body, token);
    };
    const right = codeAt(secretOf(), now());
    const wrong = String((Number(right) + 1) % 1_000_000).padStart(6, '0');
    await Promise.all(Array.from({ length: 20 }, () => send(wrong)));
    expect((await send(right)).json()['detail']).toBe('Too many wrong proofs; wait five minutes.');
    nowMs += 5 * 60_000;
    expect((await send(codeAt(secretOf(), now()))).status).toBe(201);
  });

  test('[ID11] a further means of proof is added with one that is there', async () => {
    const token = await join_('ann', 'approver');
    await post('me/totp', {}, token);
    expect((await post('me/totp', {}, token)).json()).toMatchObject({ error: 'ProofRequired' });
    const proof = { kind: 'totp', code: codeAt(secretOf(), now()) };
    expect((await post('me/totp', { proof }, token)).status).toBe(201);
  });
});

describe('SSH signatures', () => {
  let folder = '';
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'ccdash-keys-'));
    for (const name of ['ann', 'eve']) {
      execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(folder, name)]);
    }
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const keyOf = (name: string): string => readFileSync(join(folder, `${name}.pub`), 'utf8');
  const sign = (name: string, text: string, namespace = SSH_NAMESPACE): string => {
    const file = join(folder, 'text');
    writeFileSync(file, text);
    rmSync(`${file}.sig`, { force: true });
    const args = ['-Y', 'sign', '-n', namespace, '-f', join(folder, name), file];
    execFileSync('ssh-keygen', args, { stdio: 'ignore' });
    return readFileSync(`${file}.sig`, 'utf8');
  };

  test('[ID12] prove presence for exactly one decision on exactly one digest', async () => {
    const token = await join_('ann', 'approver');
    expect((await post('me/ssh-keys', { publicKey: keyOf('ann') }, token)).status).toBe(201);
    const { id: approvalId, subjectDigest } = await gate();
    const said = { person: 'ann', approvalId, decision: 'approve', subjectDigest } as const;
    const text = statementText(said);
    const send = (signature: string): Promise<Received> =>
      post(
        `approvals/${approvalId}/decisions`,
        { decision: 'approve', subjectDigest, proof: { kind: 'ssh', signature } },
        token,
      );
    for (const forged of [
      sign('eve', text),
      sign('ann', text, 'git'),
      sign('ann', statementText({ ...said, decision: 'reject' })),
      sign('ann', statementText({ ...said, subjectDigest: 'sha256:other' })),
    ]) {
      expect((await send(forged)).json()).toMatchObject({ error: 'ProofInvalid' });
    }
    expect((await send(sign('ann', text))).status).toBe(201);
    const approval = (await http.send({ path: `approvals/${approvalId}` })).json();
    expect(approval['decisions']).toMatchObject([
      { assurance: 'reauth', evidence: { kind: 'ssh', text } },
    ]);
  });

  test('[ID12] are not taken for another approval or person, and what is no signature is refused', async () => {
    const token = await join_('ann', 'approver');
    await post('me/ssh-keys', { publicKey: keyOf('ann') }, token);
    const { id: approvalId, subjectDigest } = await gate();
    const said = { person: 'ann', approvalId, decision: 'approve', subjectDigest } as const;
    for (const signature of [
      sign('ann', statementText({ ...said, approvalId: 'apr_other' })),
      sign('ann', statementText({ ...said, person: 'bob' })),
      'nonsense',
      '',
    ]) {
      const proof = { kind: 'ssh', signature };
      const refused = await post(
        `approvals/${approvalId}/decisions`,
        { decision: 'approve', subjectDigest, proof },
        token,
      );
      expect(refused.json()).toMatchObject({ error: 'ProofInvalid' });
    }
  });

  test('[ID12] what is no key is not taken as one', async () => {
    const token = await join_('ann', 'approver');
    const options =
      'command="rm -rf /" ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMMMMMMMMMMMMMMMMMMMMMMM';
    for (const publicKey of [
      '',
      'hello',
      'ssh-dss AAAA',
      options,
      `${keyOf('ann')}${keyOf('eve')}`,
    ]) {
      const { status, json } = await post('me/ssh-keys', { publicKey }, token);
      expect([status, json()['error']]).toEqual([422, 'PersonInvalid']);
    }
  });

  test('[ID11] a stolen token adds no key of its own', async () => {
    const token = await join_('ann', 'approver');
    await post('me/ssh-keys', { publicKey: keyOf('ann') }, token);
    const stolen = { publicKey: keyOf('eve') };
    expect((await post('me/ssh-keys', stolen, token)).json()).toMatchObject({
      error: 'ProofRequired',
    });
    const proof = { kind: 'ssh', signature: sign('ann', statementText(enrolment('ann'))) };
    expect((await post('me/ssh-keys', { ...stolen, proof }, token)).status).toBe(201);
  });
});
