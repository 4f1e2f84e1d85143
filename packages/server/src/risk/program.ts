/** What is known of a program: how its arguments turn into effects. */
import type { SeenWord } from './seen-word.ts';
import type { Sight } from './sight.ts';

export interface Call {
  readonly program: string;
  readonly args: readonly SeenWord[];
  /** Its standard input is a text of the script, or another command. */
  readonly isFed: boolean;
  readonly sight: Sight;
  /** A command that it starts, with what it hands down. */
  readonly run: (words: readonly SeenWord[], isFed?: boolean) => void;
  /** A text that a shell runs. */
  readonly script: (text: string) => void;
}

export type Program = (call: Call) => void;
export type Programs = Readonly<Record<string, Program>>;

/** The same knowledge for several names. */
export function each(names: string, program: Program): Programs {
  return Object.fromEntries(names.split(' ').map((name) => [name, program]));
}

export interface Split {
  /** Exact words that begin with a hyphen, up to `--`. */
  readonly options: readonly string[];
  /** All other words, values of options among them. */
  readonly operands: readonly SeenWord[];
  /** A word before `--` that may turn out to be an option. */
  readonly isOpen: boolean;
}

export function splitArgs(args: readonly SeenWord[]): Split {
  const options: string[] = [];
  const operands: SeenWord[] = [];
  let isOpen = false;
  let isOver = false;
  for (const word of args) {
    if (isOver) operands.push(word);
    else if (word.kind === 'exact') {
      if (word.text === '--') isOver = true;
      else if (/^-./.test(word.text)) options.push(word.text);
      else operands.push(word);
    } else {
      if (/^-?$/.test(word.begin) || word.begin.startsWith('-')) isOpen = true;
      operands.push(word);
    }
  }
  return { options, operands, isOpen };
}

/**
 * Whether one of `options` is, or may be meant as, one of these: a letter in a cluster, or the beginning of a long name.
 * `names`: single letters and long names, parted by blanks.
 */
export function hasOption(options: readonly string[], names: string): boolean {
  const wanted = names.split(' ');
  return options.some((option) => {
    const bare = option.replace(/=.*$/s, '');
    if (bare.startsWith('--')) {
      const long = bare.slice(2);
      return wanted.some((name) => name.length > 1 && long.length > 0 && name.startsWith(long));
    }
    return wanted.some((name) =>
      name.length === 1 ? option.slice(1).includes(name) : option === `-${name}`,
    );
  });
}

/** The exact text of a word, or null. */
export function textOf(word: SeenWord | undefined): string | null {
  return word?.kind === 'exact' ? word.text : null;
}

/** Anything may be handed to it: it only computes, prints, or tells about the machine. */
export const textOnly: Program = ({ program, sight }) => {
  sight.add('reads', `${program} only computes or tells something`);
};

/** Reads the files it names. `odd`: options that make it do more than that. */
export function reader(odd = ''): Program {
  return ({ program, args, sight }) => {
    const { options, operands, isOpen } = splitArgs(args);
    sight.add('reads', `${program} reads`);
    if (odd !== '' && (isOpen || hasOption(options, odd))) {
      sight.unproven(`${program} has options that write files or start programs`);
    }
    for (const word of [...operands, ...valuesOf(options)]) sight.reads(word);
  };
}

/** Makes or changes the files it names. */
export function writer(odd = ''): Program {
  return ({ program, args, sight }) => {
    const { options, operands, isOpen } = splitArgs(args);
    sight.add('writes-workspace', `${program} writes files`);
    if (isOpen || (odd !== '' && hasOption(options, odd))) {
      sight.unproven(`what ${program} does depends on arguments that cannot be told`);
    }
    for (const word of [...operands, ...valuesOf(options)]) sight.writes(word);
  };
}

/** Values written into options: `--target=dir`. */
export function valuesOf(options: readonly string[]): readonly SeenWord[] {
  return options.flatMap((option) => {
    const at = option.startsWith('--') ? option.indexOf('=') : -1;
    return at === -1 ? [] : [{ kind: 'exact' as const, text: option.slice(at + 1) }];
  });
}

const PUBLISHING = /(^|[^a-z])(deploy|publish|release|upload|push|ship|promote)([^a-z]|$)/i;
const DESTROYING = /(^|[^a-z])(destroy|drop|wipe|reset|purge|nuke|teardown|uninstall)([^a-z]|$)/i;
const READING = /^(-h|--help|-v|-V|--version|version|help)$/;

/** Runs what the workspace says: tests, builds, tasks. What the tasks are called is all that can be told of them. */
export const code: Program = ({ program, args, sight }) => {
  if (args.length === 1 && READING.test(textOf(args[0]) ?? '')) {
    sight.add('reads', `${program} tells about itself`);
    return;
  }
  sight.add('runs-workspace-code', `${program} runs code or settings of the workspace`);
  for (const word of args) {
    if (word.kind === 'unknown') sight.unproven(`what ${program} is told to do cannot be told`);
    if (/^--(write|fix)$/.test(word.text)) {
      sight.add('writes-workspace', `${program} ${word.text} changes files`);
    }
    if (word.text !== '--release' && PUBLISHING.test(word.text) && !/[/.]/.test(word.text)) {
      sight.add('publishes', `${program} ${word.text}: its name says that it publishes`);
    }
    if (DESTROYING.test(word.text) && !/[/.]/.test(word.text)) {
      sight.add('destructive', `${program} ${word.text}: its name says that it destroys`);
    }
  }
};

/** Words for `subcommands`: what it does when its first operand is one of these. */
export type Subcommands = Readonly<Record<string, Program>>;

/** Judges by the first operand. Options before it, and operands that are not listed, are unproven. */
export function bySubcommand(subcommands: Subcommands, bare: Program | null = null): Program {
  return (call) => {
    const { program, args, sight } = call;
    const [first, ...rest] = args;
    const name = textOf(first);
    if (first === undefined && bare !== null) {
      bare(call);
    } else if (name !== null && args.length === 1 && READING.test(name)) {
      sight.add('reads', `${program} tells about itself`);
    } else if (name !== null && Object.hasOwn(subcommands, name)) {
      subcommands[name]?.({ ...call, program: `${program} ${name}`, args: rest });
    } else {
      sight.unproven(`what ${program} ${first?.text ?? ''} does is not known`.replace('  ', ' '));
    }
  };
}

/** Adds effects, whatever the arguments. */
export function does(...effects: readonly Parameters<Sight['add']>[0][]): Program {
  return ({ program, sight }) => {
    for (const effect of effects) sight.add(effect, `${program} ${WORDS[effect]}`);
  };
}

/** One after the other. */
export function both(...programs: readonly Program[]): Program {
  return (call) => {
    for (const program of programs) program(call);
  };
}

const WORDS: Readonly<Record<Parameters<Sight['add']>[0], string>> = {
  reads: 'reads',
  'writes-workspace': 'changes files of the workspace',
  'runs-workspace-code': 'runs code of the workspace or of its packages',
  'writes-outside': 'changes things outside of the workspace',
  destructive: 'may destroy what cannot be got back',
  network: 'uses the network',
  privileged: 'changes or controls the machine',
  publishes: 'publishes: others will see it',
  secrets: 'shows or uses secrets',
  unparsed: 'can do anything at all',
};
