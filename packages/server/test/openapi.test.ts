/** The document of the API against the running server: real git, real log, every route. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { ROUTES } from '@ccdash/api';
import type { RouteName } from '@ccdash/api';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startServer } from '../src/app.ts';
import type { RunningServer } from '../src/app.ts';
import { projectStateDir } from '../src/base/project-state.ts';
import { until } from './http-fixture.ts';

const root = realpathSync(mkdtempSync(join(tmpdir(), 'ccdash-openapi-')));
const projectDir = join(root, 'project');
const stateHome = join(root, 'state');
const PRD = 'docs/project_plans/PRDs/features/limits-v1.md';

interface Operation {
  readonly operationId: RouteName;
  readonly responses: Readonly<
    Record<string, { readonly content: Readonly<Record<string, { readonly schema: object }>> }>
  >;
}

let server: RunningServer;
const operations = new Map<RouteName, Operation>();
const called = new Set<RouteName>();
const ajv = new Ajv2020({ strict: false });

beforeAll(async () => {
  mkdirSync(join(projectDir, PRD, '..'), { recursive: true });
  const plans = 'docs/project_plans/implementation_plans/features';
  mkdirSync(join(projectDir, plans), { recursive: true });
  writeFileSync(join(projectDir, PRD), '---\ntitle: Limits\nstatus: approved\n---\n# Limits\n');
  writeFileSync(
    join(projectDir, plans, 'limits-v1.md'),
    '---\ntitle: Limits\nstatus: approved\n---\n## Phase 1: Ground\n',
  );
  const git = (...args: readonly string[]): void => {
    const identity = ['-c', 'user.name=Ada', '-c', 'user.email=ada@example.com'];
    execFileSync('git', [...identity, ...args], { cwd: projectDir, stdio: 'ignore' });
  };
  git('init', '-q', '-b', 'main');
  git('add', '.');
  git('commit', '-qm', 'one');
  const started = await startServer({ projectDir, stateHome, host: '127.0.0.1', port: 0 });
  if (!started.ok) throw new Error(started.error.message);
  server = started.value;
  const document = (await (await ask('/openapi.json')).json()) as {
    readonly components: { readonly schemas: { readonly Problem: object } };
    readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  };
  ajv.addSchema(document.components.schemas.Problem, 'problem');
  for (const byMethod of Object.values(document.paths)) {
    for (const operation of Object.values(byMethod))
      operations.set(operation.operationId, operation);
  }
});

afterAll(async () => {
  await server.close();
  const lease = join(projectStateDir(stateHome, projectDir), 'pool', 'lease.json');
  const { host } = JSON.parse(readFileSync(lease, 'utf8')) as { host: { pid: number } };
  process.kill(host.pid, 'SIGKILL');
  rmSync(root, { recursive: true, force: true, maxRetries: 5 });
});

function ask(
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<Response> {
  const auth = { authorization: `Bearer ${server.token}`, ...headers };
  const url = `${server.url}/api/v1${path}`;
  if (body === undefined) return fetch(url, { headers: auth });
  const json = { 'content-type': 'application/json', ...auth };
  return fetch(url, { method: 'POST', headers: json, body: JSON.stringify(body) });
}

type Body = Readonly<Record<string, unknown>>;

interface Sent {
  readonly params?: Readonly<Record<string, string>>;
  readonly query?: string;
  readonly body?: unknown;
}

/** Calls a route; the answer, good or not, must be what the document says of it. */
async function call(name: RouteName, { params = {}, query = '', body }: Sent): Promise<Response> {
  called.add(name);
  const { method, path, status } = ROUTES[name];
  const real = path.replaceAll(/\{(\w+)\}/g, (_all, param: string) => params[param] ?? 'nobody');
  const answer = await ask(`${real}${query}`, method === 'post' ? (body ?? {}) : undefined);
  const copy = answer.clone();
  const type = (answer.headers.get('content-type') ?? '').replace(/;.*/, '');
  if (!answer.ok) {
    expect(type, name).toBe('application/problem+json');
    expect(answer.status, name).toBeLessThan(500);
    const problem: unknown = await answer.json();
    expect(ajv.validate('problem', problem), `${name}: ${ajv.errorsText()}`).toBe(true);
    return copy;
  }
  expect(answer.status, name).toBe(status);
  const content = operations.get(name)?.responses[String(status)]?.content ?? {};
  expect(Object.keys(content), name).toContain(type);
  if (type !== 'application/json') return copy;
  const value: unknown = await answer.json();
  const fits = ajv.validate(content[type]?.schema ?? false, value);
  expect(fits, `${name}: ${ajv.errorsText()} in ${JSON.stringify(value).slice(0, 2000)}`).toBe(
    true,
  );
  return copy;
}

/** As `call`, and it must succeed. */
async function done<T = Body>(name: RouteName, sent: Sent = {}): Promise<T> {
  const answer = await call(name, sent);
  const text = await answer.text();
  expect(answer.ok, `${name}: ${text}`).toBe(true);
  const isJson = answer.headers.get('content-type') === 'application/json';
  return (isJson ? JSON.parse(text) : text) as T;
}

const PLAN = `version: 1
name: Everything
feature: limits-v1
scope: { tools: [exec], write: ['**'] }
steps:
  - { id: work, run: 'echo a > a.txt' }
  - { id: check, needs: [work], validate: [{ file: { path: a.txt, matches: a } }] }
  - { id: ship, needs: [check], approve: 'Ship it?' }
`;

test('[HT29] no path leads out of the documents of a feature', async () => {
  for (const path of ['../../etc/passwd', '/etc/passwd', '.git/config', `./${PRD}`, `${PRD}/..`]) {
    const query = `?path=${encodeURIComponent(path)}`;
    const answer = await call('readDocument', { params: { slug: 'limits-v1' }, query });
    expect(await answer.json(), path).toMatchObject({ error: 'DocumentNotFound' });
  }
});

test('[HT27] [HT28] [HT30] every route answers as the document says, on a running server', async () => {
  for (const name of ['health', 'ready', 'openapi', 'listFeatures', 'listAdapters'] as const) {
    await done(name);
  }
  const slug = { slug: 'limits-v1' };
  await done('getFeature', { params: slug });
  await done('planFeature', { params: slug });
  const path = encodeURIComponent(PRD);
  const read = await done('readDocument', { params: slug, query: `?path=${path}` });
  expect(read).toMatchObject({ path: PRD, text: expect.stringContaining('# Limits') as string });

  const text = { text: PLAN };
  await done('checkPlan', { body: text });
  await done('dryRunPlan', { body: text });
  const plan = await done('savePlan', { body: text });
  const params = { id: String(plan['id']) };
  await done('getPlan', { params });
  const changed = { text: PLAN.replace('echo a', 'echo aa'), seen: 1 };
  expect(await done('revisePlan', { params, body: changed })).toMatchObject({ revision: 2 });
  const late = await call('revisePlan', { params, body: { text: PLAN, seen: 1 } });
  expect(await late.json()).toMatchObject({ error: 'PlanMoved', status: 409 });
  const other = { text: PLAN.replace('Everything', 'Something'), seen: 2 };
  expect((await call('revisePlan', { params, body: other })).status).toBe(422);
  expect(await done('listPlanRevisions', { params })).toMatchObject([
    { revision: 2 },
    { revision: 1 },
  ]);
  expect(await done('listPlans', { query: '?feature=limits-v1' })).toMatchObject([params]);
  expect(await done('listPlans', { query: '?feature=other' })).toEqual([]);

  const policy = await done<{ rules: readonly { effect: string; text: string }[] }>('getPolicy');
  expect(new Set(policy.rules.map(({ effect }) => effect))).toEqual(
    new Set(['permits', 'asks', 'denies']),
  );
  const push = await done('checkPolicy', { body: { command: 'git push origin main' } });
  expect(push).toMatchObject({ verdict: 'requires_approval', does: { programs: ['git'] } });
  await done('checkPolicy', { body: { ...text, step: 'work' } });

  const run = await done('launchRun', { params, body: {} });
  const id = { id: String(run['id']) };
  const isAsked = async (): Promise<boolean> => {
    const open = await done<readonly Body[]>('listApprovals', { query: '?status=open' });
    return open.length === 1;
  };
  await until(isAsked);
  for (const name of ['listRuns', 'getRun', 'runEvents', 'diffOfRun'] as const) {
    await done(name, { params: id });
  }
  await done('attemptOutput', { params: { ...id, step: 'work', attempt: '1' } });
  await done('pauseRun', { params: id });
  await done('resumeRun', { params: id });
  await done('restartRun', { params: id, query: '?preview=true', body: { step: 'work' } });
  await done('restartRun', { params: id, body: { step: 'work' } });
  await until(isAsked);
  const [open] = await done<readonly Body[]>('listApprovals', { query: '?status=open' });
  const approval = { id: String(open?.['id']) };
  await done('getApproval', { params: approval });
  await done('diffOfApproval', { params: approval });
  const seen = { decision: 'approve', reason: 'fine', subjectDigest: open?.['subjectDigest'] };
  await done('decideApproval', { params: approval, body: seen });
  await until(async () => (await done('getRun', { params: id }))['status'] === 'succeeded');
  await done('patchOfRun', { params: id });
  const result = await done('applyRun', { params: id, query: '?preview=true' });
  await done('applyRun', { params: id, body: { digest: result['digest'] } });
  const second = { id: String((await done('launchRun', { params, body: {} }))['id']) };
  await done('cancelRun', { params: second, query: '?preview=true' });
  await done('cancelRun', { params: second });

  for (const name of [
    'getMetrics',
    'auditEvents',
    'auditVerify',
    'auditExport',
    'whoAmI',
  ] as const) {
    await done(name);
  }
  await done('addPerson', { body: { person: 'grace', roles: ['viewer'] } });
  const grace = { id: 'grace' };
  await done('setPersonRoles', { params: grace, body: { roles: ['viewer', 'operator'] } });
  const login = await done('createPersonLogin', { params: grace });
  await done('redeemLogin', { body: { code: login['code'] } });
  await done('revokePerson', { params: grace, body: { reason: 'left' } });
  for (const name of ['listPeople', 'createLogin', 'addTotp', 'logout'] as const) await done(name);

  // What needs more than a run of its own is called all the same: its refusal is described as well.
  for (const name of Object.keys(ROUTES) as RouteName[]) {
    if (!called.has(name) && name !== 'shutdown') await call(name, { params: id });
  }
  await done('shutdown');
  expect([...called].toSorted()).toEqual(Object.keys(ROUTES).toSorted());
});
