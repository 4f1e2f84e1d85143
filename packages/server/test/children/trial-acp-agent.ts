/**
 * An agent that does what it is told by `ACTS`, also what no decent one does: a list of what it tells its client
 * (`update`) and asks of it (`request`). Its last words are what it was answered, as JSON.
 */
import { Readable, Writable } from 'node:stream';
import { agent, ndJsonStream } from '@agentclientprotocol/sdk';
import type { SessionUpdate } from '@agentclientprotocol/sdk';

type Act =
  | { readonly update: SessionUpdate }
  | { readonly request: string; readonly params: Readonly<Record<string, unknown>> };

const acts = JSON.parse(process.env['ACTS'] ?? '[]') as readonly Act[];
const agentInfo = { name: 'trial', version: process.env['AGENT_VERSION'] ?? '1' };

const stream = ndJsonStream(
  Writable.toWeb(process.stdout),
  Readable.toWeb(process.stdin) as ReadableStream<Uint8Array>,
);
agent({ name: 'trial' })
  .onRequest('initialize', ({ params }) => ({
    protocolVersion: 1,
    agentInfo,
    agentCapabilities: { loadSession: true, _meta: { client: params.clientCapabilities } },
  }))
  .onRequest('session/new', () => ({ sessionId: 'trial-1' }))
  .onRequest('session/load', () => ({}))
  .onRequest('session/prompt', async ({ params: { sessionId }, client }) => {
    const answers: unknown[] = [];
    let terminalId: unknown = null;
    for (const act of acts) {
      if ('update' in act) {
        await client.notify('session/update', { sessionId, update: act.update });
        continue;
      }
      try {
        const params = { sessionId, terminalId, ...act.params };
        const answer = await client.request<Record<string, unknown>>(act.request, params);
        terminalId = answer['terminalId'] ?? terminalId;
        answers.push(answer);
      } catch (error) {
        answers.push(error instanceof Error ? `${error.name}: ${error.message}` : error);
      }
    }
    const content = { type: 'text', text: JSON.stringify(answers) } as const;
    const update = { sessionUpdate: 'agent_message_chunk', content } as const;
    await client.notify('session/update', { sessionId, update });
    return { stopReason: 'end_turn' };
  })
  .onNotification('session/cancel', () => undefined)
  .connect(stream);
