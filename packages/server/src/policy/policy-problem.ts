/** One text of rules, under the name that people know it by. */
export interface PolicyFile {
  readonly file: string;
  readonly text: string;
}

/** A mistake in a policy. `line` and `column` are 1-based; `hint` says what to do next. */
export interface PolicyProblem {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly detail: string;
  readonly hint: string | null;
}

/** `byteOffset` counts the bytes of the text in UTF-8, as Cedar does. */
export function problemAt(
  { file, text }: PolicyFile,
  byteOffset: number,
  detail: string,
  hint: string | null,
): PolicyProblem {
  const before = Buffer.from(text, 'utf8').subarray(0, byteOffset).toString('utf8');
  const lines = before.split('\n');
  return { file, line: lines.length, column: (lines.at(-1) ?? '').length + 1, detail, hint };
}

/** `file:line:column: detail (hint)`. */
export function problemToText({ file, line, column, detail, hint }: PolicyProblem): string {
  return `${file}:${line}:${column}: ${detail}${hint === null ? '' : ` (${hint})`}`;
}
