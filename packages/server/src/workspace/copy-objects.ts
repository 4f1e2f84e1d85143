/**
 * Takes a project's git objects into a folder of ours, so that a run needs nothing more of the project: branches may
 * be deleted and garbage collected there. Packs are never written again once they have their name, so a hard link is
 * as good as a copy; where the folders lie on different disks the bytes are copied.
 */
import { constants, copyFileSync, linkSync, mkdirSync, readdirSync } from 'node:fs';
import { isAbsolute, join, resolve } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { ok } from '@ccdash/core';
import type { Failure, Result } from '@ccdash/core';
import { readTextIfThere, syncFile, syncFolder } from './durable-folder.ts';
import { isSystemError, refuse } from './workspace-failure.ts';

const LOOSE_FOLDER = /^[0-9a-f]{2}$/;
const LOOSE_FILE = /^[0-9a-f]{38}(?:[0-9a-f]{24})?$/;
const PACK_FILE = /^pack-[0-9a-f]+\.(?:pack|idx|rev)$/;
const MAX_TRIES = 5;

/**
 * Fills `to` (which exists, empty) with the objects of `from` and of what `from` borrows from; durable when it resolves.
 * Errors: Failure `project_busy` when the project is repacked again and again meanwhile.
 */
export async function copyObjects(from: string, to: string): Promise<Result<void, Failure>> {
  mkdirSync(join(to, 'pack'), { mode: 0o700 });
  mkdirSync(join(to, 'info'), { mode: 0o700 });
  for (const store of objectStores(from)) {
    let tries = 1;
    while (!(await takeStore(store, to))) {
      tries += 1;
      if (tries > MAX_TRIES) {
        const message = `The objects of ${from} kept changing while they were taken over.`;
        return refuse('project_busy', message, 'Wait until git gc has ended there, then retry.');
      }
    }
  }
  for (const name of readdirSync(to)) syncFolder(join(to, name));
  syncFolder(to);
  return ok(undefined);
}

/** The folder itself and, nearest first, those that its alternates name. */
function objectStores(from: string): readonly string[] {
  const found: string[] = [];
  const pending = [from];
  for (let store = pending.shift(); store !== undefined; store = pending.shift()) {
    if (found.includes(store)) continue;
    found.push(store);
    for (const line of (readTextIfThere(join(store, 'info/alternates')) ?? '').split('\n')) {
      if (line !== '' && !line.startsWith('#')) {
        pending.push(isAbsolute(line) ? line : resolve(store, line));
      }
    }
  }
  return found;
}

/** False when something vanished meanwhile: a repack moved it to a new pack, so look again. */
async function takeStore(store: string, to: string): Promise<boolean> {
  try {
    // Loose objects first: a repack makes the pack before it removes them, so the packs read later have them.
    for (const folder of readdirSync(store)) {
      if (!LOOSE_FOLDER.test(folder)) continue;
      mkdirSync(join(to, folder), { recursive: true, mode: 0o700 });
      takeFiles(join(store, folder), join(to, folder), LOOSE_FILE);
      // A folder has some hundred files at most; others may go on in between.
      await setImmediate();
    }
    takeFiles(join(store, 'pack'), join(to, 'pack'), PACK_FILE);
    return true;
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return false;
    throw error;
  }
}

function takeFiles(from: string, to: string, form: RegExp): void {
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    if (entry.isFile() && form.test(entry.name))
      takeFile(join(from, entry.name), join(to, entry.name));
  }
}

function takeFile(from: string, to: string): void {
  try {
    linkSync(from, to);
  } catch (error) {
    // The same name is the same content.
    if (isSystemError(error, 'EEXIST')) return;
    if (!isSystemError(error, 'EXDEV', 'EPERM', 'EACCES', 'EMLINK', 'ENOTSUP', 'ENOSYS'))
      throw error;
    copyFileSync(from, to, constants.COPYFILE_FICLONE);
    syncFile(to);
  }
}
