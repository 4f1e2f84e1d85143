import canonicalize from 'canonicalize';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { canonicalJson } from './canonical-json.ts';

describe('canonical JSON', () => {
  test('[LG4] is what the library makes of the whole, whatever the value', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 7 }), (value) => {
        expect(canonicalJson(value)).toBe(canonicalize(value));
      }),
    );
    const dates = { at: new Date(0), list: [undefined, new Map(), () => 1], none: undefined };
    for (const value of [
      dates,
      undefined,
      [undefined],
      { '\ufb33': 1, '\u{1f600}': 2, 10: 3, 9: 4 },
    ]) {
      expect(canonicalJson(value)).toBe(canonicalize(value));
    }
  });

  test('[LG4] refuses what cannot be said, and is not brought down by what is deep', () => {
    const cycle: unknown[] = [];
    cycle.push({ cycle });
    for (const value of [
      { a: [NaN] },
      { a: { b: Infinity } },
      ['\ud800'],
      { '\udfff': 1 },
      cycle,
    ]) {
      expect(() => canonicalJson(value)).toThrow();
    }
    let deep: unknown = 1;
    for (let level = 0; level < 100_000; level += 1) deep = [deep];
    expect(canonicalJson(deep)).toHaveLength(200_001);
  });
});
