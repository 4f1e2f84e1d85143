import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createRedaction } from './redaction.ts';
import type { Redaction } from './redaction.ts';

function inPieces(redaction: Redaction, input: Buffer, cuts: readonly number[]): string {
  const stream = redaction.stream();
  const out: Buffer[] = [];
  let from = 0;
  for (const cut of [...cuts].sort((a, b) => a - b)) {
    const to = Math.min(cut, input.length);
    out.push(stream.push(input.subarray(from, Math.max(from, to))));
    from = Math.max(from, to);
  }
  out.push(stream.push(input.subarray(from)), stream.end());
  return Buffer.concat(out).toString('latin1');
}

// Few letters, so that secrets overlap with themselves and with each other.
const letters = fc.string({ unit: fc.constantFrom('a', 'b'), minLength: 1, maxLength: 6 });
const cuts = fc.array(fc.nat(60), { maxLength: 8 });

describe('redaction', () => {
  test('[AH3] does not depend on where the output is cut into pieces', () => {
    fc.assert(
      fc.property(
        letters,
        letters,
        fc.array(letters, { maxLength: 12 }),
        cuts,
        (a, b, words, at) => {
          const redaction = createRedaction({ A: a, B: b });
          const input = Buffer.from(words.join(''));
          expect(inPieces(redaction, input, at)).toBe(inPieces(redaction, input, []));
        },
      ),
      { numRuns: 150 },
    );
  });

  test('[AH3] lets nothing of a secret through, wherever it stands and however it is cut', () => {
    const secret = fc.string({ minLength: 6, maxLength: 30, unit: 'binary' });
    fc.assert(
      fc.property(secret, fc.string(), fc.string(), cuts, (value, before, after, at) => {
        const redaction = createRedaction({ S: value });
        const input = Buffer.from(`${before}\u0000${value}\u0000${after}`);
        const kept = Buffer.from(inPieces(redaction, input, at), 'latin1').toString();
        fc.pre(!before.includes(value) && !after.includes(value));
        expect(kept).toContain('\u0000[redacted:S]\u0000');
        expect(kept).not.toContain(`\u0000${value}\u0000`);
      }),
      { numRuns: 150 },
    );
  });

  test('[AH3] finds a secret in base64 at each of the three places it may begin', () => {
    const redaction = createRedaction({ S: 'correct horse battery' });
    for (const before of ['', 'u', 'us', 'use']) {
      const encoded = Buffer.from(`${before}correct horse battery!`).toString('base64');
      const kept = redaction.text(encoded);
      expect(kept).toContain('[redacted:S]');
      expect(Buffer.from(kept, 'base64').toString()).not.toMatch(/horse|batt/);
    }
  });

  test('[AH3] takes each line of a key of several lines', () => {
    const key = '-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\n-----END KEY-----';
    const kept = createRedaction({ KEY: key }).text(`> MIIEvQIBADANBgkqhkiG9w0BAQEFAASC`);
    expect(kept).toBe('> [redacted:KEY]');
  });

  test('[AH3] goes through every string of a value, names of fields included', () => {
    const redaction = createRedaction({ S: 'hidden-value' });
    const value = { list: ['a hidden-value'], 'hidden-value': { n: 1, none: null } };
    expect(redaction.json(value)).toEqual({
      list: ['a [redacted:S]'],
      '[redacted:S]': { n: 1, none: null },
    });
  });

  test('holds no more than a secret back, however often it is repeated', () => {
    const stream = createRedaction({ S: 'aaaa' }).stream();
    let printed = '';
    for (let index = 0; index < 1000; index += 1)
      printed += stream.push(Buffer.from('a'.repeat(99))).toString();
    expect(printed + stream.end().toString()).toBe('[redacted:S]');
  });
});
