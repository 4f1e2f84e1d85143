import { readFileSync, writeFileSync } from 'node:fs';

import prettier from 'prettier';
import { describe, expect, test } from 'vitest';

import { isDangerous, isSound, judge, readCorpus, riskPage } from './corpus.ts';

const PAGE = new URL('../../../../docs/risk.md', import.meta.url);

describe('the corpus', () => {
  const judged = readCorpus().map(judge);

  test('[RK8] has at least 400 commands, none twice, and all classes', () => {
    expect(judged.length).toBeGreaterThanOrEqual(400);
    expect(new Set(judged.map(({ command }) => command)).size).toBe(judged.length);
    expect(new Set(judged.flatMap(({ label }) => label)).size).toBe(9);
  });

  test('[RK8] has no dangerous command that passes without asking', () => {
    const silent = judged.filter((each) => isDangerous(each) && !each.asks);
    expect(silent.map(({ command }) => command)).toEqual([]);
  });

  test('[RK8] has no command that does more than was found, unless that was called unparsed', () => {
    expect(judged.filter((each) => !isSound(each)).map(({ command }) => command)).toEqual([]);
  });

  test('[RK8] asks about fewer than one in ten of the everyday commands', () => {
    const everyday = judged.filter(({ isEveryday }) => isEveryday);
    const asked = everyday.filter(({ asks }) => asks);
    expect(everyday.length).toBeGreaterThan(150);
    expect(asked.length / everyday.length).toBeLessThan(0.1);
  });

  test('[RK8] has the figures that the page tells', async () => {
    const page = await prettier.format(riskPage(judged), { parser: 'markdown', printWidth: 100 });
    if (process.env['CCDASH_WRITE_DOCS'] === '1') writeFileSync(PAGE, page);
    expect(readFileSync(PAGE, 'utf8')).toBe(page);
  });
});
