/**
 * What a command does, from its text alone: facts for the policy, never a boundary (the sandbox is that).
 *
 * 1. Whatever cannot be followed is `unparsed`, beside what could be; nothing that runs is left out.
 * 2. The same text gives the same facts, on every machine: no file is looked at and no name looked up.
 */
import { EFFECT_CLASSES } from '@ccdash/core';
import type { CommandFacts, EffectClass, Program as PlanProgram } from '@ccdash/core';
import { CODE_PROGRAMS } from './code-programs.ts';
import { environmentProblem } from './environment-names.ts';
import { FILE_PROGRAMS } from './file-programs.ts';
import { git } from './git-program.ts';
import { OUTSIDE_PROGRAMS } from './outside-programs.ts';
import { placeOf } from './places.ts';
import type { Programs } from './program.ts';
import { code } from './program.ts';
import { readScript } from './read-script.ts';
import type { SeenCommand } from './read-script.ts';
import { exactWord } from './seen-word.ts';
import type { SeenWord } from './seen-word.ts';
import { SHELL_PROGRAMS } from './shell-programs.ts';
import { createSight } from './sight.ts';
import type { Sight } from './sight.ts';

/** Goes up whenever the same text may give other facts. */
export const CLASSIFIER_VERSION = 1;

const PROGRAMS: Programs = {
  ...OUTSIDE_PROGRAMS,
  ...CODE_PROGRAMS,
  ...FILE_PROGRAMS,
  ...SHELL_PROGRAMS,
  git,
};

/** Commands that commands start, however deep. */
const MAX_NESTING = 12;

/** `variables`: names that the command is handed in its environment, besides those that every step has. */
export function classifyCommand(
  program: PlanProgram,
  variables: readonly string[] = [],
): CommandFacts {
  const inside = look(program, variables, true);
  // A change of folder anywhere may come before a write anywhere, by loops and functions.
  const { because, programs } = inside.hasLeft() ? look(program, variables, false) : inside;
  const found = new Set(because.map(({ effect }) => effect));
  const effects: readonly EffectClass[] = EFFECT_CLASSES.filter((effect) => found.has(effect));
  const order = (effect: EffectClass): number => EFFECT_CLASSES.indexOf(effect);
  return {
    effects: effects.length === 0 ? ['reads'] : effects,
    because: because.toSorted((a, b) => order(a.effect) - order(b.effect)),
    programs,
    classifier: CLASSIFIER_VERSION,
  };
}

function look(program: PlanProgram, variables: readonly string[], isInside: boolean): Sight {
  const sight = createSight(isInside);
  for (const name of variables) {
    const problem = environmentProblem(name);
    if (problem !== null) sight.unproven(problem);
  }
  if ('script' in program) lookAtScript(program.script, sight, 0);
  else {
    const [first, ...rest] = program.argv;
    const words = [exactWord(first), ...rest.map(exactWord)] as const;
    lookAtCommand({ words, variables: [], isFed: false }, sight, 0);
  }
  return sight;
}

function lookAtScript(text: string, sight: Sight, depth: number): void {
  const { commands, files, unproven } = readScript(text);
  for (const reason of unproven) sight.unproven(reason);
  for (const command of commands) lookAtCommand(command, sight, depth);
  for (const { word, access } of files) {
    if (access === 'write') sight.writes(word);
    else sight.reads(word);
  }
}

function lookAtCommand(command: SeenCommand, sight: Sight, depth: number): void {
  const [name, ...args] = command.words;
  for (const variable of command.variables) {
    const problem = environmentProblem(variable);
    if (problem !== null) sight.unproven(problem);
  }
  if (depth > MAX_NESTING) {
    sight.unproven('commands start commands too many times over to be followed');
    return;
  }
  if (name.kind !== 'exact' || name.text === '') {
    sight.unproven('it runs a program whose name cannot be told');
    return;
  }
  sight.run(name.text);
  const program = programName(name, args, sight);
  if (program === null) return;
  const handler = Object.hasOwn(PROGRAMS, program) ? PROGRAMS[program] : undefined;
  if (handler === undefined) {
    sight.unproven(`${program} is not a program that is known here`);
    return;
  }
  handler({
    program,
    args,
    isFed: command.isFed,
    sight,
    run: (words, isFed = false) => {
      const [first, ...rest] = words;
      if (first === undefined) sight.unproven(`what ${program} runs cannot be told`);
      else lookAtCommand({ words: [first, ...rest], variables: [], isFed }, sight, depth + 1);
    },
    script: (text) => lookAtScript(text, sight, depth + 1),
  });
}

/** The name by which a program is known; null when it is a file, which has been judged. */
function programName(name: SeenWord, args: readonly SeenWord[], sight: Sight): string | null {
  const { text } = name;
  if (!text.includes('/')) return text;
  const system = /^(?:\/usr(?:\/local)?)?\/s?bin\/([^/]+)$/.exec(text)?.[1];
  if (system !== undefined) return system;
  if (placeOf(name) === 'inside') {
    sight.add('runs-workspace-code', `it runs ${text}`);
    const nothing = (): void => undefined;
    code({ program: text, args, isFed: false, sight, run: nothing, script: nothing });
  } else sight.unproven(`it runs ${text}, outside of the workspace`);
  return null;
}
