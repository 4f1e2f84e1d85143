/**
 * The program's own record of a thread, for calls that it tells nobody about: those whose words it could not take, and
 * those of tools that it does not have. The agent can write there; what it could forge are calls of its own.
 */
import { readFileSync, statSync } from 'node:fs';
import type { Json, JsonObject } from '@ccdash/core';
import { z } from 'zod';
import { rolloutOf } from './thread-file.ts';

export interface RecordedCall {
  readonly callId: string;
  /** As models know it, where the tool is one that all agents have. */
  readonly name: string;
  readonly input: JsonObject;
  /** It wants to run outside of the program's sandbox. */
  readonly escalates: boolean;
  /** What the model was told; null when it was told nothing. */
  readonly output: string | null;
}

const LARGEST = 64 * 1024 * 1024;
const LONGEST_INPUT = 10_000;

const id = z.string().min(1).max(200);
const line = z.object({
  payload: z.union([
    z.object({
      type: z.enum(['function_call', 'custom_tool_call']),
      call_id: id,
      name: z.string().max(200),
      arguments: z.string().optional(),
      input: z.string().optional(),
    }),
    z.object({
      type: z.enum(['function_call_output', 'custom_tool_call_output']),
      call_id: id,
      output: z.unknown(),
    }),
  ]),
});

/** In the order of the record; none when it cannot be read. */
export function recordedCalls(stateDir: string, thread: string): readonly RecordedCall[] {
  const file = rolloutOf(stateDir, thread);
  if (file === null || statSync(file).size > LARGEST) return [];
  const calls = new Map<string, RecordedCall>();
  for (const text of readFileSync(file, 'utf8').split('\n')) {
    const read = line.safeParse(parsed(text));
    if (!read.success) continue;
    const { payload } = read.data;
    if ('output' in payload) {
      const call = calls.get(payload.call_id);
      if (call !== undefined) calls.set(call.callId, { ...call, output: textOf(payload.output) });
    } else {
      const { call_id: callId, name, arguments: given, input } = payload;
      calls.set(callId, { callId, ...deedOf(name, given ?? input ?? ''), output: null });
    }
  }
  return [...calls.values()];
}

function deedOf(name: string, given: string): Pick<RecordedCall, 'name' | 'input' | 'escalates'> {
  const text = given.slice(0, LONGEST_INPUT);
  const fields = parsed(given) as Readonly<Record<string, Json>> | null;
  const escalates = (fields?.['sandbox_permissions'] ?? 'use_default') !== 'use_default';
  if (name === 'apply_patch') return { name: 'Edit', input: { patch: text }, escalates };
  if (name !== 'exec_command') return { name, input: { given: text }, escalates };
  const command = fields?.['cmd'];
  const said = typeof command === 'string' ? command : text;
  return { name: 'Bash', input: { command: said }, escalates };
}

function textOf(output: unknown): string {
  if (typeof output === 'string') return output;
  const content = (output as { readonly content?: unknown } | null)?.content;
  return typeof content === 'string' ? content : JSON.stringify(output);
}

function parsed(text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch (error) {
    // A line that was being written when its program was killed.
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}
