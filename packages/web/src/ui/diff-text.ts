/** A unified diff of git, taken apart into files and lines for drawing. */

export interface DiffLine {
  readonly kind: 'added' | 'removed' | 'same' | 'hunk' | 'note';
  readonly text: string;
  /** In the file before and after; null where the line is not. */
  readonly before: number | null;
  readonly after: number | null;
}

export interface DiffFile {
  readonly path: string;
  readonly added: number;
  readonly removed: number;
  readonly lines: readonly DiffLine[];
}

const HUNK = /^@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@/;

export function parseDiff(text: string): readonly DiffFile[] {
  const files: (DiffFile & { lines: DiffLine[]; added: number; removed: number; path: string })[] =
    [];
  let before = 0;
  let after = 0;
  // Lines that the hunk still has: a removed line that begins with `--` is no header.
  let leftBefore = 0;
  let leftAfter = 0;
  for (const line of text.split('\n')) {
    const file = files.at(-1);
    const isInHunk = leftBefore > 0 || leftAfter > 0;
    if (file !== undefined && isInHunk && /^[-+ ]|^$/.test(line)) {
      const sign = line.charAt(0);
      const isOld = sign !== '+';
      const isNew = sign !== '-';
      const kind = !isOld ? 'added' : !isNew ? 'removed' : 'same';
      file.lines.push({
        kind,
        text: line.slice(1),
        before: isOld ? before : null,
        after: isNew ? after : null,
      });
      if (isOld) [before, leftBefore] = [before + 1, leftBefore - 1];
      if (isNew) [after, leftAfter] = [after + 1, leftAfter - 1];
      if (kind === 'added') file.added += 1;
      if (kind === 'removed') file.removed += 1;
      continue;
    }
    const hunk = HUNK.exec(line);
    if (line.startsWith('diff --git ')) {
      files.push({ path: pathOfHeader(line), added: 0, removed: 0, lines: [] });
    } else if (file !== undefined && hunk !== null) {
      before = Number(hunk[1]);
      after = Number(hunk[3]);
      leftBefore = Number(hunk[2] ?? 1);
      leftAfter = Number(hunk[4] ?? 1);
      file.lines.push({ kind: 'hunk', text: line, before: null, after: null });
    } else if (
      file !== undefined &&
      /^(?:\\ |Binary files |new file|deleted file|rename |old mode|new mode|similarity)/.test(line)
    ) {
      file.lines.push({ kind: 'note', text: line, before: null, after: null });
    } else if (file !== undefined && line.startsWith('+++ ') && !line.startsWith('+++ /dev/null')) {
      file.path = line
        .slice(4)
        .replace(/^"?b\//, '')
        .replace(/"?\t?$/, '');
    }
  }
  return files;
}

/** `a/` and `b/` of it are the same path but for renames, which say their paths in lines of their own. */
function pathOfHeader(line: string): string {
  const names = line.slice('diff --git '.length);
  return names
    .slice(Math.floor(names.length / 2) + 1)
    .replace(/^"?b\//, '')
    .replace(/"$/, '');
}
