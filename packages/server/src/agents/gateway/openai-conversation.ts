import type { ConversationBlock, ConversationMessage } from '../script/next-turn.ts';

/** What happened in a conversation, in its order. */
export type Happening =
  | { readonly kind: 'said'; readonly role: string; readonly text: string }
  | { readonly kind: 'called' }
  | { readonly kind: 'result' };

/** What programs write in the user's name before the user has said anything. */
const NOT_THE_USER = /^\s*(<(environment_context|user_instructions|permissions)\b|# AGENTS\.md )/;

/** Happenings as turns of user and assistant; an answer by a schema is words here, and counts as given when it is said. */
export function conversationOf(
  happenings: readonly Happening[],
  answers: boolean,
): readonly ConversationMessage[] {
  const messages: { role: string; content: ConversationBlock[] }[] = [];
  const add = (role: string, block: ConversationBlock): void => {
    const last = messages.at(-1);
    if (last?.role === role) last.content.push(block);
    else messages.push({ role, content: [block] });
  };
  for (const happening of happenings) {
    if (happening.kind === 'called') add('assistant', { type: 'tool_use' });
    else if (happening.kind === 'result') add('user', { type: 'tool_result' });
    else if (happening.role === 'assistant') {
      const { text } = happening;
      add('assistant', { type: 'text', text });
      if (!answers || !isObject(text)) continue;
      add('assistant', { type: 'tool_use' });
      add('user', { type: 'tool_result' });
    } else if (happening.role === 'user' && !NOT_THE_USER.test(happening.text)) {
      add('user', { type: 'text', text: happening.text });
    }
  }
  return messages;
}

function isObject(text: string): boolean {
  if (!text.startsWith('{')) return false;
  try {
    JSON.parse(text);
    return true;
  } catch (error) {
    if (error instanceof SyntaxError) return false;
    throw error;
  }
}
