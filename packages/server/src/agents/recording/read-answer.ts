/** What a model has answered, read back from the words of its protocol: streamed or whole. */
import type { Json, JsonObject } from '@ccdash/core';
import type { Protocol } from '../gateway/protocol.ts';
import type { ScriptCall } from '../script/agent-script.ts';

export interface ModelAnswer {
  readonly say: string | null;
  readonly calls: readonly ScriptCall[];
  /** Tokens; null where the model did not say. */
  readonly usage: { readonly input: number; readonly output: number } | null;
}

/** Null for what is no whole answer: one that was broken off, or an error. */
export function readAnswer(protocol: Protocol, text: string): ModelAnswer | null {
  const isStream = /^(event|data|:)/m.test(text) && !text.startsWith('{');
  const parts = isStream ? eventsIn(text) : [parsed(text)].filter((part) => part !== null);
  switch (protocol) {
    case 'messages':
      return isStream ? streamedMessage(parts) : wholeMessage(parts[0] ?? {});
    case 'responses':
      return isStream ? streamedResponse(parts) : wholeResponse(parts[0] ?? {});
    case 'chat':
      return isStream ? streamedChat(parts) : wholeChat(parts[0] ?? {});
  }
}

type Fields = Readonly<Record<string, unknown>>;

function streamedMessage(events: readonly Fields[]): ModelAnswer | null {
  const blocks = new Map<unknown, { block: Fields; text: string }>();
  let input: unknown = null;
  let output: unknown = null;
  let isWhole = false;
  for (const event of events) {
    const { type, index } = event;
    if (type === 'message_start') input = fieldsOf(fieldsOf(event['message'])['usage']);
    if (type === 'message_delta') output = event['usage'];
    if (type === 'message_stop') isWhole = true;
    if (type === 'content_block_start') {
      const block = fieldsOf(event['content_block']);
      blocks.set(index, { block, text: textOf(block['text']) });
    }
    const open = blocks.get(index);
    if (type !== 'content_block_delta' || open === undefined) continue;
    const { text, partial_json: json } = fieldsOf(event['delta']);
    open.text += textOf(text) + textOf(json);
  }
  if (!isWhole) return null;
  const content = [...blocks.values()].map(({ block, text }) =>
    block['type'] === 'tool_use'
      ? { ...block, input: text === '' ? block['input'] : parsed(text) }
      : { ...block, text },
  );
  return messageOf(content, { ...fieldsOf(input), ...fieldsOf(output) });
}

function wholeMessage({ type, content, usage }: Fields): ModelAnswer | null {
  return type === 'message' ? messageOf(listOf(content), fieldsOf(usage)) : null;
}

function messageOf(content: readonly Fields[], usage: Fields): ModelAnswer {
  const calls = content.flatMap(({ type, name, input }) =>
    type === 'tool_use' ? [callOf(textOf(name), input)] : [],
  );
  const input = ['input_tokens', 'cache_creation_input_tokens', 'cache_read_input_tokens'];
  return answerOf(
    content.flatMap(({ type, text }) => (type === 'text' ? [textOf(text)] : [])),
    calls,
    { input: sum(input.map((name) => usage[name])), output: numberOf(usage['output_tokens']) },
  );
}

function streamedResponse(events: readonly Fields[]): ModelAnswer | null {
  const end = events.find(({ type }) => type === 'response.completed');
  if (end === undefined) return null;
  const items = events.flatMap(({ type, item }) =>
    type === 'response.output_item.done' ? [fieldsOf(item)] : [],
  );
  return responseOf(items, fieldsOf(fieldsOf(end['response'])['usage']));
}

function wholeResponse({ object, output, usage }: Fields): ModelAnswer | null {
  return object === 'response' ? responseOf(listOf(output), fieldsOf(usage)) : null;
}

function responseOf(items: readonly Fields[], usage: Fields): ModelAnswer {
  const calls = items.flatMap(({ type, name, arguments: given, input }) => {
    if (type === 'function_call') return [callOf(textOf(name), parsed(textOf(given)))];
    // Its input is no JSON: one text.
    return type === 'custom_tool_call' ? [callOf(textOf(name), { input: textOf(input) })] : [];
  });
  const said = items
    .filter(({ type }) => type === 'message')
    .flatMap(({ content }) => listOf(content).map(({ text }) => textOf(text)));
  const { input_tokens: input, output_tokens: output } = usage;
  return answerOf(said, calls, { input: numberOf(input), output: numberOf(output) });
}

function streamedChat(chunks: readonly Fields[]): ModelAnswer | null {
  const calls = new Map<unknown, { name: string; given: string }>();
  let said = '';
  let usage: Fields = {};
  let isWhole = false;
  for (const chunk of chunks) {
    if (chunk['usage'] !== null && chunk['usage'] !== undefined) usage = fieldsOf(chunk['usage']);
    const [choice = {}] = listOf(chunk['choices']);
    if (typeof choice['finish_reason'] === 'string') isWhole = true;
    const delta = fieldsOf(choice['delta']);
    said += textOf(delta['content']);
    for (const { index, function: part } of listOf(delta['tool_calls'])) {
      const { name, arguments: given } = fieldsOf(part);
      const call = calls.get(index) ?? { name: '', given: '' };
      calls.set(index, { name: call.name + textOf(name), given: call.given + textOf(given) });
    }
  }
  if (!isWhole) return null;
  const made = [...calls.values()].map(({ name, given }) => callOf(name, parsed(given)));
  return chatOf(said, made, usage);
}

function wholeChat({ choices, usage }: Fields): ModelAnswer | null {
  const [choice] = listOf(choices);
  if (choice === undefined) return null;
  const message = fieldsOf(choice['message']);
  const calls = listOf(message['tool_calls']).map(({ function: part }) => {
    const { name, arguments: given } = fieldsOf(part);
    return callOf(textOf(name), parsed(textOf(given)));
  });
  return chatOf(textOf(message['content']), calls, fieldsOf(usage));
}

function chatOf(said: string, calls: readonly ScriptCall[], usage: Fields): ModelAnswer {
  const { prompt_tokens: input, completion_tokens: output } = usage;
  return answerOf([said], calls, { input: numberOf(input), output: numberOf(output) });
}

function answerOf(
  said: readonly string[],
  calls: readonly ScriptCall[],
  { input, output }: { readonly input: number | null; readonly output: number | null },
): ModelAnswer {
  const say = said.filter((text) => text !== '').join('\n\n');
  const usage = input === null || output === null ? null : { input, output };
  return { say: say === '' ? null : say, calls, usage };
}

function callOf(name: string, input: unknown): ScriptCall {
  return { name, input: fieldsOf(input) as JsonObject };
}

function eventsIn(stream: string): readonly Fields[] {
  return stream.split('\n').flatMap((line) => {
    if (!line.startsWith('data:')) return [];
    const event = parsed(line.slice('data:'.length));
    return event === null ? [] : [event];
  });
}

function parsed(text: string): Fields | null {
  try {
    return fieldsOf(JSON.parse(text) as Json);
  } catch (error) {
    // Models write JSON that is none; what they meant by it nobody knows.
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

function sum(numbers: readonly unknown[]): number | null {
  const known = numbers.map(numberOf).filter((each) => each !== null);
  return known.length === 0 ? null : known.reduce((total, each) => total + each, 0);
}

function fieldsOf(value: unknown): Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Fields)
    : {};
}

function listOf(value: unknown): readonly Fields[] {
  return Array.isArray(value) ? value.map(fieldsOf) : [];
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function numberOf(value: unknown): number | null {
  return typeof value === 'number' && value >= 0 ? Math.round(value) : null;
}
