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
  let results = resultsIn(messages);
  const lastWords = lastWordsIn(messages);
  for (const [position, turn] of played.turns.entries()) {
    const needed = turn.answer === null ? turn.calls.length : 1;
    const isOver = needed > 0 ? results >= needed : takeWords(lastWords, turn.say);
    if (!isOver) return { turn, key: `${index}.${position}` };
    results -= needed;
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

function resultsIn(messages: readonly ConversationMessage[]): number {
  return messages
    .filter(({ role }) => role === 'user')
    .flatMap(blocksOf)
    .filter(({ type }) => type === 'tool_result').length;
}

/** What was said without a call, before somebody spoke again; programs add words of their own, such as on interrupts. */
function lastWordsIn(messages: readonly ConversationMessage[]): string[] {
  return messages
    .slice(0, -1)
    .filter(({ role }) => role === 'assistant')
    .map(blocksOf)
    .filter((blocks) => !blocks.some(({ type }) => type === 'tool_use'))
    .map((blocks) => blocks.map(({ text }) => text ?? '').join(''));
}

/** Whether these were the words of a turn; they are then used up. */
function takeWords(lastWords: string[], say: string | null): boolean {
  const found = say === null ? -1 : lastWords.indexOf(say);
  if (found < 0) return false;
  lastWords.splice(0, found + 1);
  return true;
}

function blocksOf(message: ConversationMessage | undefined): readonly ConversationBlock[] {
  if (message === undefined) return [];
  const { content } = message;
  return typeof content === 'string' ? [{ type: 'text', text: content }] : content;
}
