/** What a checkpoint says in its message, because no tree can hold it. Read only from commits that were made here. */
import type { BytePath } from './byte-path.ts';
import type { CloneHead } from './clone-look.ts';
import type { Snapshot } from './checkpoint-repository.ts';

export interface CheckpointNotes {
  /** HEAD of the clone. */
  readonly head: CloneHead;
  readonly leftOut: LeftOut;
}

/** Found in the work tree, and as harmless to what comes next as the files beside it: a restore leaves it there. */
export interface LeftOut {
  /** Folders with nothing in them that is kept. They are made again. */
  readonly folders: readonly BytePath[];
  /** Pipes, sockets, devices. They stay while they are there; nobody makes them again. */
  readonly special: readonly BytePath[];
}

export const NOTHING_LEFT_OUT: LeftOut = { folders: [], special: [] };

export function leftOutOf({ scan, emptyFolders }: Snapshot): LeftOut {
  return { folders: emptyFolders.toSorted(), special: scan.special.toSorted() };
}

export function isSameNotes(one: CheckpointNotes, other: CheckpointNotes): boolean {
  return notesToText(one) === notesToText(other);
}

export function notesToText({ head, leftOut }: CheckpointNotes): string {
  const folders = leftOut.folders.map((path) => `Empty-Folder: ${JSON.stringify(path)}\n`);
  const special = leftOut.special.map((path) => `Not-Kept: ${JSON.stringify(path)}\n`);
  return `${folders.join('')}${special.join('')}Clone-Head: ${head.ref ?? 'detached'} ${head.commit}\n`;
}

const HEAD_LINE = /^Clone-Head: (detached|refs\/heads\/\S+) ([0-9a-f]{40,64})$/m;

/** `began`: HEAD where the message says nothing of it. */
export function textToNotes(message: string, began: CloneHead): CheckpointNotes {
  const [, ref = '', commit = ''] = HEAD_LINE.exec(message) ?? [];
  const head = commit === '' ? began : { ref: ref === 'detached' ? null : ref, commit };
  return {
    head,
    leftOut: {
      folders: pathsAfter('Empty-Folder', message),
      special: pathsAfter('Not-Kept', message),
    },
  };
}

function pathsAfter(key: string, message: string): readonly BytePath[] {
  return [...message.matchAll(new RegExp(`^${key}: (".*")$`, 'gm'))].map(
    ([, quoted = '""']) => JSON.parse(quoted) as BytePath,
  );
}
