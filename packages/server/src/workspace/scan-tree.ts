/**
 * Looks at every file of a work tree without following a link. What it leaves out is decided here and nowhere else:
 * the agent writes `.gitignore`, so that file has no say.
 */
import { chmodSync, lstatSync, readdirSync } from 'node:fs';
import type { Stats } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { bytesToFile, holdsPath, holdsPathIn } from './byte-path.ts';
import type { BytePath } from './byte-path.ts';
import { isSystemError } from './workspace-failure.ts';

/**
 * Folders of installed packages and of caches. They are never part of a checkpoint and survive a restore, unless the
 * project itself tracks files in them. So is any folder that holds a CACHEDIR.TAG (bford.info/cachedir).
 */
export const IGNORED_FOLDERS: ReadonlySet<string> = new Set([
  'node_modules',
  'bower_components',
  '.pnpm-store',
  '.venv',
  'venv',
  '__pycache__',
  '.tox',
  '.nox',
  '.mypy_cache',
  '.pytest_cache',
  '.ruff_cache',
  '.gradle',
  '.turbo',
  '.parcel-cache',
]);
const CACHE_TAG = 'CACHEDIR.TAG';

/** Below PATH_MAX (4096), with room for a name. A folder deeper than that cannot be looked into. */
const MAX_PATH_BYTES = 3800;
/** How long the scan may hold up everything else in the process. */
const SLICE_MS = 5;

export interface ScannedFile {
  readonly path: BytePath;
  /** Of a regular file or a symbolic link. */
  readonly stats: Stats;
}

export interface TreeScan {
  readonly files: readonly ScannedFile[];
  /** Folders that were looked into, parents before children; without the root. */
  readonly folders: readonly BytePath[];
  /** Those of them with nothing in them but what is left out; submodules are among them. */
  readonly empty: readonly BytePath[];
  /** What no tree can hold: pipes, sockets, devices, links named `.gitmodules`. */
  readonly special: readonly BytePath[];
  /** `.git` of nested repositories; git can store no path with that name in it. */
  readonly nestedGits: readonly BytePath[];
  /** Folders that cannot be looked into: too deep, or somebody else's. */
  readonly closed: readonly BytePath[];
}

export interface ScanOptions {
  /** Lists of paths, each sorted, that are never left out, nor anything else in a folder that holds one of them. */
  readonly tracked: readonly (readonly BytePath[])[];
  /** Paths carried over from the project: left out like ignored folders. */
  readonly carried: ReadonlySet<BytePath>;
  /** Permission bits that a folder of ours is given when it lacks them: 0o500 to read it, 0o700 to empty it. */
  readonly folderBits: 0o500 | 0o700;
}

export async function scanTree(root: BytePath, options: ScanOptions): Promise<TreeScan> {
  const { tracked, carried, folderBits } = options;
  const files: ScannedFile[] = [];
  const folders: BytePath[] = [];
  const empty: BytePath[] = [];
  const special: BytePath[] = [];
  const nestedGits: BytePath[] = [];
  const closed: BytePath[] = [];
  const isTrackedFile = (path: BytePath): boolean => tracked.some((list) => holdsPath(list, path));
  const holdsTracked = (folder: BytePath): boolean =>
    tracked.some((list) => holdsPathIn(list, folder));

  const pending: BytePath[] = [''];
  let sliceStart = performance.now();
  let folder = pending.pop();
  while (folder !== undefined) {
    const names = namesIn(root, folder, folderBits);
    if (names === null) {
      closed.push(folder);
    } else if (folder === '' || !names.includes(CACHE_TAG) || holdsTracked(folder)) {
      if (folder !== '') folders.push(folder);
      const found = names.filter((name) => look(folder === '' ? name : `${folder}/${name}`, name));
      if (folder !== '' && found.length === 0) empty.push(folder);
    }
    if (performance.now() - sliceStart > SLICE_MS) {
      await setImmediate();
      sliceStart = performance.now();
    }
    folder = pending.pop();
  }
  return { files, folders, empty, special, nestedGits, closed };

  /** Whether it is there, and not left out by its name. */
  function look(path: BytePath, name: string): boolean {
    if (name.length === 4 && name.toLowerCase() === '.git') {
      if (path !== '.git') nestedGits.push(path);
      return true;
    }
    const stats = lstatSync(bytesToFile(`${root}/${path}`), { throwIfNoEntry: false });
    // Gone since the folder was read.
    if (stats === undefined) return false;
    const isLink = stats.isSymbolicLink();
    const isCarried = carried.has(path);
    const isIgnored = isCarried || (!stats.isFile() && IGNORED_FOLDERS.has(name));
    const isKept = stats.isDirectory() ? holdsTracked : isTrackedFile;
    if (isIgnored && !isKept(path)) return isCarried;
    if (stats.isDirectory()) pending.push(path);
    else if (isLink && name.toLowerCase() === '.gitmodules') special.push(path);
    else if (stats.isFile() || isLink) files.push({ path, stats });
    else special.push(path);
    return true;
  }
}

/** null when the folder cannot be looked into. The root has to be there: a tree that has gone is no empty tree. */
function namesIn(root: BytePath, folder: BytePath, bits: number): readonly string[] | null {
  if (folder === '') return readFolder(root, bits);
  const path = `${root}/${folder}`;
  if (path.length > MAX_PATH_BYTES) return null;
  try {
    return readFolder(path, bits);
  } catch (error) {
    if (isSystemError(error, 'ENOENT', 'ENOTDIR')) return [];
    if (isSystemError(error, 'EACCES', 'EPERM')) return null;
    throw error;
  }
}

function readFolder(path: BytePath, bits: number): readonly string[] {
  const file = bytesToFile(path);
  const { mode } = lstatSync(file);
  if ((mode & bits) !== bits) chmodSync(file, (mode & 0o7777) | bits);
  return readdirSync(file, 'latin1');
}
