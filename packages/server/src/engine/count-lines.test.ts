import { expect, test } from 'vitest';
import { countLines } from './count-lines.ts';

test('[IM6] lines that look like headers of a diff are counted, and headers are not', () => {
  const diff = `diff --git a/notes.sql b/notes.sql
index 1111111..2222222 100644
--- a/notes.sql
+++ b/notes.sql
@@ -1,3 +1,3 @@
--- a comment
-diff --git a/x b/x
+++ two
 as it was
@@ -9 +9,2 @@ there
 end
+@@ -1 +1 @@
diff --git a/b.bin b/b.bin
index 1111111..2222222 100644
Binary files a/b.bin and b/b.bin differ
diff --git a/gone b/gone
deleted file mode 100644
--- a/gone
+++ /dev/null
@@ -1 +0,0 @@
-gone
\\ No newline at end of file
`;
  expect(countLines(diff)).toEqual({ added: 2, removed: 3 });
  expect(countLines('')).toEqual({ added: 0, removed: 0 });
});
