/** Anthropic Messages, as a scripted model speaks it. */
import { randomUUID } from 'node:crypto';
import type { JsonObject } from '@ccdash/core';
import { z } from 'zod';
import type { ScriptTurn } from '../script/agent-script.ts';
import { ANSWER_TOOL } from '../tools/tool-names.ts';
import { conversationOf } from './openai-conversation.ts';
import type { Happening } from './openai-conversation.ts';
import { callsWith } from './offered-tools.ts';
import type { ReadScriptedCall, ScriptedReply } from './scripted-wire.ts';

const bodySchema = z.object({
  model: z.string(),
  stream: z.boolean().optional(),
  tools: z.array(z.looseObject({ name: z.string() })).optional(),
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
  const { model, stream = false, messages, tools = [] } = parsed.data;
  const offered = tools.map(({ name }) => name);
  // Where no tool takes the answer, it is words.
  const answersInWords = !offered.includes(ANSWER_TOOL);
  return {
    isStream: stream,
    answersInWords,
    messages: answersInWords ? conversationOf(messages.flatMap(happeningsOf), true) : messages,
    reply: (turn) => replyOf(model, turn, offered),
  };
};

function happeningsOf({ role, content }: z.infer<typeof bodySchema>['messages'][number]) {
  const blocks = typeof content === 'string' ? [{ type: 'text', text: content }] : content;
  return blocks.map(({ type, text = '' }): Happening => {
    if (type === 'tool_use') return { kind: 'called' };
    return type === 'tool_result' ? { kind: 'result' } : { kind: 'said', role, text };
  });
}

function replyOf(model: string, turn: ScriptTurn, offered: readonly string[]): ScriptedReply {
  const content = blocksOf(turn, offered);
  const isCalling = content.some(({ type }) => type === 'tool_use');
  const stopReason = isCalling ? 'tool_use' : 'end_turn';
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

function blocksOf(
  { say, calls, answer }: ScriptTurn,
  offered: readonly string[],
): readonly Block[] {
  const isWords = answer !== null && !offered.includes(ANSWER_TOOL);
  const words = [say, isWords ? JSON.stringify(answer) : null].filter((text) => text !== null);
  const all = [
    ...callsWith(offered, calls),
    ...(answer === null || isWords ? [] : [{ name: ANSWER_TOOL, input: answer }]),
  ];
  return [
    ...words.map((text) => ({ type: 'text', text }) as const),
    ...all.map(({ name, input }) => {
      return { type: 'tool_use', id: `toolu_${randomUUID()}`, name, input } as const;
    }),
  ];
}

function event(type: string, fields: object): string {
  return `event: ${type}\ndata: ${JSON.stringify({ type, ...fields })}\n\n`;
}
