/** Finds the markdown files below the roots; no symbolic link is followed, neither to a file nor to a folder. */
import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { isErrno } from '../../base/process-identity.ts';

export interface FoundFile {
  /** Relative to the project, with `/`. */
  readonly path: string;
  /** Another one when the file was changed. */
  readonly stamp: string;
}

export const MAX_DOCUMENTS = 20_000;
const MAX_DEPTH = 16;
const SKIPPED: readonly string[] = ['node_modules', '.git', 'worktrees'];

/** In the order of their paths; the first MAX_DOCUMENTS. */
export async function findDocuments(
  projectDir: string,
  roots: readonly string[],
): Promise<readonly FoundFile[]> {
  const found: FoundFile[] = [];
  const visit = async (folder: string, depth: number): Promise<void> => {
    if (depth > MAX_DEPTH || found.length >= MAX_DOCUMENTS) return;
    const entries = await unlessGone(readdir(join(projectDir, folder), { withFileTypes: true }));
    const files = (entries ?? []).filter((entry) => entry.isFile() && /\.md$/i.test(entry.name));
    const stamped = await Promise.all(
      files.map(async ({ name }) => {
        const path = `${folder}/${name}`;
        const stats = await unlessGone(lstat(join(projectDir, path), { bigint: true }));
        if (stats?.isFile() !== true) return [];
        return [{ path, stamp: `${stats.ino}:${stats.size}:${stats.mtimeNs}:${stats.ctimeNs}` }];
      }),
    );
    found.push(...stamped.flat());
    for (const entry of entries ?? []) {
      if (!entry.isDirectory() || SKIPPED.includes(entry.name)) continue;
      await visit(`${folder}/${entry.name}`, depth + 1);
    }
  };
  for (const root of roots) {
    const stats = await unlessGone(lstat(join(projectDir, root)));
    if (stats?.isDirectory() === true) await visit(root, 1);
  }
  found.sort((a, b) => (a.path < b.path ? -1 : 1));
  return found.slice(0, MAX_DOCUMENTS);
}

/** null when somebody has removed it meanwhile, or it may not be read. */
async function unlessGone<T>(asked: Promise<T>): Promise<T | null> {
  try {
    return await asked;
  } catch (error) {
    if (GONE.some((code) => isErrno(error, code))) return null;
    throw error;
  }
}

const GONE: readonly string[] = ['ENOENT', 'ENOTDIR', 'EACCES', 'ELOOP'];
