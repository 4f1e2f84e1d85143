/**
 * A state folder as one archive, and back. The archive is a gzipped tar of the parts below: people can look into it
 * with what every system has. It holds the signing key and whatever the runs wrote: it is as private as the folder.
 */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  rmdirSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { err, ok } from '@ccdash/core';
import type { Failure, Result } from '@ccdash/core';
import { isErrno } from '../base/process-identity.ts';

/** What a state folder is made of; the rest (locks, credentials, where a server listens) is of one machine and moment. */
const PARTS = [
  'log.db',
  'heads',
  'keys',
  'artifacts',
  'attempts',
  'agents',
  'workspaces',
  'trusted',
];
const MOST_LISTED_BYTES = 256 * 1024 * 1024;

/** Writes what lies in `stateDir` to `file`, which must not be there yet. Nobody may write to the folder meanwhile. */
export function packState(stateDir: string, file: string): Result<void, Failure> {
  if (lstatSync(file, { throwIfNoEntry: false }) !== undefined) {
    return err({
      code: 'file_exists',
      message: `${file} is there already`,
      hint: 'name another one',
    });
  }
  const next = `${file}.${process.pid}`;
  const packed = tar('-czf', next, '-C', stateDir, ...partsIn(stateDir));
  if (!packed.ok) {
    rmSync(next, { force: true });
    return packed;
  }
  chmodSync(next, 0o600);
  renameSync(next, file);
  return ok(undefined);
}

/**
 * Unpacks an archive into a new folder beside `stateDir`, and gives its path. Nothing of the archive is believed: names
 * that lead out of it, parts that a state folder has not, and links in the place of parts are refused, and leave nothing.
 */
export function unpackState(file: string, stateDir: string): Result<string, Failure> {
  const listed = tar('-tzf', file);
  if (!listed.ok) return listed;
  const odd = listed.value.split('\n').find((name) => name !== '' && !isOfState(name));
  if (odd !== undefined) {
    return refused(`it holds ${JSON.stringify(odd.slice(0, 200))}, which no state folder has`);
  }
  mkdirSync(dirname(stateDir), { recursive: true, mode: 0o700 });
  const folder = mkdtempSync(`${stateDir}.restoring-`);
  const unpacked = tar('-xzf', file, '-C', folder, '--no-same-owner');
  const problem = unpacked.ok ? problemOf(folder) : unpacked.error;
  if (problem === null) return ok(folder);
  rmSync(folder, { recursive: true, force: true });
  return err(problem);
}

/** The parts that are in a state folder already: nothing is restored over them. */
export function partsIn(stateDir: string): readonly string[] {
  return PARTS.filter((name) => lstatSync(join(stateDir, name), { throwIfNoEntry: false }));
}

/** Moves unpacked parts to where they belong; the log is the last, so that none is there before all it speaks of is. */
export function moveState(folder: string, stateDir: string): void {
  mkdirSync(stateDir, { recursive: true, mode: 0o700 });
  for (const name of PARTS.toReversed()) {
    if (lstatSync(join(folder, name), { throwIfNoEntry: false }) === undefined) continue;
    renameSync(join(folder, name), join(stateDir, name));
  }
  rmdirSync(folder);
}

function isOfState(name: string): boolean {
  const [top = '', ...rest] = name.replace(/^\.\//, '').split('/');
  return PARTS.includes(top) && !rest.includes('..');
}

function problemOf(folder: string): Failure | null {
  const names = readdirSync(folder);
  for (const name of names) {
    const stats = lstatSync(join(folder, name));
    const fits = name === 'log.db' || name === 'heads' ? stats.isFile() : stats.isDirectory();
    if (!fits) return failureOf(`${name} in it is not what it should be`);
  }
  return names.includes('log.db') ? null : failureOf('it holds no log');
}

function failureOf(what: string): Failure {
  return {
    code: 'not_a_backup',
    message: `this is no backup of a workbench: ${what}`,
    hint: 'give a file that `ccdash backup` has written',
  };
}

function refused(what: string): Result<never, Failure> {
  return err(failureOf(what));
}

function tar(...args: readonly string[]): Result<string, Failure> {
  const env = { PATH: process.env['PATH'], LC_ALL: 'C' };
  try {
    const options = { env, encoding: 'utf8', stdio: 'pipe', maxBuffer: MOST_LISTED_BYTES } as const;
    return ok(execFileSync('tar', [...args], options));
  } catch (error) {
    if (isErrno(error, 'ENOENT')) {
      return err({ code: 'no_tar', message: 'tar is not installed', hint: 'install tar' });
    }
    if (!(error instanceof Error && 'stderr' in error)) throw error;
    const said = String(error.stderr).trim().split('\n')[0] ?? '';
    return err({
      code: 'tar_failed',
      message: `tar: ${said}`,
      hint: 'look at the file and the disk',
    });
  }
}
