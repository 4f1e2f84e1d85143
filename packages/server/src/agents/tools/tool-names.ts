import type { Json } from '@ccdash/core';

/** Names of tools as the models know them, by the canonical name that scopes and policies use. */
const NAMES_BY_TOOL: Readonly<Record<string, readonly string[]>> = {
  read: ['Read'],
  search: ['Glob', 'Grep'],
  edit: ['Edit', 'Write', 'NotebookEdit'],
  exec: ['Bash'],
  fetch: ['WebFetch', 'WebSearch'],
  agent: ['Agent'],
};

const toolByName = new Map(
  Object.entries(NAMES_BY_TOOL).flatMap(([tool, names]) => names.map((name) => [name, tool])),
);

/** The tool by which an agent gives its structured answer: it is told to nobody and has no effect. */
export const ANSWER_TOOL = 'StructuredOutput';

/** Names to offer for a scope, in a fixed order; canonical names without a tool here offer nothing. */
export function toolNamesOf(tools: readonly string[]): readonly string[] {
  return Object.entries(NAMES_BY_TOOL).flatMap(([tool, names]) =>
    tools.includes(tool) ? names : [],
  );
}

/** Every name there is. */
export function allToolNames(): readonly string[] {
  return [...toolByName.keys()];
}

/** The canonical name of a tool; `other` for one that is in no scope. */
export function toolOfName(name: string): string {
  const known = toolByName.get(name);
  if (known !== undefined) return known;
  const [, server, tool] = MCP_NAME.exec(name) ?? [];
  return server === undefined || tool === undefined ? 'other' : `mcp:${server}/${tool}`;
}

/** A tool of a server; names of servers hold no double underscore. */
const MCP_NAME = /^mcp__((?:(?!__)[\w-])+)__([\w.-]+)$/;

/** A text field of a tool's input, if it has one. */
export function textIn(input: Json, field: string): string | null {
  if (typeof input !== 'object' || input === null || Array.isArray(input)) return null;
  const value = (input as Readonly<Record<string, Json>>)[field];
  return typeof value === 'string' ? value : null;
}

/** Verb, and the field that names what it is done to. */
const SUBJECT_BY_NAME: ReadonlyMap<string, readonly [verb: string, field: string]> = new Map([
  ['Read', ['Read', 'file_path']],
  ['Glob', ['Find', 'pattern']],
  ['Grep', ['Search', 'pattern']],
  ['Edit', ['Edit', 'file_path']],
  ['Write', ['Write', 'file_path']],
  ['NotebookEdit', ['Edit', 'notebook_path']],
  ['Bash', ['Run', 'command']],
  ['WebFetch', ['Fetch', 'url']],
  ['WebSearch', ['Search the web for', 'query']],
  ['Agent', ['Ask an agent:', 'description']],
]);

const LONGEST_TITLE = 120;

/** What a call does, in one line: `Edit src/a.ts`, `Run npm test`. Paths in the workspace are relative to it. */
export function toolTitle(name: string, input: Json, workspace: string): string {
  const [verb, field] = SUBJECT_BY_NAME.get(name) ?? [name, ''];
  const tool = toolOfName(name);
  if (tool.startsWith('mcp:')) return `Use ${tool.slice('mcp:'.length)}`;
  const subject = textIn(input, field)?.replaceAll(`${workspace}/`, '').replaceAll(/\s+/g, ' ');
  const title = subject === undefined ? verb : `${verb} ${subject.trim()}`;
  return title.length <= LONGEST_TITLE ? title : `${title.slice(0, LONGEST_TITLE - 1)}…`;
}
