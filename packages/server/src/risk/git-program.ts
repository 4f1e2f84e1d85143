/** git, by its subcommands. */
import { both, does, hasOption, splitArgs, textOf } from './program.ts';
import type { Call, Program, Programs } from './program.ts';
import { placeOf } from './places.ts';

/** Options by which reading subcommands write files or start programs. */
const ODD = 'output ext-diff textconv open-files-in-pager O paginate';

const reads: Program = ({ program, args, sight }) => {
  const { options } = splitArgs(args);
  sight.add('reads', `${program} reads`);
  if (
    hasOption(
      options.filter((option) => /^(--[oetp]|-O)/.test(option)),
      ODD,
    )
  ) {
    sight.unproven(`${program} has options that write files or start programs`);
  }
  for (const word of args) {
    if (word.kind !== 'exact' && !word.text.startsWith('"') && !/^[\w./]/.test(word.begin)) {
      sight.unproven(`what ${program} does depends on arguments that cannot be told`);
    }
  }
};

/** Changes history or index; its hooks are the clone's own. */
const changes: Program = ({ program, args, sight }) => {
  const { options, isOpen } = splitArgs(args);
  sight.add('writes-workspace', `${program} changes the workspace or its history`);
  if (
    isOpen ||
    hasOption(
      options.filter((option) => /^--?(e|x)/.test(option)),
      'exec x',
    )
  ) {
    sight.unproven(`what ${program} does depends on arguments that cannot be told`);
  }
};

const destroys = both(changes, does('destructive'));

function when(names: string, then: Program, otherwise: Program): Program {
  return (call) => {
    const { options, isOpen } = splitArgs(call.args);
    if (isOpen) call.sight.unproven(`what ${call.program} does cannot be told`);
    (hasOption(options, names) ? then : otherwise)(call);
  };
}

/** Lists without operands, changes with some. */
function listing(removing: string, listingOptions = ''): Program {
  return (call) => {
    const { options, operands } = splitArgs(call.args);
    if (hasOption(options, removing)) destroys(call);
    else if (operands.length === 0) reads(call);
    else if (listingOptions !== '' && hasOption(options, listingOptions)) reads(call);
    else changes(call);
  };
}

const checkout: Program = (call) => {
  const { options, operands } = splitArgs(call.args);
  const isNew = options.includes('-b') || options.includes('--orphan');
  const [first] = operands;
  const isBranch = operands.length === 1 && /^[\w-]+$/.test(textOf(first) ?? '.');
  const isForced =
    hasOption(options, 'f force B p patch ours theirs') ||
    call.args.some(({ text }) => text === '--');
  if ((isNew || isBranch) && !isForced) changes(call);
  else destroys(call);
};

const config: Program = (call) => {
  const { options, operands } = splitArgs(call.args);
  const texts = operands.map((word) => word.text);
  const isReading = options.some((option) => /^(--get(-all|-regexp)?|--list|-l)$/.test(option));
  if (hasOption(options, 'file f blob')) call.sight.unproven('git config names another file');
  if (options.some((option) => /^--(g|sy|w)/.test(option))) {
    call.sight.add(
      isReading ? 'reads' : 'writes-outside',
      'git config, for more than this repository',
    );
  }
  if (isReading || texts.length <= 1 || texts[0] === 'get' || texts[0] === 'list') reads(call);
  else if (
    /^(user\.(name|email)|core\.autocrlf|init\.defaultbranch|pull\.rebase|push\.default)$/i.test(
      texts[0] ?? '',
    )
  ) {
    changes(call);
  } else call.sight.unproven('settings of git may start programs');
};

const network = both(does('network'), ({ program, args, sight }) => {
  const { options, operands, isOpen } = splitArgs(args);
  const isOdd = operands.some((word) => word.kind !== 'exact' || /::|^-/.test(word.text));
  if (isOpen || isOdd || hasOption(options, 'u upload-pack receive-pack exec c config template')) {
    sight.unproven(`${program} may start programs`);
  }
});

const clone: Program = (call) => {
  network(call);
  changes(call);
  const { operands } = splitArgs(call.args);
  const [, folder] = operands;
  if (folder !== undefined) call.sight.writes(folder);
};

const push: Program = (call) => {
  const { options, operands } = splitArgs(call.args);
  if (
    hasOption(options, 'n dry-run') &&
    !options.some((option) => /^-[^-]/.test(option) && option !== '-n')
  ) {
    call.sight.add('network', 'git push asks the server what would happen');
    return;
  }
  call.sight.add('publishes', 'git push sends commits to others');
  call.sight.add('network', 'git push uses the network');
  const isForced = hasOption(options, 'f d force force-with-lease delete mirror prune');
  if (isForced || operands.some(({ text }) => /^[+:]/.test(text))) {
    call.sight.add('destructive', 'git push removes or replaces what others have');
  }
  if (
    hasOption(
      options.filter((option) => /^--[re]/.test(option)),
      'receive-pack exec',
    ) ||
    operands.some(({ text }) => text.includes('::'))
  ) {
    call.sight.unproven('git push may start programs');
  }
};

/** A subcommand of a subcommand: `stash pop`. */
function nested(table: Readonly<Record<string, Program>>, bare: Program): Program {
  return (call) => {
    const [first, ...rest] = call.args;
    const name = textOf(first);
    if (name === null || name.startsWith('-')) bare(call);
    else if (Object.hasOwn(table, name)) {
      table[name]?.({ ...call, program: `${call.program} ${name}`, args: rest });
    } else call.sight.unproven(`what ${call.program} ${name} does is not known`);
  };
}

function all(names: string, program: Program): Programs {
  return Object.fromEntries(names.split(' ').map((name) => [name, program]));
}

const SUBCOMMANDS: Programs = {
  ...all(
    'status log show diff blame annotate rev-parse ls-files ls-tree cat-file describe shortlog rev-list name-rev merge-base grep whatchanged count-objects check-ignore check-attr for-each-ref diff-tree diff-index diff-files show-ref show-branch cherry range-diff fsck verify-commit verify-tag version help var merge-tree patch-id stripspace',
    reads,
  ),
  ...all('add mv merge cherry-pick revert init am notes rebase write-tree commit-tree', changes),
  commit: both(changes, does('runs-workspace-code')),
  branch: listing(
    'd D delete f force M C',
    'list contains merged no-merged a r v all remotes points-at',
  ),
  tag: listing('d delete f force', 'l list contains n points-at'),
  rm: when('f r force', destroys, changes),
  checkout,
  switch: when('f C force discard-changes force-create', destroys, changes),
  restore: when('S staged', when('W worktree', destroys, changes), destroys),
  reset: when('hard merge keep', destroys, changes),
  clean: when('n dry-run', reads, destroys),
  apply: when('check stat numstat summary', reads, changes),
  stash: nested(
    {
      ...all('list show', reads),
      ...all('push save pop apply branch', changes),
      ...all('drop clear', destroys),
    },
    changes,
  ),
  worktree: nested(
    {
      list: reads,
      add: both(changes, writesFirst),
      ...all('remove prune', destroys),
      ...all('lock unlock', changes),
    },
    reads,
  ),
  remote: nested(
    {
      ...all('-v get-url', reads),
      ...all('add rename set-url remove rm set-head', changes),
      ...all('update show prune', network),
    },
    reads,
  ),
  reflog: nested({ show: reads, exists: reads, ...all('expire delete', destroys) }, reads),
  submodule: nested(
    {
      ...all('status summary', reads),
      ...all('init sync', changes),
      ...all('update add', both(network, does('runs-workspace-code'))),
      foreach: ({ sight }) => sight.unproven('git submodule foreach runs commands'),
      deinit: destroys,
    },
    reads,
  ),
  bisect: nested(
    { ...all('start good bad reset skip log', changes), run: ({ args, run }) => run(args) },
    changes,
  ),
  'symbolic-ref': listing('d delete'),
  'update-ref': destroys,
  'update-index': changes,
  'read-tree': destroys,
  gc: destroys,
  prune: destroys,
  repack: changes,
  archive: when(
    'o output remote exec',
    ({ sight }) => sight.unproven('git archive writes a file, or asks another machine'),
    reads,
  ),
  bundle: ({ sight }) => sight.unproven('git bundle writes a file'),
  'format-patch': when(
    'o output-directory',
    ({ sight }) => sight.unproven('where git format-patch writes is not told'),
    changes,
  ),
  config,
  fetch: network,
  pull: both(network, changes),
  'ls-remote': network,
  clone,
  push,
  'send-email': does('publishes', 'network'),
  'filter-branch': both(destroys, ({ sight }) => sight.unproven('git filter-branch runs commands')),
  'filter-repo': destroys,
  lfs: nested(
    {
      ...all('ls-files status env', reads),
      ...all('pull fetch', network),
      push,
      ...all('track untrack', changes),
      prune: destroys,
    },
    reads,
  ),
};

function writesFirst({ args, sight }: Call): void {
  const [folder] = splitArgs(args).operands;
  if (folder !== undefined) sight.writes(folder);
}

export const git: Program = (call) => {
  const { args, sight } = call;
  let index = 0;
  for (; index < args.length; index += 1) {
    const option = textOf(args[index]);
    if (option?.startsWith('-') !== true) break;
    if (option === '-C') {
      const folder = args[(index += 1)];
      if (folder === undefined || placeOf(folder) !== 'inside') sight.leave();
    } else if (
      !/^(--no-pager|--literal-pathspecs|--no-optional-locks|--version|--help|-v|-h)$/.test(option)
    ) {
      sight.unproven(`git ${option} changes what git does`);
    }
  }
  const name = textOf(args[index]);
  if (index >= args.length) sight.add('reads', 'git tells about itself');
  else if (name === null || !Object.hasOwn(SUBCOMMANDS, name)) {
    sight.unproven(`what git ${args[index]?.text ?? ''} does is not known: it may be an alias`);
  } else SUBCOMMANDS[name]?.({ ...call, program: `git ${name}`, args: args.slice(index + 1) });
};
