/**
 * Looks at a clone's `.git` as files, without git: a step may have put anything there. Only what git reads when it
 * opens the repository and its objects is looked at; hooks, logs and messages are the step's own affair.
 */
import { createHash } from 'node:crypto';
import { lstatSync, readFileSync, readdirSync } from 'node:fs';
import type { Stats } from 'node:fs';
import { join } from 'node:path';
import type { RunFolder } from './run-folder.ts';
import { isSystemError } from './workspace-failure.ts';

/** `ref` null: detached. */
export interface CloneHead {
  readonly ref: string | null;
  readonly commit: string;
}

export interface CloneLook {
  /** Equal for equal files; null when there are too many to say. */
  readonly fingerprint: string | null;
  readonly head: CloneHead | null;
  readonly refs: ReadonlyMap<string, string>;
  /** Whether the objects may be read: folders and regular files, with no link or pipe among them. */
  readonly hasObjects: boolean;
  /** Lock files, absolute. */
  readonly locks: readonly string[];
  /** What makes it unusable, as far as this look can tell. */
  readonly problem: string | null;
}

const ALTERNATES = '../../../objects\n';
const LARGEST_TEXT_BYTES = 4 * 1024 * 1024;
const MOST_ENTRIES = 50_000;
const COMMIT = /^[0-9a-f]{40}(?:[0-9a-f]{24})?$/;
const REF = /^refs\/[^\s~^:?*[\\]+$/;

export function lookAtClone({ tree }: RunFolder): CloneLook {
  const root = join(tree, '.git');
  const seen = createHash('sha256');
  const locks: string[] = [];
  const problems: string[] = [];
  const refs = new Map<string, string>();
  let entries = 0;

  function note(path: string, stats: Stats | undefined): void {
    const { ino = 0, size = 0, mode = 0, mtimeMs = 0, ctimeMs = 0 } = stats ?? {};
    seen.update(`${path}\0${[ino, size, mode, mtimeMs, ctimeMs].join(' ')}\0`);
    entries += 1;
  }

  /** A regular file's text; null, and a problem unless it may be missing, where there is none. */
  function text(path: string, mayBeMissing = false): string | null {
    const stats = statsOf(join(root, path));
    note(path, stats);
    if (stats === undefined && mayBeMissing) return null;
    if (stats?.isFile() === true && stats.size <= LARGEST_TEXT_BYTES) {
      const content = readIfPermitted(join(root, path));
      if (content !== null) return content;
    }
    problems.push(`${path} ${stats === undefined ? 'is missing' : 'is no file that can be read'}`);
    return null;
  }

  /** Every file below a folder; false when something else lies there. */
  function walk(path: string, visit: (file: string) => void): boolean {
    const stats = statsOf(join(root, path));
    note(path, stats);
    if (stats?.isFile() === true) {
      if (path.endsWith('.lock')) locks.push(join(root, path));
      else visit(path);
      return true;
    }
    const names = stats?.isDirectory() === true ? namesIn(join(root, path)) : null;
    if (names !== null) return names.map((name) => walk(`${path}/${name}`, visit)).every(Boolean);
    problems.push(`${path} ${stats === undefined ? 'is missing' : 'is no folder or file'}`);
    return false;
  }

  const top = statsOf(root);
  if (top?.isDirectory() !== true) {
    const problem = top === undefined ? '.git is missing' : '.git is no folder';
    return { fingerprint: null, head: null, refs, hasObjects: false, locks, problem };
  }
  for (const name of namesIn(root) ?? []) {
    if (name.endsWith('.lock')) locks.push(join(root, name));
  }
  const packed = text('packed-refs', true) ?? '';
  for (const line of packed.split('\n')) {
    const [id = '', ref = ''] = line.split(' ');
    if (COMMIT.test(id) && REF.test(ref)) refs.set(ref, id);
  }
  walk('refs', (file) => {
    const content = (text(file) ?? '').trim();
    if (COMMIT.test(content) && REF.test(file)) refs.set(file, content);
    // A ref that names another (`refs/remotes/origin/HEAD`) has nothing of its own.
    else if (!content.startsWith('ref: ')) problems.push(`${file} is no ref`);
  });
  const head = headFrom((text('HEAD') ?? '').trim(), refs);
  text('config');
  note('index', indexStats());
  const common = text('commondir', true);
  if (common !== null && common.trim() !== '.') problems.push('commondir leads elsewhere');
  const hasObjects = walk('objects', () => undefined);
  if (hasObjects && text('objects/info/alternates') !== ALTERNATES) {
    problems.push('objects/info/alternates is not as it was made');
  }
  const fingerprint = entries > MOST_ENTRIES ? null : seen.digest('hex');
  return { fingerprint, head, refs, hasObjects, locks, problem: problems[0] ?? null };

  function indexStats(): Stats | undefined {
    const stats = statsOf(join(root, 'index'));
    if (stats?.isFile() !== true) problems.push('index is missing, or no file');
    return stats;
  }
}

function headFrom(content: string, refs: ReadonlyMap<string, string>): CloneHead | null {
  if (COMMIT.test(content)) return { ref: null, commit: content };
  const ref = content.startsWith('ref: ') ? content.slice('ref: '.length) : '';
  const commit = refs.get(ref);
  return ref.startsWith('refs/heads/') && commit !== undefined ? { ref, commit } : null;
}

function statsOf(path: string): Stats | undefined {
  try {
    return lstatSync(path, { throwIfNoEntry: false });
  } catch (error) {
    if (isSystemError(error, 'ENOTDIR', 'EACCES', 'ENAMETOOLONG')) return undefined;
    throw error;
  }
}

function namesIn(folder: string): readonly string[] | null {
  try {
    return readdirSync(folder).sort();
  } catch (error) {
    if (isSystemError(error, 'EACCES', 'ENOENT', 'ENOTDIR', 'ENAMETOOLONG')) return null;
    throw error;
  }
}

function readIfPermitted(file: string): string | null {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (isSystemError(error, 'EACCES', 'ENOENT', 'EISDIR')) return null;
    throw error;
  }
}
