/** Reads a spool while it grows, whole lines only, a bounded piece at a time. */
import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';

import { assertInvariant } from '@ccdash/core';
import type { HostFact } from '@ccdash/core';
import { isErrno } from '../base/process-identity.ts';

const PIECE_BYTES = 64 * 1024;

export interface SpoolReader {
  /** The facts of the next piece, in order; empty when there is no whole line more at present. */
  next(): Promise<readonly HostFact[]>;
  close(): Promise<void>;
}

export function createSpoolReader(path: string): SpoolReader {
  let file: FileHandle | null = null;
  let position = 0;
  let rest = Buffer.alloc(0);
  const piece = Buffer.alloc(PIECE_BYTES);

  return {
    next: async () => {
      file ??= await openIfExists(path);
      if (file === null) return [];
      while (true) {
        const { bytesRead } = await file.read(piece, 0, PIECE_BYTES, position);
        if (bytesRead === 0) return [];
        position += bytesRead;
        const bytes = Buffer.concat([rest, piece.subarray(0, bytesRead)]);
        const end = bytes.lastIndexOf('\n') + 1;
        rest = bytes.subarray(end);
        if (end > 0) return parseLines(path, bytes.toString('utf8', 0, end));
      }
    },
    close: async () => {
      await file?.close();
    },
  };
}

/** Whether the spool holds the attempt's end. */
export async function hasEnd(path: string): Promise<boolean> {
  const reader = createSpoolReader(path);
  try {
    let ended = false;
    for (let facts = await reader.next(); facts.length > 0; facts = await reader.next()) {
      ended = facts.at(-1)?.type === 'ended';
    }
    return ended;
  } finally {
    await reader.close();
  }
}

function parseLines(path: string, lines: string): readonly HostFact[] {
  return lines
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const fact = JSON.parse(line) as HostFact;
      assertInvariant(Number.isInteger(fact.seq), `${path}: a line without its number`);
      return fact;
    });
}

async function openIfExists(path: string): Promise<FileHandle | null> {
  try {
    return await open(path, 'r');
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return null;
    throw error;
  }
}
