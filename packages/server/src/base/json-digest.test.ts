import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { jsonDigest } from './json-digest.ts';

const sha256 = (text: string): string =>
  `sha256:${createHash('sha256').update(text).digest('hex')}`;

describe('the digest of JSON', () => {
  test('[EN18] is that of its canonical text, whatever the order of keys', () => {
    expect(jsonDigest({ b: [1, 'é'], a: null })).toBe(sha256('{"a":null,"b":[1,"é"]}'));
    expect(jsonDigest({ a: null, b: [1, 'é'] })).toBe(jsonDigest({ b: [1, 'é'], a: null }));
  });

  test('[EN18] orders keys by their UTF-16 units and writes numbers as JavaScript does', () => {
    expect(jsonDigest({ '\u{1f600}': 1, '\ufb33': 2 })).toBe(sha256('{"\u{1f600}":1,"\ufb33":2}'));
    expect(jsonDigest([1e21, 0.000001, 1e-7, -0])).toBe(sha256('[1e+21,0.000001,1e-7,0]'));
  });

  test('[EN18] tells apart what differs', () => {
    const values = [null, '', 0, false, [], {}, [null], { a: null }, 'null', [[]], '0'];
    expect(new Set(values.map((value) => jsonDigest(value))).size).toBe(values.length);
  });
});
