/** Codex's items, as facts that every adapter shares. Items that mean nothing here are passed over. */
import type { AgentFactBody, FileChange, Json, JsonObject } from '@ccdash/core';
import { changeToText, fileChange, unifiedChange } from '../tools/line-diff.ts';
import { toolOfName, toolTitle } from '../tools/tool-names.ts';
import type { Fields } from './json-rpc.ts';
import type { RecordedCall } from './rollout.ts';

/** A deed of an item: a command, or what a patch does to one file. */
export interface Deed {
  readonly callId: string;
  readonly name: string;
  readonly input: JsonObject;
  /** Of a patch: what it does to the file. */
  readonly change: FileChange | null;
}

export interface FactReader {
  started(item: Fields): readonly AgentFactBody[];
  completed(item: Fields): readonly AgentFactBody[];
  /** What an item that has been told does; empty for one that nobody knows. */
  deedsOf(itemId: string): readonly Deed[];
  /** Calls that have begun and not ended. */
  openCalls(): number;
  /** Calls of the program's own record that nobody has told; they had no effect, or nobody knows. */
  untold(calls: readonly RecordedCall[]): readonly AgentFactBody[];
  /** Ends of the calls that nobody has heard of again. */
  rest(): readonly AgentFactBody[];
}

export interface FactReaderOptions {
  readonly workspace: string;
  /** Whether calls that end badly now were cut off by us. */
  readonly isStopped: () => boolean;
}

const LONGEST_SUMMARY = 500;

export function createFactReader({ workspace, isStopped }: FactReaderOptions): FactReader {
  const deedsByItem = new Map<string, readonly Deed[]>();
  const open = new Set<string>();

  function started(item: Fields): AgentFactBody[] {
    const id = textOf(item['id']);
    if (deedsByItem.has(id)) return [];
    const deeds = deedsIn(item, workspace);
    if (deeds.length === 0) return [];
    deedsByItem.set(id, deeds);
    return deeds.map(({ callId, name, input }) => {
      open.add(callId);
      return {
        type: 'tool-started',
        ...{ callId, tool: toolOfName(name), name, title: toolTitle(name, input, workspace) },
        ...{ input, agentPath: [] },
      };
    });
  }

  function ended({ callId, change }: Deed, item: Fields): AgentFactBody {
    open.delete(callId);
    const { status, exitCode } = item;
    const failed = isStopped() ? 'interrupted' : 'error';
    const isOk = status === 'completed' && (exitCode ?? 0) === 0;
    const end = status === 'declined' ? 'denied' : isOk ? 'ok' : failed;
    const done = end === 'ok' ? change : null;
    return {
      ...{ type: 'tool-ended', callId, status: end, checkpoint: null },
      summary: done === null ? shortened(summaryOf(item)) : changeToText(done),
      ...(typeof exitCode === 'number' ? { exitCode } : {}),
      ...(done === null ? {} : { changes: [done] }),
    };
  }

  return {
    started,
    completed: (item) => {
      if (item['type'] === 'agentMessage') {
        const text = textOf(item['text']);
        if (text.trim() === '') return [];
        return [{ type: 'message', text, checkpoint: null, agentPath: [] }];
      }
      const before = started(item);
      const deeds = deedsByItem.get(textOf(item['id'])) ?? [];
      return [...before, ...deeds.map((deed) => ended(deed, item))];
    },
    deedsOf: (itemId) => deedsByItem.get(itemId) ?? [],
    openCalls: () => open.size,
    untold: (calls) =>
      calls
        .filter(({ callId }) => !deedsByItem.has(callId))
        .flatMap(({ callId, name, input, output }): AgentFactBody[] => {
          const tool = toolOfName(name);
          const title = toolTitle(name, input, workspace);
          const end = output === null ? 'unknown' : 'error';
          const summary = shortened(output ?? 'it ended without a result');
          return [
            { type: 'tool-started', callId, tool, name, title, input, agentPath: [] },
            { type: 'tool-ended', callId, status: end, summary, checkpoint: null },
          ];
        }),
    rest: () => {
      const status = isStopped() ? 'interrupted' : 'unknown';
      const summary = 'it ended without a result; some of it may have taken effect';
      const facts = [...open].map(
        (callId) => ({ type: 'tool-ended', callId, status, summary, checkpoint: null }) as const,
      );
      open.clear();
      return facts;
    },
  };
}

function deedsIn(item: Fields, workspace: string): readonly Deed[] {
  const id = textOf(item['id']);
  const called = (name: string, input: JsonObject): Deed => {
    return { callId: id, name, input, change: null };
  };
  switch (item['type']) {
    case 'commandExecution':
      return [called('Bash', { command: scriptOf(textOf(item['command'])) })];
    case 'fileChange': {
      const changes = Array.isArray(item['changes']) ? (item['changes'] as readonly Fields[]) : [];
      return changes
        .flatMap((change) => changesOf(change, workspace))
        .map((deed, index) => {
          return { callId: index === 0 ? id : `${id}.${index}`, ...deed };
        });
    }
    case 'mcpToolCall': {
      const name = `mcp__${textOf(item['server'])}__${textOf(item['tool'])}`;
      return [called(name, { arguments: (item['arguments'] ?? null) as Json })];
    }
    case 'webSearch':
      return [called('WebSearch', { query: textOf(item['query']) })];
    default:
      return [];
  }
}

/** A file that is moved is written at its new place, too. */
function changesOf(
  { path, kind, diff }: Fields,
  workspace: string,
): readonly Omit<Deed, 'callId'>[] {
  const { type, move_path: movedTo } = (kind ?? {}) as Fields;
  const file = textOf(path);
  const text = textOf(diff);
  const name = file.replace(`${workspace}/`, '');
  if (type === 'add') {
    const change = fileChange(name, null, text);
    return [{ name: 'Write', input: { file_path: file, content: text }, change }];
  }
  if (type === 'delete') {
    const change = fileChange(name, text, '');
    return [{ name: 'Edit', input: { file_path: file, removes: true }, change }];
  }
  const change = unifiedChange(name, text);
  const edit = { name: 'Edit', input: { file_path: file, diff: text }, change };
  if (typeof movedTo !== 'string') return [edit];
  return [edit, { name: 'Write', input: { file_path: movedTo, content: text }, change: null }];
}

const SHELL = /^(?:\/(?:usr\/)?bin\/)?(?:bash|zsh|sh) -l?c /;

/** What a shell is given to run: policies read commands, not how Codex starts them. As it is where that is not plain. */
export function scriptOf(command: string): string {
  const shell = SHELL.exec(command);
  if (shell === null) return command;
  return unquoted(command.slice(shell[0].length)) ?? command;
}

/** The one word that a quoted text is; null when it is none, or more. */
function unquoted(text: string): string | null {
  if (/^[\w@%+=:,./-]+$/.test(text)) return text;
  let word = '';
  let rest = text;
  while (rest !== '') {
    const part = /^'([^']*)'|^"((?:[^"\\$`]|\\["\\$`])*)"|^\\(.)/s.exec(rest);
    if (part === null) return null;
    const [whole, single, double, escaped] = part;
    word += single ?? double?.replaceAll(/\\(["\\$`])/g, '$1') ?? escaped ?? '';
    rest = rest.slice(whole.length);
  }
  return word;
}

function summaryOf({ type, aggregatedOutput, exitCode, status, error }: Fields): string {
  if (type === 'commandExecution') {
    const output = textOf(aggregatedOutput).trimEnd();
    if (typeof exitCode !== 'number') return output || textOf(status);
    return output === '' ? `exit ${exitCode}` : `${output}\nexit ${exitCode}`;
  }
  return textOf((error as Fields | null)?.['message']) || textOf(status);
}

function shortened(text: string): string {
  return text.length <= LONGEST_SUMMARY ? text : `…${text.slice(-LONGEST_SUMMARY)}`;
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
