/** What the owner accepts with `ccdash trust`: the files that count, and a copy of those that were accepted last. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { isErrno } from '../base/process-identity.ts';

/** A file below `.ccdash/`, by its path in the project. */
export interface AcceptedFile {
  readonly file: string;
  readonly text: string;
}

/** Keeps what is about to be accepted below `stateDir`, named by `digest`, so that a later change can be shown. */
export function keepAccepted(
  stateDir: string,
  digest: string,
  files: readonly AcceptedFile[],
): void {
  const path = copyPath(stateDir, digest);
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const temporary = `${path}.${process.pid}`;
  const copies = files.map(({ file, text }) => ({ file, text }));
  writeFileSync(temporary, JSON.stringify(copies), { mode: 0o600 });
  renameSync(temporary, path);
}

/** What was accepted as `digest`; null when no copy was kept. */
export function readAccepted(stateDir: string, digest: string): readonly AcceptedFile[] | null {
  try {
    return JSON.parse(readFileSync(copyPath(stateDir, digest), 'utf8')) as AcceptedFile[];
  } catch (error) {
    if (isErrno(error, 'ENOENT') || error instanceof SyntaxError) return null;
    throw error;
  }
}

/** The name is a hash of the digest: what a log says is no path. */
function copyPath(stateDir: string, digest: string): string {
  const name = createHash('sha256').update(digest).digest('hex');
  return join(stateDir, 'trusted', `${name}.json`);
}

/** From the one to the other as git shows it; no line when they are alike. */
export function differenceOf(
  before: readonly AcceptedFile[],
  after: readonly AcceptedFile[],
): readonly string[] {
  const folder = mkdtempSync(join(tmpdir(), 'ccdash-trust-'));
  try {
    write(join(folder, 'before'), before);
    write(join(folder, 'now'), after);
    return withoutFolders(diffBelow(folder));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function write(folder: string, files: readonly AcceptedFile[]): void {
  mkdirSync(folder);
  for (const { file, text } of files) {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    writeFileSync(join(folder, file), text);
  }
}

/** git says with 1 that they differ. */
function diffBelow(folder: string): string {
  const args = ['diff', '--no-index', '--no-ext-diff', '--no-textconv', '--no-color'];
  const env = { PATH: process.env['PATH'], HOME: folder, GIT_CONFIG_NOSYSTEM: '1' };
  try {
    const options = { cwd: folder, env, encoding: 'utf8', stdio: 'pipe' } as const;
    return execFileSync('git', [...args, '--no-prefix', 'before', 'now'], options);
  } catch (error) {
    if (!(error instanceof Error && 'status' in error && error.status === 1)) throw error;
    return (error as unknown as { readonly stdout: string }).stdout;
  }
}

/** `before/` and `now/` are names of this module's folders; everything else of git's heads is noise to a reader. */
function withoutFolders(diff: string): readonly string[] {
  return diff
    .split('\n')
    .filter((line) => line !== '' && !/^(diff --git|index |new file|deleted file) ?/.test(line))
    .map((line) => line.replace(/^(---|\+\+\+) (before|now)\//, '$1 '));
}
