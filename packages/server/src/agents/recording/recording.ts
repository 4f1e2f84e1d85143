/**
 * Recordings: what a model answered in a real run, as a script that the scripted model plays again without a key.
 *
 * Each answer is a line of its own beside the attempt, as the gateway passed it and with secrets taken out. A script is
 * made of them when somebody asks for it: the attempts that led to a step's last one, conversation by conversation.
 */
import { existsSync, readFileSync } from 'node:fs';
import type { JsonObject } from '@ccdash/core';
import { z } from 'zod';
import { ANSWER_TOOL } from '../tools/tool-names.ts';
import type { ModelAnswer } from './read-answer.ts';

/** One answer, with the prompt that its conversation began with. */
export interface RecordedAnswer extends ModelAnswer {
  readonly prompt: string;
  /** Its words are the answer that a schema asks for. */
  readonly isAnswer: boolean;
}

const tokens = z.int().min(0);
const input: z.ZodType<JsonObject> = z.record(z.string(), z.json());
const recordedSchema: z.ZodType<RecordedAnswer> = z.object({
  prompt: z.string(),
  isAnswer: z.boolean(),
  say: z.string().nullable(),
  calls: z.array(z.object({ name: z.string(), input })),
  usage: z.object({ input: tokens, output: tokens }).nullable(),
});

export interface Recording {
  /** The content of a script file. */
  readonly script: JsonObject;
  readonly answers: number;
  /** Sentences about what the script does not hold. */
  readonly leftOut: readonly string[];
}

/** Files with recorded answers, oldest first, that led to the end of a step. */
export interface RecordedStep {
  readonly step: string;
  readonly files: readonly string[];
}

export function recordedAnswer(
  prompt: string,
  answer: ModelAnswer,
  answersInWords: boolean,
): RecordedAnswer {
  const isAnswer = answersInWords && objectIn(answer.say) !== null;
  return { prompt, isAnswer, ...answer };
}

/** `workspace` is where the run worked: its paths become relative, as another run works elsewhere. */
export function recordingOf(steps: readonly RecordedStep[], workspace: string): Recording {
  const leftOut: string[] = [];
  const turnsByPrompt = new Map<string, { step: string; turns: JsonObject[] }>();
  let answers = 0;
  for (const { step, files } of steps) {
    const recorded = files.flatMap((file) => answersIn(file, step, leftOut));
    if (recorded.length === 0) leftOut.push(`${step}: none of its answers was recorded`);
    for (const answer of recorded) {
      const { prompt } = answer;
      const turn = turnOf(answer, workspace);
      const known = turnsByPrompt.get(prompt);
      if (known !== undefined && known.step !== step) {
        const before = `${step}: its conversation begins as one of ${known.step} does`;
        if (!leftOut.some((line) => line.startsWith(before))) {
          leftOut.push(`${before}, which is played for both`);
        }
      } else if (turn === null) {
        leftOut.push(`${step}: an answer without words or calls`);
      } else if (known === undefined) {
        turnsByPrompt.set(prompt, { step, turns: [turn] });
        answers += 1;
      } else {
        known.turns.push(turn);
        answers += 1;
      }
    }
  }
  // The first script whose text is in a prompt is played: of two that both are, the longer one is meant.
  const scripts = [...turnsByPrompt]
    .toSorted(([left], [right]) => right.length - left.length)
    .map(([prompt, { turns }]) => ({ ...(prompt === '' ? {} : { when: prompt }), turns }));
  return { script: { version: 1, scripts }, answers, leftOut };
}

function answersIn(file: string, step: string, leftOut: string[]): readonly RecordedAnswer[] {
  if (!existsSync(file)) return [];
  const lines = readFileSync(file, 'utf8').split('\n').slice(0, -1);
  return lines.flatMap((line) => {
    const read = recordedSchema.safeParse(objectIn(line));
    if (read.success) return [read.data];
    leftOut.push(`${step}: an answer whose record is damaged`);
    return [];
  });
}

function turnOf(recorded: RecordedAnswer, workspace: string): JsonObject | null {
  const { isAnswer, say, calls, usage } = here(recorded, workspace);
  const answer = isAnswer ? objectIn(say) : calls.find(({ name }) => name === ANSWER_TOOL)?.input;
  const counted = usage === null ? {} : { usage };
  if (answer !== undefined && answer !== null) {
    return { ...(isAnswer || say === null ? {} : { say }), answer, ...counted };
  }
  if (say === null && calls.length === 0) return null;
  return {
    ...(say === null ? {} : { say }),
    ...(calls.length === 0 ? {} : { calls: calls.map(callOf) }),
    ...counted,
  };
}

/** As people write it, where a call is no more than that. */
function callOf({ name, input }: RecordedAnswer['calls'][number]): JsonObject {
  const fields = Object.keys(input).toSorted().join();
  const { command = '', file_path: path = '', content = '' } = input;
  const { old_string: old = '', new_string: replacement = '' } = input;
  if (name === 'Bash' && fields === 'command') return { bash: command };
  if (name === 'Read' && fields === 'file_path') return { read: path };
  if (name === 'Write' && fields === 'content,file_path') {
    return { write: { path: path, content: content } };
  }
  if (name === 'Edit' && fields === 'file_path,new_string,old_string') {
    return { edit: { path: path, old: old, new: replacement } };
  }
  return { tool: { name, input } };
}

function here<T>(value: T, workspace: string): T {
  const relative = (text: string): string =>
    text.replaceAll(`${workspace}/`, '').replaceAll(workspace, '.');
  const walk = (each: unknown): unknown => {
    if (typeof each === 'string') return relative(each);
    if (Array.isArray(each)) return each.map(walk);
    if (typeof each !== 'object' || each === null) return each;
    return Object.fromEntries(Object.entries(each).map(([name, inner]) => [name, walk(inner)]));
  };
  return walk(value) as T;
}

function objectIn(text: string | null): JsonObject | null {
  if (text === null) return null;
  try {
    const value: unknown = JSON.parse(text);
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
    return isObject ? (value as JsonObject) : null;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}
