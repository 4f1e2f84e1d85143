/** OpenAI Responses, as a scripted model speaks it; a script's calls become the tools of Codex where it has them. */
import { randomUUID } from 'node:crypto';
import type { JsonObject } from '@ccdash/core';
import { z } from 'zod';
import type { ScriptCall, ScriptTurn } from '../script/agent-script.ts';
import { textIn } from '../tools/tool-names.ts';
import { conversationOf } from './openai-conversation.ts';
import type { Happening } from './openai-conversation.ts';
import type { ReadScriptedCall, ScriptedReply } from './scripted-wire.ts';

const itemSchema = z.looseObject({
  type: z.string().default('message'),
  role: z.string().optional(),
  content: z.union([z.string(), z.array(z.looseObject({ text: z.string().optional() }))]).nullish(),
});
const bodySchema = z.object({
  model: z.string(),
  stream: z.boolean().optional(),
  input: z.union([z.string(), z.array(itemSchema)]),
  tools: z.array(z.looseObject({ name: z.string().optional() })).optional(),
  text: z.looseObject({ format: z.looseObject({ type: z.string() }).optional() }).optional(),
});

export const readResponsesCall: ReadScriptedCall = (body) => {
  const parsed = bodySchema.safeParse(body);
  if (!parsed.success) return z.prettifyError(parsed.error);
  const { model, stream = false, input, tools = [], text } = parsed.data;
  const items =
    typeof input === 'string' ? [{ type: 'message', role: 'user', content: input }] : input;
  const isCodex = tools.some(({ name }) => name === 'exec_command');
  const answersInWords = text?.format?.type === 'json_schema';
  return {
    isStream: stream,
    answersInWords,
    messages: conversationOf(items.flatMap(happeningsOf), answersInWords),
    reply: (turn) => replyOf(model, turn, isCodex),
  };
};

function happeningsOf({ type, role = '', content }: z.infer<typeof itemSchema>): Happening[] {
  if (type.endsWith('_call_output')) return [{ kind: 'result' }];
  if (type.endsWith('_call')) return [{ kind: 'called' }];
  if (type !== 'message') return [];
  const parts = typeof content === 'string' ? [{ text: content }] : (content ?? []);
  return parts.map((part) => ({ kind: 'said', role, text: part.text ?? '' }));
}

function replyOf(model: string, turn: ScriptTurn, isCodex: boolean): ScriptedReply {
  const output = itemsOf(turn, isCodex);
  const { input: inputTokens, output: outputTokens } = turn.usage;
  const usage = {
    input_tokens: inputTokens,
    input_tokens_details: { cached_tokens: 0 },
    output_tokens: outputTokens,
    output_tokens_details: { reasoning_tokens: 0 },
    total_tokens: inputTokens + outputTokens,
  };
  const begun = {
    id: `resp_${randomUUID()}`,
    object: 'response',
    created_at: Math.floor(Date.now() / 1000),
    model,
    status: 'in_progress',
    output: [] as readonly object[],
    usage: null as object | null,
  };
  const whole = { ...begun, status: 'completed', output, usage };
  const events: (readonly [type: string, fields: object])[] = [
    ['response.created', { response: begun }],
  ];
  for (const [index, item] of output.entries()) {
    const place = { output_index: index };
    const { type, id } = item;
    const empty = { ...item, status: 'in_progress' };
    if (type === 'message') {
      const [part] = item.content;
      const at = { item_id: id, ...place, content_index: 0 };
      events.push(
        ['response.output_item.added', { ...place, item: { ...empty, content: [] } }],
        ['response.content_part.added', { ...at, part: { ...part, text: '' } }],
        ['response.output_text.delta', { ...at, delta: part.text }],
        ['response.output_text.done', { ...at, text: part.text }],
        ['response.content_part.done', { ...at, part }],
      );
    } else {
      events.push(['response.output_item.added', { ...place, item: empty }]);
    }
    events.push(['response.output_item.done', { ...place, item }]);
  }
  events.push(['response.completed', { response: whole }]);
  return {
    whole,
    events: events.map(
      ([type, fields], index) =>
        `event: ${type}\ndata: ${JSON.stringify({ type, sequence_number: index, ...fields })}\n\n`,
    ),
  };
}

interface TextPart {
  readonly type: 'output_text';
  readonly text: string;
  readonly annotations: readonly never[];
}
type Item = { readonly id: string; readonly status: 'completed' } & (
  | {
      readonly type: 'message';
      readonly role: 'assistant';
      readonly content: readonly [TextPart];
    }
  | (CallFields & { readonly call_id: string })
);
type CallFields =
  | { readonly type: 'function_call'; readonly name: string; readonly arguments: string }
  | { readonly type: 'custom_tool_call'; readonly name: string; readonly input: string };

function itemsOf({ say, calls, answer }: ScriptTurn, isCodex: boolean): readonly Item[] {
  const words = [say, answer === null ? null : JSON.stringify(answer)];
  return [
    ...words.flatMap((text): Item[] => {
      if (text === null) return [];
      const part = { type: 'output_text', text, annotations: [] } as const;
      return [
        {
          type: 'message',
          id: `msg_${randomUUID()}`,
          status: 'completed',
          role: 'assistant',
          content: [part],
        },
      ];
    }),
    ...calls.map((call): Item => {
      const fields = (isCodex ? codexCall(call) : null) ?? functionCall(call.name, call.input);
      const id = `fc_${randomUUID()}`;
      return { ...fields, id, status: 'completed', call_id: `call_${randomUUID()}` };
    }),
  ];
}

function functionCall(name: string, input: JsonObject): CallFields {
  return { type: 'function_call', name, arguments: JSON.stringify(input) };
}

/** The same deed with the tools of Codex; null when it has none for it. */
function codexCall({ name, input }: ScriptCall): CallFields | null {
  const path = textIn(input, 'file_path') ?? '';
  const patch = (lines: readonly string[]): CallFields => ({
    type: 'custom_tool_call',
    name: 'apply_patch',
    input: ['*** Begin Patch', ...lines, '*** End Patch', ''].join('\n'),
  });
  switch (name) {
    case 'Bash':
      return functionCall('exec_command', { cmd: textIn(input, 'command') ?? '' });
    case 'Read':
      return functionCall('exec_command', { cmd: `cat ${quoted(path)}` });
    case 'Write':
      return patch([`*** Add File: ${path}`, ...marked('+', textIn(input, 'content') ?? '')]);
    case 'Edit':
      return patch([
        `*** Update File: ${path}`,
        '@@',
        ...marked('-', textIn(input, 'old_string') ?? ''),
        ...marked('+', textIn(input, 'new_string') ?? ''),
      ]);
    case 'apply_patch':
      return { type: 'custom_tool_call', name, input: textIn(input, 'input') ?? '' };
    default:
      return null;
  }
}

function marked(mark: string, text: string): readonly string[] {
  return text
    .replace(/\n$/, '')
    .split('\n')
    .map((line) => `${mark}${line}`);
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
