import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { READERS } from '../gateway/scripted-upstream.ts';
import { SCRIPT_END, parseAgentScript } from '../script/agent-script.ts';
import type { ScriptTurn } from '../script/agent-script.ts';
import { readAnswer } from './read-answer.ts';
import { recordingOf } from './recording.ts';
import type { RecordedAnswer } from './recording.ts';

const folder = mkdtempSync(join(tmpdir(), 'ccdash-recording-'));
afterAll(() => rmSync(folder, { recursive: true }));

const TURN: ScriptTurn = {
  ...SCRIPT_END,
  say: 'First "this",\nthen that: ü',
  calls: [
    { name: 'Bash', input: { command: 'npm test' } },
    { name: 'Grep', input: { pattern: 'x', glob: '*.ts' } },
  ],
  usage: { input: 1200, output: 34 },
};
const BODIES = {
  messages: { model: 'm', messages: [{ role: 'user', content: 'Go.' }] },
  responses: { model: 'm', input: 'Go.' },
  chat: {
    model: 'm',
    messages: [{ role: 'user', content: 'Go.' }],
    stream_options: { include_usage: true },
  },
} as const;

describe('an answer of a model', () => {
  test.for(['messages', 'responses', 'chat'] as const)(
    '[AG108] is read back from %s as it was given, streamed or whole, and not from a part',
    (protocol) => {
      const asked = READERS[protocol]({ ...BODIES[protocol], stream: true });
      if (typeof asked === 'string') throw new Error(asked);
      const { events, whole } = asked.reply(TURN);
      const given = { say: TURN.say, calls: TURN.calls, usage: TURN.usage };
      expect(readAnswer(protocol, events.join(''))).toEqual(given);
      expect(readAnswer(protocol, JSON.stringify(whole))).toEqual(given);
      const half = events.slice(0, Math.floor(events.length / 2));
      expect(readAnswer(protocol, half.join(''))).toBeNull();
      expect(readAnswer(protocol, '{"error":{"message":"no"}}')).toBeNull();
    },
  );
});

describe('a recording', () => {
  const said = (prompt: string, rest: Partial<RecordedAnswer>): RecordedAnswer => ({
    ...{ prompt, isAnswer: false, say: null, calls: [], usage: null },
    ...rest,
  });
  const fileOf = (name: string, answers: readonly object[], tail = ''): string => {
    const file = join(folder, name);
    writeFileSync(file, answers.map((answer) => `${JSON.stringify(answer)}\n`).join('') + tail);
    return file;
  };

  test('[AG108] is a script that has each conversation, with paths as they are in any workspace', () => {
    const write = { name: 'Write', input: { file_path: '/w/a.txt', content: 'x' } };
    const bash = { name: 'Bash', input: { command: 'cd /w && ls /w/b' } };
    const first = fileOf('first', [said('Do it.', { say: 'I do.', calls: [write, bash] })]);
    const second = fileOf('second', [
      said('Do it. And look.', { say: '{"ok":true}', isAnswer: true }),
      said('Do it.', { say: 'Done in /w.' }),
    ]);
    const recording = recordingOf([{ step: 'a', files: [first, second] }], '/w');
    expect(recording).toEqual({
      answers: 3,
      leftOut: [],
      script: {
        version: 1,
        scripts: [
          { when: 'Do it. And look.', turns: [{ answer: { ok: true } }] },
          {
            when: 'Do it.',
            turns: [
              {
                say: 'I do.',
                calls: [{ write: { path: 'a.txt', content: 'x' } }, { bash: 'cd . && ls b' }],
              },
              { say: 'Done in ..' },
            ],
          },
        ],
      },
    });
    const text = JSON.stringify(recording.script);
    expect(parseAgentScript(text, 'x.json').ok).toBe(true);
  });

  test('[AG108] says what it does not hold', () => {
    const damaged = fileOf('damaged', [said('Go.', { say: 'Yes.' }), { nothing: 1 }], '{"half');
    const again = fileOf('again', [said('Go.', { say: 'No.' })]);
    const steps = [
      { step: 'a', files: [damaged] },
      { step: 'b', files: [again] },
      { step: 'c', files: [join(folder, 'missing')] },
    ];
    expect(recordingOf(steps, '/w')).toMatchObject({
      answers: 1,
      leftOut: [
        'a: an answer whose record is damaged',
        'b: its conversation begins as one of a does, which is played for both',
        'c: none of its answers was recorded',
      ],
    });
  });
});
