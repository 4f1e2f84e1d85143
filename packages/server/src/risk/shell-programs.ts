/** Builtins of the shell, and programs that run other programs. */
import { environmentProblem, shellVariableProblem } from './environment-names.ts';
import { placeOf } from './places.ts';
import { does, each, hasOption, splitArgs, textOf, textOnly } from './program.ts';
import type { Call, Program, Programs } from './program.ts';
import { beginOf, exactWord, UNKNOWN_WORD } from './seen-word.ts';
import type { SeenWord } from './seen-word.ts';

const changeFolder: Program = ({ args, sight }) => {
  const { operands, options } = splitArgs(args);
  const [folder] = operands;
  sight.add('reads', 'it changes the folder');
  const isInside = folder?.kind === 'exact' && placeOf(folder) === 'inside';
  if (!isInside || operands.length !== 1 || options.length > 0) sight.leave();
};

/** export, declare and their like: `name=value` words. */
const declaration: Program = ({ program, args, sight }) => {
  const { options, operands } = splitArgs(args);
  if (operands.length === 0) {
    sight.add('secrets', `${program} shows every variable`);
    return;
  }
  sight.add('reads', `${program} sets variables`);
  if (options.some((option) => !/^-[grx]+$/.test(option))) {
    sight.unproven(`${program} gives a variable a meaning of its own`);
  }
  for (const word of operands) seeName(sight, word);
};

function seeName(sight: Call['sight'], word: SeenWord): void {
  const given = beginOf(word);
  const name = given.replace(/\+?=.*$/s, '');
  const isWhole = word.kind === 'exact' || given.includes('=');
  const problem = isWhole
    ? shellVariableProblem(name)
    : 'it sets a variable whose name is computed';
  if (problem !== null) sight.unproven(problem);
}

/** Builtins that put what they read into variables. */
function readsInto(valued: string): Program {
  return ({ args, sight }) => {
    sight.add('reads', 'it reads into a variable');
    for (let index = 0; index < args.length; index += 1) {
      const word = args[index] ?? UNKNOWN_WORD;
      const option = textOf(word);
      if (option?.startsWith('-') === true) {
        const last = option.at(-1) ?? '';
        if (!/^-[rsetnNpdu0]+$/.test(option) || option.length > 3) {
          sight.unproven('what it reads into cannot be told');
        }
        if (valued.includes(last)) index += 1;
      } else seeName(sight, word);
    }
  };
}

const printf: Program = ({ args, sight }) => {
  sight.add('reads', 'printf prints');
  const [first = UNKNOWN_WORD, second = UNKNOWN_WORD] = args;
  const begin = beginOf(first);
  if (first.kind !== 'exact' && !/^[^-]/.test(begin)) sight.unproven('printf may set a variable');
  if (begin.startsWith('-v')) seeName(sight, begin === '-v' ? second : exactWord(begin.slice(2)));
};

const setOptions: Program = ({ args, sight }) => {
  if (args.length === 0) sight.add('secrets', 'set shows every variable');
  sight.add('reads', 'set changes how the shell reports errors');
  const known = /^([-+][eufxvC]*o?|pipefail|errexit|nounset|xtrace|verbose|noglob|noclobber)$/;
  if (!args.every((word) => word.kind === 'exact' && known.test(word.text))) {
    sight.unproven('set changes what the script means');
  }
};

const UNARY = /^-[a-hknoprstuwxzGLNOS]$/;
const BINARY = /^(=|==|!=|<|>|-(eq|ne|lt|le|gt|ge|ef|nt|ot))$/;

/** `test -v` runs what the name of a variable says, so no word that is not known may become an operator. */
const test: Program = ({ program, args, sight }) => {
  sight.add('reads', `${program} tells whether something holds`);
  const words = program === '[' ? args.slice(0, -1) : args;
  const clauses = clausesOf(words);
  if (!clauses.every(isPlainClause)) sight.unproven(`${program} may run what a variable holds`);
};

function clausesOf(words: readonly SeenWord[]): readonly (readonly SeenWord[])[] {
  const clauses: SeenWord[][] = [[]];
  for (const word of words) {
    if (word.kind === 'exact' && (word.text === '-a' || word.text === '-o')) clauses.push([]);
    else clauses.at(-1)?.push(word);
  }
  return clauses;
}

function isPlainClause(clause: readonly SeenWord[]): boolean {
  const words = textOf(clause[0]) === '!' ? clause.slice(1) : clause;
  if (!words.every((word) => word.kind === 'exact' || (word.kind === 'unknown' && word.isOne))) {
    return false;
  }
  const [first, second] = words;
  if (words.length <= 1) return true;
  if (words.length === 2) return UNARY.test(textOf(first) ?? '');
  return words.length === 3 && BINARY.test(textOf(second) ?? '');
}

const evaluate: Program = ({ args, sight, script }) => {
  const texts = args.map(textOf);
  if (texts.every((text) => text !== null)) script(texts.join(' '));
  else sight.unproven('eval runs a text that is not known');
};

const trap: Program = ({ args, sight, script }) => {
  sight.add('reads', 'trap answers a signal');
  const text = textOf(args[0]);
  if (args.length > 0 && text === null) sight.unproven('trap runs a text that is not known');
  else if (text !== null && args.length > 1 && !['', '-', '-p', '-l'].includes(text)) script(text);
};

const find: Program = ({ args, sight, run }) => {
  sight.add('reads', 'find reads');
  for (let index = 0; index < args.length; index += 1) {
    const word = args[index] ?? UNKNOWN_WORD;
    if (word.kind !== 'exact') {
      sight.unproven('what find does depends on arguments that cannot be told');
    } else if (word.text === '-delete') {
      sight.add('destructive', 'find deletes what it finds');
    } else if (/^-(exec|execdir|ok|okdir)$/.test(word.text)) {
      const rest = args.slice(index + 1);
      const end = rest.findIndex((each) => each.text === ';' || each.text === '+');
      const words = rest.slice(0, end === -1 ? undefined : end);
      run(words.map((each) => (each.text.includes('{}') ? UNKNOWN_WORD : each)));
      index += words.length;
    } else if (/^-(fprint|fprint0|fprintf|fls)$/.test(word.text)) {
      sight.writes(args[index + 1] ?? UNKNOWN_WORD);
    } else if (word.text === '-files0-from') {
      sight.reads(args[index + 1] ?? UNKNOWN_WORD);
    }
  }
};

const xargs: Program = ({ args, sight, run }) => {
  let index = 0;
  let replaced: string | null = null;
  for (; index < args.length; index += 1) {
    const option = textOf(args[index]);
    if (option?.startsWith('-') !== true) break;
    if (/^-[nPLdsE]$/.test(option)) index += 1;
    else if (option === '-I') replaced = textOf(args[(index += 1)]);
    else if (!/^(-[0rtx]+|-[nPLs]\d+|--null|--no-run-if-empty|--verbose)$/.test(option)) {
      sight.unproven('what xargs runs cannot be told');
    }
  }
  const words = args.slice(index);
  sight.add('reads', 'xargs hands on what it reads');
  if (words.length === 0) return;
  const mark = replaced;
  run(
    mark === null
      ? [...words, UNKNOWN_WORD]
      : words.map((word) => (mark === '' || word.text.includes(mark) ? UNKNOWN_WORD : word)),
  );
};

/** `name=value` words, then a command. */
const env: Program = ({ program, args, sight, run }) => {
  let index = 0;
  for (; index < args.length; index += 1) {
    const word = args[index] ?? UNKNOWN_WORD;
    const given = beginOf(word);
    const name = /^([A-Za-z_]\w*)=/.exec(given)?.[1];
    if (name !== undefined) {
      const problem = environmentProblem(name);
      if (problem !== null) sight.unproven(problem);
    } else if (word.kind !== 'exact') {
      sight.unproven(`what ${program} runs cannot be told`);
      return;
    } else if (given === '-u' || given === '--unset') index += 1;
    else if (given.startsWith('-') && !/^(-|-i|--ignore-environment|-0|--)$/.test(given)) {
      sight.unproven(`${program} ${given} may run anything`);
    } else if (!given.startsWith('-')) break;
  }
  if (index >= args.length) sight.add('secrets', `${program} shows every variable`);
  else run(args.slice(index));
};

/** A command behind some options and `operands` of its own. */
function wrapper(plain: RegExp, valued: RegExp, operands: number): Program {
  return ({ program, args, sight, run, isFed }) => {
    let index = 0;
    for (; index < args.length; index += 1) {
      const option = textOf(args[index]);
      if (option?.startsWith('-') !== true) break;
      if (valued.test(option)) index += 1;
      else if (!plain.test(option)) sight.unproven(`what ${program} ${option} does is not known`);
    }
    const words = args.slice(index + operands);
    if (words.length > 0) run(words, isFed);
    else sight.add('reads', `${program} runs nothing`);
  };
}

const NONE = /^$/;

const command: Program = (call) => {
  const option = textOf(call.args[0]);
  if (option === '-v' || option === '-V') textOnly(call);
  else wrapper(/^(-p|--)$/, NONE, 0)(call);
};

/** What a shell is told to run. */
const shell: Program = ({ program, args, isFed, sight, script }) => {
  let index = 0;
  for (; index < args.length; index += 1) {
    const option = textOf(args[index]);
    if (option === null || !/^[-+]/.test(option)) break;
    if (/^--(norc|noprofile|posix|version|help)$/.test(option)) continue;
    if (option === '-o' || option === '+o') {
      index += 1;
      if (!/^(pipefail|errexit|nounset|xtrace)$/.test(textOf(args[index]) ?? '')) break;
    } else if (/^-[euxvn]*o?$/.test(option) && option !== '-') {
      if (option.endsWith('o')) index += 1;
    } else if (/^-[euxvo]*c$/.test(option)) {
      const at = option.includes('o') ? index + 2 : index + 1;
      const text = textOf(args[at]);
      const isPosix = ['bash', 'sh', 'dash'].includes(program);
      if (text === null || !isPosix) sight.unproven(`${program} runs a text that is not known`);
      else script(text);
      return;
    } else break;
  }
  const file = args[index];
  if (file?.kind === 'exact' && placeOf(file) === 'inside' && !/^[-+]/.test(file.text)) {
    sight.add('runs-workspace-code', `${program} runs ${file.text}`);
  } else if (file === undefined && args.length > 0 && !isFed && index === args.length) {
    const tells = args.every((word) => /^--(version|help)$/.test(word.text));
    if (tells) sight.add('reads', `${program} tells about itself`);
    else sight.unproven(`what ${program} runs cannot be told`);
  } else sight.unproven(`what ${program} runs cannot be told`);
};

const unproven: Program = ({ program, sight }) => {
  sight.unproven(`what ${program} does, or changes for what follows, cannot be told`);
};

const sudo: Program = (call) => {
  call.sight.add('privileged', `${call.program} runs something as another user`);
  wrapper(/^(-[nEHSbki]+|--)$/, /^-[ugpC]$/, 0)(call);
};

const hash: Program = ({ args, sight }) => {
  if (args.length === 0 || (args.length === 1 && textOf(args[0]) === '-r')) {
    sight.add('reads', 'hash forgets where programs are');
  } else sight.unproven('hash may give a name another meaning');
};

const unset: Program = ({ args, sight }) => {
  sight.add('reads', 'unset forgets variables');
  for (const word of args) {
    if (textOf(word) !== '-v') seeName(sight, word);
  }
};

const exec: Program = (call) => {
  if (call.args.length === 0) call.sight.add('reads', 'exec redirects');
  else wrapper(/^(-[cl]+|--)$/, /^-a$/, 0)(call);
};

const time: Program = (call) => {
  const { options } = splitArgs(call.args.slice(0, 2));
  if (hasOption(options, 'o output')) unproven(call);
  else wrapper(/^(-[pv]+|--)$/, /^-f$/, 0)(call);
};

export const SHELL_PROGRAMS: Programs = {
  ...each(
    ': true false echo pwd exit return break continue shift wait jobs times umask ulimit type dirs',
    textOnly,
  ),
  ...each('cd pushd popd', changeFolder),
  ...each('export declare typeset readonly local', declaration),
  ...each('test [', test),
  ...each('bash sh dash zsh ksh fish ash', shell),
  ...each(
    '. source alias unalias enable shopt bind complete compgen compopt fc history caller let coproc fg bg disown suspend logout',
    unproven,
  ),
  ...each('kill killall pkill', does('destructive')),
  ...each('sudo doas', sudo),
  ...each('su runuser pkexec chroot nsenter unshare setpriv capsh', does('privileged', 'unparsed')),
  ...each('watch parallel strace ltrace gdb script expect tmux screen at batch', unproven),
  printf,
  read: readsInto('tnNpdu'),
  mapfile: readsInto('ndu'),
  readarray: readsInto('ndu'),
  set: setOptions,
  unset,
  hash,
  eval: evaluate,
  trap,
  exec,
  command,
  builtin: wrapper(NONE, NONE, 0),
  time,
  env,
  'cross-env': env,
  printenv: ({ args, sight }) => {
    if (args.length === 0) sight.add('secrets', 'printenv shows every variable');
    else sight.unproven('what the variable holds may be a secret');
  },
  find,
  xargs,
  timeout: wrapper(/^(--foreground|--preserve-status|-v)$/, /^-[ks]$/, 1),
  nice: wrapper(/^-(n?-?\d+|-adjustment=-?\d+)$/, /^-n$/, 0),
  ionice: wrapper(/^-[ct]?\d?$/, /^-[cn]$/, 0),
  nohup: wrapper(NONE, NONE, 0),
  setsid: wrapper(/^-[wcf]+$/, NONE, 0),
  stdbuf: wrapper(/^-[ioe](L|\d+)$/, /^-[ioe]$/, 0),
};
