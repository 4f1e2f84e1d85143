/**
 * The calls of an agent that speaks the Agent Client Protocol, as deeds that the gate judges and facts that every adapter
 * shares. An agent tells a call piece by piece, and what it asks for may say less than what it told before: all of it counts.
 */
import type { ToolCall, ToolCallUpdate, ToolKind } from '@agentclientprotocol/sdk';
import { isAbsolute, join } from 'node:path';
import type { AgentFactBody, FileChange, GateAnswer, Json, JsonObject } from '@ccdash/core';
import { changeToText, fileChange } from '../tools/line-diff.ts';
import { toolOfName, toolTitle } from '../tools/tool-names.ts';

/** What a call does to one thing, in the names of tools that scopes and policies know. */
export interface Deed {
  readonly name: string;
  readonly input: JsonObject;
}

export interface CallBook {
  isNew(callId: string): boolean;
  /** Facts of what the agent tells of a call. `bypass`: it had an effect that nobody was asked for. */
  told(update: ToolCall | ToolCallUpdate): {
    facts: readonly AgentFactBody[];
    bypass: string | null;
  };
  /** What a call does, as far as it was told; facts say that it has begun. */
  asked(update: ToolCallUpdate): { facts: readonly AgentFactBody[]; deeds: readonly Deed[] };
  /** What became of a question about a call. */
  answered(callId: string, answer: GateAnswer): void;
  /** Whether a call that was allowed and has not ended does this. */
  isAllowed(does: (deed: Deed) => boolean): boolean;
  /** Calls that have begun and not ended. */
  openCalls(): number;
  /** Ends of the calls that nobody has heard of again. */
  rest(): readonly AgentFactBody[];
}

export interface CallBookOptions {
  readonly workspace: string;
  /** Whether calls that end badly now were cut off by us. */
  readonly isStopped: () => boolean;
}

interface Call {
  kind: ToolKind;
  name: string;
  title: string;
  input: JsonObject;
  readonly paths: Set<string>;
  readonly diffs: Map<string, { readonly before: string | null; readonly after: string }>;
  text: string;
  result: unknown;
  answer: GateAnswer | null;
  /** What the gate was shown. */
  deeds: readonly Deed[];
  isTold: boolean;
}

const LONGEST_SUMMARY = 500;
/** What these do is confined by the sandbox, and needs nobody's yes to be safe. */
const HARMLESS: readonly ToolKind[] = ['read', 'search', 'think'];

export function createCallBook({ workspace, isStopped }: CallBookOptions): CallBook {
  const open = new Map<string, Call>();
  const ended = new Set<string>();

  function merge(update: ToolCall | ToolCallUpdate): Call {
    let call = open.get(update.toolCallId);
    if (call === undefined) {
      call = {
        ...{ kind: 'other', name: '', title: '', input: {}, text: '', result: null },
        ...{ answer: null, deeds: [], isTold: false, paths: new Set(), diffs: new Map() },
      };
      open.set(update.toolCallId, call);
    }
    call.kind = update.kind ?? call.kind;
    call.title = update.title ?? call.title;
    call.name = toolName(update) ?? call.name;
    call.result = update.rawOutput ?? call.result;
    const input = fieldsOf(update.rawInput);
    if (Object.keys(input).length > 0) call.input = { ...call.input, ...input };
    const places = [
      ...(update.locations ?? []).map(({ path }) => path),
      ...PATH_FIELDS.map((field) => input[field]),
    ];
    for (const path of places) if (typeof path === 'string') call.paths.add(absolute(path));
    for (const part of update.content ?? []) {
      if (part.type === 'diff') {
        call.paths.add(absolute(part.path));
        const diff = { before: part.oldText ?? null, after: part.newText };
        call.diffs.set(absolute(part.path), diff);
      } else if (part.type === 'content' && part.content.type === 'text') {
        call.text = part.content.text;
      }
    }
    return call;
  }

  const absolute = (path: string): string => (isAbsolute(path) ? path : join(workspace, path));

  function begun(callId: string, call: Call): AgentFactBody[] {
    if (call.isTold) return [];
    call.isTold = true;
    const [{ name, input } = { name: call.name, input: call.input }] = deedsOf(call);
    const title = toolTitle(name, input, workspace);
    const tool = toolOfName(name);
    return [{ type: 'tool-started', callId, tool, name, title, input, agentPath: [] }];
  }

  function end(callId: string, call: Call, status: unknown): AgentFactBody {
    open.delete(callId);
    ended.add(callId);
    const exitCode = exitCodeOf(call);
    // A command that is broken off has no exit code; some agents say all the same that it was completed.
    const isCut = isStopped() && call.kind === 'execute' && exitCode === undefined;
    const isOk = status === 'completed' && (exitCode ?? 0) === 0 && !isCut;
    const common = { type: 'tool-ended', callId, checkpoint: null } as const;
    if (call.answer?.decision === 'deny') {
      return { ...common, status: 'denied', summary: shortened(call.answer.reason) };
    }
    const failed = isStopped() ? 'interrupted' : 'error';
    const changes = isOk && isEdit(call) ? changesOf(call) : [];
    const output = outputOf(call);
    const nothing = exitCode === undefined ? String(status) : `exit ${exitCode}`;
    return {
      ...common,
      status: isOk ? 'ok' : failed,
      summary:
        changes.length > 0
          ? changes.map(changeToText).join(', ')
          : shortened(output === '' ? nothing : output),
      ...(exitCode === undefined ? {} : { exitCode }),
      ...(changes.length === 0 ? {} : { changes }),
    };
  }

  function changesOf({ diffs }: Call): FileChange[] {
    return [...diffs].flatMap(([path, { before, after }]) => {
      const shown = path.startsWith(`${workspace}/`) ? path.slice(workspace.length + 1) : path;
      const change = fileChange(shown, before === '' ? null : before, after);
      return change === null ? [] : [change];
    });
  }

  return {
    isNew: (callId) => !open.has(callId) && !ended.has(callId),
    told: (update) => {
      const { toolCallId: callId, status } = update;
      // Some go on about a call that is over.
      if (ended.has(callId)) return { facts: [], bypass: null };
      const call = merge(update);
      const isOver = status === 'completed' || status === 'failed';
      const isBegun = status === 'in_progress' && Object.keys(call.input).length > 0;
      if (!isOver) return { facts: isBegun ? begun(callId, call) : [], bypass: null };
      const facts = [...begun(callId, call), end(callId, call, status)];
      const isUnasked = call.answer === null && !HARMLESS.includes(call.kind);
      // What failed may have failed before it did anything, as a call of a tool that there is not.
      const hadEffect = status === 'completed' || exitCodeOf(call) !== undefined;
      const wasRefused = call.answer?.decision === 'deny' && status === 'completed';
      const bypass = (isUnasked && hadEffect) || wasRefused;
      return { facts, bypass: bypass ? call.title || call.name || callId : null };
    },
    asked: (update) => {
      const call = merge(update);
      ended.delete(update.toolCallId);
      call.deeds = deedsOf(call);
      return { facts: begun(update.toolCallId, call), deeds: call.deeds };
    },
    answered: (callId, answer) => {
      const call = open.get(callId);
      if (call !== undefined) call.answer = answer;
    },
    isAllowed: (does) =>
      [...open.values()].some(
        ({ answer, deeds }) => answer?.decision === 'allow' && deeds.some(does),
      ),
    openCalls: () => [...open.values()].filter(({ isTold }) => isTold).length,
    rest: () => {
      const facts = [...open]
        .filter(([, { isTold }]) => isTold)
        .map(([callId, { answer }]): AgentFactBody => {
          const common = { type: 'tool-ended', callId, checkpoint: null } as const;
          if (answer?.decision === 'deny') {
            return { ...common, status: 'denied', summary: shortened(answer.reason) };
          }
          const status = isStopped() ? 'interrupted' : 'unknown';
          const summary = 'it ended without a result; some of it may have taken effect';
          return { ...common, status, summary };
        });
      open.clear();
      return facts;
    },
  };
}

/** Names that agents give to the file of a call. */
const PATH_FIELDS: readonly string[] = [
  ...['file_path', 'filePath', 'filepath', 'path', 'notebook_path', 'abs_path'],
];

/** Every file counts by itself; what does not say what it does is one deed that no scope has. */
function deedsOf(call: Call): readonly Deed[] {
  const { kind, input, name, title } = call;
  const paths = [...call.paths];
  const text = (...fields: readonly string[]): string | null =>
    fields.map((field) => input[field]).find((value) => typeof value === 'string') ?? null;
  const unclear: Deed = { name: name || title || kind, input };
  switch (kind) {
    case 'read':
      return paths.length === 0
        ? [{ name: 'Read', input }]
        : paths.map((path) => ({ name: 'Read', input: { ...input, file_path: path } }));
    case 'edit':
      if (paths.length === 0) return [{ name: 'Edit', input }];
      return paths.map((path) => {
        const diff = call.diffs.get(path);
        // Some say of a file that is new that it was empty.
        const isNew = diff !== undefined && (diff.before ?? '') === '';
        if (isNew || typeof input['content'] === 'string') {
          const content = diff?.after ?? input['content'] ?? '';
          return { name: 'Write', input: { file_path: path, content } };
        }
        const change =
          diff === undefined ? input : { old_string: diff.before, new_string: diff.after };
        return { name: 'Edit', input: { file_path: path, ...withoutPaths(change) } };
      });
    case 'delete':
    case 'move':
      if (paths.length === 0) return [{ name: 'Edit', input }];
      return paths.map((path) => ({ name: 'Edit', input: { file_path: path, [kind]: true } }));
    case 'search': {
      const pattern = text('pattern', 'query', 'regex') ?? '';
      const isGlob = /glob|find|list/i.test(name || title);
      const searched = paths.length === 0 ? [null] : paths;
      return searched.map((path) => ({
        name: isGlob ? 'Glob' : 'Grep',
        input: { pattern, ...(path === null ? {} : { path }) },
      }));
    }
    case 'execute': {
      const command = commandOf(input);
      return command === null ? [unclear] : [{ name: 'Bash', input: { command } }];
    }
    case 'fetch': {
      const url = text('url', 'uri');
      const query = text('query');
      if (url !== null) return [{ name: 'WebFetch', input: { url } }];
      return [
        query === null ? { name: 'WebFetch', input } : { name: 'WebSearch', input: { query } },
      ];
    }
    case 'think':
    case 'switch_mode':
    case 'other':
      if (/^(task|agent)$/i.test(name)) return [{ name: 'Agent', input }];
      return [unclear];
  }
}

function withoutPaths(input: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(input).filter(([name]) => !PATH_FIELDS.includes(name)));
}

function isEdit({ kind }: Call): boolean {
  return kind === 'edit';
}

function commandOf({ command, args }: JsonObject): string | null {
  if (Array.isArray(command)) return command.map((part) => quoted(String(part))).join(' ');
  if (typeof command !== 'string' || command === '') return null;
  if (!Array.isArray(args) || args.length === 0) return command;
  return [command, ...args.map((part) => quoted(String(part)))].join(' ');
}

/** A word as a shell reads it. */
export function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

function toolName(update: ToolCall | ToolCallUpdate): string | null {
  if (typeof update.name === 'string') return update.name;
  const { toolName: name } = fieldsOf(fieldsOf(update._meta)['claudeCode']);
  return typeof name === 'string' ? name : null;
}

/** Where agents put what a command ended with; it has no place in the protocol. */
function exitCodeOf({ kind, result, text }: Call): number | undefined {
  if (kind !== 'execute') return undefined;
  const record = fieldsOf(result);
  const metadata = fieldsOf(record['metadata']);
  const found = [record['exitCode'], record['exit_code'], metadata['exit'], metadata['exitCode']];
  const [code] = found.filter((each) => typeof each === 'number');
  if (code !== undefined) return code;
  const said = /^(?:```\w*\n)?Exit code (\d{1,3})\b/.exec(
    typeof result === 'string' ? result : text,
  );
  return said === null ? undefined : Number(said[1]);
}

function outputOf({ kind, result, text }: Call): string {
  const { output } = fieldsOf(result);
  const plain = typeof result === 'string' ? result : typeof output === 'string' ? output : text;
  const words = plain.trim().replace(/^Exit code \d{1,3}\n?/, kind === 'execute' ? '' : '$&');
  if (kind !== 'read' || words === '') return words;
  // What a file says belongs to the agent alone.
  return words.split('\n').length === 1 ? '1 line' : `${words.split('\n').length} lines`;
}

/** Of a command it is the end that tells. */
function shortened(text: string): string {
  return text.length <= LONGEST_SUMMARY ? text : `…${text.slice(-LONGEST_SUMMARY)}`;
}

function fieldsOf(value: unknown): Readonly<Record<string, Json>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Readonly<Record<string, Json>>)
    : {};
}
