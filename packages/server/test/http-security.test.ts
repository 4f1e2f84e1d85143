import {
  chmodSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ROUTES } from '@ccdash/api';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openToken } from '../src/http/token-file.ts';
import { openHttpFixture, planText } from './http-fixture.ts';
import type { HttpFixture, Received } from './http-fixture.ts';

let http: HttpFixture;
let nowMs = 0;

beforeEach(async () => {
  nowMs = Date.parse('2026-01-02T03:04:05Z');
  http = await openHttpFixture({ clock: { now: () => nowMs } });
});

afterEach(() => http.close());

const EVERY_ROUTE = Object.entries(ROUTES).map(([name, route]) => ({
  name,
  method: route.method.toUpperCase(),
  path: route.path.slice(1).replaceAll(/\{\w+\}/g, '1'),
  isOpen: route.isOpen === true,
}));
const STATE_CHANGE = { method: 'POST', path: 'plans', body: { text: planText({ a: 'true' }) } };

describe('credentials', () => {
  test.each(EVERY_ROUTE)('[HT1] $name is closed without the token', async (route) => {
    const { method, path, isOpen } = route;
    const body = method === 'POST' ? {} : undefined;
    const tries: Received[] = [];
    for (const headers of [
      {},
      { authorization: 'Bearer wrong' },
      { authorization: `Bearer ${http.server.token.slice(0, -1)}` },
      { authorization: `Basic ${http.server.token}` },
      { cookie: `ccdash_0=${http.server.token}` },
    ]) {
      tries.push(await http.send({ method, path, body, headers, token: null }));
    }
    tries.push(
      await http.send({ method, path: `${path}?token=${http.server.token}`, body, token: null }),
    );
    for (const { status, text } of tries.slice(0, isOpen ? 5 : 6)) {
      // The login with a code is open, and takes nothing but a code.
      expect(status, text).toBe(isOpen ? (method === 'POST' ? 422 : 200) : 401);
    }
    expect(http.workbench.requests).toEqual([]);
    expect(http.shutdowns()).toBe(0);
  });

  test('[HT1] only the health check, the page and the login are open', () => {
    expect(EVERY_ROUTE.filter(({ isOpen }) => isOpen).map(({ name }) => name)).toEqual([
      'health',
      'redeemLogin',
    ]);
  });

  test.each([
    '/api/v1/nothing',
    '/api/v1/healthz/',
    '/api/v1/healthz/../runs',
    '/api/v1/runs/',
    '//api/v1/runs',
    '/api/v1/%72uns',
    '/API/v1/runs',
    '/login/../api/v1/runs',
    '/login/x',
    '/index.html',
  ])('[HT1] what is not served is closed as well: %s', async (path) => {
    expect((await http.send({ path, token: null })).status).toBe(401);
  });

  test('[HT2] the token lies in a file that only its owner can read, and is kept', () => {
    const path = join(http.stateDir, 'token');
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readFileSync(path, 'utf8').trim()).toBe(http.server.token);
    expect(openToken(http.stateDir)).toEqual({ ok: true, value: http.server.token });
  });

  test('[HT2] a token that others could have read or put there is replaced', () => {
    const dir = mkdtempSync(join(tmpdir(), 'ccdash-token-'));
    try {
      const first = openToken(dir);
      chmodSync(join(dir, 'token'), 0o644);
      const second = openToken(dir);
      expect(second).not.toEqual(first);
      expect(statSync(join(dir, 'token')).mode & 0o777).toBe(0o600);
      rmSync(join(dir, 'token'));
      writeFileSync(join(dir, 'elsewhere'), `${'A'.repeat(43)}\n`, { mode: 0o600 });
      symlinkSync('elsewhere', join(dir, 'token'));
      expect(openToken(dir)).not.toEqual({ ok: true, value: 'A'.repeat(43) });
      expect(readFileSync(join(dir, 'elsewhere'), 'utf8')).toBe(`${'A'.repeat(43)}\n`);
    } finally {
      rmSync(dir, { recursive: true });
    }
  });

  test('[HT2] a state folder that cannot be written is said', () => {
    expect(openToken(join(http.stateDir, 'none'))).toMatchObject({
      ok: false,
      error: { code: 'state_unusable' },
    });
  });
});

describe('requests from elsewhere', () => {
  test('[HT3] a request for another host is turned away, whatever it knows', async () => {
    const { port } = http.server;
    for (const host of [
      `evil.example:${port}`,
      `127.0.0.1`,
      `127.0.0.1:${port + 1}`,
      `localhost.evil.example:${port}`,
      `0.0.0.0:${port}`,
    ]) {
      for (const path of ['runs', 'healthz', '/', '/login?code=1', 'runs/1/events']) {
        const refused = await http.send({ path, headers: { host } });
        expect(refused.status, `${host} ${path}`).toBe(421);
        expect(refused.json()).toMatchObject({ error: 'HostNotAllowed' });
      }
    }
    for (const host of [`127.0.0.1:${port}`, `localhost:${port}`, `[::1]:${port}`]) {
      expect((await http.send({ path: 'runs', headers: { host } })).status).toBe(200);
    }
  });

  test.each(['', 'Host: evil.example\r\nHost: HOST\r\n', 'Host: HOST\r\nHost: evil.example\r\n'])(
    '[HT3] no host, or two of them, are another host: %j',
    async (hosts) => {
      const { port, token } = http.server;
      const lines = hosts.replace('HOST', `127.0.0.1:${port}`);
      const answer = await raw(
        port,
        `GET /api/v1/runs HTTP/1.1\r\n${lines}Authorization: Bearer ${token}\r\nConnection: close\r\n\r\n`,
      );
      expect(answer).toMatch(/^HTTP\/1\.1 (421|400) /);
    },
  );

  test('[HT4] a request from another site is turned away, though it has the token', async () => {
    const own = `http://127.0.0.1:${http.server.port}`;
    for (const headers of [
      { origin: 'https://evil.example' },
      { origin: 'null' },
      { origin: `${own}.evil.example` },
      { origin: `http://127.0.0.1:${http.server.port + 1}` },
      { origin: own, 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-site' },
    ]) {
      for (const sent of [STATE_CHANGE, { path: 'runs' }]) {
        const refused = await http.send({ ...sent, headers });
        expect(refused.status, JSON.stringify(headers)).toBe(403);
        expect(refused.json()).toMatchObject({ error: 'OriginNotAllowed' });
      }
    }
    expect(http.workbench.plan('plan_Played')).toBeNull();
    for (const headers of [{ origin: own }, { origin: own, 'sec-fetch-site': 'same-origin' }]) {
      expect((await http.send({ ...STATE_CHANGE, headers })).status).toBe(201);
    }
  });

  test('[HT4] no answer allows other origins, and a preflight is refused', async () => {
    const origin = `http://127.0.0.1:${http.server.port}`;
    const headers = { origin, 'access-control-request-method': 'POST' };
    const preflight = await http.send({ method: 'OPTIONS', path: 'plans', headers, token: null });
    const plain = await http.send({ path: 'runs', headers: { origin } });
    expect(preflight.status).toBe(405);
    for (const { headers: given } of [preflight, plain]) {
      expect(Object.keys(given).filter((name) => name.startsWith('access-control'))).toEqual([]);
    }
  });

  test('[HT4] a link from another site may open the page, which shows nothing of the project', async () => {
    const headers = { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' };
    const page = await http.send({ path: '/', headers, token: null });
    expect(page.status).toBe(200);
    expect(page.text).toContain('<p>page</p>');
  });

  test('[HT5] an unsafe request that a plain form could send is refused', async () => {
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data']) {
      const body = JSON.stringify(STATE_CHANGE.body);
      const headers = { 'content-type': type };
      const refused = await http.send({ method: 'POST', path: 'plans', body, headers });
      expect(refused.status).toBe(415);
    }
    const headers = { 'content-type': 'application/jsonp' };
    const body = JSON.stringify(STATE_CHANGE.body);
    expect((await http.send({ method: 'POST', path: 'plans', body, headers })).status).toBe(415);
  });

  test('[HT6] every answer tells the browser to keep, sniff, frame and load nothing', async () => {
    const answers = await Promise.all([
      http.send({ path: '/', token: null }),
      http.send({ path: 'runs' }),
      http.send({ path: 'runs', token: null }),
      http.send({ path: 'nothing' }),
      http.send({ path: 'runs', headers: { host: 'evil.example' } }),
      http.send({ path: 'audit/export' }),
      http.send({ method: 'POST', path: 'plans', body: '{', headers: JSON_TYPE }),
    ]);
    for (const { headers } of answers) {
      expect(headers).toMatchObject({
        'x-content-type-options': 'nosniff',
        'referrer-policy': 'no-referrer',
        'cache-control': 'no-store',
        'cross-origin-resource-policy': 'same-origin',
      });
      expect(headers['content-security-policy']).toMatch(/^default-src 'none'; /);
      expect(headers['content-security-policy']).toContain("frame-ancestors 'none'");
      expect(headers['content-security-policy']).not.toContain('unsafe');
    }
    const [page] = answers;
    expect(page.headers['content-security-policy']).toMatch(/; style-src 'sha256-[\w+/]+=*'$/);
  });

  test.each(['0.0.0.0', '::', '192.0.2.1', 'example.com'])(
    '[HT7] the server does not listen on %s',
    async (host) => {
      await expect(openHttpFixture({ host })).rejects.toThrow('not an address of this machine');
    },
  );

  test('[HT7] a port that is taken is said', async () => {
    await expect(openHttpFixture({ port: http.server.port })).rejects.toThrow('EADDRINUSE');
  });
});

describe('the login of a browser', () => {
  async function login(): Promise<{ cookie: string; answer: Received }> {
    const { pathname, search } = new URL(http.server.loginUrl);
    const answer = await http.send({ path: `${pathname}${search}`, token: null });
    return { cookie: answer.headers['set-cookie']?.[0]?.split(';')[0] ?? '', answer };
  }

  test('[HT8] a code opens one session, by a cookie that scripts and other sites do not get', async () => {
    const { answer } = await login();
    expect(answer.status).toBe(303);
    expect(answer.headers.location).toBe('/');
    expect(answer.headers['set-cookie']).toHaveLength(1);
    const [cookie = ''] = answer.headers['set-cookie'] ?? [];
    expect(cookie).toMatch(/^ccdash_[0-9a-f]{16}=[\w-]{43}; /);
    expect(cookie.split('; ').slice(1)).toEqual([
      'Path=/',
      'HttpOnly',
      'SameSite=Strict',
      'Max-Age=43200',
    ]);
    const again = await login();
    expect(again.answer.status).toBe(401);
    expect(again.answer.json()).toMatchObject({ error: 'LoginInvalid' });
  });

  test('[HT8] a code is good for 15 minutes', async () => {
    nowMs += 15 * 60_000;
    expect((await login()).answer.status).toBe(401);
  });

  test.each(['/login', '/login?code=', '/login?code=guess'])(
    '[HT8] %s opens nothing',
    async (path) => {
      const refused = await http.send({ path, token: null });
      expect(refused.status).toBe(401);
      expect(refused.headers['set-cookie']).toBeUndefined();
    },
  );

  test('[HT9] a session reads as the owner, and changes things only with the header of our pages', async () => {
    const { cookie } = await login();
    const read = await http.send({ path: 'runs', headers: { cookie }, token: null });
    expect(read.status).toBe(200);
    const bare = await http.send({ ...STATE_CHANGE, headers: { cookie }, token: null });
    expect(bare.status).toBe(403);
    expect(http.workbench.plan('plan_Played')).toBeNull();
    const headers = { cookie, 'x-ccdash-request': '1' };
    expect((await http.send({ ...STATE_CHANGE, headers, token: null })).status).toBe(201);
  });

  test('[HT9] a wrong token is not made good by a session', async () => {
    const { cookie } = await login();
    const read = await http.send({ path: 'runs', headers: { cookie }, token: 'wrong' });
    expect(read.status).toBe(401);
  });

  test('[HT9] a session ends after twelve hours, is none of another workbench, and is on disk as a digest only', async () => {
    const { cookie } = await login();
    const kept = join(http.stateDir, 'http.json');
    expect(statSync(kept).mode & 0o777).toBe(0o600);
    expect(readFileSync(kept, 'utf8')).not.toContain(cookie.split('=')[1]);
    const other = await openHttpFixture();
    try {
      const there = await other.send({ path: 'runs', headers: { cookie }, token: null });
      expect(there.status).toBe(401);
    } finally {
      await other.close();
    }
    nowMs += 12 * 60 * 60_000;
    expect((await http.send({ path: 'runs', headers: { cookie }, token: null })).status).toBe(401);
  });

  test('[HT8] the owner can ask for another link', async () => {
    const given = await http.send({ method: 'POST', path: 'logins', body: {} });
    expect(given.status).toBe(201);
    const { url, expiresAt } = given.json() as { url: string; expiresAt: string };
    expect(expiresAt).toBe('2026-01-02T03:19:05.000Z');
    expect(url.startsWith(`${http.server.url}/login?code=`)).toBe(true);
    const { pathname, search } = new URL(url);
    expect((await http.send({ path: `${pathname}${search}`, token: null })).status).toBe(303);
  });
});

const JSON_TYPE = { 'content-type': 'application/json' };

describe('bodies', () => {
  test('[HT10] what is not JSON is refused with where it stops being it', async () => {
    for (const body of ['', '{', '{"text": }', '[1,', '\u0000']) {
      const refused = await http.send({ method: 'POST', path: 'plans', body, headers: JSON_TYPE });
      expect(refused.status, body).toBe(400);
      expect(refused.json()).toMatchObject({ error: 'BodyMalformed' });
    }
  });

  test('[HT10] more than a megabyte is refused, announced or not', async () => {
    const body = JSON.stringify({ text: 'x'.repeat(1_100_000) });
    for (const headers of [JSON_TYPE, { ...JSON_TYPE, 'transfer-encoding': 'chunked' }]) {
      const refused = await http.send({ method: 'POST', path: 'plans', body, headers });
      expect(refused.status).toBe(413);
    }
  });

  test.each([
    [{ text: 'a', more: 1 }, 'more'],
    [{ text: 1 }, 'text'],
    [{}, 'text'],
    [[], 'expected object'],
    [null, 'expected object'],
  ])('[HT10] %j is not a plan file, and the answer says why', async (body, word) => {
    const refused = await http.send({ method: 'POST', path: 'plans', body });
    expect(refused.status).toBe(422);
    expect(refused.json()).toMatchObject({ error: 'BodyInvalid' });
    expect(refused.json()['detail']).toContain(word);
  });

  test('[HT10] a key named __proto__ changes no prototype', async () => {
    await http.send(STATE_CHANGE);
    const body = '{"inputs":{"__proto__":"polluted"},"__proto__":{"feature":"polluted"}}';
    const path = 'plans/plan_Played/runs';
    const sent = await http.send({ method: 'POST', path, body, headers: JSON_TYPE });
    expect(sent.status).toBe(422);
    expect(Object.hasOwn(Object.prototype, 'feature')).toBe(false);
  });

  test.each([
    'runs?x=1',
    'audit?from=-1',
    'audit?limit=0',
    'audit?limit=1001',
    'audit?from=1&from=2',
  ])('[HT10] a query that means nothing is refused: %s', async (path) => {
    const refused = await http.send({ path });
    expect(refused.status).toBe(400);
    expect(refused.json()).toMatchObject({ error: 'QueryInvalid' });
  });
});

/** Everything that the server answers to these bytes. */
function raw(port: number, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = '';
    const socket = connect(port, '127.0.0.1', () => socket.write(text));
    socket.on('data', (chunk) => (answer += chunk.toString('latin1')));
    socket.on('close', () => resolve(answer));
    socket.on('error', reject);
  });
}
