import { request as requestHttp } from 'node:http';
import type { IncomingHttpHeaders, IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import { request as requestHttps } from 'node:https';
import { pipeline } from 'node:stream/promises';
import type { CallMeter } from './token-meter.ts';
import { FINAL, sendModelError } from './upstream.ts';
import type { ModelCall, Upstream } from './upstream.ts';

export interface ProviderOptions {
  /** Absolute, without a slash at its end. */
  readonly baseUrl: string;
  /** The real key; it leaves this process in a header to `baseUrl` and nowhere else. */
  readonly key: string;
}

/** Headers that belong to one connection (RFC 9110 §7.6.1), and those that would tell one side about the other. */
const NOT_FORWARDED: readonly string[] = [
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'host',
  'expect',
  'authorization',
  'x-api-key',
  'cookie',
  'set-cookie',
  'location',
];

/** Passes calls to the real service, streaming both ways. */
export function createProviderUpstream({ baseUrl, key }: ProviderOptions): Upstream {
  return async (call) => {
    const answer = await send(call, `${baseUrl}${call.path}`, key);
    if (answer instanceof Error) {
      const message = `the model service does not answer: ${answer.message}`;
      sendModelError(call.response, call.provider, 502, 'api_error', message);
      return;
    }
    call.onData(NOTHING);
    const status = answer.statusCode ?? 502;
    const headers = forwarded(answer.headers);
    // A refused key is not accepted the tenth time either.
    if (status === 401 || status === 403) Object.assign(headers, FINAL);
    call.response.writeHead(status, headers);
    const meter = status < 300 ? (call.startMeter?.() ?? null) : null;
    const isStream = answer.headers['content-type']?.startsWith('text/event-stream') ?? false;
    const watch = watched(call, isStream ? meter : null, isStream ? null : meter);
    await pipeline(answer, watch, call.response, { signal: call.signal });
  };
}

const NOTHING = new Uint8Array();

/** Largest JSON answer that is looked into. */
const LARGEST_BODY = 64 * 1024 * 1024;

function watched(call: ModelCall, events: CallMeter | null, body: CallMeter | null) {
  return async function* (chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    const kept: Buffer[] = [];
    let length = 0;
    for await (const chunk of chunks) {
      call.onData(chunk);
      events?.readEvents(chunk);
      length += chunk.length;
      if (body !== null && length <= LARGEST_BODY) kept.push(chunk);
      yield chunk;
    }
    if (length <= LARGEST_BODY) body?.readBody(Buffer.concat(kept).toString('utf8'));
  };
}

/** The service's answer, or why there is none. */
function send(call: ModelCall, url: string, key: string): Promise<IncomingMessage | Error> {
  return new Promise((resolve) => {
    const begin = url.startsWith('https:') ? requestHttps : requestHttp;
    const outgoing = begin(url, {
      method: call.request.method ?? 'GET',
      headers: {
        ...forwarded(call.request.headers),
        ...(call.provider === 'anthropic'
          ? { 'x-api-key': key }
          : { authorization: `Bearer ${key}` }),
        'accept-encoding': 'identity',
        ...(call.body.length === 0 ? {} : { 'content-length': call.body.length }),
      },
      signal: call.signal,
    });
    outgoing.once('response', resolve);
    outgoing.on('error', resolve);
    outgoing.end(call.body);
  });
}

function forwarded(headers: IncomingHttpHeaders): OutgoingHttpHeaders {
  const named = headers.connection?.split(',').map((name) => name.trim().toLowerCase()) ?? [];
  return Object.fromEntries(
    Object.entries(headers).filter(
      ([name]) => !NOT_FORWARDED.includes(name) && !named.includes(name),
    ),
  );
}
