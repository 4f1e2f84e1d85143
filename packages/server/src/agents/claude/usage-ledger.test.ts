import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { grownBy, readLedger, writeLedger } from './usage-ledger.ts';

const NOTHING = { inputTokens: 0, outputTokens: 0, cachedTokens: 0, usd: 0 };
const SOME = { inputTokens: 100, outputTokens: 10, cachedTokens: 50, usd: 1 };
const MORE = { inputTokens: 250, outputTokens: 11, cachedTokens: 60, usd: 3 };

let dir: string;
beforeEach(() => (dir = mkdtempSync(join(tmpdir(), 'ccdash-ledger-'))));
afterEach(() => rmSync(dir, { recursive: true }));

describe('the ledger of a session', () => {
  test('[AG13] gives back what was written for the same session, and nothing for another', () => {
    expect(readLedger(dir, 'one')).toEqual(NOTHING);
    writeLedger(dir, 'one', SOME);
    expect([readLedger(dir, 'one'), readLedger(dir, 'two')]).toEqual([SOME, NOTHING]);
  });

  test.each(['', '{', '{"session":"one"}', '{"session":"one","inputTokens":-5}', 'null'])(
    '[AG13] that the agent has spoilt hides no use: %j',
    (text) => {
      writeFileSync(join(dir, 'ccdash-usage.json'), text);
      expect(readLedger(dir, 'one')).toEqual(NOTHING);
    },
  );

  test('[AG13] makes of totals what one attempt has used', () => {
    expect(grownBy(SOME, MORE)).toEqual({
      inputTokens: 150,
      outputTokens: 1,
      cachedTokens: 10,
      usd: 2,
    });
    expect(grownBy(MORE, SOME)).toEqual(SOME);
  });
});
