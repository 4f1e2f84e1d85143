/** A word of a command, as far as its text alone tells what the program will be handed. */
import type { Word, WordPart } from 'unbash';

export type SeenWord =
  /** Exactly this argument. */
  | { readonly kind: 'exact'; readonly text: string }
  /** Names of files that match, or the members of a list in braces: any number of arguments, each beginning so. */
  | { readonly kind: 'files'; readonly text: string; readonly begin: string }
  /** Whatever a variable or command gives: one argument where it is quoted, else any number of them. */
  | {
      readonly kind: 'unknown';
      readonly text: string;
      readonly begin: string;
      readonly isOne: boolean;
    };

export function exactWord(text: string): SeenWord {
  return { kind: 'exact', text };
}

/** An argument that comes from elsewhere (standard input, files that are found). */
export const UNKNOWN_WORD: SeenWord = { kind: 'unknown', text: '', begin: '', isOne: false };

export function toSeenWord(word: Word): SeenWord {
  const { parts } = word;
  // A home, whoever's.
  if (word.text.startsWith('~')) return { kind: 'files', text: word.value, begin: word.value };
  // bash takes `name=~` for an assignment, wherever it stands.
  if (/[=:]~/.test(word.text)) return { kind: 'unknown', text: word.text, begin: '', isOne: true };
  if (parts === undefined) return exactWord(word.value);
  const isExact = parts.every(isExactPart);
  if (isExact) return exactWord(word.value);
  const begin = beginningOf(parts);
  const isFiles = parts.every(
    (part) => isExactPart(part) || part.type === 'Glob' || part.type === 'BraceExpansion',
  );
  // A list in braces may hold anything at all; what could lead elsewhere is not taken for names of files.
  if (isFiles && /^[^$`~\\]*$/.test(word.text) && !word.text.includes('..')) {
    return { kind: 'files', text: word.text, begin };
  }
  const [only] = parts;
  const isOne = parts.length === 1 && only?.type === 'DoubleQuoted' && !mayBeMany(only.parts);
  return { kind: 'unknown', text: word.text, begin, isOne };
}

/** The text is the same in every environment. A translated string is not. */
function isExactPart(part: WordPart): boolean {
  if (part.type === 'DoubleQuoted') return part.parts.every((inner) => inner.type === 'Literal');
  // Where bash keeps a line feed behind a backslash, and the parser does not.
  if (part.type === 'AnsiCQuoted') return !part.text.includes('\\\n');
  return part.type === 'Literal' || part.type === 'SingleQuoted';
}

function beginningOf(parts: readonly WordPart[]): string {
  let begin = '';
  for (const part of parts) {
    if (part.type !== 'DoubleQuoted' && isExactPart(part) && 'value' in part) {
      begin += part.value;
    } else if (part.type === 'DoubleQuoted') {
      const inner = part.parts.findIndex(({ type }) => type !== 'Literal');
      const literal = inner === -1 ? part.parts : part.parts.slice(0, inner);
      begin += literal.map((each) => (each.type === 'Literal' ? each.value : '')).join('');
      if (inner !== -1) return begin;
    } else return begin;
  }
  return begin;
}

/** `"$@"` and `"${a[@]}"` are many arguments, though they are quoted. */
function mayBeMany(parts: readonly WordPart[]): boolean {
  return parts.some(
    (part) =>
      (part.type === 'SimpleExpansion' && part.text === '$@') ||
      (part.type === 'ParameterExpansion' && part.text.includes('@')),
  );
}

/** What the argument surely begins with. */
export function beginOf(word: SeenWord): string {
  return word.kind === 'exact' ? word.text : word.begin;
}
