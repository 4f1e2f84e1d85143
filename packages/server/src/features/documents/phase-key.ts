/** The one name of a phase. */

/** `P2`, `Phase 2`, `2.0` and `2` are one phase; a name stays a name, in small letters. */
export function phaseKey(text: string): string {
  const plain = text.trim().toLowerCase();
  const number = /^(?:phase)?[-_ ]*p?(\d+(?:\.\d+)?)$/.exec(plain)?.[1];
  return number === undefined ? plain.replace(/\s+/g, '-') : String(Number(number));
}
