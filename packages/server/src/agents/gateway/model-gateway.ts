/**
 * The only way of an agent's program to a model: a server on a Unix socket, one for each attempt, in the host process.
 *
 * Owns: who may call, what may be called, the real key, the count of tokens and their limit. Does not own: the way from
 * inside a sandbox to the socket.
 *
 * 1. A call without this attempt's token reaches nothing.
 * 2. The real key goes to the provider only, the attempt's token to nobody.
 * 3. Once the limit is reached, or the gateway is cut, no model call starts; a cut also breaks off those under way.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { err, ok } from '@ccdash/core';
import type { AgentWork, Failure, Result, Usage } from '@ccdash/core';
import { readAgentScript } from '../script/agent-script.ts';
import { createProviderUpstream } from './provider-upstream.ts';
import { createScriptedUpstream } from './scripted-upstream.ts';
import { createTokenMeter } from './token-meter.ts';
import { sendModelError } from './upstream.ts';
import type { Upstream } from './upstream.ts';

export interface ModelGatewayOptions {
  /** Unix socket to listen on; nothing is there yet. */
  readonly socketPath: string;
  /** What every call must show, as `x-api-key` or bearer. */
  readonly token: string;
  readonly work: Pick<AgentWork, 'upstream' | 'maxTokens'>;
  /** `ANTHROPIC_API_KEY`, and `ANTHROPIC_BASE_URL` where the service is not at its usual place. */
  readonly providerSecrets: Readonly<Record<string, string>>;
  /** A call was refused because the tokens of the attempt are used up. */
  readonly onLimitReached: () => void;
  /** Awaited before each call that makes the model work: it may be held back. */
  readonly mayCall?: () => Promise<void>;
  /** Bytes have come from the model. */
  readonly onActivity: () => void;
}

export interface ModelGateway {
  /** Lets no further call pass and breaks off those under way. Idempotent. */
  cut(): void;
  close(): Promise<void>;
  /**
   * Tokens of all calls so far, `usd` unknown; null before the first call. `inputTokens` includes `cachedTokens`. A
   * number is null when a call was broken off before the model had told its part.
   */
  usage(): Usage | null;
}

const DEFAULT_BASE_URL = 'https://api.anthropic.com';

/** Errors: Failure `model_key_missing`, `invalid_script`, `gateway_failed`. */
export async function createModelGateway(
  options: ModelGatewayOptions,
): Promise<Result<ModelGateway, Failure>> {
  const { socketPath, token, work, onLimitReached, mayCall, onActivity } = options;
  const upstream = upstreamFor(options);
  if (!upstream.ok) return upstream;
  const pass = upstream.value;
  const meter = createTokenMeter();
  const expected = digestOf(token);
  let isCut = false;

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const refuse = (status: number, type: string, message: string): void =>
      sendModelError(response, status, type, message);
    if (!timingSafeEqual(digestOf(tokenOf(request)), expected)) {
      refuse(401, 'authentication_error', 'this is not the token of a running attempt');
      return;
    }
    const kind = kindOf(request);
    if (kind === null) {
      const message = `the gateway does not pass ${request.method ?? ''} ${request.url ?? ''}`;
      refuse(404, 'not_found_error', message);
      return;
    }
    if (kind === 'generate') await mayCall?.();
    if (isCut) {
      refuse(403, 'permission_error', 'the work is being stopped: no further model call starts');
      return;
    }
    if (kind === 'generate' && work.maxTokens !== null && meter.known() >= work.maxTokens) {
      onLimitReached();
      // Not one of the statuses that programs try again.
      const message = `the budget of ${work.maxTokens} tokens is used up: no further model call starts`;
      refuse(400, 'invalid_request_error', message);
      return;
    }
    const gone = new AbortController();
    response.once('close', () => gone.abort());
    await pass({
      request,
      response,
      path: request.url ?? '/',
      startMeter: kind === 'generate' ? () => meter.startCall() : null,
      signal: gone.signal,
      onActivity,
    });
  }

  const server = createServer((request, response) => {
    serve(request, response).catch((error: unknown) => {
      // The caller has gone, or the service has broken off: the caller must not take the half for the whole.
      const why = error instanceof Error ? error.message : String(error);
      sendModelError(response, 502, 'api_error', `the call was broken off: ${why}`);
    });
  });
  // A model may think, and people may be asked, for longer than any usual limit.
  server.requestTimeout = 0;
  server.timeout = 0;
  const failure = await listen(server, socketPath);
  if (failure !== null) return err(failure);

  return ok({
    cut: () => {
      isCut = true;
      server.closeAllConnections();
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
    usage: () => meter.usage(),
  });
}

function upstreamFor({ work, providerSecrets }: ModelGatewayOptions): Result<Upstream, Failure> {
  if (work.upstream.kind === 'scripted') {
    const script = readAgentScript(work.upstream.scriptFile);
    return script.ok ? ok(createScriptedUpstream(script.value)) : script;
  }
  const key = providerSecrets['ANTHROPIC_API_KEY'];
  if (key === undefined || key === '') {
    return err({
      code: 'model_key_missing',
      message: 'the server has no ANTHROPIC_API_KEY, so no agent can reach its model',
      hint: 'start the server with ANTHROPIC_API_KEY in its environment, or with CCDASH_SCRIPTED_MODEL naming a script, then retry the step',
    });
  }
  const baseUrl = (providerSecrets['ANTHROPIC_BASE_URL'] ?? DEFAULT_BASE_URL).replace(/\/+$/, '');
  return ok(createProviderUpstream({ baseUrl, key }));
}

/** What a request asks for; null for everything that agents need not ask. */
function kindOf({ method, url }: IncomingMessage): 'generate' | 'other' | null {
  const [path = ''] = (url ?? '').split('?');
  if (method === 'POST' && path === '/v1/messages') return 'generate';
  if (method === 'POST' && path === '/v1/messages/count_tokens') return 'other';
  if (method === 'GET' && /^\/v1\/models(\/[\w.-]+)?$/.test(path)) return 'other';
  return null;
}

function tokenOf({ headers }: IncomingMessage): string {
  const key = headers['x-api-key'];
  if (typeof key === 'string') return key;
  return /^Bearer (.+)$/.exec(headers.authorization ?? '')?.[1] ?? '';
}

/** Digests have one length, and comparing them tells nothing about the token. */
function digestOf(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

function listen(
  server: ReturnType<typeof createServer>,
  socketPath: string,
): Promise<Failure | null> {
  return new Promise((resolve) => {
    server.once('error', (error) =>
      resolve({
        code: 'gateway_failed',
        message: `the model gateway cannot listen on ${socketPath}: ${error.message}`,
        hint: 'retry the step',
      }),
    );
    server.listen(socketPath, () => resolve(null));
  });
}
