/**
 * Scripts that stand in for a model, for demos, tests and dry runs. One format for the scripted model, which a real
 * agent program talks to, and for the scripted agent, which needs no program.
 *
 * ```yaml
 * version: 1
 * scripts:
 *   - when: phase 2              # the first script whose text is in the first prompt is played; without: any prompt
 *     turns:
 *       - say: First I look.
 *         calls:                 # tool calls of this turn; paths relative to the workspace
 *           - read: src/a.ts
 *           - edit: { path: src/a.ts, old: foo, new: bar }
 *           - write: { path: docs/a.md, content: "# A\n" }
 *           - bash: npm test
 *           - tool: { name: Grep, input: { pattern: foo } }
 *       - delayMs: 500           # waits before the turn
 *         waitFor: go            # … and until this file exists; relative to the script
 *         answer: { summary: done }   # the structured answer
 *       - error: { status: 529, type: overloaded_error, message: busy, times: 2 }  # without times: always
 *       - error: { status: 429, type: rate_limit_error, retryAfterS: 1 }   # when to ask again; `final: true`: never
 *       - stall: true            # begins and never ends
 *       - breaks: { how: cut }   # breaks off; `nonsense`: no words of the protocol; `endless`: goes on and on; also `times`
 *       - say: That is all.      # the last words
 *         usage: { input: 1000, output: 50 }   # tokens the turn counts for
 * ```
 *
 * A turn with calls is over when all of them have results; one without, when somebody has spoken after it.
 */
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { err, ok } from '@ccdash/core';
import type { Failure, JsonObject, Result } from '@ccdash/core';
import { LineCounter, isMap, isNode, isPair, parseDocument, visit } from 'yaml';
import type { Alias, Document } from 'yaml';
import { z } from 'zod';

/** A tool call, by the name and with the input that models use. */
export interface ScriptCall {
  readonly name: string;
  readonly input: JsonObject;
}

export interface ScriptError {
  /** HTTP status. */
  readonly status: number;
  readonly type: string;
  readonly message: string;
  /** How often before the turn goes on; null = always. */
  readonly times: number | null;
  /** The service says to ask again after so many seconds; null when it says nothing of it. */
  readonly retryAfterS: number | null;
  /** The service says not to ask again. */
  readonly final: boolean;
}

/** An answer that is none. */
export interface ScriptBreak {
  readonly how: 'cut' | 'nonsense' | 'endless';
  /** As of an error. */
  readonly times: number | null;
}

export interface ScriptTurn {
  readonly say: string | null;
  readonly calls: readonly ScriptCall[];
  readonly answer: JsonObject | null;
  readonly delayMs: number;
  /** Absolute path. */
  readonly waitFor: string | null;
  readonly error: ScriptError | null;
  readonly breaks: ScriptBreak | null;
  readonly stall: boolean;
  /** Tokens. */
  readonly usage: { readonly input: number; readonly output: number };
}

export interface Script {
  readonly when: string | null;
  readonly turns: readonly ScriptTurn[];
}

/** What comes after the last turn of a script. */
export const SCRIPT_END: ScriptTurn = {
  say: 'The script is at its end.',
  calls: [],
  answer: null,
  delayMs: 0,
  waitFor: null,
  error: null,
  breaks: null,
  stall: false,
  usage: { input: 100, output: 20 },
};

export interface AgentScript {
  readonly file: string;
  readonly scripts: readonly Script[];
}

const MAX_SCRIPT_BYTES = 16 * 1024 * 1024;
const MAX_PROBLEMS = 20;

/** Reads a script file. Errors: Failure `invalid_script`, with file, line and column of each mistake. */
export function readAgentScript(path: string): Result<AgentScript, Failure> {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return err(invalidScript(`the script ${path} cannot be read: ${why}`));
  }
  return parseAgentScript(text, path);
}

/** Parses YAML or JSON; `file` names it in messages, and relative paths begin beside it. Errors: Failure `invalid_script`. */
export function parseAgentScript(text: string, file: string): Result<AgentScript, Failure> {
  if (text.length > MAX_SCRIPT_BYTES) {
    return err(invalidScript(`${file}: longer than ${MAX_SCRIPT_BYTES} characters`));
  }
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const place = (offset: number): string => {
    const { line, col } = lines.linePos(offset);
    return `${file}:${line}:${col}`;
  };
  const syntax = [...document.errors, ...document.warnings];
  if (syntax.length > 0) {
    return err(invalidScript(syntax.map(({ pos, message }) => `${place(pos[0])}: ${message}`)));
  }
  const [alias] = aliasesIn(document);
  if (alias !== undefined) {
    const detail = 'an alias; write the value itself';
    return err(invalidScript(`${place(alias.range?.[0] ?? 0)}: ${detail}`));
  }
  const parsed = fileSchema.safeParse(document.toJS());
  if (!parsed.success) {
    const problems = parsed.error.issues.flatMap((issue) => {
      const path = issue.path.filter((segment) => typeof segment !== 'symbol');
      const at = (inner: readonly (string | number)[]): string => place(offsetOf(document, inner));
      const where = path.length === 0 ? '' : ` (at ${path.join('.')})`;
      if (issue.code !== 'unrecognized_keys') return [`${at(path)}: ${issue.message}${where}`];
      return issue.keys.map((key) => `${at([...path, key])}: unknown field ${key}${where}`);
    });
    return err(invalidScript(problems));
  }
  const folder = dirname(resolve(file));
  return ok({
    file,
    scripts: parsed.data.scripts.map(({ when, turns }) => ({
      when: when ?? null,
      turns: turns.map((turn) => toTurn(turn, folder)),
    })),
  });
}

function invalidScript(problems: string | readonly string[]): Failure {
  const list = typeof problems === 'string' ? [problems] : problems;
  return {
    code: 'invalid_script',
    message: list.slice(0, MAX_PROBLEMS).join('\n'),
    hint: 'correct the script and retry the step',
  };
}

const text = z.string().max(1_000_000);
const json: z.ZodType<JsonObject> = z.record(z.string(), z.json());
const tokens = z.int().min(0);

const CALL_SHAPE = {
  read: text.optional(),
  write: z.strictObject({ path: text, content: text }).optional(),
  edit: z.strictObject({ path: text, old: text, new: text }).optional(),
  bash: text.optional(),
  tool: z.strictObject({ name: text, input: json }).optional(),
};
const callSchema = z.strictObject(CALL_SHAPE).superRefine((call, context) => {
  if (Object.keys(call).length === 1) return;
  const message = `a call has exactly one of: ${Object.keys(CALL_SHAPE).join(', ')}`;
  context.addIssue({ code: 'custom', message });
});

const turnSchema = z
  .strictObject({
    say: text.optional(),
    calls: z.array(callSchema).min(1).max(50).optional(),
    answer: json.optional(),
    delayMs: z.int().min(0).max(3_600_000).optional(),
    waitFor: z.string().min(1).optional(),
    error: z
      .strictObject({
        status: z.int().min(400).max(599),
        type: z.string().min(1),
        message: text.optional(),
        times: z.int().min(1).optional(),
        retryAfterS: z.int().min(0).max(3600).optional(),
        final: z.literal(true).optional(),
      })
      .optional(),
    breaks: z
      .strictObject({
        how: z.enum(['cut', 'nonsense', 'endless']),
        times: z.int().min(1).optional(),
      })
      .optional(),
    stall: z.literal(true).optional(),
    usage: z.strictObject({ input: tokens, output: tokens }).optional(),
  })
  .superRefine(({ say, calls, answer, error, breaks, stall }, context) => {
    if (answer !== undefined && calls !== undefined) {
      const message = 'an answer ends the work; give its calls a turn of their own';
      context.addIssue({ code: 'custom', message });
    }
    const saysNothing = [say, calls, answer].every((each) => each === undefined);
    if ((error?.times ?? breaks?.times) !== undefined && saysNothing) {
      const message = 'an error that passes is followed by say, calls or answer in the same turn';
      context.addIssue({ code: 'custom', message });
    }
    if ([say, calls, answer, error, breaks, stall].every((each) => each === undefined)) {
      const message = 'a turn has at least one of: say, calls, answer, error, breaks, stall';
      context.addIssue({ code: 'custom', message });
    }
  });

const fileSchema = z.strictObject({
  version: z.literal(1),
  scripts: z
    .array(
      z.strictObject({
        when: z.string().min(1).optional(),
        turns: z.array(turnSchema).min(1).max(1000),
      }),
    )
    .min(1),
});

function toTurn(turn: z.infer<typeof turnSchema>, folder: string): ScriptTurn {
  const { say, calls, answer, delayMs, waitFor, error, breaks, stall, usage } = turn;
  return {
    say: say ?? null,
    calls: (calls ?? []).map(toCall),
    answer: answer ?? null,
    delayMs: delayMs ?? 0,
    waitFor: waitFor === undefined ? null : resolve(folder, waitFor),
    error:
      error === undefined
        ? null
        : {
            ...error,
            message: error.message ?? 'as the script says',
            times: error.times ?? null,
            retryAfterS: error.retryAfterS ?? null,
            final: error.final ?? false,
          },
    breaks: breaks === undefined ? null : { how: breaks.how, times: breaks.times ?? null },
    stall: stall ?? false,
    usage: usage ?? SCRIPT_END.usage,
  };
}

function toCall({ read, write, edit, bash, tool }: z.infer<typeof callSchema>): ScriptCall {
  if (read !== undefined) return { name: 'Read', input: { file_path: read } };
  if (write !== undefined) {
    return { name: 'Write', input: { file_path: write.path, content: write.content } };
  }
  if (edit !== undefined) {
    const input = { file_path: edit.path, old_string: edit.old, new_string: edit.new };
    return { name: 'Edit', input };
  }
  if (bash !== undefined) return { name: 'Bash', input: { command: bash } };
  return tool ?? { name: '', input: {} };
}

/** Aliases make small files grow without bound. */
function aliasesIn(document: Document): readonly Alias[] {
  const found: Alias[] = [];
  visit(document, {
    Alias: (_key, node) => {
      found.push(node);
    },
  });
  return found;
}

/** Where a value stands: the key of its pair where it has one, as that is what people look for. */
function offsetOf(document: Document, path: readonly (string | number)[]): number {
  for (let length = path.length; length > 0; length -= 1) {
    const parent = document.getIn(path.slice(0, length - 1), true);
    const pair = isMap(parent)
      ? parent.items.find((item) => isPair(item) && String(item.key) === path[length - 1])
      : undefined;
    const node = pair?.key ?? document.getIn(path.slice(0, length), true);
    if (isNode(node) && node.range) return node.range[0];
  }
  return 0;
}
