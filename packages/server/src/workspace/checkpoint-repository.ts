/**
 * The repository beside a work tree that keeps it as commits, byte for byte.
 *
 * Owns: the repository, its index, its refs. Does not own: the work tree's own `.git`, which belongs to the agent and
 * is never read. One operation at a time (the caller queues them).
 *  1. The index mirrors the work tree as it was last looked at. It is a cache: lost or damaged, it is made again.
 *  2. A tree is only ever made from an index that a command has just filled without an error.
 *  3. Nothing is removed: no ref is deleted, no object is collected.
 */
import { chmodSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { ok } from '@ccdash/core';
import type { ChangedPath, Checkpoint, Failure, Result } from '@ccdash/core';
import { bytesToFile, bytesToText, textToBytes } from './byte-path.ts';
import type { BytePath } from './byte-path.ts';
import { BYTE_EXACT, outputText } from './git.ts';
import type { Git, GitOptions, GitOutput } from './git.ts';
import { GITLINK, hasOtherSize, mayDiffer, readGitIndex } from './git-index.ts';
import type { GitIndex, IndexEntry } from './git-index.ts';
import type { RunFolder } from './run-folder.ts';
import { scanTree } from './scan-tree.ts';
import type { ScannedFile, TreeScan } from './scan-tree.ts';
import { listOf, refuse } from './workspace-failure.ts';

/** Outranks every `.gitattributes` of the work tree: no conversion, no filter; `!diff` so that no file hides its diff. */
export const ATTRIBUTES = '* -text -filter -ident -working-tree-encoding -eol -merge !diff\n';

/** The work tree as it is now, in the repository. */
export interface Snapshot {
  readonly tree: string;
  readonly scan: TreeScan;
  /** Folders with nothing in them that is kept, but for submodules. */
  readonly emptyFolders: readonly BytePath[];
}

/** Paths of the work tree that no commit can hold. */
export interface Unkeepable {
  /** Regular files over the limit. */
  readonly large: readonly BytePath[];
  /** Folders that cannot be looked into. */
  readonly closed: readonly BytePath[];
}

export interface SnapshotOptions {
  /** Paths, sorted, that are not left out, besides those that the index has. */
  readonly tracked: readonly BytePath[];
  readonly carried: ReadonlySet<BytePath>;
  readonly maxFileBytes: number;
  readonly folderBits: 0o500 | 0o700;
}

export interface CheckpointRepository {
  git(args: readonly string[], options?: GitOptions): Promise<Result<GitOutput, Failure>>;
  /**
   * Brings the index up to date with the work tree. `seed`: a commit to start from when there is no index.
   * Gives what cannot be kept when there is such a thing; then nothing was changed.
   */
  snapshot(seed: string, options: SnapshotOptions): Promise<Result<Snapshot | Unkeepable, Failure>>;
  /** A commit of `tree`, and `ref` (below `refs/ccdash/`) on it. */
  commit(
    tree: string,
    parents: readonly string[],
    message: string,
    ref: string,
  ): Promise<Result<Checkpoint, Failure>>;
  /** The commit that a ref names, with its first parent; null when there is no such ref. */
  find(
    ref: string,
  ): Promise<Result<{ readonly checkpoint: Checkpoint; readonly parent: string } | null, Failure>>;
  /** `from` and `to`: trees or commits. Sorted. */
  changes(
    from: string,
    to: string,
    options?: Pick<GitOptions, 'env'>,
  ): Promise<Result<readonly RawChange[], Failure>>;
}

export interface RawChange {
  readonly path: BytePath;
  readonly change: ChangedPath['change'];
}

export function createCheckpointRepository(git: Git, folder: RunFolder): CheckpointRepository {
  const { repository, tree: workTree } = folder;
  const root = textToBytes(workTree);
  const indexFile = join(repository, 'index');

  const run: CheckpointRepository['git'] = (args, options) =>
    git.run([`--git-dir=${repository}`, `--work-tree=${workTree}`, ...args], {
      ...options,
      config: BYTE_EXACT,
    });

  /** The index, made from `seed` when there is none that can be used. */
  async function usableIndex(seed: string): Promise<Result<GitIndex, Failure>> {
    removeLock(indexFile);
    const idBytes = seed.length === 64 ? 32 : 20;
    const index = readGitIndex(indexFile, idBytes);
    if (index !== null) return ok(index);
    rmSync(indexFile, { force: true });
    const seeded = await run(['read-tree', seed]);
    if (!seeded.ok) return seeded;
    const made = readGitIndex(indexFile, idBytes);
    if (made !== null) return ok(made);
    return refuse('git_failed', 'git wrote an index in a form that is not known here.', null);
  }

  return {
    git: run,
    async snapshot(seed, { tracked, carried, maxFileBytes, folderBits }) {
      const index = await usableIndex(seed);
      if (!index.ok) return index;
      const indexed = index.value.entries.map((entry) => entry.path);
      const scan = await scanTree(root, { tracked: [indexed, tracked], carried, folderBits });
      const { changed, removed, grown } = compare(index.value, scan);
      const large = grown
        .filter(({ stats }) => stats.isFile() && stats.size > maxFileBytes)
        .map(({ path }) => path);
      if (large.length > 0 || scan.closed.length > 0) return ok({ large, closed: scan.closed });
      for (const { path, stats } of changed) makeReadable(root, path, stats.mode);
      const updates = [
        // Without a look at the disk, where something that no tree can hold may be in their place.
        { flags: ['--force-remove'], paths: removed },
        // Written even when nothing differs: then its time says that what looked fresh has been compared.
        {
          flags: ['--force-write-index', '--add', '--remove', '--replace'],
          paths: changed.map(({ path }) => path),
        },
      ];
      for (const { flags, paths } of updates.filter(({ paths }) => paths.length > 0)) {
        const stdin = Buffer.from(paths.map((path) => `${path}\0`).join(''), 'latin1');
        const updated = await run(['update-index', ...flags, '-z', '--stdin'], { stdin });
        if (!updated.ok) return updated;
      }
      const written = await run(['write-tree']);
      if (!written.ok) return written;
      const submodules = new Set(
        index.value.entries.filter(({ mode }) => mode === GITLINK).map(({ path }) => path),
      );
      const emptyFolders = scan.empty.filter((path) => !submodules.has(path));
      return ok({ tree: outputText(written.value), scan, emptyFolders });
    },
    async commit(tree, parents, message, ref) {
      const flags = parents.flatMap((parent) => ['-p', parent]);
      const made = await run(['commit-tree', tree, ...flags], { stdin: message });
      if (!made.ok) return made;
      const commit = outputText(made.value);
      const name = `refs/ccdash/${ref}`;
      removeLock(join(repository, name));
      const updated = await run(['update-ref', name, commit]);
      return updated.ok ? ok({ commit, tree }) : updated;
    },
    async find(ref) {
      const format = '--format=%(objectname) %(tree) %(parent)';
      const found = await run(['for-each-ref', format, `refs/ccdash/${ref}`]);
      if (!found.ok) return found;
      const [commit, tree, parent = ''] = outputText(found.value).split(' ');
      if (commit === undefined || tree === undefined) return ok(null);
      return ok({ checkpoint: { commit, tree }, parent });
    },
    async changes(from, to, options) {
      const flags = ['-r', '--raw', '-z', '--no-renames', '--no-ext-diff', '--no-textconv'];
      const raw = await run(['diff-tree', ...flags, from, to], options);
      return raw.ok ? ok(parseRawDiff(raw.value.stdout)) : raw;
    },
  };
}

/** What a killed git left. It died with the process that started it, and only one operation runs at a time. */
function removeLock(file: string): void {
  rmSync(`${file}.lock`, { force: true });
}

export function isUnkeepable(value: Snapshot | Unkeepable): value is Unkeepable {
  return 'closed' in value;
}

/** Errors: Failure `file_too_large`, `folder_closed`, naming them. */
export function unkeepableToFailure(
  { large, closed }: Unkeepable,
  maxFileBytes: number,
): Result<never, Failure> {
  if (large.length > 0) {
    const megabytes = Math.floor(maxFileBytes / 1024 / 1024);
    const files = listOf(large.map(bytesToText));
    const message = `Too large for a checkpoint (more than ${megabytes} MB): ${files}.`;
    const hint =
      'Have the step delete them, or write them to a cache folder (one that holds a CACHEDIR.TAG).';
    return refuse('file_too_large', message, hint);
  }
  const folders = listOf(closed.map(bytesToText).map((path) => path.slice(0, 200)));
  const message = `Folders that cannot be looked into, too deep or not ours: ${folders}.`;
  return refuse('folder_closed', message, 'Have the step delete them, then retry it.');
}

interface Differences {
  /** Files whose entry is missing or may differ. */
  readonly changed: readonly ScannedFile[];
  /** Those of them that are new, or have another size: what the project tracks may be as large as it is. */
  readonly grown: readonly ScannedFile[];
  /** Entries whose file is gone. */
  readonly removed: readonly BytePath[];
}

/** What git has to look at. */
function compare({ entries, writtenAtMs }: GitIndex, scan: TreeScan): Differences {
  const entryByPath = new Map<BytePath, IndexEntry>(entries.map((entry) => [entry.path, entry]));
  const changed: ScannedFile[] = [];
  const grown: ScannedFile[] = [];
  for (const file of scan.files) {
    const entry = entryByPath.get(file.path);
    if (entry === undefined || mayDiffer(entry, file.stats, writtenAtMs)) changed.push(file);
    if (entry === undefined || hasOtherSize(entry, file.stats)) grown.push(file);
    entryByPath.delete(file.path);
  }
  if (entryByPath.size === 0) return { changed, grown, removed: [] };
  const folders = new Set(scan.folders);
  // A submodule is an empty folder here. With files in it, adding them replaces the entry.
  const removed = [...entryByPath.values()]
    .filter(({ path, mode }) => mode !== GITLINK || !folders.has(path))
    .map(({ path }) => path);
  return { changed, grown, removed };
}

/** Who owns a file may read it, whatever the step has made of its permissions (a tree keeps none but "executable"). */
function makeReadable(root: BytePath, path: BytePath, mode: number): void {
  const isFile = (mode & 0o170000) === 0o100000;
  if (isFile && (mode & 0o400) === 0) {
    chmodSync(bytesToFile(`${root}/${path}`), (mode & 0o7777) | 0o400);
  }
}

const CHANGE_BY_LETTER: Readonly<Record<string, ChangedPath['change']>> = {
  A: 'added',
  D: 'deleted',
  M: 'modified',
  T: 'type-changed',
};

/** `:mode mode id id LETTER NUL path NUL`, again and again. */
function parseRawDiff(output: Buffer): readonly RawChange[] {
  const fields = output.toString('latin1').split('\0');
  const changes: RawChange[] = [];
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const letter = fields[i]?.at(-1) ?? '';
    changes.push({ path: fields[i + 1] ?? '', change: CHANGE_BY_LETTER[letter] ?? 'modified' });
  }
  return changes;
}
