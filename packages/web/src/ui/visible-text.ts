/** Text of agents, programs and documents on a page: nothing in it is hidden, and nothing reorders what stands around it. */

// Controls, and characters without a width or with a say about direction. Tab and line feed stay.
const UNSEEN =
  // eslint-disable-next-line no-control-regex -- control characters are what it looks for
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|\udb40[\udc00-\udc7f]/g;

/** `text` with each character that a reader would not see spelled out: `\u202e`. */
export function toVisibleText(text: string): string {
  return text.replace(UNSEEN, (character) =>
    Array.from({ length: character.length }, (_, i) => character.charCodeAt(i))
      .map((code) => `\\u${code.toString(16).padStart(4, '0')}`)
      .join(''),
  );
}
