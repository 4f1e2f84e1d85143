/** Text of agents, programs and documents, made harmless for a terminal. */
import { HIDDEN_CHARACTERS } from '../base/visible-text.ts';

export { toVisibleText } from '../base/visible-text.ts';

// CSI, then the strings that end with ST or BEL (OSC, DCS, SOS, PM, APC), then two-byte escapes; 7-bit and 8-bit forms.
const ESCAPE_SEQUENCES =
  // eslint-disable-next-line no-control-regex -- control characters are what it looks for
  /(?:\u001b\[|\u009b)[0-?]*[ -/]*[@-~]?|(?:\u001b[\]PX^_]|[\u0090\u0098\u009d-\u009f])[^\u0007\u001b\u009c]*(?:\u0007|\u001b\\|\u009c)?|\u001b[ -/]*[0-~]?/g;
/** `text` without escape sequences and control characters; tabs and line feeds stay. */
export function toPlainText(text: string): string {
  return text.replaceAll('\r\n', '\n').replace(ESCAPE_SEQUENCES, '').replace(HIDDEN_CHARACTERS, '');
}

/** `text` on one line, cut off at `width` characters. */
export function toPlainLine(text: string, width: number = Infinity): string {
  const line = toPlainText(text)
    .replace(/[\t\n ]+/g, ' ')
    .trim();
  return line.length <= width ? line : `${line.slice(0, Math.max(0, width - 1))}…`;
}

/** JSON on one line without a character that a terminal would act on. */
export function toPlainJson(value: unknown): string {
  return JSON.stringify(value).replace(
    /[\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
