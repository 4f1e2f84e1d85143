import { expect, test } from 'vitest';

import { classifyCommand } from '../../src/risk/classify-command.ts';
import { readScript } from '../../src/risk/read-script.ts';
import type { SeenWord } from '../../src/risk/seen-word.ts';
import { createDraw, randomScript, STUBS } from './random-scripts.ts';
import { runScripts } from './run-scripts.ts';
import type { Call } from './run-scripts.ts';

const SCRIPTS = Number(process.env['CCDASH_FUZZ_SCRIPTS'] ?? 10_000);
const SEED = Number(process.env['CCDASH_FUZZ_SEED'] ?? 20_261_123);

test(
  `[RK7] of ${String(SCRIPTS)} random scripts that count as proven bash runs nothing that was not seen (seed ${String(SEED)})`,
  { timeout: 300_000 + SCRIPTS * 20 },
  async () => {
    const draw = createDraw(SEED);
    // One that is unparsed asks whatever it runs: only the others can hide something.
    const proven: string[] = [];
    for (let drawn = 0; proven.length < SCRIPTS; drawn += 1) {
      expect(drawn).toBeLessThan(SCRIPTS * 50);
      const script = randomScript(draw);
      if (!classifyCommand({ script }).effects.includes('unparsed')) proven.push(script);
    }
    const ran = await runScripts(proven, STUBS, 2);
    const unseen = proven.flatMap((script, index) => {
      const { programs } = classifyCommand({ script });
      const seen = seenCommands(script);
      const isSeen = (call: Call): boolean =>
        programs.includes(call[0] ?? '') && seen.some((words) => fits(words, call));
      return (ran[index] ?? []).filter((call) => !isSeen(call)).map((call) => ({ script, call }));
    });
    expect(unseen).toEqual([]);
    // They did run: otherwise nothing would have been tried.
    expect(ran.flat().length).toBeGreaterThan(SCRIPTS / 2);
  },
);

test('[RK7] the comparison sees what a classifier would miss', async () => {
  const [made] = await runScripts(['ls a | rm "b c" && $(echo git) push'], STUBS, 1);
  expect(made?.toSorted()).toEqual([
    ['git', 'push'],
    ['ls', 'a'],
    ['rm', 'b c'],
  ]);
  expect(fits(seenCommands('rm "b c"')[0] ?? [], ['rm', 'b c'])).toBe(true);
  expect(fits(seenCommands('rm "b c"')[0] ?? [], ['rm', 'b'])).toBe(false);
  expect(fits(seenCommands('rm a $x c')[0] ?? [], ['rm', 'a', 'c'])).toBe(true);
});

/** Every command of a script, those behind a builtin and in a text that is evaluated too. */
function seenCommands(script: string): readonly (readonly SeenWord[])[] {
  return readScript(script).commands.flatMap(({ words }) => [words, ...within(words)]);
}

function within(words: readonly SeenWord[]): readonly (readonly SeenWord[])[] {
  const [name, ...rest] = words;
  const text = (word: SeenWord | undefined): string => (word?.kind === 'exact' ? word.text : '');
  switch (text(name)) {
    case 'command':
    case 'builtin':
    case 'exec':
      return [rest, ...within(rest)];
    case 'eval':
      return seenCommands(rest.map(text).join(' '));
    case 'trap':
      return seenCommands(text(rest[0]));
    default:
      return [];
  }
}

/** Whether these words can become this call. */
function fits(words: readonly SeenWord[], call: Call): boolean {
  const [word, ...rest] = words;
  if (word === undefined) return call.length === 0;
  if (word.kind === 'exact') return call[0] === word.text && fits(rest, call.slice(1));
  return Array.from({ length: call.length + 1 }, (_, taken) => taken).some((taken) =>
    fits(rest, call.slice(taken)),
  );
}
