/** What has been found out about a command so far: its effects, each with the words that explain it. */
import type { EffectClass } from '@ccdash/core';
import { placeOf } from './places.ts';
import type { SeenWord } from './seen-word.ts';

export interface Because {
  readonly effect: EffectClass;
  readonly text: string;
}

export interface Sight {
  add(effect: EffectClass, text: string): void;
  unproven(text: string): void;
  /** A file that is read; what its name cannot tell is unproven. */
  reads(word: SeenWord): void;
  /** A file that is made, changed or removed. */
  writes(word: SeenWord): void;
  /** From here on, names of files do not begin in the workspace. */
  leave(): void;
  /** Programs that were seen. */
  run(program: string): void;
  hasLeft(): boolean;
  readonly because: readonly Because[];
  readonly programs: readonly string[];
}

/** Enough for people to understand; effects are never left out. */
const MAX_REASONS_PER_EFFECT = 5;
const MAX_CHARACTERS_PER_REASON = 200;

/** `startsInside`: names of files begin in the workspace. */
export function createSight(startsInside: boolean): Sight {
  const because: Because[] = [];
  const programs = new Set<string>();
  let hasLeft = false;

  function add(effect: EffectClass, said: string): void {
    // It is shown in one line, whatever the command holds.
    const text = said.replaceAll(/\s+/g, ' ').slice(0, MAX_CHARACTERS_PER_REASON);
    const alike = because.filter((each) => each.effect === effect);
    if (alike.length >= MAX_REASONS_PER_EFFECT || alike.some((each) => each.text === text)) return;
    because.push({ effect, text });
  }

  function writes(word: SeenWord): void {
    const place = placeOf(word);
    if (place === 'device') return;
    if (place === 'remote') add('network', `it connects to ${word.text}`);
    if (place === 'raw') add('privileged', `it writes ${word.text}`);
    if (place === 'secret') add('secrets', `it writes ${word.text}, where secrets are kept`);
    if (place === 'unknown') {
      add(
        'unparsed',
        `it writes ${word.text || 'files'}, and its text does not tell where that is`,
      );
    } else if (place === 'inside' && startsInside) {
      add('writes-workspace', `it writes ${word.text}`);
    } else add('writes-outside', `it writes ${word.text}, outside of the workspace's files`);
  }

  return {
    add,
    unproven: (text) => add('unparsed', text),
    reads: (word) => {
      const place = placeOf(word);
      if (place === 'secret') add('secrets', `it reads ${word.text}, where secrets are kept`);
      if (place === 'unknown') {
        add(
          'unparsed',
          `it reads ${word.text || 'files'}, and its text does not tell what that is`,
        );
      }
      if (place === 'remote') add('network', `it connects to ${word.text}`);
      if (place === 'raw') add('privileged', `it reads ${word.text}`);
    },
    writes,
    leave: () => {
      hasLeft = true;
    },
    hasLeft: () => hasLeft,
    run: (program) => programs.add(program),
    because,
    get programs() {
      return [...programs].sort();
    },
  };
}
