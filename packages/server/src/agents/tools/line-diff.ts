/**
 * What a call has changed in a file, for people to read: lines in the way of a unified diff. Changes are short and seldom
 * far apart, so everything between the first and the last line that differ is one hunk.
 */
import type { FileChange } from '@ccdash/core';

const CONTEXT_LINES = 3;
const LONGEST_DIFF = 16_000;

/** Null when nothing differs. `before` null: the file is new. */
export function fileChange(path: string, before: string | null, after: string): FileChange | null {
  const [old, now] = [linesOf(before ?? ''), linesOf(after)];
  let same = 0;
  while (same < Math.min(old.length, now.length) && old[same] === now[same]) same += 1;
  let tail = 0;
  while (
    tail < Math.min(old.length, now.length) - same &&
    old[old.length - 1 - tail] === now[now.length - 1 - tail]
  ) {
    tail += 1;
  }
  const removed = old.slice(same, old.length - tail);
  const added = now.slice(same, now.length - tail);
  if (removed.length + added.length === 0 && before !== null) return null;
  const from = Math.max(0, same - CONTEXT_LINES);
  const lead = old.slice(from, same);
  const follow = old.slice(old.length - tail, old.length - tail + CONTEXT_LINES);
  const length = (changed: readonly string[]): number =>
    lead.length + changed.length + follow.length;
  const start = (count: number): number => (count === 0 ? 0 : from + 1);
  const [oldLength, newLength] = [length(removed), length(added)];
  const head = `@@ -${start(oldLength)},${oldLength} +${start(newLength)},${newLength} @@`;
  const body = [
    ...lead.map((line) => ` ${line}`),
    ...removed.map((line) => `-${line}`),
    ...added.map((line) => `+${line}`),
    ...follow.map((line) => ` ${line}`),
  ];
  return {
    path,
    added: added.length,
    removed: removed.length,
    diff: shortened([head, ...body].join('\n')),
  };
}

/** Of hunks that somebody else has made; null where they change nothing. */
export function unifiedChange(path: string, hunks: string): FileChange | null {
  const lines = hunks.split('\n');
  const count = (mark: string): number =>
    lines.filter((line) => line.startsWith(mark) && !line.startsWith(mark.repeat(3))).length;
  const [added, removed] = [count('+'), count('-')];
  if (added + removed === 0) return null;
  return { path, added, removed, diff: shortened(hunks.replace(/\n$/, '')) };
}

/** `+3 −1`, or what it is when it is new. */
export function changeToText({ added, removed }: FileChange): string {
  return removed === 0 ? `+${added}` : `+${added} −${removed}`;
}

function linesOf(text: string): string[] {
  if (text === '') return [];
  const lines = text.split('\n');
  if (lines.at(-1) === '') lines.pop();
  return lines;
}

function shortened(diff: string): string {
  if (diff.length <= LONGEST_DIFF) return diff;
  return `${diff.slice(0, LONGEST_DIFF)}\n… (${diff.length - LONGEST_DIFF} characters more)`;
}
