/** What others wrote, with nothing hidden in it. */

/** Controls, and characters that change the order or the visibility of what stands around them; not tab and line feed. */
export const HIDDEN_CHARACTERS: RegExp =
  // eslint-disable-next-line no-control-regex -- control characters are what it looks for
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|\udb40[\udc00-\udc7f]/g;

/**
 * `text` with each character that a terminal would act on, or not show, spelled out: `\\u001b`. For what is reviewed,
 * where nothing may be hidden; tabs and line feeds stay.
 */
export function toVisibleText(text: string): string {
  return text.replace(HIDDEN_CHARACTERS, (character) => {
    const codes = Array.from({ length: character.length }, (_, i) => character.charCodeAt(i));
    return codes.map((code) => `\\u${code.toString(16).padStart(4, '0')}`).join('');
  });
}
