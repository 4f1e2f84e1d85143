/** The wire protocols that the gateway passes: which call is of which, and how an error is said in it. */
import type { IncomingMessage } from 'node:http';

/** Whose words a call speaks. */
export type Provider = 'anthropic' | 'openai';

export type Protocol = 'messages' | 'responses' | 'chat';

export interface Door {
  readonly provider: Provider;
  /** What makes the model work, in which words; null for what an agent only looks up. */
  readonly generates: Protocol | null;
}

const GENERATING: ReadonlyMap<string, Protocol> = new Map([
  ['/v1/messages', 'messages'],
  ['/v1/responses', 'responses'],
  ['/v1/chat/completions', 'chat'],
]);

/** What a request asks for; null for everything that agents need not ask. */
export function doorOf(request: IncomingMessage): Door | null {
  const { method } = request;
  const [path = ''] = (request.url ?? '').split('?');
  const provider = providerOf(request);
  if (method === 'POST') {
    if (path === '/v1/messages/count_tokens') return { provider, generates: null };
    const generates = GENERATING.get(path);
    return generates === undefined ? null : { provider, generates };
  }
  if (method === 'GET' && /^\/v1\/models(\/[\w.-]+)?$/.test(path)) {
    return { provider, generates: null };
  }
  return null;
}

/** Told by the path, or where both have it, by the headers that only one of them has. */
export function providerOf({ url, headers }: IncomingMessage): Provider {
  const [path = ''] = (url ?? '').split('?');
  if (path.startsWith('/v1/responses') || path.startsWith('/v1/chat')) return 'openai';
  if (path.startsWith('/v1/messages')) return 'anthropic';
  return 'x-api-key' in headers || 'anthropic-version' in headers ? 'anthropic' : 'openai';
}

/** The body of an error as programs of a provider understand it. */
export function errorBody(provider: Provider, type: string, message: string): object {
  if (provider === 'anthropic') return { type: 'error', error: { type, message } };
  return { error: { message, type, param: null, code: type } };
}
