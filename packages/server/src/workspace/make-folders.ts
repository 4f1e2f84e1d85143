/** Folders of a work tree that hold no file, which git does not make. */
import { lstatSync, mkdirSync } from 'node:fs';
import { bytesToFile, textToBytes } from './byte-path.ts';
import type { BytePath } from './byte-path.ts';

/** Goes through no link, and leaves alone whatever lies in the way. */
export function makeFolders(tree: string, folders: readonly BytePath[]): void {
  for (const folder of folders) {
    let path = textToBytes(tree);
    for (const name of folder.split('/')) {
      path = `${path}/${name}`;
      const file = bytesToFile(path);
      const found = lstatSync(file, { throwIfNoEntry: false });
      if (found === undefined) mkdirSync(file);
      else if (!found.isDirectory()) break;
    }
  }
}
