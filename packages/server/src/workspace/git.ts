/**
 * Runs git so that nothing a repository brings along is run with it: an environment of its own, no configuration but
 * the repository's (and what could run a program is overridden there), no hooks, no network, no prompts.
 * Every exit code is looked at. A git process dies with the process that started it, so that after a crash no old one
 * works beside the new.
 */
import { spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import { ok } from '@ccdash/core';
import type { Failure, Result } from '@ccdash/core';
import { DISK_FULL_HINT, refuse, systemErrorToFailure } from './workspace-failure.ts';

export interface GitOptions {
  readonly stdin?: string | Buffer;
  /** Output beyond it is cut off and git is stopped; 256 MiB unless stated, where more is a Failure. */
  readonly cutAtBytes?: number;
  /** Exit codes other than 0 that are answers. */
  readonly accept?: readonly number[];
  /** Configuration for this call, on top of everything else. */
  readonly config?: readonly ConfigEntry[];
  /** Variables of git's own, for this call. */
  readonly env?: Readonly<Record<string, string>>;
  /**
   * In the environment of whoever runs this process, with their own configuration, for what they ask for in their own
   * checkout: their filters apply, hooks do not.
   */
  readonly asUser?: boolean;
}

export interface GitOutput {
  readonly code: number;
  readonly stdout: Buffer;
  readonly isCut: boolean;
}

export type ConfigEntry = readonly [key: string, value: string];

export interface Git {
  /** Errors: Failure `program_missing`, `disk_full`, `git_failed`, `git_timed_out`, `too_large`. */
  run(args: readonly string[], options?: GitOptions): Promise<Result<GitOutput, Failure>>;
}

/** What a repository's own configuration could run, or change about what a command does. */
const HARDENED: readonly ConfigEntry[] = [
  ['core.hooksPath', '/dev/null'],
  ['core.fsmonitor', 'false'],
  ['core.untrackedCache', 'false'],
  ['core.splitIndex', 'false'],
  ['core.pager', 'cat'],
  ['core.askPass', ''],
  ['core.sshCommand', 'false'],
  ['core.alternateRefsCommand', 'false'],
  ['credential.helper', ''],
  ['diff.external', ''],
  ['diff.ignoreSubmodules', 'all'],
  ['status.submoduleSummary', 'false'],
  ['submodule.recurse', 'false'],
  ['protocol.allow', 'never'],
  ['gc.auto', '0'],
  ['maintenance.auto', 'false'],
];

/** What a call as the user has even so: no hook runs, nothing asks. */
const USERS: readonly ConfigEntry[] = [
  ['core.hooksPath', '/dev/null'],
  ['core.fsmonitor', 'false'],
  ['credential.helper', ''],
];

/** For the repositories we make: files as they are, byte for byte, and objects on the disk before a command ends. */
export const BYTE_EXACT: readonly ConfigEntry[] = [
  ['core.autocrlf', 'false'],
  ['core.safecrlf', 'false'],
  ['core.symlinks', 'true'],
  ['core.fileMode', 'true'],
  ['core.ignoreCase', 'false'],
  ['core.precomposeUnicode', 'false'],
  ['core.protectNTFS', 'false'],
  ['core.protectHFS', 'false'],
  ['core.trustctime', 'true'],
  ['core.checkStat', 'default'],
  ['core.logAllRefUpdates', 'false'],
  ['core.bigFileThreshold', '8m'],
  ['core.looseCompression', '1'],
  ['core.fsync', 'committed,reference'],
  ['core.fsyncMethod', 'batch'],
];

const ENVIRONMENT: Readonly<Record<string, string>> = {
  PATH: '/usr/bin:/bin',
  HOME: '/nonexistent',
  LC_ALL: 'C',
  TZ: 'UTC',
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_ATTR_NOSYSTEM: '1',
  GIT_OPTIONAL_LOCKS: '0',
  GIT_TERMINAL_PROMPT: '0',
  GIT_NO_LAZY_FETCH: '1',
  GIT_NO_REPLACE_OBJECTS: '1',
  // Outranks protocol.<name>.allow of a repository, which protocol.allow does not.
  GIT_ALLOW_PROTOCOL: 'none',
  GIT_DEFAULT_REF_FORMAT: 'files',
  GIT_AUTHOR_NAME: 'CCDash',
  GIT_AUTHOR_EMAIL: 'ccdash@localhost',
  GIT_COMMITTER_NAME: 'CCDash',
  GIT_COMMITTER_EMAIL: 'ccdash@localhost',
};

const MAX_OUTPUT_BYTES = 256 * 1024 * 1024;
const MAX_STDERR_BYTES = 64 * 1024;
/** Only something stuck takes this long: a checkpoint of 20,000 files takes less than a second. */
const TIMEOUT_MS = 30 * 60 * 1000;

/** `program`: absolute path of git; looked up in the PATH of this process when it is not given. */
export function createGit(program: string | null): Git {
  const git = program ?? findProgram('git');
  const setpriv = process.platform === 'linux' ? findProgram('setpriv') : null;
  let checked: Promise<Result<void, Failure>> | null = null;
  const spawnGit = (
    args: readonly string[],
    options: GitOptions = {},
  ): Promise<Result<GitOutput, Failure>> => {
    if (git === null) return Promise.resolve(programMissing('git was not found in PATH.'));
    const command = setpriv ?? git;
    const prefix = setpriv === null ? [] : ['--pdeathsig', 'KILL', '--', git];
    return execute(command, [...prefix, '--no-pager', ...args], git, options);
  };
  return {
    async run(args, options) {
      checked ??= checkVersion(spawnGit);
      const usable = await checked;
      return usable.ok ? spawnGit(args, options) : usable;
    },
  };
}

/** The output as text, without the newline at its end. */
export function outputText(output: GitOutput): string {
  return output.stdout.toString('utf8').replace(/\n$/, '');
}

function programMissing(message: string): Result<never, Failure> {
  return refuse('program_missing', message, 'Install git 2.38 or newer and start again.');
}

function findProgram(name: string): string | null {
  for (const folder of (process.env['PATH'] ?? '').split(':')) {
    // A relative entry would take the program from whatever folder this process happens to be in.
    if (isAbsolute(folder) && isExecutable(join(folder, name))) return join(folder, name);
  }
  return null;
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch (error) {
    if (systemErrorToFailure(error) === null) throw error;
    return false;
  }
}

/** 2.36 can sync refs and objects in a batch, 2.38 can merge without a work tree. */
async function checkVersion(
  run: (args: readonly string[]) => Promise<Result<GitOutput, Failure>>,
): Promise<Result<void, Failure>> {
  const answer = await run(['version']);
  if (!answer.ok) return answer;
  const text = outputText(answer.value);
  const [major = 0, minor = 0] = (/(\d+)\.(\d+)/.exec(text) ?? []).slice(1).map(Number);
  if (major > 2 || (major === 2 && minor >= 38)) return ok(undefined);
  return programMissing(`${text} is too old.`);
}

function environmentFor(options: GitOptions): Readonly<Record<string, string>> {
  const { config = [], asUser = false, env } = options;
  return { ...environmentWith([...(asUser ? USERS : HARDENED), ...config], asUser), ...env };
}

function environmentWith(config: readonly ConfigEntry[], asUser: boolean): Record<string, string> {
  const env: Record<string, string> = {
    ...(asUser ? environmentOfUser() : ENVIRONMENT),
    GIT_CONFIG_COUNT: String(config.length),
  };
  config.forEach(([key, value], i) => {
    env[`GIT_CONFIG_KEY_${i}`] = key;
    env[`GIT_CONFIG_VALUE_${i}`] = value;
  });
  return env;
}

/** What this process was started with, but for what would lead git to another repository. */
function environmentOfUser(): Record<string, string> {
  const entries = Object.entries(process.env).filter(([name]) => !name.startsWith('GIT_'));
  const own = Object.fromEntries(entries) as Record<string, string>;
  return { ...own, LC_ALL: 'C', GIT_TERMINAL_PROMPT: '0', GIT_OPTIONAL_LOCKS: '0' };
}

function execute(
  command: string,
  args: readonly string[],
  git: string,
  options: GitOptions,
): Promise<Result<GitOutput, Failure>> {
  const limit = options.cutAtBytes ?? MAX_OUTPUT_BYTES;
  const accepted = [0, ...(options.accept ?? [])];
  // In the root folder, so that a relative path in a configuration leads nowhere.
  const child = spawn(command, args, {
    cwd: '/',
    env: environmentFor(options),
    stdio: ['pipe', 'pipe', 'pipe'],
    timeout: TIMEOUT_MS,
    killSignal: 'SIGKILL',
  });
  const chunks: Buffer[] = [];
  let length = 0;
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => {
    chunks.push(chunk);
    length += chunk.length;
    if (length > limit) child.kill('SIGKILL');
  });
  child.stderr.setEncoding('utf8');
  child.stderr.on('data', (text: string) => {
    stderr = (stderr + text).slice(-MAX_STDERR_BYTES);
  });
  // A git that ends before it has read everything says why by its exit code.
  child.stdin.on('error', (error) => {
    stderr += `stdin: ${error.message}\n`;
  });
  const ended = new Promise<Result<GitOutput, Failure>>((resolve) => {
    child.on('error', (error) => {
      if (child.pid === undefined) {
        resolve(programMissing(`${git} cannot be run: ${error.message}`));
      }
    });
    child.on('close', (code, signal) => resolve(toResult(code, signal)));
  });
  child.stdin.end(options.stdin ?? '');
  return ended;

  function toResult(code: number | null, signal: string | null): Result<GitOutput, Failure> {
    const stdout = Buffer.concat(chunks);
    const isCut = stdout.length > limit;
    if (isCut && options.cutAtBytes !== undefined) {
      return ok({ code: 0, stdout: stdout.subarray(0, limit), isCut });
    }
    if (isCut) {
      const message = `git ${nameOf(args)} printed more than ${limit} bytes.`;
      return refuse('too_large', message, 'Look at a smaller part.');
    }
    if (code !== null && accepted.includes(code)) return ok({ code, stdout, isCut });
    return failed(args, code, signal, stderr);
  }
}

function failed(
  args: readonly string[],
  code: number | null,
  signal: string | null,
  stderr: string,
): Result<never, Failure> {
  const said = stderr.trim().split('\n').slice(-3).join(' ');
  if (/No space left on device|Disk quota exceeded/.test(stderr)) {
    return refuse('disk_full', said, DISK_FULL_HINT);
  }
  if (/^setpriv: /m.test(stderr)) return programMissing(`git cannot be run (${said}).`);
  const name = nameOf(args);
  if (signal === 'SIGKILL') {
    const message = `git ${name} was stopped: it took too long, or something killed it.`;
    return refuse('git_timed_out', message, 'Try again; look at the load of the machine.');
  }
  const how = code === null ? `ended by ${String(signal)}` : `ended with exit code ${code}`;
  const message = `git ${name} ${how}: ${said === '' ? 'it gave no reason' : said}`;
  return refuse(
    'git_failed',
    message,
    'The message is of git itself; try again once it is dealt with.',
  );
}

/** The subcommand, for messages. */
function nameOf(args: readonly string[]): string {
  const rest = args.slice(args.indexOf('--no-pager') + 1);
  return rest.find((arg, i) => !arg.startsWith('-') && rest[i - 1] !== '-C') ?? '';
}
