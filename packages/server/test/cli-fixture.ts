/** The real command line as a process of its own, in a real git repository with a state home of its own. */
import { execFileSync, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { projectStateDir } from '../src/base/project-state.ts';

const MAIN = fileURLToPath(new URL('../src/cli/main.ts', import.meta.url));
const NODE_FLAGS = ['--conditions=ccdash-source', '--disable-warning=ExperimentalWarning'];

export interface Ended {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface StartedCli {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  /** What it has written so far. */
  stdout(): string;
}

export interface CliFixture {
  readonly projectDir: string;
  readonly stateHome: string;
  readonly stateDir: string;
  readonly env: NodeJS.ProcessEnv;
  /** The program and the arguments before those of the verb. */
  readonly program: readonly [string, ...string[]];
  start(...args: readonly string[]): StartedCli;
  run(...args: readonly string[]): Promise<Ended>;
  /** The JSON documents on the lines of stdout. */
  json(...args: readonly string[]): Promise<Ended & { readonly documents: readonly Json[] }>;
  write(path: string, text: string): void;
  remove(): void;
}

export type Json = Readonly<Record<string, unknown>>;

export function createCliFixture(nodeFlags: readonly string[] = []): CliFixture {
  const root = realpathSync(mkdtempSync(join(tmpdir(), 'ccdash-cli-')));
  const projectDir = join(root, 'project');
  const stateHome = join(root, 'state');
  mkdirSync(projectDir);
  const git = (...args: readonly string[]): void => {
    const identity = ['-c', 'user.name=Ada', '-c', 'user.email=ada@example.com'];
    execFileSync('git', [...identity, ...args], { cwd: projectDir, stdio: 'ignore' });
  };
  git('init', '-q', '-b', 'main');
  writeFileSync(join(projectDir, 'readme.md'), 'hello\n');
  git('add', '.');
  git('commit', '-qm', 'one');
  const stateDir = projectStateDir(stateHome, projectDir);
  mkdirSync(stateDir, { recursive: true, mode: 0o700 });
  const { PATH, HOME } = process.env;
  const env = { PATH, HOME, CCDASH_HOME: stateHome, NO_COLOR: '', TERM: 'xterm' };
  const program = [process.execPath, ...NODE_FLAGS, ...nodeFlags, MAIN] as const;

  function start(...args: readonly string[]): StartedCli {
    const [node, ...before] = program;
    const child = spawn(node, [...before, ...args], {
      cwd: projectDir,
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString('utf8')));
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString('utf8')));
    const ended = new Promise<Ended>((resolve, reject) => {
      child.on('error', reject);
      child.on('close', (exitCode) => resolve({ exitCode, stdout, stderr }));
    });
    return { child, ended, stdout: () => stdout };
  }

  return {
    projectDir,
    stateHome,
    stateDir,
    env,
    program,
    start,
    run: (...args) => start(...args).ended,
    json: async (...args) => {
      const ended = await start(...args, '--json').ended;
      const lines = ended.stdout.split('\n').filter((line) => line !== '');
      return { ...ended, documents: lines.map((line) => JSON.parse(line) as Json) };
    },
    write: (path, text) => writeFileSync(join(projectDir, path), text),
    remove: () => rmSync(root, { recursive: true, force: true, maxRetries: 5 }),
  };
}
