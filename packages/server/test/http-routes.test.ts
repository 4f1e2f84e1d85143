import { writeFileSync } from 'node:fs';
import { PROBLEMS, ROUTES } from '@ccdash/api';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { PLAYED_DIFF, openHttpFixture, planText } from './http-fixture.ts';
import type { HttpFixture, Received } from './http-fixture.ts';

let http: HttpFixture;

beforeEach(async () => {
  http = await openHttpFixture();
});

afterEach(async () => {
  expect(http.bugs).toEqual([]);
  await http.close();
});

type Body = Record<string, unknown>;

function post(
  path: string,
  body: unknown,
  headers: Record<string, string> = {},
): Promise<Received> {
  return http.send({ method: 'POST', path, body, headers });
}

async function launch(programs: Readonly<Record<string, string>>): Promise<string> {
  const saved = (await post('plans', { text: planText(programs) })).json();
  const launched = await post(`plans/${String(saved['id'])}/runs`, {});
  expect(launched.status, launched.text).toBe(201);
  return String(launched.json()['id']);
}

async function onlyApproval(): Promise<Body> {
  const open = JSON.parse((await http.send({ path: 'approvals?status=open' })).text) as Body[];
  expect(open).toHaveLength(1);
  return open[0]!;
}

describe('the OpenAPI document', () => {
  test('[HT11] it lists exactly the routes that are served', async () => {
    const document = (await http.send({ path: 'openapi.json' })).json() as {
      openapi: string;
      paths: Record<string, Record<string, { operationId: string; security: unknown[] }>>;
    };
    expect(document.openapi).toBe('3.1.0');
    const listed = Object.entries(document.paths).flatMap(([path, operations]) =>
      Object.entries(operations).map(([method, { operationId }]) => ({
        path,
        method,
        operationId,
      })),
    );
    const served = Object.entries(ROUTES).map(([operationId, { path, method }]) => ({
      path: `/api/v1${path}`,
      method,
      operationId,
    }));
    const byId = (a: { operationId: string }, b: { operationId: string }): number =>
      a.operationId < b.operationId ? -1 : 1;
    expect(listed.toSorted(byId)).toEqual(served.toSorted(byId));
    expect(document.paths['/api/v1/runs']?.['get']?.security).toEqual([{ bearer: [] }]);
    expect(document.paths['/api/v1/healthz']?.['get']?.security).toEqual([]);
  });

  test.each(Object.entries(ROUTES))('[HT11] %s is served', async (name, { method, path }) => {
    const real = path.replaceAll(/\{\w+\}/g, '1').slice(1);
    const body = method === 'post' ? {} : undefined;
    const answer = await http.send({ method: method.toUpperCase(), path: real, body });
    expect(answer.text, name).not.toContain('RouteNotFound');
    expect(answer.status).toBeLessThan(500);
  });
});

test('[HT11] what is answered is what the document says, field by field', async () => {
  const id = await launch({ a: 'false', gate: 'approve' });
  await launch({ gate: 'approve', risky: 'true' });
  const { id: approval } = await onlyApproval();
  const plan = (await post('plans', { text: planText({ a: 'true' }) })).json();
  const text = planText({ a: 'true' });
  const answers: [keyof typeof ROUTES, Received][] = [
    ['health', await http.send({ path: 'healthz' })],
    ['checkPlan', await post('plans/check', { text: 'steps: 1' })],
    ['dryRunPlan', await post('plans/dry-run', { text })],
    ['savePlan', await post('plans', { text })],
    ['getPlan', await http.send({ path: `plans/${String(plan['id'])}` })],
    ['launchRun', await post(`plans/${String(plan['id'])}/runs`, {})],
    ['listRuns', await http.send({ path: 'runs' })],
    ['getRun', await http.send({ path: `runs/${id}` })],
    ['runEvents', await http.send({ path: `runs/${id}/events` })],
    ['retryRun', await post(`runs/${id}/retry`, {})],
    ['listApprovals', await http.send({ path: 'approvals' })],
    ['getApproval', await http.send({ path: `approvals/${String(approval)}` })],
    ['listFeatures', await http.send({ path: 'features' })],
    ['listAdapters', await http.send({ path: 'adapters' })],
    ['auditEvents', await http.send({ path: 'audit?limit=3' })],
    ['auditVerify', await http.send({ path: 'audit/verify' })],
    ['createLogin', await post('logins', {})],
    ['shutdown', await post('shutdown', {})],
  ];
  for (const [name, { status, text: body }] of answers) {
    const { response, status: documented } = ROUTES[name];
    expect(status, name).toBe(documented);
    if (typeof response === 'string') throw new Error(`${name} answers no JSON`);
    expect(response.parse(JSON.parse(body)), name).toEqual(JSON.parse(body));
  }
});

describe('problems', () => {
  test('[HT12] each is a problem document with its word, its title, and what to do next', async () => {
    const refused = await http.send({ path: 'runs/run_9' });
    expect(refused.status).toBe(404);
    expect(refused.headers['content-type']).toBe('application/problem+json');
    expect(refused.json()).toEqual({
      type: 'urn:ccdash:error:RunNotFound',
      title: PROBLEMS.RunNotFound.title,
      status: 404,
      detail: 'There is no run run_9.',
      error: 'RunNotFound',
      hint: 'List the runs: ccdash runs',
    });
  });

  test('[HT12] methods that no address takes are refused before anything starts', async () => {
    for (const method of ['HEAD', 'PUT', 'DELETE', 'PATCH']) {
      expect((await http.send({ method, path: 'runs' })).status).toBe(405);
    }
    expect((await post('runs', {})).status).toBe(404);
  });
});

describe('plans', () => {
  test('a file is checked, saved, and found again by id and revision', async () => {
    const checked = await post('plans/check', { text: planText({ a: 'true' }), file: 'a.yaml' });
    expect(checked.json()).toMatchObject({ ok: true });
    const first = await post('plans', { text: planText({ a: 'true' }) });
    expect(first.status).toBe(201);
    const second = await post('plans', { text: planText({ a: 'true', b: 'true' }) });
    const path = `plans/${String(first.json()['id'])}`;
    expect((await http.send({ path })).json()).toEqual(second.json());
    expect((await http.send({ path: `${path}?revision=1` })).json()).toEqual(first.json());
    expect((await http.send({ path: `${path}?revision=3` })).status).toBe(404);
  });

  test('[HT12] a plan that is not valid is refused with every problem, its line and its column', async () => {
    const text = 'version: 1\nname: x\nsteps:\n  - id: A\n    run: true\n  - id: b\n    rum: x\n';
    const file = 'bad.yaml';
    const checked = (await post('plans/check', { text, file })).json();
    expect(checked['ok']).toBe(false);
    for (const path of ['plans', 'plans/dry-run']) {
      const refused = await post(path, { text, file });
      expect(refused.status).toBe(422);
      expect(refused.json()).toMatchObject({ error: 'PlanInvalid', problems: checked['problems'] });
    }
    const problems = checked['problems'] as { at: Body }[];
    expect(problems.length).toBeGreaterThan(1);
    expect(problems[0]?.at).toMatchObject({ file, line: 4 });
  });

  test('a dry run says what would happen and launches nothing', async () => {
    const tried = await post('plans/dry-run', { text: planText({ a: 'true', gate: 'approve' }) });
    expect(tried.json()).toMatchObject({
      steps: [{ step: 'a' }, { step: 'gate', needs: ['a'] }],
      approvalsNeeded: ['gate'],
    });
    expect(http.workbench.launches).toBe(0);
  });
});

describe('runs', () => {
  test('a run is launched, listed and shown', async () => {
    const id = await launch({ a: 'true', b: 'true' });
    const run = (await http.send({ path: `runs/${id}` })).json();
    expect(run).toMatchObject({ id, status: 'succeeded', plan: { name: 'Played', revision: 1 } });
    expect(JSON.parse((await http.send({ path: 'runs' })).text)).toEqual([run]);
  });

  test('[HT12] an input that the plan does not have is refused by name', async () => {
    await post('plans', { text: planText({ a: 'true' }) });
    const refused = await post('plans/plan_Played/runs', { inputs: { branch: 'x' } });
    expect(refused.status).toBe(422);
    expect(refused.json()).toMatchObject({ error: 'InputInvalid' });
    expect(refused.json()['detail']).toContain('branch');
  });

  test('failed steps are retried, interrupted ones resumed, and a run is canceled', async () => {
    const failed = await launch({ a: 'false' });
    const retried = await post(`runs/${failed}/retry`, { step: 'a' });
    expect(retried.json()).toMatchObject({ steps: [{ attempts: [{}, {}] }] });
    expect((await post(`runs/${failed}/resume`, {})).json()).toMatchObject({
      error: 'NothingToResume',
      status: 409,
    });
    const gone = await launch({ a: 'gone' });
    expect((await post(`runs/${gone}/resume`, {})).status).toBe(200);
    const held = await launch({ a: 'hold' });
    const canceled = await post(`runs/${held}/cancel`, { reason: 'enough' });
    expect(canceled.json()).toMatchObject({ status: 'canceled' });
    expect(http.workbench.requests.map(({ type }) => type)).toEqual([
      'retry',
      'resume',
      'resume',
      'cancel',
    ]);
  });

  test('events come in pages that meet without a gap', async () => {
    const id = await launch({ a: 'true', b: 'true' });
    const all = http.workbench.runEvents(id, 0);
    const got: unknown[] = [];
    for (let from: number | null = 0; from !== null;) {
      const page = (await http.send({ path: `runs/${id}/events?from=${from}&limit=3` })).json();
      const events = page['events'] as unknown[];
      expect(events.length).toBeLessThanOrEqual(3);
      got.push(...events);
      from = page['next'] as number | null;
    }
    expect(got).toEqual(all);
  });
});

describe('decisions', () => {
  test('[HT13] a decision counts for the digest that was shown, and for no other', async () => {
    const id = await launch({ a: 'true', gate: 'approve' });
    const approval = await onlyApproval();
    const path = `approvals/${String(approval['id'])}`;
    expect((await http.send({ path })).json()).toEqual(approval);
    const moved = await post(`${path}/decisions`, {
      decision: 'approve',
      subjectDigest: 'sha256:other',
    });
    expect(moved.status).toBe(409);
    expect(moved.json()).toMatchObject({ error: 'SubjectMoved' });
    expect((await onlyApproval())['status']).toBe('open');
    const { subjectDigest } = approval;
    const decided = await post(`${path}/decisions`, { decision: 'approve', subjectDigest });
    expect(decided.status).toBe(201);
    expect(decided.json()).toMatchObject({ id, status: 'succeeded' });
    const late = await post(`${path}/decisions`, { decision: 'approve', subjectDigest });
    expect(late.json()).toMatchObject({ error: 'ApprovalNotOpen', status: 409 });
  });

  test('[HT13] the approver is the owner of the credential, with its assurance', async () => {
    await launch({ gate: 'approve' });
    const { id, subjectDigest } = await onlyApproval();
    await post(`approvals/${String(id)}/decisions`, { decision: 'approve', subjectDigest });
    const approval = (await http.send({ path: `approvals/${String(id)}` })).json();
    expect(approval['decisions']).toMatchObject([{ decision: 'approve', assurance: 'session' }]);
    const forged = { decision: 'approve', subjectDigest, approver: 'somebody', roles: ['admin'] };
    expect((await post(`approvals/${String(id)}/decisions`, forged)).status).toBe(422);
  });

  test('[HT13] a rejection needs a reason, and a decision is one of two words', async () => {
    await launch({ gate: 'approve' });
    const { id, subjectDigest } = await onlyApproval();
    const path = `approvals/${String(id)}/decisions`;
    const mute = await post(path, { decision: 'reject', subjectDigest });
    expect(mute.json()).toMatchObject({ error: 'ReasonRequired', status: 422 });
    for (const decision of ['yes', 'APPROVE', '', true, null]) {
      expect((await post(path, { decision, subjectDigest })).status).toBe(422);
    }
    const rejected = await post(path, { decision: 'reject', subjectDigest, reason: 'no' });
    expect(rejected.json()).toMatchObject({ status: 'failed' });
    const list = JSON.parse((await http.send({ path: 'approvals' })).text) as Body[];
    expect(list.map(({ status }) => status)).toEqual(['rejected']);
  });
});

describe('Idempotency-Key', () => {
  test('[HT14] a request that is sent again has one effect and the same answer', async () => {
    await post('plans', { text: planText({ a: 'true' }) });
    const headers = { 'idempotency-key': 'k-1' };
    const path = 'plans/plan_Played/runs';
    const [first, second] = await Promise.all([post(path, {}, headers), post(path, {}, headers)]);
    const third = await post(path, {}, headers);
    expect(first.status).toBe(201);
    expect([second.text, third.text]).toEqual([first.text, first.text]);
    expect(http.workbench.launches).toBe(1);
    await post(path, {}, { 'idempotency-key': 'k-2' });
    await post(path, {});
    expect(http.workbench.launches).toBe(3);
  });

  test('[HT14] a key is bound to the body it came with, and to its address', async () => {
    await post('plans', { text: planText({ a: 'true' }) });
    const headers = { 'idempotency-key': 'k-1' };
    await post('plans/plan_Played/runs', {}, headers);
    const other = await post('plans/plan_Played/runs', { feature: 'x' }, headers);
    expect(other.status).toBe(422);
    expect(other.json()).toMatchObject({ error: 'IdempotencyKeyReused' });
    const elsewhere = await post('plans', { text: planText({ a: 'true' }) }, headers);
    expect(elsewhere.status).toBe(201);
    const bad = await post('plans', {}, { 'idempotency-key': 'a b' });
    expect(bad.status).toBe(422);
    const spaced = await post('logins', {}, { 'idempotency-key': 'a b' });
    expect(spaced.json()).toMatchObject({ error: 'IdempotencyKeyInvalid', status: 400 });
  });
});

describe('the output of an attempt', () => {
  async function output(headers: Record<string, string> = {}): Promise<Received> {
    const id = await launch({ a: 'true' });
    return http.send({ path: `runs/${id}/steps/a/attempts/1/output`, headers });
  }

  test('[HT15] it is handed over as a file that no browser runs', async () => {
    const { status, text, headers } = await output();
    expect([status, text]).toEqual([200, 'first line\nsecond line\n']);
    expect(headers).toMatchObject({
      'content-type': 'text/plain; charset=utf-8',
      'x-content-type-options': 'nosniff',
      'accept-ranges': 'bytes',
      'content-length': '23',
    });
    expect(headers['content-disposition']).toMatch(/^attachment/);
  });

  test('[HT15] bytes that are no text are called so', async () => {
    writeFileSync(http.workbench.outputFile, Buffer.of(0, 1, 2));
    expect((await output()).headers['content-type']).toBe('application/octet-stream');
  });

  test.each([
    ['bytes=0-4', 206, 'first', 'bytes 0-4/23'],
    ['bytes=11-', 206, 'second line\n', 'bytes 11-22/23'],
    ['bytes=-5', 206, 'line\n', 'bytes 18-22/23'],
    ['bytes=0-999', 206, 'first line\nsecond line\n', 'bytes 0-22/23'],
    ['bytes=5-2', 200, 'first line\nsecond line\n', undefined],
    ['bytes=0-1,3-4', 200, 'first line\nsecond line\n', undefined],
    ['lines=1', 200, 'first line\nsecond line\n', undefined],
  ])('[HT15] Range %s gives %i', async (range, status, text, contentRange) => {
    const got = await output({ range });
    expect([got.status, got.text, got.headers['content-range']]).toEqual([
      status,
      text,
      contentRange,
    ]);
  });

  test.each(['bytes=23-', 'bytes=-0'])('[HT15] Range %s is not in it', async (range) => {
    const got = await output({ range });
    expect(got.status).toBe(416);
    expect(got.headers['content-range']).toBe('bytes */23');
  });

  test('[HT15] a large output arrives whole', async () => {
    const text = 'x'.repeat(1_000_000);
    writeFileSync(http.workbench.outputFile, text);
    expect((await output()).text).toBe(text);
  });

  test.each(['0', '2', '1.5', '../../token', '-1'])('[HT15] there is no attempt %s', async (n) => {
    const id = await launch({ a: 'true' });
    const path = `runs/${id}/steps/a/attempts/${encodeURIComponent(n)}/output`;
    expect((await http.send({ path })).json()).toMatchObject({ error: 'OutputNotFound' });
  });
});

describe('a diff', () => {
  test.each(['', '?step=a', '?step=a&attempt=1'])('[HT23] is told for %j', async (query) => {
    const id = await launch({ a: 'true' });
    const got = await http.send({ path: `runs/${id}/diff${query}` });
    expect([got.status, got.json()]).toEqual([200, PLAYED_DIFF]);
  });

  test.each([
    ['?step=nope', 404, 'StepNotFound'],
    ['?step=a&attempt=2', 404, 'AttemptNotFound'],
    ['?attempt=1', 400, 'QueryInvalid'],
    ['?step=a&attempt=0', 400, 'QueryInvalid'],
    ['?stepp=a', 400, 'QueryInvalid'],
  ])('[HT23] for %j is refused with %i %s', async (query, status, error) => {
    const id = await launch({ a: 'true' });
    const got = await http.send({ path: `runs/${id}/diff${query}` });
    expect([got.status, got.json()['error']]).toEqual([status, error]);
  });

  test('[HT23] is told for a request', async () => {
    await launch({ a: 'true', b: 'approve' });
    const { id } = await onlyApproval();
    const got = await http.send({ path: `approvals/${String(id)}/diff` });
    expect(got.json()).toEqual(PLAYED_DIFF);
    expect((await http.send({ path: 'approvals/apr_9/diff' })).status).toBe(404);
  });
});

describe('the log and the server', () => {
  test('the log comes in pages, as an export, and verified', async () => {
    await launch({ a: 'true' });
    const page = (await http.send({ path: 'audit?from=1&limit=2' })).json();
    expect(page).toMatchObject({ events: http.workbench.auditEvents(1, 2), next: 3 });
    const exported = await http.send({ path: 'audit/export' });
    expect(exported.headers['content-type']).toBe('application/x-ndjson');
    expect(exported.text).toBe([...http.workbench.auditExport(), ''].join('\n'));
    expect((await http.send({ path: 'audit/verify' })).json()).toMatchObject({ ok: true });
  });

  test('[HT16] a shutdown is asked for once its answer is on the way', async () => {
    const asked = await post('shutdown', {});
    expect(asked.status).toBe(202);
    expect(http.shutdowns()).toBe(1);
  });

  test('[HT16] a server that is not ready says so, and still lives', async () => {
    const early = await openHttpFixture({ isReady: () => false });
    try {
      expect((await early.send({ path: 'readyz' })).json()).toMatchObject({ error: 'NotReady' });
      expect((await early.send({ path: 'healthz', token: null })).status).toBe(200);
    } finally {
      await early.close();
    }
    expect((await http.send({ path: 'readyz' })).status).toBe(200);
  });

  test('[HT17] a bug is reported, and its answer tells nothing of it', async () => {
    const broken = await openHttpFixture({
      readPlan: () => {
        throw new Error('secret detail');
      },
    });
    try {
      const answer = await broken.send({ method: 'POST', path: 'plans', body: { text: 'x' } });
      expect(answer.status).toBe(500);
      expect(answer.json()).toMatchObject({ error: 'InternalError' });
      expect(answer.text).not.toContain('secret detail');
      expect(broken.bugs).toEqual([new Error('secret detail')]);
    } finally {
      await broken.close();
    }
  });
});
