/** What the model gateway adds to a call: the same streamed answer asked of a local service directly and by the gateway. */
import { createServer, request } from 'node:http';
import type { RequestOptions } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createModelGateway } from '../packages/server/src/agents/gateway/model-gateway.ts';

const CALLS = 200;
const TOKEN = 'bench';
/** As long as a conversation of some hours. */
const BODY = JSON.stringify({
  model: 'gpt-5',
  stream: true,
  input: [{ role: 'user', content: 'x'.repeat(200_000) }],
});
const EVENT = `event: response.output_text.delta\ndata: {"type":"response.output_text.delta","delta":"word "}\n\n`;

/** Milliseconds to the first byte of each answer, with and without the gateway. `folder`: where its socket may be. */
export async function benchGateway(
  folder: string,
): Promise<{ readonly direct: readonly number[]; readonly through: readonly number[] }> {
  const service = createServer((incoming, response) => {
    incoming.resume().once('end', () => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.end(EVENT.repeat(50));
    });
  });
  await new Promise<void>((resolve) => service.listen(0, '127.0.0.1', resolve));
  const { port } = service.address() as AddressInfo;
  const socketPath = join(folder, 'gateway');
  const opened = await createModelGateway({
    socketPath,
    token: TOKEN,
    work: { upstream: { kind: 'service' }, maxTokens: null, maxUsd: 1_000 },
    providerSecrets: {
      OPENAI_API_KEY: 'key',
      OPENAI_BASE_URL: `http://127.0.0.1:${String(port)}/v1`,
    },
    onLimitReached: () => undefined,
    onActivity: () => undefined,
  });
  if (!opened.ok) throw new Error(opened.error.message);
  const direct: number[] = [];
  const through: number[] = [];
  // In turns, so that whatever else the machine does meets both.
  for (let index = 0; index < CALLS; index += 1) {
    direct.push(await firstByteMs({ host: '127.0.0.1', port }));
    through.push(await firstByteMs({ socketPath }));
  }
  await opened.value.close();
  await new Promise((resolve) => {
    service.close(resolve);
    service.closeAllConnections();
  });
  return { direct, through };
}

function firstByteMs(place: RequestOptions): Promise<number> {
  return new Promise((resolve, reject) => {
    const began = performance.now();
    const headers = { authorization: `Bearer ${TOKEN}`, 'content-length': BODY.length };
    const call = request(
      { ...place, method: 'POST', path: '/v1/responses', headers, agent: false },
      (response) => {
        let first: number | null = null;
        response.on('data', () => (first ??= performance.now() - began));
        response.once('end', () => {
          if (response.statusCode === 200) resolve(first ?? 0);
          else reject(new Error(`the gateway answered ${String(response.statusCode)}`));
        });
      },
    );
    call.on('error', reject);
    call.end(BODY);
  });
}
