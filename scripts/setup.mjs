// Brings in what a clean clone lacks. Plain JavaScript: runs on Node 20 before anything is installed.

import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { LaunchError, npm } from '../packages/server/bin/runtime.mjs';

export const repository = path.dirname(path.dirname(fileURLToPath(import.meta.url)));

/** Runs `npm ci` unless node_modules holds exactly what the lock file says. */
export function ensureInstalled() {
  if (isInstalled()) return;
  console.error('Installing packages (npm ci) …');
  // Warnings that packages want a newer Node are true and do not matter: npm only unpacks here.
  const result = npm(['ci', '--loglevel=error'], { cwd: repository, stdio: 'inherit' });
  if (result.status !== 0) {
    throw new LaunchError('npm ci failed: see above. The npm registry must be in reach.');
  }
}

/** Compared by content, not by time: a checkout changes times and a merge may not. */
function isInstalled() {
  const wanted = readLock(path.join(repository, 'package-lock.json'));
  const present = readLock(path.join(repository, 'node_modules/.package-lock.json'));
  if (!present) return false;
  return Object.entries(wanted ?? {}).every(
    ([folder, entry]) =>
      !folder.includes('node_modules/') ||
      entry.optional ||
      present[folder]?.version === entry.version,
  );
}

function readLock(file) {
  return fs.existsSync(file) ? JSON.parse(fs.readFileSync(file, 'utf8')).packages : undefined;
}

const SYSTEM_PROGRAMS = [
  { program: 'git', debianPackage: 'git', use: 'workspaces and checkpoints' },
  { program: 'bwrap', debianPackage: 'bubblewrap', use: 'the sandbox' },
  { program: 'strace', debianPackage: 'strace', use: 'checks of what a process does' },
];

/** Installs the programs that tests start; says so and fails where it cannot, never skips. */
export function ensureSystemPrograms() {
  let missing = missingPrograms();
  if (missing.length === 0) return;
  const canInstall = process.getuid?.() === 0 && isOnPath('apt-get');
  if (canInstall) {
    const packages = missing.map(({ debianPackage }) => debianPackage);
    console.error(`Installing ${packages.join(', ')} (apt-get) …`);
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
    const options = { stdio: ['ignore', 'ignore', 'inherit'], env };
    spawnSync('apt-get', ['update', '-q'], options);
    spawnSync('apt-get', ['install', '-y', '-q', '--no-install-recommends', ...packages], options);
    missing = missingPrograms();
  }
  if (missing.length > 0) {
    const list = missing.map(({ program, use }) => `${program} (for ${use})`).join(', ');
    const packages = missing.map(({ debianPackage }) => debianPackage).join(' ');
    throw new LaunchError(
      `Missing: ${list}. Install the packages ${packages} and run again` +
        (process.platform === 'linux' ? '.' : '; bwrap and strace exist on Linux only.') +
        ' Tests that need none of them: npm test -- --only=unit',
    );
  }
}

function missingPrograms() {
  return SYSTEM_PROGRAMS.filter(({ program }) => !isOnPath(program));
}

function isOnPath(program) {
  const folders = (process.env.PATH ?? '').split(path.delimiter);
  return folders.some((folder) => fs.existsSync(path.join(folder, program)));
}
