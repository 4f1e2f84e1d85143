/**
 * Lines that a unified diff of git adds and removes. Only within hunks: what stands there is marked, so that no line of a
 * file is taken for a header, nor a header for one.
 */
export function countLines(diff: string): { readonly added: number; readonly removed: number } {
  let [added, removed, isHunk] = [0, 0, false];
  for (const line of diff.split('\n')) {
    if (line.startsWith('@@ ')) isHunk = true;
    else if (line.startsWith('diff --git ')) isHunk = false;
    else if (isHunk && line.startsWith('+')) added += 1;
    else if (isHunk && line.startsWith('-')) removed += 1;
  }
  return { added, removed };
}
