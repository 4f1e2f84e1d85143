/** Programs that run code: of the workspace, of its packages, or of their arguments. */
import { placeOf } from './places.ts';
import {
  both,
  bySubcommand,
  code,
  does,
  each,
  hasOption,
  reader,
  splitArgs,
  textOf,
  textOnly,
  writer,
} from './program.ts';
import type { Call, Program, Programs } from './program.ts';

/** Tools that a workspace names itself, which run code or settings of it. */
const TOOLS =
  'make gmake cmake ninja meson bazel bazelisk buck2 gradle gradlew mvn mvnw ant sbt jest vitest mocha ava tap jasmine karma playwright cypress eslint prettier tsc tsgo biome stylelint oxlint rollup webpack vite esbuild parcel turbo nx rspack tsup swc babel next nuxt astro vue-tsc svelte-check storybook pytest py.test tox nox mypy ruff black isort flake8 pylint bandit pyright coverage sphinx-build mkdocs rspec rubocop rake rails phpunit phpstan psalm pest php-cs-fixer golangci-lint staticcheck just task pre-commit lint-staged tsx ts-node c8 nyc depcheck knip madge depcruise dependency-cruiser typedoc commitlint markdownlint markdownlint-cli2 cspell husky stryker sbcl mix stack cabal ctest dune lein clj swift xcodebuild buf protoc sqlfluff pgtyped prisma drizzle-kit alembic django-admin';

const install = does('network', 'writes-workspace', 'runs-workspace-code');
const publishes = does('publishes', 'network');
const asks = does('network');

const offline =
  (online: Program, local: Program): Program =>
  (call) => {
    const isOffline = call.args.some(
      (word) => word.kind === 'exact' && /^--offline$/.test(word.text),
    );
    const isGlobal = call.args.some((word) =>
      /^(-g|--global|--location=global|--prefix.*)$/.test(word.text),
    );
    if (isGlobal)
      call.sight.add('writes-outside', `${call.program} changes what the whole machine uses`);
    (isOffline ? local : online)(call);
  };

const installs = offline(install, does('writes-workspace', 'runs-workspace-code'));

function all(names: string, program: Program): Programs {
  return Object.fromEntries(names.split(' ').map((name) => [name, program]));
}

/** `run X` of a package manager: the rest is a command whose program is the workspace's own. */
const runsCommand: Program = (call) => {
  code(call);
  const { args } = call;
  const at = args.findIndex((word) => textOf(word)?.startsWith('-') !== true);
  const words = args.slice(at === -1 ? args.length : at);
  if (words.length > 0) call.run(words);
};

const npmCommands: Programs = {
  ...all(
    'test t tst run run-script rum start stop restart rebuild build dev lint typecheck check format',
    code,
  ),
  ...all(
    'install i add ci clean-install install-test it update up upgrade remove rm uninstall un dedupe link ln prune',
    installs,
  ),
  ...all('ls list ll la explain why root prefix bin fund query help pkg-get', textOnly),
  ...all('outdated view info show search audit ping doctor whoami', asks),
  ...all(
    'publish unpublish deprecate dist-tag owner access team org login adduser logout token profile hook star',
    publishes,
  ),
  ...all('version pack', both(code, does('writes-workspace'))),
  pkg: bySubcommand({ get: textOnly, ...all('set delete fix', does('writes-workspace')) }),
  config: bySubcommand({
    ...all('get list ls', textOnly),
    ...all('set delete edit', does('writes-outside')),
  }),
  cache: bySubcommand({ ...all('verify ls', textOnly), clean: does('writes-outside') }),
  ...all('exec x dlx', (call) => npx(call)),
};

/** Options that come before the subcommand and change nothing of what it is. */
const QUIET =
  /^(--silent|-s|-q|--quiet|--workspaces|-ws|-w|-r|--recursive|--if-present|--no-color|--color)$/;

function manager(commands: Programs, bare: Program | null): Program {
  const choose = bySubcommand(commands, bare);
  return (call) => {
    let index = 0;
    while (QUIET.test(textOf(call.args[index]) ?? '')) {
      index += textOf(call.args[index]) === '-w' ? 2 : 1;
    }
    choose({ ...call, args: call.args.slice(index) });
  };
}

const KNOWN_TOOLS: ReadonlySet<string> = new Set(TOOLS.split(' '));

/** Runs a program of the workspace's packages; one that is not there is fetched. */
const npx: Program = (call) => {
  const { args, sight } = call;
  const isLocal = args.some((word) => /^--(no|no-install|offline)$/.test(word.text));
  const at = args.findIndex((word) => textOf(word)?.startsWith('-') !== true);
  const [tool, ...rest] = args.slice(at === -1 ? args.length : at);
  const options = args.slice(0, at === -1 ? args.length : at).map(({ text }) => text);
  const name = textOf(tool);
  if (
    options.some(
      (option) =>
        /^(-c|--call|-p|--package|--)/.test(option) &&
        !/^--(no|no-install|offline|yes)?$/.test(option),
    )
  ) {
    sight.unproven(`${call.program} runs what its options say`);
  }
  sight.add('runs-workspace-code', `${call.program} runs a program of the workspace's packages`);
  if (name === null) {
    sight.unproven(`what ${call.program} runs cannot be told`);
  } else if (!KNOWN_TOOLS.has(name) || options.some((option) => /^(-y|--yes)$/.test(option))) {
    if (!isLocal) sight.add('network', `${call.program} ${name} may fetch a package and run it`);
  }
  if (tool !== undefined) call.run([tool, ...rest]);
};

/** Scripts of the workspace run; texts that are programs, and anything from standard input, are unproven. */
function interpreter(inline: RegExp, plain: RegExp, modules: Program | null = null): Program {
  return (call) => {
    const { program, args, sight } = call;
    let saidTest = false;
    for (let index = 0; index < args.length; index += 1) {
      const word = args[index];
      const text = textOf(word);
      if (word === undefined || text === null || text === '-' || inline.test(text)) {
        sight.unproven(`${program} runs a text that nobody has looked at`);
        return;
      }
      if (modules !== null && text === '-m') {
        modules({ ...call, args: args.slice(index + 1) });
        return;
      }
      if (!text.startsWith('-')) {
        if (placeOf(word) !== 'inside')
          sight.unproven(`${program} runs ${text}, outside of the workspace`);
        else sight.add('runs-workspace-code', `${program} runs ${text}`);
        code({ ...call, args: args.slice(index + 1) });
        return;
      }
      if (/^--(test|run)\b/.test(text)) saidTest = true;
      else if (/^(-v|-V|--version|-h|--help)$/.test(text) && args.length === 1) {
        sight.add('reads', `${program} tells about itself`);
        return;
      } else if (!plain.test(text)) sight.unproven(`what ${program} ${text} does is not known`);
    }
    if (saidTest) sight.add('runs-workspace-code', `${program} runs the tests`);
    else sight.unproven(`${program} runs what it is given on its standard input`);
  };
}

const NODE_PLAIN =
  /^--(test.*|run(=.*)?|watch|no-warnings|enable-source-maps|experimental-[\w=-]+|check|trace-warnings|disable-warning=.*|max-old-space-size=\d+|conditions=.*|unhandled-rejections=\w+|import=\.\/.*|require=\.\/.*)$|^-c$/;

const pythonModules: Program = (call) => {
  const [module, ...args] = call.args;
  const name = textOf(module) ?? '';
  const next = { ...call, args, program: name };
  if (name === 'pip') pip(next);
  else if (KNOWN_TOOLS.has(name) || /^(unittest|compileall|doctest|build)$/.test(name)) code(next);
  else if (/^(json\.tool|py_compile|site|sysconfig|platform|timeit|this)$/.test(name)) {
    call.sight.unproven(`python -m ${name} may write files or run code`);
  } else if (name === 'venv') writer()(next);
  else if (name === 'twine') publishes(next);
  else call.sight.unproven(`what python -m ${name} does is not known`);
};

const pip = bySubcommand({
  ...all('list show freeze check debug', textOnly),
  ...all('install download wheel', both(installs, does('network', 'runs-workspace-code'))),
  uninstall: does('writes-outside', 'destructive'),
});

const cargo = bySubcommand({
  ...all(
    'build b test t run r check c clippy fmt doc d bench nextest miri fix expand llvm-cov tarpaulin',
    code,
  ),
  clean: does('writes-workspace'),
  ...all('tree metadata pkgid locate-project', textOnly),
  ...all(
    'add update fetch search info audit outdated generate-lockfile vendor',
    both(asks, does('writes-workspace')),
  ),
  remove: does('writes-workspace'),
  ...all('new init', writer()),
  install: does('network', 'writes-outside', 'runs-workspace-code'),
  uninstall: does('writes-outside'),
  ...all('publish yank login logout owner', publishes),
});

const goRun: Program = (call) => {
  const { options, isOpen } = splitArgs(call.args);
  code(call);
  if (isOpen || options.some((option) => /^--?(exec|toolexec|o|vettool|overlay)\b/.test(option))) {
    call.sight.unproven('go has options that run programs or write anywhere');
  }
  if (splitArgs(call.args).operands.some(({ text }) => text.includes('@'))) asks(call);
};

const go = bySubcommand({
  ...all('build test vet run generate fmt fix tool', goRun),
  ...all('list doc version', code),
  env: (call) => {
    const isChanging = call.args.some(({ text }) => /^-(w|u)$/.test(text));
    (isChanging ? does('writes-outside') : textOnly)(call);
  },
  mod: bySubcommand({
    ...all('tidy download', both(asks, does('writes-workspace'))),
    ...all('verify graph why', textOnly),
    ...all('edit init vendor', does('writes-workspace')),
  }),
  get: install,
  install: does('network', 'writes-outside', 'runs-workspace-code'),
  clean: does('writes-outside'),
  work: does('writes-workspace'),
});

const python = interpreter(/^-c/, /^-[uBEsIOqWx]+$|^-W.*$/, pythonModules);

const formatter: Program = (call) => {
  const isWriting = hasOption(splitArgs(call.args).options, 'w i write in-place');
  (isWriting ? writer() : reader())(call);
};

export const CODE_PROGRAMS: Programs = {
  ...each(TOOLS, code),
  ...each(
    'semantic-release release-it np lerna changeset standard-version goreleaser',
    (call: Call) => {
      const words = call.args.map(({ text }) => text);
      if (words[0] === 'version' || words[0] === 'status' || words.includes('--dry-run'))
        code(call);
      else both(code, publishes)(call);
    },
  ),
  ...each('gofmt goimports shfmt rustfmt clang-format', formatter),
  ...each('shellcheck hadolint yamllint actionlint', reader()),
  npm: manager(npmCommands, null),
  pnpm: manager({ ...npmCommands, exec: runsCommand }, null),
  yarn: manager(
    { ...npmCommands, exec: runsCommand, workspaces: code, workspace: code, npm: publishes },
    installs,
  ),
  bun: manager({ ...npmCommands, x: npx, create: install }, null),
  ...each('npx bunx pnpx', npx),
  ...each('node nodejs', interpreter(/^(-[epi]|--eval|--print|--interactive)/, NODE_PLAIN)),
  deno: bySubcommand({
    ...all('test check lint fmt task bench', code),
    run: both(code, ({ args, sight }) => {
      if (args.some(({ text }) => /^-A|^--allow-all|:\/\//.test(text)))
        sight.unproven('deno runs with every right, or from elsewhere');
    }),
    publish: publishes,
  }),
  ...each('python python3', python),
  ...each('ruby', interpreter(/^-[enlpi]/, /^-[wW]\S*$|^-I(lib|test|spec)$/)),
  ...each('php', interpreter(/^-[rBRaE]/, /^-l$/)),
  ...each('perl', interpreter(/^-\w*[eEnpi]/, /^-[wTtc]+$/)),
  ...each('lua luajit Rscript julia elixir', interpreter(/^-e|^--eval/, NODE_PLAIN)),
  java: interpreter(/^@/, /^-(ea|Xmx\w+|Xms\w+)$/),
  ...each('javac gcc g++ clang clang++ cc c++ rustc ghc', code),
  ...each('pip pip3', pip),
  pipx: install,
  uvx: install,
  poetry: bySubcommand({
    run: runsCommand,
    ...all('install add update lock remove sync', install),
    ...all('build check', code),
    ...all('show env version', textOnly),
    publish: publishes,
  }),
  uv: bySubcommand({
    run: runsCommand,
    ...all('sync add lock remove venv', install),
    pip: pip,
    ...all('tree version', textOnly),
    build: code,
    publish: publishes,
  }),
  pipenv: bySubcommand({
    run: runsCommand,
    ...all('install sync lock update', install),
    graph: textOnly,
  }),
  gem: bySubcommand({
    ...all('list which contents environment', textOnly),
    install,
    ...all('push yank owner signin', publishes),
    build: code,
  }),
  bundle: bySubcommand(
    {
      exec: runsCommand,
      ...all('install update add', install),
      ...all('list show check info', textOnly),
    },
    install,
  ),
  composer: bySubcommand({
    ...all('install update require remove', install),
    ...all('show validate outdated licenses', textOnly),
    ...all('run run-script test exec dump-autoload', code),
  }),
  cargo,
  rustup: does('network', 'writes-outside'),
  go,
  dotnet: bySubcommand({
    ...all('build test run format clean publish pack', code),
    restore: install,
    add: install,
    nuget: bySubcommand({ push: publishes, delete: publishes, list: textOnly }),
  }),
};
