/** Anthropic Messages, as a scripted model speaks it. */
import { randomUUID } from 'node:crypto';
import type { JsonObject } from '@ccdash/core';
import { z } from 'zod';
import type { ScriptTurn } from '../script/agent-script.ts';
import { ANSWER_TOOL } from '../tools/tool-names.ts';
import type { ReadScriptedCall, ScriptedReply } from './scripted-wire.ts';

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

type Block =
  | { readonly type: 'text'; readonly text: string }
  | {
      readonly type: 'tool_use';
      readonly id: string;
      readonly name: string;
      readonly input: JsonObject;
    };

export const readMessagesCall: ReadScriptedCall = (body) => {
  const parsed = bodySchema.safeParse(body);
  if (!parsed.success) return z.prettifyError(parsed.error);
  const { model, stream = false, messages } = parsed.data;
  return {
    isStream: stream,
    answersInWords: false,
    messages,
    reply: (turn) => replyOf(model, turn),
  };
};

function replyOf(model: string, turn: ScriptTurn): ScriptedReply {
  const isCalling = turn.calls.length > 0 || turn.answer !== null;
  const stopReason = isCalling ? 'tool_use' : 'end_turn';
  const content = blocksOf(turn);
  const usage = {
    input_tokens: turn.usage.input,
    cache_creation_input_tokens: 0,
    cache_read_input_tokens: 0,
    output_tokens: 0,
  };
  const message = {
    id: `msg_${randomUUID()}`,
    type: 'message',
    role: 'assistant',
    model,
    content: [] as readonly Block[],
    stop_reason: null as string | null,
    stop_sequence: null,
    usage,
  };
  const output = { output_tokens: turn.usage.output };
  return {
    whole: { ...message, content, stop_reason: stopReason, usage: { ...usage, ...output } },
    events: [
      event('message_start', { message }),
      ...content.flatMap((block, index) => {
        const isText = block.type === 'text';
        const empty = isText ? { ...block, text: '' } : { ...block, input: {} };
        const delta = isText
          ? { type: 'text_delta', text: block.text }
          : { type: 'input_json_delta', partial_json: JSON.stringify(block.input) };
        return [
          event('content_block_start', { index, content_block: empty }),
          event('content_block_delta', { index, delta }),
          event('content_block_stop', { index }),
        ];
      }),
      event('message_delta', {
        delta: { stop_reason: stopReason, stop_sequence: null },
        usage: output,
      }),
      event('message_stop', {}),
    ],
  };
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

function event(type: string, fields: object): string {
  return `event: ${type}\ndata: ${JSON.stringify({ type, ...fields })}\n\n`;
}
