/**
 * Which turn of a script a conversation has come to, told from the conversation alone: so it survives restarts,
 * retries and resumes.
 */
import { SCRIPT_END } from './agent-script.ts';
import type { AgentScript, Script, ScriptTurn } from './agent-script.ts';

/** A message of the provider's protocol, as far as it matters here. */
export interface ConversationMessage {
  readonly role: string;
  readonly content: string | readonly ConversationBlock[];
}

export interface ConversationBlock {
  readonly type: string;
  readonly text?: string | undefined;
}

export interface ScriptPosition {
  readonly turn: ScriptTurn;
  /** Stable while the turn is the same. */
  readonly key: string;
}

/** Null when no script is for the first prompt. */
export function nextTurn(
  script: AgentScript,
  messages: readonly ConversationMessage[],
): ScriptPosition | null {
  const played = scriptFor(script, firstPrompt(messages));
  if (played === null) return null;
  const index = script.scripts.indexOf(played);
  let { results, ends } = progressOf(messages);
  for (const [position, turn] of played.turns.entries()) {
    const needed = turn.answer === null ? turn.calls.length : 1;
    if (needed > 0 ? results < needed : ends === 0) return { turn, key: `${index}.${position}` };
    if (needed > 0) results -= needed;
    else ends -= 1;
  }
  return { turn: SCRIPT_END, key: `${index}.end` };
}

/** The first script that is for a prompt; null when there is none. */
export function scriptFor(script: AgentScript, prompt: string): Script | null {
  return script.scripts.find(({ when }) => when === null || prompt.includes(when)) ?? null;
}

/** The first words of the user, without what the agent's program adds to them. */
export function firstPrompt(messages: readonly ConversationMessage[]): string {
  const first = messages.find(({ role }) => role === 'user');
  return blocksOf(first)
    .map(({ text }) => text ?? '')
    .filter((text) => !text.trimStart().startsWith('<system-reminder>'))
    .join('\n');
}

function progressOf(messages: readonly ConversationMessage[]): { results: number; ends: number } {
  let results = 0;
  let ends = 0;
  for (const [index, message] of messages.entries()) {
    const blocks = blocksOf(message);
    const has = (type: string): boolean => blocks.some((block) => block.type === type);
    if (message.role === 'user') {
      results += blocks.filter(({ type }) => type === 'tool_result').length;
    } else if (message.role === 'assistant' && !has('tool_use') && index < messages.length - 1) {
      ends += 1;
    }
  }
  return { results, ends };
}

function blocksOf(message: ConversationMessage | undefined): readonly ConversationBlock[] {
  if (message === undefined) return [];
  const { content } = message;
  return typeof content === 'string' ? [{ type: 'text', text: content }] : content;
}
