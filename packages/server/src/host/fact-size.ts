/** Longer texts are cut: facts go into the log, where they stay for ever. */
const LONGEST_TEXT = 64 * 1024;
/** In one fact, all its texts together. */
const LONGEST_FACT = 1024 * 1024;

/** The same value with every text cut to a length that the log can take. */
export function shortened<T>(value: T): T {
  let left = LONGEST_FACT;
  const visit = (inner: unknown): unknown => {
    if (typeof inner === 'string') {
      const limit = Math.min(LONGEST_TEXT, left);
      left -= Math.min(inner.length, limit);
      return inner.length <= limit
        ? inner
        : `${inner.slice(0, limit)}… (${inner.length - limit} characters more)`;
    }
    if (inner === null || typeof inner !== 'object') return inner;
    if (Array.isArray(inner)) return inner.map(visit);
    return Object.fromEntries(Object.entries(inner).map(([name, field]) => [name, visit(field)]));
  };
  return visit(value) as T;
}
