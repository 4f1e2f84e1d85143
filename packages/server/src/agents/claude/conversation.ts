/**
 * What people say to a session, as the stream that the SDK reads: the prompt, then messages as they come. The program
 * says each one again once it has taken it up; it takes no more once a result has come with none on its way.
 */
import type { SDKMessage, SDKUserMessage } from '@anthropic-ai/claude-agent-sdk';

export interface Conversation extends AsyncIterable<SDKUserMessage> {
  /** False once nobody listens any more. */
  say(messageId: string, text: string): boolean;
  /** Looks at what the program says; the id of a message that it has taken up with this, or null. */
  taken(message: SDKMessage): string | null;
  /** Whether something was said that has not been taken up. */
  isWaiting(): boolean;
  end(): void;
}

export function createConversation(prompt: string): Conversation {
  const queue: SDKUserMessage[] = [userMessage(prompt)];
  const waiting = new Set<string>();
  let ended = false;
  let wake: () => void = () => undefined;

  async function* messages(): AsyncGenerator<SDKUserMessage, void> {
    while (true) {
      const next = queue.shift();
      if (next !== undefined) yield next;
      else if (ended) return;
      else await new Promise<void>((resolve) => (wake = resolve));
    }
  }

  return {
    [Symbol.asyncIterator]: messages,
    say: (messageId, text) => {
      if (ended) return false;
      waiting.add(messageId);
      // `next`: after the tool call that is under way, not after the whole turn.
      queue.push({ ...userMessage(text), uuid: messageId as Uuid, priority: 'next' });
      wake();
      return true;
    },
    taken: (message) => {
      if (message.type !== 'user' || message.uuid === undefined) return null;
      return waiting.delete(message.uuid) ? message.uuid : null;
    },
    isWaiting: () => waiting.size > 0,
    end: () => {
      ended = true;
      wake();
    },
  };
}

type Uuid = NonNullable<SDKUserMessage['uuid']>;

function userMessage(content: string): SDKUserMessage {
  return { type: 'user', message: { role: 'user', content }, parent_tool_use_id: null };
}
