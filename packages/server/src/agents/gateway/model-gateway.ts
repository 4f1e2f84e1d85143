/**
 * The only way of an agent's program to a model: a server on a Unix socket, one for each attempt, in the host process.
 *
 * Owns: who may call, what may be called, the real key, the count of tokens and their limit. Does not own: the way from
 * inside a sandbox to the socket.
 *
 * 1. A call without this attempt's token reaches nothing.
 * 2. The real key goes to the provider only, the attempt's token to nobody.
 * 3. Once a limit is reached, or the gateway is cut, no model call starts; a cut also breaks off those under way.
 * 4. With a budget in money no call starts whose cost nobody could tell.
 * 5. An answer that does not end is broken off, and no call follows it.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { err, ok } from '@ccdash/core';
import type { AgentWork, Failure, Result, Usage } from '@ccdash/core';
import { readAnswer } from '../recording/read-answer.ts';
import { recordedAnswer } from '../recording/recording.ts';
import type { RecordedAnswer } from '../recording/recording.ts';
import { readAgentScript } from '../script/agent-script.ts';
import { firstPrompt } from '../script/next-turn.ts';
import { isPriced } from './prices.ts';
import { doorOf, providerOf } from './protocol.ts';
import type { Door, Protocol, Provider } from './protocol.ts';
import { createProviderUpstream } from './provider-upstream.ts';
import { READERS, createScriptedUpstream } from './scripted-upstream.ts';
import type { ScriptedCall } from './scripted-wire.ts';
import { SERVICES } from './services.ts';
import { createTokenMeter } from './token-meter.ts';
import { LARGEST_REQUEST, sendModelError } from './upstream.ts';
import type { Upstream } from './upstream.ts';

/** Several times what the longest answer of a model needs. */
const LONGEST_ANSWER = 64 * 1024 * 1024;

export interface ModelGatewayOptions {
  /** Unix socket to listen on; nothing is there yet. */
  readonly socketPath: string;
  /** What every call must show, as `x-api-key` or bearer. */
  readonly token: string;
  readonly work: Pick<AgentWork, 'upstream' | 'maxTokens' | 'maxUsd'>;
  /**
   * `ANTHROPIC_API_KEY`, `OPENAI_API_KEY`, and `ANTHROPIC_BASE_URL`, `OPENAI_BASE_URL` where a service is not at its
   * usual place.
   */
  readonly providerSecrets: Readonly<Record<string, string>>;
  /** A call was refused because the tokens or the money of the attempt are used up: which of them. */
  readonly onLimitReached: (why: string) => void;
  /** A call has ended, and counts. */
  readonly onUsed?: () => void;
  /** The model has given a whole answer. */
  readonly onAnswer?: (answer: RecordedAnswer) => void;
  /** Awaited before each call that makes the model work: it may be held back. */
  readonly mayCall?: () => Promise<void>;
  /** Bytes have come from the model. */
  readonly onActivity: () => void;
  /** A call that makes the model work was answered, with this status. */
  readonly onStatus?: (status: number) => void;
}

export interface ModelGateway {
  /** Lets no further call pass and breaks off those under way. Idempotent. */
  cut(): void;
  close(): Promise<void>;
  /**
   * Tokens of all calls so far, and what they cost by `prices.ts`; null before the first call. `inputTokens` includes `cachedTokens`. A
   * number is null when a call was broken off before the model had told its part.
   */
  usage(): Usage | null;
  /** Answers that the model has begun so far. */
  turns(): number;
}

/** Errors: Failure `model_key_missing`, `invalid_script`, `gateway_failed`. */
export async function createModelGateway(
  options: ModelGatewayOptions,
): Promise<Result<ModelGateway, Failure>> {
  const {
    socketPath,
    token,
    work,
    onLimitReached,
    onUsed,
    onAnswer,
    mayCall,
    onActivity,
    onStatus,
  } = options;
  const upstream = upstreamFor(options);
  if (!upstream.ok) return upstream;
  const pass = upstream.value;
  const { maxTokens, maxUsd = null } = work;
  const meter = createTokenMeter({ isPriced: work.upstream.kind === 'service' });
  const expected = digestOf(token);
  let isCut = false;
  let isEndless = false;

  /** Why no further call may start; null while one may. */
  function overBudget(body: Buffer): string | null {
    if (maxTokens !== null && meter.known() >= maxTokens) {
      return `the budget of ${maxTokens} tokens that this attempt had left is used up`;
    }
    // A scripted model costs nothing.
    if (maxUsd === null || work.upstream.kind === 'scripted') return null;
    const usd = meter.knownUsd();
    const model = modelOf(body);
    if (usd === null || model === null || !isPriced(model)) {
      return `nobody knows what ${model ?? 'the model'} costs, so the budget of $${maxUsd} cannot be held`;
    }
    return usd >= maxUsd ? `the budget of $${maxUsd} that this attempt had left is used up` : null;
  }

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const refuse = (status: number, type: string, message: string): void =>
      sendModelError(response, providerOf(request), status, type, message);
    if (!timingSafeEqual(digestOf(tokenOf(request)), expected)) {
      refuse(401, 'authentication_error', 'this is not the token of a running attempt');
      return;
    }
    const door = doorOf(request);
    if (door === null) {
      const message = `the gateway does not pass ${request.method ?? ''} ${request.url ?? ''}`;
      refuse(404, 'not_found_error', message);
      return;
    }
    // Before the program has read it to its end.
    if (door.generates !== null) response.once('finish', () => onStatus?.(response.statusCode));
    const sent = await readBody(request);
    if (sent === null) {
      refuse(413, 'request_too_large', `a call has at most ${LARGEST_REQUEST} bytes`);
      return;
    }
    if (door.generates !== null) await mayCall?.();
    if (isCut) {
      refuse(403, 'permission_error', 'the work is being stopped: no further model call starts');
      return;
    }
    if (isEndless) {
      const message = `an answer of the model went on after ${LONGEST_ANSWER} bytes and was broken off: no further model call starts`;
      refuse(400, 'invalid_request_error', message);
      return;
    }
    const over = door.generates === null ? null : overBudget(sent);
    if (over !== null) {
      onLimitReached(over);
      // Not one of the statuses that programs try again.
      const type = door.provider === 'openai' ? 'insufficient_quota' : 'invalid_request_error';
      refuse(400, type, `${over}: no further model call starts`);
      return;
    }
    const gone = new AbortController();
    response.once('close', () => gone.abort());
    let received = 0;
    const chunks: Uint8Array[] = [];
    if (door.generates !== null && onUsed !== undefined) response.once('close', onUsed);
    await pass({
      request,
      response,
      path: request.url ?? '/',
      ...door,
      body: metered(door, sent),
      startMeter: door.generates === null ? null : () => meter.startCall(),
      signal: gone.signal,
      onData: (chunk) => {
        onActivity();
        received += chunk.length;
        if (door.generates !== null && onAnswer !== undefined) chunks.push(chunk);
        if (received <= LONGEST_ANSWER) return;
        isEndless = true;
        gone.abort();
      },
    });
    if (response.statusCode !== 200 || door.generates === null || onAnswer === undefined) return;
    const answer = readAnswer(door.generates, Buffer.concat(chunks).toString('utf8'));
    const asked = askedIn(door.generates, sent);
    if (answer !== null && asked !== null) {
      onAnswer(recordedAnswer(firstPrompt(asked.messages), answer, asked.answersInWords));
    }
  }

  const server = createServer((request, response) => {
    serve(request, response).catch((error: unknown) => {
      // The caller has gone, or the service has broken off: the caller must not take the half for the whole.
      const why = error instanceof Error ? error.message : String(error);
      const message = `the call was broken off: ${why}`;
      sendModelError(response, providerOf(request), 502, 'api_error', message);
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
    turns: () => meter.calls(),
  });
}

function upstreamFor({ work, providerSecrets }: ModelGatewayOptions): Result<Upstream, Failure> {
  if (work.upstream.kind === 'scripted') {
    const script = readAgentScript(work.upstream.scriptFile);
    return script.ok ? ok(createScriptedUpstream(script.value)) : script;
  }
  const upstreams = new Map<Provider, Upstream>();
  for (const provider of ['anthropic', 'openai'] as const) {
    const { keyName, baseUrlName, baseUrl, prefix } = SERVICES[provider];
    const key = providerSecrets[keyName] ?? '';
    if (key === '') continue;
    const place = (providerSecrets[baseUrlName] ?? baseUrl).replace(/\/+$/, '');
    const root = place.endsWith(prefix) ? place.slice(0, place.length - prefix.length) : place;
    upstreams.set(provider, createProviderUpstream({ baseUrl: root, key }));
  }
  if (upstreams.size === 0) {
    return err({
      code: 'model_key_missing',
      message:
        'the server has neither ANTHROPIC_API_KEY nor OPENAI_API_KEY, so no agent can reach its model',
      hint: 'put the key of the agent (ANTHROPIC_API_KEY or OPENAI_API_KEY) into the keyring (docs/adapters.md says how), start the server with it in its environment, or with CCDASH_SCRIPTED_MODEL naming a script, then retry the step',
    });
  }
  return ok(async (call) => {
    const upstream = upstreams.get(call.provider);
    if (upstream !== undefined) {
      await upstream(call);
      return;
    }
    const { keyName } = SERVICES[call.provider];
    const message = `the server has no ${keyName}: start it with that key in its environment, or put it into the keyring, then retry the step`;
    sendModelError(call.response, call.provider, 401, 'authentication_error', message);
  });
}

/** What was sent, whole; null when it is too long. */
async function readBody(request: IncomingMessage): Promise<Buffer | null> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length <= LARGEST_REQUEST) chunks.push(chunk);
  }
  return length <= LARGEST_REQUEST ? Buffer.concat(chunks) : null;
}

/** A streamed Chat answer tells its usage only to those who ask. */
function metered({ generates }: Door, body: Buffer): Buffer {
  if (generates !== 'chat') return body;
  const call = objectIn(body);
  if (call === null || call['stream'] !== true) return body;
  const options = call['stream_options'];
  const rest = typeof options === 'object' && options !== null ? options : {};
  return Buffer.from(JSON.stringify({ ...call, stream_options: { ...rest, include_usage: true } }));
}

/** What a call asks; null where it is none of its protocol. */
function askedIn(protocol: Protocol, body: Buffer): ScriptedCall | null {
  const asked = READERS[protocol](objectIn(body));
  return typeof asked === 'string' ? null : asked;
}

function modelOf(body: Buffer): string | null {
  const model = objectIn(body)?.['model'];
  return typeof model === 'string' ? model : null;
}

function objectIn(body: Buffer): Readonly<Record<string, unknown>> | null {
  try {
    const value: unknown = JSON.parse(body.toString('utf8'));
    return typeof value === 'object' && value !== null
      ? (value as Readonly<Record<string, unknown>>)
      : null;
  } catch (error) {
    // The service says what is wrong with it.
    if (error instanceof SyntaxError) return null;
    throw error;
  }
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
