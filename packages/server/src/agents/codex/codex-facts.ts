/** Codex's items, as facts that every adapter shares. Items that mean nothing here are passed over. */
import type { AgentFactBody, Json, JsonObject } from '@ccdash/core';
import { toolOfName, toolTitle } from '../tools/tool-names.ts';
import type { Fields } from './json-rpc.ts';

/** A deed of an item: a command, or what a patch does to one file. */
export interface Deed {
  readonly callId: string;
  readonly name: string;
  readonly input: JsonObject;
}

export interface FactReader {
  started(item: Fields): readonly AgentFactBody[];
  completed(item: Fields): readonly AgentFactBody[];
  /** What an item that has been told does; empty for one that nobody knows. */
  deedsOf(itemId: string): readonly Deed[];
  /** Calls that have begun and not ended. */
  openCalls(): number;
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
    const deeds = deedsIn(item);
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

  function ended(callId: string, item: Fields): AgentFactBody {
    open.delete(callId);
    const { status, exitCode } = item;
    const failed = isStopped() ? 'interrupted' : 'error';
    const isOk = status === 'completed' && (exitCode ?? 0) === 0;
    const end = status === 'declined' ? 'denied' : isOk ? 'ok' : failed;
    return {
      ...{ type: 'tool-ended', callId, status: end, checkpoint: null },
      summary: shortened(summaryOf(item)),
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
      return [...before, ...deeds.map(({ callId }) => ended(callId, item))];
    },
    deedsOf: (itemId) => deedsByItem.get(itemId) ?? [],
    openCalls: () => open.size,
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

function deedsIn(item: Fields): readonly Deed[] {
  const id = textOf(item['id']);
  switch (item['type']) {
    case 'commandExecution':
      return [{ callId: id, name: 'Bash', input: { command: scriptOf(textOf(item['command'])) } }];
    case 'fileChange': {
      const changes = Array.isArray(item['changes']) ? (item['changes'] as readonly Fields[]) : [];
      return changes.flatMap(changesOf).map((deed, index) => {
        return { callId: index === 0 ? id : `${id}.${index}`, ...deed };
      });
    }
    case 'mcpToolCall': {
      const name = `mcp__${textOf(item['server'])}__${textOf(item['tool'])}`;
      return [{ callId: id, name, input: { arguments: (item['arguments'] ?? null) as Json } }];
    }
    case 'webSearch':
      return [{ callId: id, name: 'WebSearch', input: { query: textOf(item['query']) } }];
    default:
      return [];
  }
}

/** A file that is moved is written at its new place, too. */
function changesOf({ path, kind, diff }: Fields): readonly Omit<Deed, 'callId'>[] {
  const { type, move_path: movedTo } = (kind ?? {}) as Fields;
  const file = textOf(path);
  const text = textOf(diff);
  if (type === 'add') return [{ name: 'Write', input: { file_path: file, content: text } }];
  if (type === 'delete') return [{ name: 'Edit', input: { file_path: file, removes: true } }];
  const edit = { name: 'Edit', input: { file_path: file, diff: text } };
  if (typeof movedTo !== 'string') return [edit];
  return [edit, { name: 'Write', input: { file_path: movedTo, content: text } }];
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
