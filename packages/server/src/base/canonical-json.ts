import canonicalize from 'canonicalize';

/** How far from the top parts are made apart: deep enough for each step of a plan to be one. */
const LEVELS = 4;

/**
 * The canonical JSON (RFC 8785) of a value; undefined for what JSON does not have.
 * The library makes one string out of a million pieces, which all live until the end; large values are therefore taken
 * apart near the top, so that what is garbage goes while it is young.
 * Errors: throws for what canonical JSON cannot say (NaN, a lone surrogate, a cycle).
 */
export function canonicalJson(value: unknown): string | undefined {
  return textOf(value, LEVELS);
}

function textOf(value: unknown, levels: number): string | undefined {
  if (levels === 0 || !isPlain(value)) return canonicalize(value);
  if (Array.isArray(value)) {
    return `[${value.map((item) => textOf(item, levels - 1) ?? 'null').join()}]`;
  }
  const members: string[] = [];
  // Sorted by UTF-16 code units, as the standard has it.
  for (const key of Object.keys(value).sort()) {
    const text = textOf((value as Readonly<Record<string, unknown>>)[key], levels - 1);
    if (text !== undefined) members.push(`${canonicalize(key) ?? ''}:${text}`);
  }
  return `{${members.join()}}`;
}

/** What has no say of its own in how it is written. */
function isPlain(value: unknown): value is object {
  if (typeof value !== 'object' || value === null || 'toJSON' in value) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return Array.isArray(value) || prototype === Object.prototype || prototype === null;
}
