/**
 * What was made in a lane becomes part of the run's workspace, merged. Where that does not come out by itself, the files
 * with both sides in them are put into the workspace for a person, and whatever was there is kept.
 */
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { ok } from '@ccdash/core';
import type { Checkpoint, Failure, Result } from '@ccdash/core';
import { bytesToFile, bytesToText, textToBytes } from './byte-path.ts';
import type { BytePath } from './byte-path.ts';
import type { CheckpointRepository } from './checkpoint-repository.ts';
import { outputText } from './git.ts';
import type { Merged } from './merge-commits.ts';
import type { RunFolder } from './run-folder.ts';

/** The merge with each path in conflict as `side` has it, or gone where it has none. */
export async function takeSide(
  repository: CheckpointRepository,
  folder: RunFolder,
  { tree, conflicts }: Merged,
  side: Checkpoint,
): Promise<Result<string, Failure>> {
  const index = join(folder.repository, 'index-of-join');
  const env = { GIT_INDEX_FILE: index };
  rmSync(index, { force: true });
  const read = await repository.git(['read-tree', tree], { env });
  if (!read.ok) return read;
  const found = await repository.git([
    'ls-tree',
    '-r',
    '-z',
    side.tree,
    '--',
    ...conflicts.map(bytesToText),
  ]);
  if (!found.ok) return found;
  const entries = found.value.stdout
    .toString('latin1')
    .split('\0')
    .filter((line) => line !== '');
  const there = new Set(entries.map((entry) => entry.slice(entry.indexOf('\t') + 1)));
  // `0` as the mode takes a path out.
  const gone = conflicts
    .filter((path) => !there.has(path))
    .map((path) => `0 ${'0'.repeat(side.tree.length)}\t${path}`);
  const taken = entries.map((entry) => entry.replace(/^(\d+) \w+ /, '$1 '));
  const stdin = Buffer.from([...gone, ...taken].map((line) => `${line}\0`).join(''), 'latin1');
  const updated = await repository.git(['update-index', '-z', '--index-info'], { env, stdin });
  if (!updated.ok) return updated;
  const written = await repository.git(['write-tree'], { env });
  rmSync(index, { force: true });
  return written.ok ? ok(outputText(written.value)) : written;
}

/** Those of `files` in the work tree in which both sides still stand beside each other. */
export function unsettledIn(folder: RunFolder, files: readonly BytePath[]): readonly BytePath[] {
  return files.filter((path) => {
    try {
      const file = bytesToFile(`${textToBytes(folder.tree)}/${path}`);
      const text = readFileSync(file, 'latin1');
      return /^<{7} /m.test(text) && /^>{7} /m.test(text);
    } catch {
      // Somebody has settled it by taking it away, or by putting something else there.
      return false;
    }
  });
}
