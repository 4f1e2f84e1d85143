/** Programs that read, write and remove files. */
import { placeOf } from './places.ts';
import {
  both,
  does,
  each,
  hasOption,
  reader,
  splitArgs,
  textOf,
  textOnly,
  writer,
} from './program.ts';
import type { Program, Programs } from './program.ts';
import { exactWord, UNKNOWN_WORD } from './seen-word.ts';
import type { SeenWord } from './seen-word.ts';

/** Folders and files that builds and tests make anew. */
const REGENERABLE =
  /^(dist|build|out|target|coverage|node_modules|tmp|temp|logs?|__pycache__|\.cache|\.next|\.nuxt|\.turbo|\.parcel-cache|\.pytest_cache|\.mypy_cache|\.ruff_cache|\.nyc_output|\.tox|\.venv|venv|\.types|.*\.(log|tmp|tsbuildinfo|pyc|o))$/;

const remove: Program = ({ program, args, sight }) => {
  const { options, operands, isOpen } = splitArgs(args);
  sight.add('writes-workspace', `${program} removes files`);
  if (isOpen || hasOption(options, 'no-preserve-root')) {
    sight.unproven(`what ${program} removes cannot be told`);
  }
  const isRecursive = isOpen || hasOption(options, 'r R recursive');
  for (const word of operands) {
    sight.writes(word);
    const isPlain = word.kind === 'exact' && placeOf(word) === 'inside' && /[^./]/.test(word.text);
    const last = word.text.replace(/\/+$/, '').split('/').at(-1) ?? '';
    if (!isPlain || (isRecursive && !REGENERABLE.test(last))) {
      sight.add('destructive', `${program} removes ${word.text || 'what it is given'}`);
    }
  }
};

/** Reads all operands but the last, and writes that. */
function copier(odd: string): Program {
  return ({ program, args, sight }) => {
    const { options, operands, isOpen } = splitArgs(args);
    sight.add('writes-workspace', `${program} writes files`);
    if (isOpen || hasOption(options, odd)) {
      sight.unproven(`what ${program} does depends on arguments that cannot be told`);
    }
    for (const word of operands.slice(0, -1)) sight.reads(word);
    const into = hasOption(options, 't target-directory') ? operands : operands.slice(-1);
    for (const word of into) sight.writes(word);
    const long = options.filter((option) => /^--t[a-z-]*=/.test(option));
    for (const option of long) sight.writes(exactWord(option.replace(/^[^=]*=/, '')));
  };
}

const chmod: Program = ({ program, args, sight }) => {
  const { options, operands } = splitArgs(args);
  const [mode, ...files] = operands;
  const text = textOf(mode);
  sight.add('writes-workspace', `${program} changes who may do what with files`);
  if (text === null) sight.unproven('what chmod allows cannot be told');
  else if (/s|^[0-7]*[4-7][0-7]{3}$/.test(text)) {
    sight.add('privileged', 'chmod lets a program run as another user');
  }
  if (options.some((option) => !/^-[Rvcf]+$/.test(option)) && text !== null)
    sight.writes(exactWord(text));
  for (const word of files) sight.writes(word);
};

const dd: Program = ({ args, sight }) => {
  sight.add('reads', 'dd copies bytes');
  for (const word of args) {
    const text = word.kind === 'exact' ? word.text : word.begin;
    const file: SeenWord =
      word.kind === 'exact' ? exactWord(text.slice(3)) : { ...UNKNOWN_WORD, text: word.text };
    if (text.startsWith('if=')) sight.reads(file);
    else if (text.startsWith('of=')) {
      sight.writes(file);
      if (placeOf(file) !== 'inside' && placeOf(file) !== 'device') {
        sight.add('destructive', `dd writes over ${file.text}`);
      }
    } else if (word.kind !== 'exact') sight.unproven('what dd writes cannot be told');
  }
};

/** The part of sed's language that only prints and replaces. */
const SED_ADDRESS = String.raw`(?:\d+(?:~\d+)?|\$|/(?:\\.|[^/\\\n])*/I?|\+\d+)`;
const SED_COMMAND = [
  String.raw`s([^\\\n\w\s])(?:\\.|(?!\1)[^\\\n])*\1(?:\\.|(?!\1)[^\\\n])*\1[gpiIM\d]*`,
  String.raw`y/(?:\\.|[^/\\\n])*/(?:\\.|[^/\\\n])*/`,
  String.raw`[pdqQDNGHhgxnl=](?=[\s;}]|$)`,
  String.raw`[{}]`,
].join('|');
const SED_SCRIPT = new RegExp(
  String.raw`^(?:[\s;]*(?:${SED_ADDRESS}(?:,${SED_ADDRESS})?\s*!?\s*)?(?:${SED_COMMAND}))*[\s;]*$`,
);

const sed: Program = ({ args, sight }) => {
  const rest: SeenWord[] = [];
  const scripts: SeenWord[] = [];
  let inPlace = false;
  for (let index = 0; index < args.length; index += 1) {
    const word = args[index] ?? UNKNOWN_WORD;
    const text = textOf(word);
    if (text === '-e' || text === '--expression') scripts.push(args[(index += 1)] ?? UNKNOWN_WORD);
    else if (text?.startsWith('--expression=') === true) scripts.push(exactWord(text.slice(13)));
    else if (text !== null && /^(-i|--in-place)/.test(text)) {
      inPlace = true;
      // The suffix may be a pattern with a folder in it.
      if (text.includes('/')) sight.unproven('where sed keeps the old file cannot be told');
    } else if (text !== null && /^-[nErsuz]+(i)?$/.test(text)) inPlace ||= text.endsWith('i');
    else if (text?.startsWith('-') === true && text !== '-' && text !== '--version') {
      sight.unproven(`what sed ${text} does is not known`);
    } else rest.push(word);
  }
  const files = scripts.length > 0 ? rest : rest.slice(1);
  if (scripts.length === 0 && rest[0] !== undefined) scripts.push(rest[0]);
  sight.add('reads', 'sed reads');
  for (const script of scripts) {
    const text = textOf(script);
    const isPlain = text !== null && text.length < 2_000 && SED_SCRIPT.test(text);
    if (!isPlain) sight.unproven('the script of sed may write files or run commands');
  }
  for (const word of files) {
    if (inPlace) sight.writes(word);
    else sight.reads(word);
  }
};

const awk: Program = ({ program, args, sight }) => {
  const { options, operands, isOpen } = splitArgs(args);
  sight.add('reads', `${program} reads`);
  const own = options.filter((option) => !/^-F|^-v/.test(option));
  if (isOpen || own.length > 0) sight.unproven(`what ${program} runs cannot be told`);
  const values = options.filter((option) => option === '-F' || option === '-v').length;
  const [script, ...files] = operands.slice(values);
  const text = textOf(script)?.replaceAll(/\|\||[<>]=/g, '') ?? null;
  if (text === null || /system|getline|[|>@]|ENVIRON|printf?\s*>/.test(text)) {
    sight.unproven(`the script of ${program} may write files or run commands`);
  }
  for (const word of files) if (!/^\w+=/.test(word.text)) sight.reads(word);
};

const tar: Program = ({ program, args, sight }) => {
  const { options, operands, isOpen } = splitArgs(args);
  const mode = textOf(args[0]) ?? '';
  const odd =
    'I F use-compress-program to-command checkpoint-action info-script new-volume-script rsh-command rmt-command absolute-names P';
  const letters = mode.startsWith('--') ? '' : mode.replace(/^-/, '');
  if (isOpen || hasOption(options, odd) || /[IFP]/.test(letters)) {
    sight.unproven(`${program} has options that run programs or write anywhere`);
  }
  if (operands.some(({ text }) => text.includes(':')))
    sight.unproven(`${program} may reach another machine`);
  if (/^[jJzvf]*t[jJzvf]*$/.test(letters)) {
    sight.add('reads', `${program} lists an archive`);
    for (const word of operands) sight.reads(word);
    return;
  }
  sight.add('writes-workspace', `${program} packs or unpacks files`);
  for (const word of mode.startsWith('-') ? operands : operands.slice(1)) sight.writes(word);
};

const uniq: Program = (call) => {
  reader()(call);
  const [, output] = splitArgs(call.args).operands;
  if (output !== undefined) call.sight.writes(output);
};

const jq: Program = (call) => {
  const { operands } = splitArgs(call.args);
  const [filter, ...files] = operands;
  call.sight.add('reads', 'jq reads');
  if (/(^|[^\w.])(env|\$ENV|input_filename)\b/.test(filter?.text ?? '')) {
    call.sight.add('secrets', 'jq shows variables of the environment');
  }
  for (const word of files) call.sight.reads(word);
};

const rsync: Program = ({ args, sight }) => {
  const { options, operands, isOpen } = splitArgs(args);
  sight.add('writes-workspace', 'rsync writes files');
  if (isOpen || hasOption(options, 'e rsh rsync-path M remote-option files-from')) {
    sight.unproven('rsync has options that run programs');
  }
  if (options.some((option) => /^--(del|remove)/.test(option))) {
    sight.add('destructive', 'rsync removes files');
  }
  for (const word of operands.slice(0, -1)) sight.reads(word);
  for (const word of operands.slice(-1)) sight.writes(word);
  if (operands.some(({ text }) => text.includes(':'))) {
    sight.add('network', 'rsync copies from or to another machine');
  }
};

/** Grep-like: the first operand is a pattern. */
function searcher(odd: string): Program {
  return (call) => {
    const { operands, options } = splitArgs(call.args);
    const hasPattern = hasOption(
      options.filter((option) => /^-(e|-regexp|-r)/.test(option)),
      'e regexp',
    );
    const pattern = hasPattern ? undefined : operands[0];
    reader(odd)({ ...call, args: call.args.filter((word) => word !== pattern) });
  };
}

export const FILE_PROGRAMS: Programs = {
  ...each(
    'sleep seq date basename dirname uname whoami id groups nproc arch tty logname uptime which whereis expr factor cal locale tput clear yes numfmt free df ps pgrep sw_vers lsb_release getconf tr',
    textOnly,
  ),
  date: ({ args, sight }) => {
    sight.add('reads', 'date tells the time');
    if (hasOption(splitArgs(args).options, 's set') || splitArgs(args).isOpen) {
      sight.add('privileged', 'date may set the clock');
    }
  },
  hostname: ({ args, sight }) => {
    sight.add('reads', 'hostname tells the name of the machine');
    if (args.some((word) => !/^-[a-zA-Z]$/.test(word.text))) {
      sight.add('privileged', 'hostname may set the name of the machine');
    }
  },
  ...each(
    'cat head tail wc nl tac rev cut paste join comm cmp diff md5sum sha1sum sha224sum sha256sum sha384sum sha512sum b2sum cksum sum od hexdump strings stat readlink realpath ls dir vdir du fold expand unexpand column fmt look base64 base32 cloc tokei scc exa eza lsd zcat bzcat xzcat diffstat colordiff nm size objdump readelf',
    reader(),
  ),
  ...each('grep egrep fgrep zgrep', searcher('')),
  ...each('rg ag', searcher('pre hostname-bin pager search-zip z')),
  tree: reader('o output'),
  file: reader('C compile'),
  sort: reader('o output compress-program T temporary-directory'),
  shuf: reader('o output'),
  sdiff: reader('o output diff-program'),
  ...each('fd fdfind', reader('x X exec exec-batch')),
  ...each('bat batcat', reader('pager')),
  xmllint: reader('output shell o'),
  yq: (call) => {
    const isWriting = hasOption(splitArgs(call.args).options, 'i inplace in-place s split-exp');
    (isWriting ? writer() : reader())(call);
  },
  jq,
  uniq,
  ...each('xxd', ({ ...call }) => {
    reader()(call);
    const output = splitArgs(call.args).operands.at(1);
    if (output !== undefined) call.sight.writes(output);
  }),
  sed,
  ...each('awk gawk mawk nawk', awk),
  ...each(
    'touch mkdir mkfifo tee rmdir unlink gzip gunzip bzip2 bunzip2 xz unxz zstd sponge',
    writer(),
  ),
  ...each('split csplit', writer('filter')),
  ...each('zip', writer('T TT unzip-command')),
  unzip: writer(),
  patch: both(writer('e ed'), does('writes-workspace')),
  ...each('mv ln', writer('S suffix strip-program')),
  ...each('cp install', copier('strip-program S suffix s')),
  truncate: both(writer(), does('destructive')),
  shred: both(writer(), does('destructive')),
  rm: remove,
  chmod,
  ...each('chown chgrp', both(writer(), does('privileged'))),
  dd,
  tar,
  rsync,
};
