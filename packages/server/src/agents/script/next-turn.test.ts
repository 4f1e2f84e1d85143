import { describe, expect, test } from 'vitest';
import { parseAgentScript } from './agent-script.ts';
import { firstPrompt, nextTurn } from './next-turn.ts';
import type { ConversationMessage } from './next-turn.ts';

const parsed = parseAgentScript(
  `
version: 1
scripts:
  - when: phase 2
    turns:
      - say: two calls
        calls: [{ read: a }, { read: b }]
      - answer: { summary: x }
      - say: That is all.
      - say: corrected
  - turns: [{ say: anything else }]
`,
  's.yaml',
);
if (!parsed.ok) throw new Error(parsed.error.message);
const script = parsed.value;

const prompt: ConversationMessage = { role: 'user', content: 'Do phase 2.' };
const calls = {
  role: 'assistant',
  content: [{ type: 'text', text: 'two calls' }, { type: 'tool_use' }, { type: 'tool_use' }],
};
const results = (count: number): ConversationMessage => ({
  role: 'user',
  content: Array.from({ length: count }, () => ({ type: 'tool_result' })),
});
const says = (text: string): ConversationMessage => ({ role: 'assistant', content: text });

function wordsAfter(...messages: readonly ConversationMessage[]): string | null | undefined {
  const turn = nextTurn(script, messages)?.turn;
  return turn?.answer === null ? turn.say : 'the answer';
}

describe('the turn of a conversation', () => {
  test('[AG20] follows from the results in it alone', () => {
    expect(wordsAfter(prompt)).toBe('two calls');
    expect(wordsAfter(prompt, calls, results(1))).toBe('two calls');
    expect(wordsAfter(prompt, calls, results(2))).toBe('the answer');
    expect(wordsAfter(prompt, calls, results(3))).toBe('That is all.');
  });

  test('[AG20] after the last words is for whoever speaks next, whatever programs say in between', () => {
    const done = [prompt, calls, results(3)];
    expect(wordsAfter(...done, says('That is all.'), prompt)).toBe('corrected');
    expect(wordsAfter(...done, says('No response requested.'), prompt)).toBe('That is all.');
    expect(wordsAfter(...done, says('That is all.'), prompt, says('corrected'), prompt)).toBe(
      'The script is at its end.',
    );
  });

  test('[AG20] is of the first script that is for the first prompt', () => {
    expect(wordsAfter({ role: 'user', content: 'Do phase 1.' }, prompt)).toBe('anything else');
    const only = { ...script, scripts: script.scripts.slice(0, 1) };
    expect(nextTurn(only, [{ role: 'user', content: 'Do phase 1.' }])).toBeNull();
  });

  test('[AG20] does not depend on what programs add to the prompt', () => {
    const content = [
      { type: 'text', text: '<system-reminder>phase 2</system-reminder>' },
      { type: 'text', text: 'Do phase 1.' },
    ];
    expect(firstPrompt([{ role: 'user', content }])).toBe('Do phase 1.');
  });
});
