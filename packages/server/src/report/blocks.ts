/** A report as what it says, apart from how it looks. All text is as it was written: whoever renders makes it harmless. */
export type Block =
  | { readonly type: 'heading'; readonly level: 1 | 2 | 3; readonly text: string }
  | { readonly type: 'text'; readonly text: string }
  | {
      readonly type: 'table';
      readonly head: readonly string[];
      readonly rows: readonly (readonly string[])[];
    }
  /** What was written elsewhere, kept line by line. */
  | { readonly type: 'code'; readonly text: string }
  /** Shown when asked for; on paper always. */
  | { readonly type: 'details'; readonly summary: string; readonly blocks: readonly Block[] };

export const heading = (level: 1 | 2 | 3, text: string): Block => ({
  type: 'heading',
  level,
  text,
});
export const text = (said: string): Block => ({ type: 'text', text: said });
export const code = (said: string): Block => ({ type: 'code', text: said });

/** Nothing but a sentence where there are no rows. */
export function table(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  none: string,
): Block {
  return rows.length === 0 ? text(none) : { type: 'table', head, rows };
}

export function details(summary: string, blocks: readonly Block[]): Block {
  return { type: 'details', summary, blocks };
}
