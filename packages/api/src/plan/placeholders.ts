/** `{{ name }}` in prompts and approval texts. */

/** What a placeholder names. */
export type PlaceholderTarget =
  | { readonly kind: 'context'; readonly field: string }
  | { readonly kind: 'input'; readonly name: string }
  | { readonly kind: 'output'; readonly step: string; readonly key: string };

export interface Placeholder {
  /** As it stands in the text, with its braces. */
  readonly raw: string;
  /** Offset of `raw` in the text. */
  readonly start: number;
  /** Between the braces, without spaces around. */
  readonly name: string;
  /** undefined when the name cannot be read. */
  readonly target: PlaceholderTarget | undefined;
}

export const CONTEXT_FIELDS = ['prd', 'plan', 'progress', 'sessions', 'docs'] as const;

/** All placeholders of `text`, in order; braces that are never closed make one without a target. */
export function placeholdersOf(text: string): readonly Placeholder[] {
  const placeholders: Placeholder[] = [];
  let start = text.indexOf('{{');
  while (start >= 0) {
    const close = text.indexOf('}}', start + 2);
    const end = close < 0 ? text.length : close + 2;
    const raw = close < 0 ? text.slice(start, start + 40) : text.slice(start, end);
    const name = close < 0 ? '' : text.slice(start + 2, close).trim();
    placeholders.push({ raw, start, name, target: placeholderTarget(name) });
    start = text.indexOf('{{', end);
  }
  return placeholders;
}

/** Reads `context.<field>`, `inputs.<name>` or `<step>.<key>`. */
export function placeholderTarget(name: string): PlaceholderTarget | undefined {
  const [, head, rest] =
    /^([A-Za-z][A-Za-z0-9-]*)\.([A-Za-z_][A-Za-z0-9_-]{0,126})$/.exec(name) ?? [];
  if (head === undefined || rest === undefined) return undefined;
  if (head === 'context') return { kind: 'context', field: rest };
  if (head === 'inputs') return { kind: 'input', name: rest };
  return { kind: 'output', step: head, key: rest };
}
