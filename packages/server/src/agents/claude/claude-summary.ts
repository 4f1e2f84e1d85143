/** What became of a call, in a few words, from what the program says of it: for people, and the same for every agent. */
import type { FileChange } from '@ccdash/core';
import { changeToText, fileChange } from '../tools/line-diff.ts';
import { toolOfName } from '../tools/tool-names.ts';

export interface CallSummary {
  readonly summary: string;
  /** Of commands that ended. */
  readonly exitCode?: number;
  /** Of edits that took effect. */
  readonly changes?: readonly FileChange[];
}

const LONGEST_SUMMARY = 500;

/** `text` is what the model was told, `result` the program's own record, whose shape depends on the tool. */
export function callSummary(
  name: string,
  text: string,
  result: unknown,
  isError: boolean,
  workspace: string,
): CallSummary {
  if (name === 'Bash') return commandSummary(text, isError);
  if (isError) return { summary: shortened(text) };
  const record = recordOf(result);
  if (toolOfName(name) === 'edit') {
    const change = changeOf(record, workspace);
    if (change !== null) return { summary: changeToText(change), changes: [change] };
    return { summary: shortened(text) };
  }
  return { summary: countOf(name, record) ?? shortened(text) };
}

function commandSummary(text: string, isError: boolean): CallSummary {
  const [, code, rest] = /^Exit code (\d{1,3})\n?([^]*)$/.exec(text) ?? [];
  if (isError && code === undefined) return { summary: shortened(text) };
  const exitCode = isError ? Number(code) : 0;
  const output = (isError ? (rest ?? '') : text).trim();
  const nothing = output === '' || output === '(Bash completed with no output)';
  return { summary: nothing ? `exit ${exitCode}` : endOf(output), exitCode };
}

function changeOf(record: Fields, workspace: string): FileChange | null {
  const path = textOf(record['filePath'] ?? record['notebook_path']);
  const before = record['originalFile'] ?? record['original_file'];
  const after = record['content'] ?? record['updated_file'];
  const [old, now] = [textOf(record['oldString']), textOf(record['newString'])];
  if (path === null) return null;
  const shown = path.startsWith(`${workspace}/`) ? path.slice(workspace.length + 1) : path;
  const original = textOf(before);
  if (old !== null && now !== null && original !== null) {
    const edited =
      record['replaceAll'] === true
        ? original.split(old).join(now)
        : original.split(old).length > 1
          ? original.replace(old, () => now)
          : original;
    return fileChange(shown, original, edited);
  }
  const written = textOf(after);
  return written === null ? null : fileChange(shown, original, written);
}

/** How much was read or found. */
function countOf(name: string, record: Fields): string | null {
  const count = (value: unknown, one: string): string | null =>
    typeof value === 'number' ? `${value} ${value === 1 ? one : `${one}s`}` : null;
  switch (name) {
    case 'Read': {
      const file = recordOf(record['file']);
      return count(file['numLines'], 'line') ?? textOf(record['type']);
    }
    case 'Glob':
      return count(record['numFiles'], 'file');
    case 'Grep':
      return (
        count(record['numMatches'], 'match')?.replace('matchs', 'matches') ??
        (record['mode'] === 'content'
          ? count(record['numLines'], 'line')
          : count(record['numFiles'], 'file'))
      );
    case 'WebFetch':
      return typeof record['code'] === 'number' ? `answered ${record['code']}` : null;
    case 'WebSearch':
      return Array.isArray(record['results']) ? count(record['results'].length, 'result') : null;
    default:
      return null;
  }
}

type Fields = Readonly<Record<string, unknown>>;

function recordOf(value: unknown): Fields {
  return typeof value === 'object' && value !== null ? (value as Fields) : {};
}

function textOf(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}

function shortened(text: string): string {
  return text.length <= LONGEST_SUMMARY ? text : `${text.slice(0, LONGEST_SUMMARY)}…`;
}

/** Of a command it is the end that tells. */
function endOf(text: string): string {
  return text.length <= LONGEST_SUMMARY ? text : `…${text.slice(-LONGEST_SUMMARY)}`;
}
