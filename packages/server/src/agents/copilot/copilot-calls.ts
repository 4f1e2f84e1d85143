/** Copilot's tools and questions in the names that scopes and policies know, and its calls as facts. */
import type { PermissionRequest } from '@github/copilot-sdk';
import type { AgentFactBody, GateAnswer, Json, JsonObject } from '@ccdash/core';
import { changeToText, fileChange } from '../tools/line-diff.ts';
import { toolOfName, toolTitle } from '../tools/tool-names.ts';

type Fields = Readonly<Record<string, unknown>>;

/** What a call does. */
export interface Deed {
  readonly name: string;
  readonly input: JsonObject;
}

/** Its names for tools, and for the fields of their input. */
const TOOLS: Readonly<
  Record<string, readonly [name: string, fields: Readonly<Record<string, string>>]>
> = {
  view: ['Read', { path: 'file_path' }],
  create: ['Write', { path: 'file_path', file_text: 'content' }],
  edit: ['Edit', { path: 'file_path', old_str: 'old_string', new_str: 'new_string' }],
  bash: ['Bash', {}],
  grep: ['Grep', {}],
  glob: ['Glob', {}],
  web_fetch: ['WebFetch', {}],
};

/** Tools that take part in what others have begun, and have no effect of their own. */
const COMPANIONS: Readonly<Record<string, readonly string[]>> = {
  bash: ['read_bash', 'stop_bash', 'list_bash'],
};

/** Tools to offer for a scope. */
export function offeredTools(tools: readonly string[]): string[] {
  return Object.entries(TOOLS).flatMap(([own, [name]]) =>
    tools.includes(toolOfName(name)) ? [own, ...(COMPANIONS[own] ?? [])] : [],
  );
}

/** What a question is about; of its kind alone where the call has not been told. */
export function deedOf(request: PermissionRequest, told: Deed | null): Deed {
  // eslint-disable-next-line @typescript-eslint/switch-exhaustiveness-check
  switch (request.kind) {
    case 'shell':
      return { name: 'Bash', input: { command: request.fullCommandText } };
    case 'write': {
      const { fileName: path } = request;
      const isNew = told?.name === 'Write';
      const content = { content: request.newFileContents ?? '' };
      const rest = isNew ? content : { ...told?.input, diff: request.diff };
      return { name: isNew ? 'Write' : 'Edit', input: { ...rest, file_path: path } };
    }
    case 'read': {
      const { path } = request;
      if (told?.name === 'Grep' || told?.name === 'Glob') {
        return { name: told.name, input: { ...told.input, path } };
      }
      return { name: 'Read', input: { file_path: path } };
    }
    case 'url':
      return { name: 'WebFetch', input: { url: request.url } };
    default:
      // Nothing of the kind is in a scope.
      return { name: request.kind, input: {} };
  }
}

export interface CallBook {
  started(data: Fields): readonly AgentFactBody[];
  /** `bypass`: it had an effect that nobody was asked for. */
  ended(data: Fields): { readonly facts: readonly AgentFactBody[]; readonly bypass: string | null };
  told(callId: string): Deed | null;
  answered(callId: string, answer: GateAnswer): void;
  /** Ends of the calls that nobody has heard of again. */
  rest(): readonly AgentFactBody[];
}

const LONGEST_SUMMARY = 500;

export function createCallBook(workspace: string, isStopped: () => boolean): CallBook {
  const open = new Map<string, Deed>();
  const answers = new Map<string, GateAnswer>();

  function statusOf(callId: string, isOk: boolean): 'ok' | 'denied' | 'error' | 'interrupted' {
    if (answers.get(callId)?.decision === 'deny' && !isStopped()) return 'denied';
    if (isOk && !isStopped()) return 'ok';
    return isStopped() ? 'interrupted' : 'error';
  }

  return {
    started: ({ toolCallId, toolName, arguments: given }) => {
      const callId = String(toolCallId);
      const own = String(toolName);
      const [name, fields] = TOOLS[own] ?? [own, {}];
      const input = Object.fromEntries(
        Object.entries(fieldsOf(given)).map(([key, value]) => [fields[key] ?? key, value as Json]),
      );
      open.set(callId, { name, input });
      // They are no calls of their own.
      if (isCompanion(own)) return [];
      const title = toolTitle(name, input, workspace);
      const tool = toolOfName(name);
      return [{ type: 'tool-started', callId, tool, name, title, input, agentPath: [] }];
    },
    ended: ({ toolCallId, success, result, error, shellExecution }) => {
      const callId = String(toolCallId);
      const deed = open.get(callId);
      if (deed === undefined) return { facts: [], bypass: null };
      open.delete(callId);
      if (isCompanion(deed.name)) return { facts: [], bypass: null };
      const { exitCode: code } = fieldsOf(shellExecution);
      const exitCode = typeof code === 'number' ? code : undefined;
      const status = statusOf(callId, success === true && (exitCode ?? 0) === 0);
      const answer = answers.get(callId);
      const change = status === 'ok' ? changeOf(deed, workspace) : null;
      const said = success === true ? fieldsOf(result)['content'] : fieldsOf(error)['message'];
      const text = typeof said === 'string' ? said : '';
      const reason = answer?.decision === 'deny' ? answer.reason : null;
      const nothing = exitCode === undefined ? status : `exit ${exitCode}`;
      const told = reason ?? (outputOf(deed, text) || nothing);
      const summary = change === null ? told : changeToText(change);
      const isUnasked = answer?.decision !== 'allow' && success === true;
      const isHarmless = ['read', 'search'].includes(toolOfName(deed.name));
      return {
        facts: [
          {
            ...{ type: 'tool-ended', callId, status, checkpoint: null },
            summary: shortened(summary),
            ...(exitCode === undefined ? {} : { exitCode }),
            ...(change === null ? {} : { changes: [change] }),
          },
        ],
        bypass: isUnasked && !isHarmless ? toolTitle(deed.name, deed.input, workspace) : null,
      };
    },
    told: (callId) => open.get(callId) ?? null,
    answered: (callId, answer) => void answers.set(callId, answer),
    rest: () => {
      const status = isStopped() ? 'interrupted' : 'unknown';
      const summary = 'it ended without a result; some of it may have taken effect';
      const facts = [...open]
        .filter(([, { name }]) => !isCompanion(name))
        .map(
          ([callId]) =>
            ({ type: 'tool-ended', callId, status, summary, checkpoint: null }) as const,
        );
      open.clear();
      return facts;
    },
  };
}

function isCompanion(name: string): boolean {
  return Object.values(COMPANIONS).some((names) => names.includes(name));
}

function changeOf({ name, input }: Deed, workspace: string) {
  const text = (field: string): string | null => {
    const value = input[field];
    return typeof value === 'string' ? value : null;
  };
  const path = text('file_path')?.replace(`${workspace}/`, '');
  if (path === undefined) return null;
  const content = text('content');
  if (name === 'Write') return content === null ? null : fileChange(path, null, content);
  const [old, now] = [text('old_string'), text('new_string')];
  return name !== 'Edit' || old === null || now === null ? null : fileChange(path, old, now);
}

/** What a file says belongs to the agent alone. */
function outputOf({ name }: Deed, text: string): string {
  const output = text.replace(/\n?<(?:shellId|command)[^>]*>\s*$/, '').trim();
  if (name !== 'Read' || output === '') return output;
  const { length } = output.split('\n');
  return length === 1 ? '1 line' : `${length} lines`;
}

function shortened(text: string): string {
  return text.length <= LONGEST_SUMMARY ? text : `…${text.slice(-LONGEST_SUMMARY)}`;
}

export function fieldsOf(value: unknown): Fields {
  return typeof value === 'object' && value !== null ? (value as Fields) : {};
}
