/** A model that follows a script, in the provider's wire protocol: streaming or not. */
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { text as readText } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import type { JsonObject } from '@ccdash/core';
import { z } from 'zod';
import type { AgentScript, ScriptTurn } from '../script/agent-script.ts';
import { firstPrompt, nextTurn } from '../script/next-turn.ts';
import { waitForFile } from '../script/wait-for-file.ts';
import { ANSWER_TOOL } from '../tools/tool-names.ts';
import { sendModelError } from './upstream.ts';
import type { ModelCall, Upstream } from './upstream.ts';

const bodySchema = z.object({
  model: z.string(),
  stream: z.boolean().optional(),
  messages: z.array(
    z.object({
      role: z.string(),
      content: z.union([
        z.string(),
        z.array(z.object({ type: z.string(), text: z.string().optional() })),
      ]),
    }),
  ),
});
type Body = z.infer<typeof bodySchema>;

type Block =
  | { readonly type: 'text'; readonly text: string }
  | {
      readonly type: 'tool_use';
      readonly id: string;
      readonly name: string;
      readonly input: JsonObject;
    };

/** Stateless but for errors that a script wants so many times. */
export function createScriptedUpstream(script: AgentScript): Upstream {
  const errorsByTurn = new Map<string, number>();

  return async (call) => {
    if (call.path.startsWith('/v1/models')) {
      sendJson(call, { data: [], has_more: false, first_id: null, last_id: null });
      return;
    }
    const body = readBody(await readText(call.request));
    if (typeof body === 'string') {
      sendModelError(call.response, 400, 'invalid_request_error', body);
      return;
    }
    if (call.path.startsWith('/v1/messages/count_tokens')) {
      sendJson(call, { input_tokens: 100 });
      return;
    }
    const position = nextTurn(script, body.messages);
    if (position === null) {
      const prompt = JSON.stringify(firstPrompt(body.messages).slice(0, 80));
      const message = `${script.file} has no script whose \`when\` is in the prompt ${prompt}`;
      sendModelError(call.response, 400, 'invalid_request_error', message);
      return;
    }
    const { turn } = position;
    if (turn.delayMs > 0) await sleep(turn.delayMs, undefined, { signal: call.signal });
    if (turn.waitFor !== null) await waitForFile(turn.waitFor, call.signal);
    const errors = errorsByTurn.get(position.key) ?? 0;
    if (turn.error !== null && errors < (turn.error.times ?? Infinity)) {
      errorsByTurn.set(position.key, errors + 1);
      const { status, type, message } = turn.error;
      sendModelError(call.response, status, type, message);
      return;
    }
    if (body.stream === true) await stream(call, body, turn);
    else await answer(call, body, turn);
  };
}

function readBody(text: string): Body | string {
  try {
    const parsed = bodySchema.safeParse(JSON.parse(text));
    return parsed.success ? parsed.data : z.prettifyError(parsed.error);
  } catch (error) {
    if (error instanceof SyntaxError) return `the body is not JSON: ${error.message}`;
    throw error;
  }
}

function blocksOf({ say, calls, answer: structured }: ScriptTurn): readonly Block[] {
  const all = structured === null ? calls : [{ name: ANSWER_TOOL, input: structured }];
  return [
    ...(say === null ? [] : [{ type: 'text', text: say } as const]),
    ...all.map(({ name, input }) => {
      return { type: 'tool_use', id: `toolu_${randomUUID()}`, name, input } as const;
    }),
  ];
}

/** The message without its content, and what the turn counts for. */
function envelope(body: Body, turn: ScriptTurn) {
  const isCalling = turn.calls.length > 0 || turn.answer !== null;
  return {
    message: {
      id: `msg_${randomUUID()}`,
      type: 'message',
      role: 'assistant',
      model: body.model,
      content: [] as readonly Block[],
      stop_reason: null as string | null,
      stop_sequence: null,
      usage: {
        input_tokens: turn.usage.input,
        cache_creation_input_tokens: 0,
        cache_read_input_tokens: 0,
        output_tokens: 0,
      },
    },
    stopReason: isCalling ? 'tool_use' : 'end_turn',
  };
}

async function answer(call: ModelCall, body: Body, turn: ScriptTurn): Promise<void> {
  if (turn.stall) await untilAborted(call.signal);
  const { message, stopReason } = envelope(body, turn);
  const usage = { ...message.usage, output_tokens: turn.usage.output };
  sendJson(call, { ...message, content: blocksOf(turn), stop_reason: stopReason, usage });
}

async function stream(call: ModelCall, body: Body, turn: ScriptTurn): Promise<void> {
  const { message, stopReason } = envelope(body, turn);
  call.response.writeHead(200, {
    'content-type': 'text/event-stream',
    'cache-control': 'no-cache',
  });
  const meter = call.startMeter?.();
  const send = (type: string, fields: object): void => {
    const bytes = Buffer.from(`event: ${type}\ndata: ${JSON.stringify({ type, ...fields })}\n\n`);
    meter?.readEvents(bytes);
    call.onActivity();
    call.response.write(bytes);
  };
  send('message_start', { message });
  if (turn.stall) await untilAborted(call.signal);
  for (const [index, block] of blocksOf(turn).entries()) {
    const isText = block.type === 'text';
    const empty = isText ? { ...block, text: '' } : { ...block, input: {} };
    send('content_block_start', { index, content_block: empty });
    const delta = isText
      ? { type: 'text_delta', text: block.text }
      : { type: 'input_json_delta', partial_json: JSON.stringify(block.input) };
    send('content_block_delta', { index, delta });
    send('content_block_stop', { index });
  }
  const usage = { output_tokens: turn.usage.output };
  send('message_delta', { delta: { stop_reason: stopReason, stop_sequence: null }, usage });
  send('message_stop', {});
  call.response.end();
}

function sendJson(call: ModelCall, value: object): void {
  const body = JSON.stringify(value);
  call.startMeter?.().readBody(body);
  call.onActivity();
  call.response.writeHead(200, { 'content-type': 'application/json' });
  call.response.end(body);
}

/** Never resolves. */
async function untilAborted(signal: AbortSignal): Promise<never> {
  if (!signal.aborted) await once(signal, 'abort');
  throw new Error('the call was broken off');
}
