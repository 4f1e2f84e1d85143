/** What a sandboxed program sees of the machine: the system read-only, its workspace, and what is named. Nothing else. */
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readlinkSync,
  realpathSync,
  writeFileSync,
} from 'node:fs';
import { delimiter, dirname, isAbsolute, join, relative, sep } from 'node:path';

import { err, ok } from '@ccdash/core';
import type { Failure, Result, SandboxSpec } from '@ccdash/core';
import { privatePathsIn } from './hidden-files.ts';
import { writeMountsOf } from './write-mounts.ts';

/** Where our own things are inside. */
export const INSIDE_DIR = '/run/ccdash';
export const INSIDE_HOME = '/tmp/home';

/**
 * Settings of the whole machine that their files' mode gives to whoever runs as root, without any capability: a server in a
 * container often does. Bubblewrap covers others by itself, but not these.
 */
const MACHINE_SETTINGS = ['/proc/sys', '/proc/fs', '/proc/mtrr'];
const SYSTEM_FOLDERS = ['/usr', '/opt'];
/** Links into /usr on most systems, folders on others. */
const SYSTEM_LINKS = ['/bin', '/sbin', '/lib', '/lib32', '/lib64', '/libx32'];

export interface MachineView {
  /** PATH of the server: folders on it outside the system's are mounted read-only. */
  readonly path: string;
  /** The Node that runs this process. */
  readonly nodeProgram: string;
  /** Never visible, nor any folder around them: the user's home, the state folder. */
  readonly hiddenPaths: readonly string[];
}

/** Mounts that every sandbox of this machine has. */
export function systemArgs(machine: MachineView): readonly string[] {
  const args: string[] = ['--proc', '/proc', '--dev', '/dev'];
  for (const path of MACHINE_SETTINGS) args.push('--ro-bind-try', path, path);
  for (const folder of ['/tmp', '/var/tmp', '/run'])
    args.push('--perms', '1777', '--tmpfs', folder);
  args.push('--dir', INSIDE_HOME, '--dir', INSIDE_DIR);
  for (const folder of SYSTEM_FOLDERS) {
    if (existsSync(folder)) args.push('--ro-bind', folder, folder);
  }
  for (const path of SYSTEM_LINKS) {
    const stats = lstatSync(path, { throwIfNoEntry: false });
    if (stats?.isSymbolicLink() === true) args.push('--symlink', readlinkSync(path), path);
    else if (stats !== undefined) args.push('--ro-bind', path, path);
  }
  args.push('--ro-bind', '/etc', '/etc');
  const hidden = privatePathsIn('/etc');
  for (const file of hidden.files) args.push('--ro-bind', '/dev/null', file);
  for (const folder of hidden.folders) args.push('--tmpfs', folder, '--remount-ro', folder);
  for (const path of programPaths(machine)) args.push('--ro-bind-try', path, path);
  return args;
}

/** Programs outside the system's folders: those on PATH, and this process's Node with what belongs to it. */
function programPaths(machine: MachineView): readonly string[] {
  const node = realpathSync(machine.nodeProgram);
  const prefix = dirname(dirname(node));
  const wanted = [
    isAround(prefix, machine.hiddenPaths) ? node : prefix,
    ...machine.path.split(delimiter).filter((folder) => isAbsolute(folder)),
  ];
  const system = [...SYSTEM_FOLDERS, ...SYSTEM_LINKS, '/etc'];
  return [...new Set(wanted)].filter(
    (path) =>
      existsSync(path) &&
      !system.some((folder) => isWithin(path, folder)) &&
      !isAround(path, machine.hiddenPaths),
  );
}

/** Mounts of one attempt. Errors: Failure `unsafe_path`. */
export function attemptArgs(
  spec: SandboxSpec,
  workspace: string,
  writePaths: readonly string[],
  hiddenPaths: readonly string[],
): Result<readonly string[], Failure> {
  const args: string[] = [];
  for (const path of spec.readPaths) {
    if (!isAbsolute(path) || isAround(path, hiddenPaths)) return err(openedTooWide(path));
    args.push('--ro-bind-try', path, path);
  }
  args.push('--ro-bind', workspace, workspace);
  if (spec.write.length > 0) {
    const mounts = writeMountsOf(workspace, spec.write);
    if (!mounts.ok) return mounts;
    const real = realpathSync(workspace);
    for (const folder of mounts.value) {
      args.push('--bind', folder, join(workspace, relative(real, folder)));
    }
    args.push(...gitArgs(workspace));
  }
  for (const path of writePaths) args.push('--bind', path, path);
  return ok(args);
}

/** The clone's own repository: commits are possible, but nothing that would make git run a program elsewhere. */
function gitArgs(workspace: string): readonly string[] {
  const git = join(workspace, '.git');
  if (lstatSync(git, { throwIfNoEntry: false })?.isDirectory() !== true) return [];
  const args = ['--bind', git, git];
  // What is not there could be made: a `commondir` elsewhere brings a configuration and hooks of its own.
  for (const name of ['hooks', 'info']) mkdirSync(join(git, name), { recursive: true });
  const commondir = join(git, 'commondir');
  if (!existsSync(commondir)) writeFileSync(commondir, '.\n');
  for (const name of [
    'commondir',
    'config',
    'config.worktree',
    'hooks',
    'info',
    'objects/info',
    'modules',
  ]) {
    const path = join(git, name);
    const stats = lstatSync(path, { throwIfNoEntry: false });
    if (stats?.isFile() === true || stats?.isDirectory() === true)
      args.push('--ro-bind', path, path);
  }
  return args;
}

function openedTooWide(path: string): Failure {
  return {
    code: 'unsafe_path',
    message: `the sandbox may not show ${path}: it is not absolute, or holds the home or the state folder`,
    hint: 'name a narrower folder among the readable paths',
  };
}

function isAround(folder: string, inner: readonly string[]): boolean {
  return inner.some((path) => isWithin(path, folder));
}

/** Whether `path` is `folder` or below it. */
export function isWithin(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder.endsWith(sep) ? folder : folder + sep);
}
