/** OpenAI Chat Completions, as a scripted model speaks it. */
import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import type { ScriptTurn } from '../script/agent-script.ts';
import { callsWith } from './offered-tools.ts';
import { conversationOf } from './openai-conversation.ts';
import type { Happening } from './openai-conversation.ts';
import type { ReadScriptedCall, ScriptedReply } from './scripted-wire.ts';

const messageSchema = z.looseObject({
  role: z.string(),
  content: z.union([z.string(), z.array(z.looseObject({ text: z.string().optional() }))]).nullish(),
  tool_calls: z.array(z.unknown()).nullish(),
});
const bodySchema = z.object({
  model: z.string(),
  stream: z.boolean().optional(),
  stream_options: z.looseObject({ include_usage: z.boolean().optional() }).nullish(),
  tools: z
    .array(z.looseObject({ function: z.looseObject({ name: z.string() }).optional() }))
    .nullish(),
  messages: z.array(messageSchema),
  response_format: z.looseObject({ type: z.string() }).nullish(),
});

export const readChatCall: ReadScriptedCall = (body) => {
  const parsed = bodySchema.safeParse(body);
  if (!parsed.success) return z.prettifyError(parsed.error);
  const { model, stream = false, stream_options: options, messages, response_format } = parsed.data;
  const offered = (parsed.data.tools ?? []).flatMap(({ function: tool }) => tool?.name ?? []);
  const tellsUsage = options?.include_usage === true;
  const answersInWords = response_format?.type === 'json_schema';
  return {
    isStream: stream,
    answersInWords,
    messages: conversationOf(messages.flatMap(happeningsOf), answersInWords),
    reply: (turn) => replyOf(model, { ...turn, calls: callsWith(offered, turn.calls) }, tellsUsage),
  };
};

function happeningsOf(message: z.infer<typeof messageSchema>): Happening[] {
  const { role, content, tool_calls: calls } = message;
  if (role === 'tool') return [{ kind: 'result' }];
  const parts = typeof content === 'string' ? [{ text: content }] : (content ?? []);
  return [
    ...parts.map(({ text = '' }) => ({ kind: 'said', role, text }) as const),
    ...(calls ?? []).map(() => ({ kind: 'called' }) as const),
  ];
}

function replyOf(model: string, turn: ScriptTurn, tellsUsage: boolean): ScriptedReply {
  const { say, calls, answer, usage: tokens } = turn;
  const words = [say, answer === null ? null : JSON.stringify(answer)].filter(
    (text) => text !== null,
  );
  const content = words.length === 0 ? null : words.join('\n');
  const toolCalls = calls.map(({ name, input }) => ({
    id: `call_${randomUUID()}`,
    type: 'function',
    function: { name, arguments: JSON.stringify(input) },
  }));
  const finish = toolCalls.length > 0 ? 'tool_calls' : 'stop';
  const usage = {
    prompt_tokens: tokens.input,
    completion_tokens: tokens.output,
    total_tokens: tokens.input + tokens.output,
    prompt_tokens_details: { cached_tokens: 0 },
  };
  const common = {
    id: `chatcmpl-${randomUUID()}`,
    created: Math.floor(Date.now() / 1000),
    model,
  };
  const chunk = (choices: readonly object[], more: object = {}): string => {
    const fields = { ...common, object: 'chat.completion.chunk', choices, ...more };
    return `data: ${JSON.stringify(fields)}\n\n`;
  };
  const delta = (fields: object, finishReason: string | null = null): string =>
    chunk([{ index: 0, delta: fields, finish_reason: finishReason }]);
  const called = toolCalls.length === 0 ? {} : { tool_calls: toolCalls };
  return {
    whole: {
      ...common,
      object: 'chat.completion',
      choices: [
        { index: 0, finish_reason: finish, message: { role: 'assistant', content, ...called } },
      ],
      usage,
    },
    events: [
      delta({ role: 'assistant', content: '' }),
      ...(content === null ? [] : [delta({ content })]),
      ...toolCalls.map((call, index) => delta({ tool_calls: [{ index, ...call }] })),
      delta({}, finish),
      ...(tellsUsage ? [chunk([], { usage })] : []),
      'data: [DONE]\n\n',
    ],
  };
}
