/**
 * The HTTP side of the workbench.
 *
 * Every request passes, in this order: is it meant for this server (guards), who sends it (credentials), is it well formed
 * (schemas), was it sent before (idempotency). Nothing is reached without a credential but what OPEN_PAGES and the route
 * table say. Errors are problem documents (RFC 9457).
 */
import { ROUTES, firstFault, roleOf } from '@ccdash/api';
import type { Route, RouteName } from '@ccdash/api';
import { assertInvariant } from '@ccdash/core';
import { Hono } from 'hono';
import type { Context } from 'hono';
import type { z } from 'zod';
import type { Caller } from '../base/workbench.ts';
import type { Credentials } from './credentials.ts';
import { SECURITY_HEADERS, contentPolicyOf, refuseForeign } from './guards.ts';
import { createHandlers } from './handlers.ts';
import type { Call, Handler, HandlerOptions } from './handlers.ts';
import { createIdempotency } from './idempotency.ts';
import { LOGIN_INVALID } from './people-handlers.ts';
import { readJsonBody } from './json-body.ts';
import type { JsonBody } from './json-body.ts';
import { problemToResponse } from './problem.ts';
import type { Problem } from './problem.ts';
import { metricsToPrometheus } from './prometheus.ts';
import { isPagePath } from './web-files.ts';
import type { WebFiles } from './web-files.ts';

export interface HttpAppOptions extends HandlerOptions {
  readonly credentials: Credentials;
  /** Values of the Host header that are meant for this server. */
  readonly hosts: ReadonlySet<string>;
  /** What is shown to everybody: pages hold nothing of the project, they ask for it with a credential. */
  readonly web: WebFiles;
  readonly reportBug: (error: unknown) => void;
}

/** What the Node listener hands in beside a request. */
export interface HttpEnv {
  readonly Bindings: { readonly outgoing: { destroy(): unknown } };
  readonly Variables: { caller: Caller };
}

const API = '/api/v1';
const ASSETS = '/assets/';

export function createHttpApp(options: HttpAppOptions): Hono<HttpEnv> {
  const { credentials, hosts } = options;
  const { page, files } = options.web;
  const app = new Hono<HttpEnv>();
  const handlers = createHandlers(options);
  const idempotency = createIdempotency();
  const open = new Set(openRoutes());
  const pagePolicy = contentPolicyOf(page);

  app.use(async (c, next) => {
    const { method, path } = c.req;
    const isPage = method === 'GET' && (path === '/login' || isPagePath(path));
    const problem =
      refuseForeign(c.req.raw.headers, hosts, isPage) ?? refuseMethod(method) ?? authenticate(c);
    if (problem === null) await next();
    else c.res = problemToResponse(problem);
    for (const [name, value] of Object.entries(SECURITY_HEADERS)) {
      if (!c.res.headers.has(name)) c.res.headers.set(name, value);
    }
  });

  function authenticate(c: Context<HttpEnv>): Problem | null {
    const { method, path } = c.req;
    if (open.has(`${method} ${path}`)) return null;
    if (method === 'GET' && (path === '/login' || isPagePath(path))) return null;
    if (method === 'GET' && files.has(path.slice(ASSETS.length)) && path.startsWith(ASSETS))
      return null;
    const found = credentials.callerOf(c.req.raw.headers, method !== 'GET');
    if ('error' in found) return found;
    c.set('caller', found.caller);
    return null;
  }

  app.get(`${ASSETS}:name`, (c, next) => {
    const file = files.get(c.req.param('name'));
    if (file === undefined) return next();
    // Its name changes with its content.
    const headers = { 'content-type': file.type, 'cache-control': 'max-age=31536000, immutable' };
    return new Response(file.bytes, { headers });
  });

  app.get('/login', (c) => {
    const person = credentials.redeemCode(c.req.query('code') ?? '');
    if (person === null) return problemToResponse(LOGIN_INVALID);
    const cookie = credentials.openSession(person);
    return new Response(null, { status: 303, headers: { location: '/', 'set-cookie': cookie } });
  });

  app.get('/metrics', async () => {
    const headers = { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' };
    return new Response(metricsToPrometheus(await options.workbench.metrics(null)), { headers });
  });

  for (const [name, route] of Object.entries(ROUTES) as [RouteName, Route][]) {
    const path = `${API}${route.path.replaceAll(/\{(\w+)\}/g, ':$1')}`;
    app.on(route.method.toUpperCase(), path, (c) => serve(c, route, handlers[name]));
  }

  async function serve(c: Context<HttpEnv>, route: Route, handler: Handler): Promise<Response> {
    const refused = route.isOpen === true ? null : refuseRole(c.get('caller'), route);
    if (refused !== null) return problemToResponse(refused);
    const query = parseQuery(c, route);
    if ('error' in query) return problemToResponse(query);
    if (route.body === undefined) {
      return toResponse(await handler(callOf(c, route, query.value, undefined)));
    }
    const body = await readBody(c, route.body);
    if ('error' in body) return problemToResponse(body);
    const act = async (): Promise<Response> =>
      toResponse(await handler(callOf(c, route, query.value, body.value)));
    const key = c.req.header('idempotency-key') ?? null;
    // Two people may choose one key: each has answers of their own.
    const who = route.isOpen === true ? '' : c.get('caller').actor.id;
    const scope = `${who} ${c.req.url}`;
    return toResponse(await idempotency.once(key, scope, body.text, act));
  }

  app.get('*', (c, next) => {
    if (!isPagePath(c.req.path)) return next();
    const headers = {
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': pagePolicy,
    };
    return new Response(page, { headers });
  });

  app.notFound((c) =>
    problemToResponse({
      error: 'RouteNotFound',
      detail: `There is nothing at ${c.req.method} ${c.req.path}.`,
      hint: `Every address is listed in ${API}/openapi.json.`,
    }),
  );
  app.onError((error) => {
    options.reportBug(error);
    return problemToResponse({
      error: 'InternalError',
      detail: 'The request could not be answered. The log of the server says more.',
      hint: 'Report the bug; what was recorded is safe.',
    });
  });
  return app;
}

function openRoutes(): readonly string[] {
  return Object.values(ROUTES)
    .filter((route) => route.isOpen === true)
    .map((route) => `${route.method.toUpperCase()} ${API}${route.path}`);
}

function refuseRole(caller: Caller, route: Route): Problem | null {
  const role = roleOf(route);
  if (caller.roles.includes(role)) return null;
  return {
    error: 'RoleRequired',
    detail: `${caller.actor.id} has the roles ${caller.roles.join(', ')}; this needs ${role}.`,
    hint: `Ask an admin: ccdash users role ${caller.actor.id} ${role}`,
  };
}

/** HEAD among them: it would start streams that nobody reads. */
function refuseMethod(method: string): Problem | null {
  if (method === 'GET' || method === 'POST') return null;
  return {
    error: 'MethodNotAllowed',
    detail: `${method} is not taken anywhere.`,
    hint: 'Use GET or POST.',
    headers: { allow: 'GET, POST' },
  };
}

function toResponse(answer: Response | Problem): Response {
  return answer instanceof Response ? answer : problemToResponse(answer);
}

function parseQuery(c: Context<HttpEnv>, route: Route): { readonly value: unknown } | Problem {
  const given = Object.entries(c.req.queries());
  const repeated = given.find(([, values]) => values.length > 1)?.[0];
  const flat = Object.fromEntries(given.map(([name, [value]]) => [name, value]));
  const hint = 'See the parameters of this address in the OpenAPI document.';
  if (repeated !== undefined) {
    return { error: 'QueryInvalid', detail: `${repeated} is given more than once.`, hint };
  }
  if (route.query === undefined) {
    const unknown = Object.keys(flat)[0];
    if (unknown === undefined) return { value: {} };
    const detail = `${JSON.stringify(unknown)} is not a parameter of this address.`;
    return { error: 'QueryInvalid', detail, hint };
  }
  const parsed = route.query.safeParse(flat);
  if (parsed.success) return { value: parsed.data };
  return { error: 'QueryInvalid', detail: `${firstFault(parsed.error)}.`, hint };
}

async function readBody(c: Context<HttpEnv>, schema: z.ZodType): Promise<JsonBody | Problem> {
  const read = await readJsonBody(c.req.raw);
  if (!read.ok) return read.error;
  const parsed = schema.safeParse(read.value.value);
  if (parsed.success) return { text: read.value.text, value: parsed.data };
  return {
    error: 'BodyInvalid',
    detail: `${firstFault(parsed.error)}.`,
    hint: 'See the body of this address in the OpenAPI document.',
  };
}

function callOf(c: Context<HttpEnv>, route: Route, query: unknown, body: unknown): Call {
  return {
    caller: c.get('caller'),
    headers: c.req.raw.headers,
    param: (name) => {
      const value = c.req.param(name);
      assertInvariant(value !== undefined, `${route.path} has no parameter ${name}`);
      return value;
    },
    // The value is what the schema gave, since the schema that is asked for is the one of the route.
    body: <T>(schema: z.ZodType<T>) => {
      assertInvariant(schema === route.body, `the body of ${route.path} is of another schema`);
      return body as T;
    },
    query: <T>(schema: z.ZodType<T>) => {
      assertInvariant(schema === route.query, `the query of ${route.path} is of another schema`);
      return query as T;
    },
    disconnect: () => {
      c.env.outgoing.destroy();
    },
  };
}
