/** Looks at data whose shape is not known yet: what is not as wanted is as if it were not there. */

export function valueAt(raw: unknown, path: readonly (string | number)[]): unknown {
  let value = raw;
  for (const segment of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, segment)) {
      return undefined;
    }
    value = (value as Readonly<Record<string | number, unknown>>)[segment];
  }
  return value;
}

export function textAt(raw: unknown, ...path: readonly (string | number)[]): string | undefined {
  const value = valueAt(raw, path);
  return typeof value === 'string' ? value : undefined;
}

export function numberAt(raw: unknown, ...path: readonly (string | number)[]): number | undefined {
  const value = valueAt(raw, path);
  return typeof value === 'number' ? value : undefined;
}

export function listAt(raw: unknown, ...path: readonly (string | number)[]): readonly unknown[] {
  const value = valueAt(raw, path);
  return Array.isArray(value) ? value : [];
}

/** Texts of a list with their places in it. */
export function textsAt(
  raw: unknown,
  ...path: readonly (string | number)[]
): readonly { readonly text: string; readonly index: number }[] {
  return listAt(raw, ...path).flatMap((text, index) =>
    typeof text === 'string' ? [{ text, index }] : [],
  );
}

export function recordAt(
  raw: unknown,
  ...path: readonly (string | number)[]
): Readonly<Record<string, unknown>> | undefined {
  const value = valueAt(raw, path);
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Readonly<Record<string, unknown>>)
    : undefined;
}
