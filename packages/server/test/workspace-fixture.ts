/** Real repositories and work trees for the tests of workspaces. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Checkpoint, Failure, Result, Workspaces } from '@ccdash/core';
import { createWorkspaces } from '../src/workspace/workspaces.ts';
import type { WorkspacesOptions } from '../src/workspace/workspaces.ts';

export interface WorkspaceFixture {
  /** Removed by `close`. */
  readonly root: string;
  readonly projectDir: string;
  readonly stateDir: string;
  readonly workspaces: Workspaces;
  /** Runs git in the project, as a user would. */
  readonly git: (...args: readonly string[]) => string;
  /** Makes the run's workspace from HEAD; gives its first checkpoint. */
  start(runId?: string): Promise<Checkpoint>;
  close(): void;
}

const GIT_ENV = {
  PATH: process.env['PATH'] ?? '/usr/bin:/bin',
  HOME: '/nonexistent',
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_AUTHOR_NAME: 'Ada',
  GIT_AUTHOR_EMAIL: 'ada@example.com',
  GIT_COMMITTER_NAME: 'Ada',
  GIT_COMMITTER_EMAIL: 'ada@example.com',
};

export function gitIn(dir: string, ...args: readonly string[]): string {
  return execFileSync('git', ['-c', 'gc.auto=0', '-C', dir, ...args], {
    env: GIT_ENV,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  }).trim();
}

/** A project with one commit of `files` (path to content). */
export function createWorkspaceFixture(
  files: Readonly<Record<string, string>> = { 'src/a.txt': 'one\n', 'readme.md': 'hello\n' },
  options: Partial<WorkspacesOptions> = {},
): WorkspaceFixture {
  const root = mkdtempSync(join(tmpdir(), 'ccdash-ws-'));
  const projectDir = join(root, 'project');
  const stateDir = join(root, 'state');
  mkdirSync(projectDir);
  gitIn(projectDir, 'init', '-q', '-b', 'main');
  putFiles(projectDir, files);
  gitIn(projectDir, 'add', '-A');
  gitIn(projectDir, 'commit', '-q', '--allow-empty', '-m', 'first');
  const workspaces = createWorkspaces({ stateDir, ...options });
  return {
    root,
    projectDir,
    stateDir,
    workspaces,
    git: (...args) => gitIn(projectDir, ...args),
    async start(runId = 'run_1') {
      const baseCommit = gitIn(projectDir, 'rev-parse', 'HEAD');
      return valueOf(await workspaces.create(runId, { projectDir, baseCommit })).checkpoint;
    },
    close: () => {
      openFolders(root);
      rmSync(root, { recursive: true, force: true });
    },
  };
}

export function putFiles(dir: string, files: Readonly<Record<string, string>>): void {
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(dir, path)), { recursive: true });
    writeFileSync(join(dir, path), content);
  }
}

export function valueOf<T>(result: Result<T, Failure>): T {
  if (!result.ok) throw new Error(`${result.error.code}: ${result.error.message}`);
  return result.value;
}

export function failureOf<T>(result: Result<T, Failure>): Failure {
  if (result.ok) throw new Error(`expected a failure, got ${JSON.stringify(result.value)}`);
  return result.error;
}

export interface ListingOptions {
  /** Names that are not looked into. */
  readonly without?: readonly string[];
  /** Also the times of last change of files. */
  readonly withTimes?: boolean;
  /** Also folders, which git does not keep. */
  readonly withFolders?: boolean;
}

/** Everything below `dir`: path (bytes as Latin-1), and kind, permission to execute, content's digest. Sorted. */
export function listing(
  dir: string,
  options: ListingOptions = {},
): Readonly<Record<string, string>> {
  const { without = ['.git'], withTimes = false, withFolders = true } = options;
  const found: Record<string, string> = {};
  const visit = (folder: string): void => {
    for (const name of readdirSync(Buffer.from(folder, 'latin1'), 'latin1').sort()) {
      if (without.includes(name)) continue;
      const path = `${folder}/${name}`;
      const file = Buffer.from(path, 'latin1');
      const stats = lstatSync(file, { bigint: true });
      const time = withTimes && stats.isFile() ? ` ${stats.mtimeNs}` : '';
      const key = path.slice(dir.length + 1);
      if (stats.isDirectory()) {
        if (withFolders) found[key] = 'folder';
        visit(path);
      } else if (stats.isSymbolicLink()) found[key] = `link ${readlinkSync(file, 'latin1')}`;
      else if (stats.isFile()) {
        const digest = createHash('sha256').update(readFileSync(file)).digest('hex');
        found[key] = `${(stats.mode & 0o100n) === 0n ? 'file' : 'program'} ${digest}${time}`;
      } else found[key] = 'special';
    }
  };
  visit(dir);
  return found;
}

/** So that what a test has made unreadable can be removed. */
function openFolders(dir: string): void {
  chmodSync(Buffer.from(dir, 'latin1'), 0o700);
  for (const entry of readdirSync(Buffer.from(dir, 'latin1'), 'latin1')) {
    const path = `${dir}/${entry}`;
    if (lstatSync(Buffer.from(path, 'latin1')).isDirectory()) openFolders(path);
  }
}
