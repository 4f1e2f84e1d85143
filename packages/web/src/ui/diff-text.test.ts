import { expect, test } from 'vitest';
import { parseDiff } from './diff-text.ts';

const DIFF = `diff --git a/src/a.ts b/src/a.ts
index 1..2 100644
--- a/src/a.ts
+++ b/src/a.ts
@@ -1,3 +1,3 @@ function
 same
--- looks like a header
++++ and so does this
 end
diff --git a/new file.txt b/new file.txt
new file mode 100644
--- /dev/null
+++ b/new file.txt
@@ -0,0 +1 @@
+one
\\ No newline at end of file
diff --git a/logo.png b/logo.png
Binary files a/logo.png and b/logo.png differ
`;

test('[WB2] a diff is told by file, with lines numbered on both sides and counted', () => {
  const files = parseDiff(DIFF);
  expect(files.map(({ path, added, removed }) => [path, added, removed])).toEqual([
    ['src/a.ts', 1, 1],
    ['new file.txt', 1, 0],
    ['logo.png', 0, 0],
  ]);
  expect(files[0]?.lines.map(({ kind, before, after }) => [kind, before, after])).toEqual([
    ['hunk', null, null],
    ['same', 1, 1],
    ['removed', 2, null],
    ['added', null, 2],
    ['same', 3, 3],
  ]);
  expect(files[2]?.lines[0]?.kind).toBe('note');
});

test('[WB2] a changed line that looks like a header of a diff stays a line', () => {
  const [first] = parseDiff(DIFF);
  expect(first?.lines[2]?.text).toBe('-- looks like a header');
  expect(first?.lines[3]?.text).toBe('+++ and so does this');
});

test('[WB2] what is no diff at all is no file', () => {
  expect(parseDiff('')).toEqual([]);
  expect(parseDiff('garbage\n@@ -1 +1 @@\n+x')).toEqual([]);
});
