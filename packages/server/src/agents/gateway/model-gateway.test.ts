import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, request } from 'node:http';
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text as readText } from 'node:stream/consumers';
import type { AgentWork } from '@ccdash/core';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createModelGateway } from './model-gateway.ts';
import type { ModelGateway, ModelGatewayOptions } from './model-gateway.ts';

const containing = (text: string): unknown => expect.stringContaining(text);

const TOKEN = 'token-of-this-attempt';
const KEY = 'the-real-key';
const MESSAGES = '/v1/messages?beta=true';
const RESPONSES = '/v1/responses';
const CHAT = '/v1/chat/completions';
const PROMPT = JSON.stringify({
  model: 'm',
  stream: true,
  messages: [{ role: 'user', content: 'Hello.' }],
});

let dir: string;
let closing: (() => Promise<void>)[];
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'ccdash-gateway-'));
  closing = [];
});
afterEach(async () => {
  for (const close of closing.reverse()) await close();
  rmSync(dir, { recursive: true });
});

interface Seen {
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** A provider that answers as it is told, and remembers what it was asked. */
async function openProvider(
  reply: (response: ServerResponse, seen: Seen) => void,
): Promise<{ readonly url: string; readonly seen: readonly Seen[] }> {
  const seen: Seen[] = [];
  const server = createServer((incoming, response) => {
    void readText(incoming).then((body) => {
      const { method, url, headers } = incoming;
      const asked = { method, url, headers, body };
      seen.push(asked);
      reply(response, asked);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closing.push(
    () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  );
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, seen };
}

interface OpenGateway {
  readonly gateway: ModelGateway;
  readonly limits: () => number;
  readonly activity: () => number;
}

async function openGateway(change: Partial<ModelGatewayOptions>): Promise<OpenGateway> {
  let limits = 0;
  let activity = 0;
  const opened = await createModelGateway({
    socketPath: join(dir, 'model'),
    token: TOKEN,
    work: { upstream: { kind: 'service' }, maxTokens: null },
    providerSecrets: {},
    onLimitReached: () => (limits += 1),
    onActivity: () => (activity += 1),
    ...change,
  });
  if (!opened.ok) throw new Error(opened.error.message);
  closing.push(() => opened.value.close());
  return { gateway: opened.value, limits: () => limits, activity: () => activity };
}

function toProvider(url: string): Partial<ModelGatewayOptions> {
  return { providerSecrets: { ANTHROPIC_API_KEY: KEY, ANTHROPIC_BASE_URL: url } };
}

function toOpenAi(url: string): Partial<ModelGatewayOptions> {
  return { providerSecrets: { OPENAI_API_KEY: KEY, OPENAI_BASE_URL: `${url}/v1` } };
}

function scripted(
  turns: readonly object[],
  maxTokens: number | null = null,
): { readonly work: Pick<AgentWork, 'upstream' | 'maxTokens'> } {
  const scriptFile = join(dir, 'script.json');
  writeFileSync(scriptFile, JSON.stringify({ version: 1, scripts: [{ turns }] }));
  return { work: { upstream: { kind: 'scripted', scriptFile }, maxTokens } };
}

/** Sends a call as an agent's program does; resolves with the head of the answer. */
function send(
  path: string,
  options: {
    readonly method?: string;
    readonly headers?: Readonly<Record<string, string>>;
    readonly body?: string;
  } = {},
): Promise<IncomingMessage> {
  const { method = 'POST', headers = { 'x-api-key': TOKEN }, body = PROMPT } = options;
  return new Promise((resolve, reject) => {
    const outgoing = request({
      socketPath: join(dir, 'model'),
      path,
      method,
      headers,
      agent: false,
    });
    outgoing.on('response', resolve);
    outgoing.on('error', reject);
    outgoing.end(method === 'GET' ? undefined : body);
  });
}

async function call(...args: Parameters<typeof send>): Promise<{ status: number; body: string }> {
  const response = await send(...args);
  return { status: response.statusCode ?? 0, body: await readText(response) };
}

function sse(...events: readonly (readonly [type: string, fields: object])[]): string {
  return events
    .map(([type, fields]) => `event: ${type}\ndata: ${JSON.stringify({ type, ...fields })}\n\n`)
    .join('');
}

const STARTED = [
  'message_start',
  {
    message: {
      usage: {
        input_tokens: 7,
        cache_creation_input_tokens: 20,
        cache_read_input_tokens: 100,
        output_tokens: 1,
      },
    },
  },
] as const;
const ENDED = ['message_delta', { delta: {}, usage: { output_tokens: 30 } }] as const;

describe('a call', () => {
  test('[AG15] without the token of this attempt reaches nothing', async () => {
    const provider = await openProvider((response) => response.end('{}'));
    await openGateway(toProvider(provider.url));
    const strangers: readonly Record<string, string>[] = [
      {},
      { 'x-api-key': 'another' },
      { authorization: `Basic ${TOKEN}` },
    ];
    for (const headers of strangers) {
      expect(await call(MESSAGES, { headers })).toMatchObject({
        status: 401,
        body: containing('authentication_error'),
      });
    }
    expect(provider.seen).toEqual([]);
    const headers = { authorization: `Bearer ${TOKEN}` };
    expect(await call(MESSAGES, { headers })).toMatchObject({ status: 200 });
  });

  test('[AG15] passes only to what an agent needs of the service', async () => {
    const provider = await openProvider((response) => response.end('{}'));
    await openGateway(toProvider(provider.url));
    const refused = [
      ['POST', '/v1/files'],
      ['GET', '/v1/messages'],
      ['DELETE', '/v1/models/m'],
      ['POST', '/v1/messages/batches'],
      ['POST', '/v1/messages/../organizations'],
      ['POST', '//evil.example/v1/messages'],
      ['GET', '/v1/models/../../admin'],
    ] as const;
    for (const [method, path] of refused) expect((await call(path, { method })).status).toBe(404);
    expect(provider.seen).toEqual([]);
    await call('/v1/messages/count_tokens');
    await call('/v1/models?limit=5', { method: 'GET' });
    await call('/v1/models/claude-x', { method: 'GET' });
    expect(provider.seen.map(({ method, url }) => `${method} ${url}`)).toEqual([
      'POST /v1/messages/count_tokens',
      'GET /v1/models?limit=5',
      'GET /v1/models/claude-x',
    ]);
  });

  test('[AG16] shows the service the real key and nothing of the attempt', async () => {
    const provider = await openProvider((response) => response.end('{}'));
    await openGateway(toProvider(`${provider.url}/`));
    const headers = {
      'x-api-key': TOKEN,
      authorization: `Bearer ${TOKEN}`,
      'anthropic-version': '2023-06-01',
      connection: 'keep-alive, x-hop',
      'x-hop': 'mine',
      cookie: 'a=b',
    };
    await call(MESSAGES, { headers });
    const [seen] = provider.seen;
    expect(seen).toMatchObject({ method: 'POST', url: MESSAGES, body: PROMPT });
    expect(seen?.headers).toMatchObject({ 'x-api-key': KEY, 'anthropic-version': '2023-06-01' });
    expect(JSON.stringify(seen?.headers)).not.toContain(TOKEN);
    for (const name of ['authorization', 'cookie', 'x-hop']) {
      expect(seen?.headers).not.toHaveProperty(name);
    }
  });

  test('[AG16] gets the answer of the service as it is, but nothing that belongs to that connection', async () => {
    const provider = await openProvider((response) => {
      response.writeHead(429, {
        'retry-after': '7',
        'set-cookie': 'a=b',
        'content-type': 'application/json',
      });
      response.end('{"type":"error"}');
    });
    await openGateway(toProvider(provider.url));
    const response = await send(MESSAGES);
    expect([response.statusCode, await readText(response)]).toEqual([429, '{"type":"error"}']);
    expect(response.headers['retry-after']).toBe('7');
    expect(response.headers).not.toHaveProperty('set-cookie');
  });

  test('[AG16] is streamed: its answer begins before the service has ended', async () => {
    let finish: () => void = () => undefined;
    const provider = await openProvider((response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write(sse(STARTED));
      finish = () => response.end(sse(ENDED));
    });
    const { activity } = await openGateway(toProvider(provider.url));
    const response = await send(MESSAGES);
    const first = await new Promise<string>((resolve) =>
      response.once('data', (chunk: Buffer) => resolve(chunk.toString())),
    );
    expect(first).toBe(sse(STARTED));
    expect(activity()).toBeGreaterThan(0);
    finish();
    expect(await readText(response)).toBe(sse(ENDED));
  });

  test('[AG16] to a service that is not there says so in the words of the protocol', async () => {
    const provider = await openProvider((response) => response.end());
    for (const close of closing.splice(0)) await close();
    await openGateway(toProvider(provider.url));
    const { status, body } = await call(MESSAGES);
    expect(status).toBe(502);
    expect(JSON.parse(body)).toMatchObject({
      type: 'error',
      error: { type: 'api_error', message: containing('ECONNREFUSED') },
    });
    expect(body).not.toContain(KEY);
  });

  test('[AG16] whose answer breaks off is not made to look whole', async () => {
    const provider = await openProvider((response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write(sse(STARTED), () => response.destroy());
    });
    await openGateway(toProvider(provider.url));
    const response = await send(MESSAGES);
    await expect(readText(response)).rejects.toThrow();
  });

  test('[AG16] is broken off at the service when the program goes away', async () => {
    let gone: () => void = () => undefined;
    const broken = new Promise<void>((resolve) => (gone = resolve));
    const provider = await openProvider((response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write(sse(STARTED));
      response.on('close', gone);
    });
    await openGateway(toProvider(provider.url));
    const response = await send(MESSAGES);
    response.destroy();
    await broken;
  });
});

describe('the usage', () => {
  test('[AG17] is what the service has said, over all calls, streamed or not', async () => {
    const provider = await openProvider((response, { body }) => {
      if (body.includes('"stream":true')) {
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        // In the middle of a line, and of a character.
        const bytes = Buffer.from(
          sse(STARTED, ['content_block_delta', { text: 'ä"usage"' }], ENDED),
        );
        const cut = bytes.indexOf(0xc3) + 1;
        response.write(bytes.subarray(0, 40));
        response.write(bytes.subarray(40, cut));
        response.end(bytes.subarray(cut));
      } else {
        response.setHeader('content-type', 'application/json');
        response.end(JSON.stringify({ usage: { input_tokens: 3, output_tokens: 4 } }));
      }
    });
    const { gateway } = await openGateway(toProvider(provider.url));
    expect(gateway.usage()).toBeNull();
    await call(MESSAGES);
    expect(gateway.usage()).toEqual({
      inputTokens: 127,
      outputTokens: 30,
      cachedTokens: 100,
      usd: null,
    });
    await call(MESSAGES, { body: JSON.stringify({ messages: [] }) });
    expect(gateway.usage()).toEqual({
      inputTokens: 130,
      outputTokens: 34,
      cachedTokens: 100,
      usd: null,
    });
  });

  test('[AG17] is unknown, not zero, where an answer broke off or said nothing', async () => {
    const provider = await openProvider((response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.end(sse(STARTED));
    });
    const { gateway } = await openGateway(toProvider(provider.url));
    await call(MESSAGES);
    expect(gateway.usage()).toEqual({
      inputTokens: 127,
      outputTokens: null,
      cachedTokens: 100,
      usd: null,
    });
  });

  test('[AG17] does not count a call that the service refused', async () => {
    let refuse = true;
    const provider = await openProvider((response) => {
      response.statusCode = refuse ? 529 : 200;
      response.end(JSON.stringify({ usage: { input_tokens: 3, output_tokens: 4 } }));
      refuse = false;
    });
    const { gateway } = await openGateway(toProvider(provider.url));
    await call(MESSAGES);
    await call(MESSAGES);
    expect(gateway.usage()).toMatchObject({ inputTokens: 3, outputTokens: 4 });
  });
});

describe('a budget of tokens', () => {
  test('[AG18] that is used up lets no further model call start, and the host is told', async () => {
    const turns = [{ say: 'Hello.', usage: { input: 60, output: 40 } }];
    const { limits } = await openGateway(scripted(turns, 150));
    expect((await call(MESSAGES)).status).toBe(200);
    expect((await call(MESSAGES)).status).toBe(200);
    expect(limits()).toBe(0);
    const refused = await call(MESSAGES);
    expect(refused).toMatchObject({ status: 400, body: containing('150 tokens') });
    expect(limits()).toBe(1);
    expect((await call('/v1/messages/count_tokens')).status).toBe(200);
  });
});

describe('a call in the words of OpenAI', () => {
  const bearer = { authorization: `Bearer ${TOKEN}` };
  const used = { input_tokens: 100, input_tokens_details: { cached_tokens: 40 }, output_tokens: 7 };

  test('[AG30] shows the service its key and nothing of the attempt, and counts what it says', async () => {
    const provider = await openProvider((response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.end(sse(['response.completed', { response: { model: 'gpt-5', usage: used } }]));
    });
    const { gateway } = await openGateway(toOpenAi(provider.url));
    const body = JSON.stringify({ model: 'gpt-5', stream: true, input: 'Hello.' });
    expect(await call(RESPONSES, { headers: bearer, body })).toMatchObject({ status: 200 });
    const [seen] = provider.seen;
    expect(seen).toMatchObject({ url: RESPONSES, body });
    expect(seen?.headers.authorization).toBe(`Bearer ${KEY}`);
    expect(JSON.stringify(seen?.headers)).not.toContain(TOKEN);
    expect(gateway.usage()).toMatchObject({ inputTokens: 100, cachedTokens: 40, outputTokens: 7 });
  });

  test('[AG30] asks a streamed Chat for its usage, which nobody would hear of otherwise', async () => {
    const provider = await openProvider((response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      const usage = { prompt_tokens: 9, completion_tokens: 4 };
      const chunk = { object: 'chat.completion.chunk', model: 'm', choices: [], usage };
      response.end(`data: ${JSON.stringify(chunk)}\n\ndata: [DONE]\n\n`);
    });
    const { gateway } = await openGateway(toOpenAi(provider.url));
    const body = JSON.stringify({ model: 'm', stream: true, messages: [] });
    await call(CHAT, { headers: bearer, body });
    expect(JSON.parse(provider.seen[0]?.body ?? '')).toMatchObject({
      stream_options: { include_usage: true },
    });
    expect(gateway.usage()).toMatchObject({ inputTokens: 9, cachedTokens: 0, outputTokens: 4 });
  });

  test('[AG30] is refused in those words', async () => {
    await openGateway(scripted([{ say: 'Hello.' }], 0));
    const body = JSON.stringify({ model: 'm', input: 'Hello.' });
    const stranger = await call(RESPONSES, { headers: {}, body });
    expect([stranger.status, JSON.parse(stranger.body)]).toMatchObject([
      401,
      { error: { type: 'authentication_error', param: null } },
    ]);
    const refused = await call(CHAT, { headers: bearer, body });
    expect([refused.status, JSON.parse(refused.body)]).toMatchObject([
      400,
      { error: { code: 'insufficient_quota', message: containing('0 tokens') } },
    ]);
  });

  test('[AG30] without its key is refused, and goes to no other service', async () => {
    const provider = await openProvider((response) => response.end('{}'));
    await openGateway(toProvider(provider.url));
    const body = JSON.stringify({ model: 'm', input: 'Hello.' });
    expect(await call(RESPONSES, { headers: bearer, body })).toMatchObject({
      status: 401,
      body: containing('OPENAI_API_KEY'),
    });
    expect(provider.seen).toEqual([]);
  });
});

describe('a budget of money', () => {
  const priced = (model: string) => ({
    model,
    usage: { input_tokens: 1_000_000, output_tokens: 100_000 },
  });
  const asking = (model: string): string => JSON.stringify({ model, messages: [] });

  test('[AG31] lets no further call start once the models have cost it', async () => {
    const provider = await openProvider((response) => {
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify(priced('claude-sonnet-4-5-20250929')));
    });
    const { gateway, limits } = await openGateway({
      ...toProvider(provider.url),
      work: { upstream: { kind: 'service' }, maxTokens: null, maxUsd: 5 },
    });
    const body = asking('claude-sonnet-4-5');
    expect((await call(MESSAGES, { body })).status).toBe(200);
    expect(gateway.usage()?.usd).toBeCloseTo(4.5);
    expect((await call(MESSAGES, { body })).status).toBe(200);
    expect(await call(MESSAGES, { body })).toMatchObject({ status: 400, body: containing('$5') });
    expect([limits(), provider.seen.length]).toEqual([1, 2]);
  });

  test('[AG31] lets no model work whose price nobody knows, and its cost is unknown, not zero', async () => {
    const provider = await openProvider((response) => {
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify(priced('a-new-model')));
    });
    const open = await openGateway({
      ...toProvider(provider.url),
      work: { upstream: { kind: 'service' }, maxTokens: null, maxUsd: 5 },
    });
    const refused = await call(MESSAGES, { body: asking('a-new-model') });
    expect(refused).toMatchObject({ status: 400, body: containing('a-new-model') });
    expect(provider.seen).toEqual([]);
    // Another model than the one that was asked for has answered.
    await call(MESSAGES, { body: asking('claude-sonnet-4-5') });
    expect(open.gateway.usage()?.usd).toBeNull();
    expect((await call(MESSAGES, { body: asking('claude-sonnet-4-5') })).status).toBe(400);
    expect(provider.seen).toHaveLength(1);
  });
});

describe('a gateway that is cut', () => {
  test('[AG19] breaks off the call under way and lets no further one pass', async () => {
    const provider = await openProvider((response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write(sse(STARTED));
    });
    const { gateway } = await openGateway(toProvider(provider.url));
    const response = await send(MESSAGES);
    const whole = readText(response);
    gateway.cut();
    gateway.cut();
    await expect(whole).rejects.toThrow();
    expect(await call(MESSAGES)).toMatchObject({
      status: 403,
      body: containing('stopped'),
    });
    expect(provider.seen).toHaveLength(1);
  });
});

describe('a gateway without', () => {
  const options = {
    token: TOKEN,
    onLimitReached: () => undefined,
    onActivity: () => undefined,
  };

  test('[AG16] a key says how to give it one', async () => {
    const opened = await createModelGateway({
      ...options,
      socketPath: join(dir, 'model'),
      work: { upstream: { kind: 'service' }, maxTokens: null },
      providerSecrets: { ANTHROPIC_API_KEY: '' },
    });
    expect(opened).toMatchObject({
      error: { code: 'model_key_missing', hint: containing('ANTHROPIC_API_KEY') },
    });
  });

  test('[AG16] a place to listen says where', async () => {
    const { work } = scripted([{ say: 'Hello.' }]);
    const socketPath = join(dir, 'no-such-folder', 'model');
    const opened = await createModelGateway({ ...options, socketPath, work, providerSecrets: {} });
    expect(opened).toMatchObject({
      error: { code: 'gateway_failed', message: containing(socketPath) },
    });
  });
});

describe('a paused run', () => {
  test('[PA2] holds a model call back, without an answer, until it goes on', async () => {
    let goOn: () => void = () => undefined;
    const held = new Promise<void>((resolve) => (goOn = resolve));
    let asked: () => void = () => undefined;
    const arrived = new Promise<void>((resolve) => (asked = resolve));
    const { activity } = await openGateway({
      ...scripted([{ say: 'Hello.' }]),
      mayCall: () => (asked(), held),
    });
    const answer = call(MESSAGES);
    await arrived;
    expect(activity()).toBe(0);
    goOn();
    expect((await answer).status).toBe(200);
  });
});

describe('the scripted model in the words of OpenAI', () => {
  const turns = [
    { say: 'I write.', calls: [{ bash: 'ls' }, { write: { path: 'a', content: 'b\n' } }] },
    { say: 'Done.' },
  ];
  async function ask(path: string, body: object): Promise<unknown> {
    return JSON.parse((await call(path, { body: JSON.stringify(body) })).body);
  }

  test('[AG32] follows a conversation of Responses, with the tools of Codex where it has them', async () => {
    const { gateway } = await openGateway(scripted(turns));
    const environment = { role: 'user', content: '<environment_context>x</environment_context>' };
    const user = { type: 'message', role: 'user', content: [{ type: 'input_text', text: 'Go.' }] };
    const tools = [{ type: 'function', name: 'exec_command' }];
    const first = await ask(RESPONSES, { model: 'm', input: [environment, user], tools });
    expect(first).toMatchObject({
      object: 'response',
      output: [
        { type: 'message', content: [{ text: 'I write.' }] },
        { type: 'function_call', name: 'exec_command', arguments: '{"cmd":"ls"}' },
        {
          type: 'custom_tool_call',
          name: 'apply_patch',
          input: '*** Begin Patch\n*** Add File: a\n+b\n*** End Patch\n',
        },
      ],
    });
    const { output } = first as { readonly output: readonly object[] };
    const result = { type: 'function_call_output', call_id: 'c', output: 'x' };
    const input = [user, ...output, result, { ...result, type: 'custom_tool_call_output' }];
    expect(await ask(RESPONSES, { model: 'm', input })).toMatchObject({
      output: [{ content: [{ text: 'Done.' }] }],
    });
    expect(gateway.usage()).toMatchObject({ inputTokens: 200, outputTokens: 40, usd: null });
  });

  test('[AG32] follows a conversation of Chat, streamed or not', async () => {
    await openGateway(scripted(turns));
    const user = { role: 'user', content: 'Go.' };
    const first = await ask(CHAT, { model: 'm', messages: [user] });
    expect(first).toMatchObject({
      choices: [
        {
          finish_reason: 'tool_calls',
          message: {
            content: 'I write.',
            tool_calls: [{ function: { name: 'Bash' } }, { function: { name: 'Write' } }],
          },
        },
      ],
    });
    const { choices } = first as { readonly choices: readonly { readonly message: object }[] };
    const result = { role: 'tool', tool_call_id: 'c', content: 'x' };
    const messages = [user, choices[0]?.message, result, result];
    const { body } = await call(CHAT, {
      body: JSON.stringify({ model: 'm', stream: true, messages }),
    });
    expect(body).toContain('"content":"Done."');
    expect(body.endsWith('data: [DONE]\n\n')).toBe(true);
  });

  test('[AG32] gives a structured answer as its words, and goes on after it', async () => {
    await openGateway(scripted([{ answer: { a: 1 } }, { say: 'More.' }]));
    const user = { role: 'user', content: 'Go.' };
    const text = { format: { type: 'json_schema', schema: {} } };
    const given = { role: 'assistant', content: [{ type: 'output_text', text: '{"a":1}' }] };
    expect(await ask(RESPONSES, { model: 'm', input: [user], text })).toMatchObject({
      output: [{ content: [{ text: '{"a":1}' }] }],
    });
    expect(await ask(RESPONSES, { model: 'm', input: [user, given, user], text })).toMatchObject({
      output: [{ content: [{ text: 'More.' }] }],
    });
  });
});

describe('the scripted model', () => {
  async function ask(body: object): Promise<unknown> {
    return JSON.parse((await call(MESSAGES, { body: JSON.stringify(body) })).body);
  }
  const user = (content: unknown) => ({ role: 'user', content });
  const result = user([{ type: 'tool_result', tool_use_id: 't', content: 'x' }]);

  test('[AG20] answers whole when no stream is asked for', async () => {
    const turns = [{ say: 'I write.', calls: [{ write: { path: 'a', content: 'b' } }] }];
    const { gateway } = await openGateway(scripted(turns));
    expect(await ask({ model: 'm', messages: [user('Go.')] })).toMatchObject({
      type: 'message',
      role: 'assistant',
      model: 'm',
      stop_reason: 'tool_use',
      content: [
        { type: 'text', text: 'I write.' },
        { type: 'tool_use', name: 'Write', input: { file_path: 'a', content: 'b' } },
      ],
      usage: { input_tokens: 100, output_tokens: 20 },
    });
    expect(gateway.usage()).toMatchObject({ inputTokens: 100, outputTokens: 20 });
  });

  test('[AG20] streams the events of the protocol in their order', async () => {
    const { gateway } = await openGateway(
      scripted([{ say: 'Hello.', usage: { input: 5, output: 6 } }]),
    );
    const { body } = await call(MESSAGES);
    expect([...body.matchAll(/^event: (.*)$/gm)].map(([, type]) => type)).toEqual([
      'message_start',
      'content_block_start',
      'content_block_delta',
      'content_block_stop',
      'message_delta',
      'message_stop',
    ]);
    expect(body).toContain('"stop_reason":"end_turn"');
    expect(gateway.usage()).toMatchObject({ inputTokens: 5, outputTokens: 6, cachedTokens: 0 });
  });

  test('[AG20] fails as often as its script says, and then goes on', async () => {
    const error = { status: 529, type: 'overloaded_error', message: 'busy', times: 2 };
    await openGateway(scripted([{ error, say: 'Hello.' }]));
    const statuses = [];
    for (let index = 0; index < 3; index += 1) statuses.push((await call(MESSAGES)).status);
    expect(statuses).toEqual([529, 529, 200]);
  });

  test('[AG20] waits for the file that its script names', async () => {
    await openGateway(scripted([{ say: 'Hello.', waitFor: 'go' }]));
    let answered = false;
    const answer = call(MESSAGES).then((each) => {
      answered = true;
      return each;
    });
    // A later call that needs no file has been answered meanwhile.
    await call('/v1/messages/count_tokens');
    expect(answered).toBe(false);
    writeFileSync(join(dir, 'go'), '');
    expect((await answer).status).toBe(200);
  });

  test('[AG20] says which prompt it has no script for', async () => {
    const scriptFile = join(dir, 'script.yaml');
    writeFileSync(
      scriptFile,
      'version: 1\nscripts: [{ when: phase 2, turns: [{ say: Hello. }] }]\n',
    );
    const work = { upstream: { kind: 'scripted', scriptFile }, maxTokens: null } as const;
    await openGateway({ work });
    expect(await ask({ model: 'm', messages: [user('Do phase 1.')] })).toMatchObject({
      error: { message: containing('Do phase 1.') },
    });
    expect(await ask({ model: 'm', messages: [user('Do phase 2.'), result] })).toMatchObject({
      content: [{ text: 'Hello.' }],
    });
  });

  test('[AG20] refuses what is no call of the protocol', async () => {
    await openGateway(scripted([{ say: 'Hello.' }]));
    for (const body of ['{', '{}', '[]']) {
      expect(await call(MESSAGES, { body })).toMatchObject({
        status: 400,
        body: containing('invalid_request_error'),
      });
    }
  });
});
