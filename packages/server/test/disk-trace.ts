/**
 * What a process did to a folder, as strace saw it, and what the disk may hold after the power fails in the middle:
 * each write that no sync has covered may be there, may be missing, or may be there in part (sectors of 512 bytes);
 * renames and unlinks count once their folder is synced.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

export const TRACED_CALLS = 'pwrite64,write,fsync,fdatasync,ftruncate,unlink,rename';

export type DiskOperation =
  | { readonly kind: 'write'; readonly file: string; readonly bytes: Buffer; readonly at: number }
  | { readonly kind: 'truncate'; readonly file: string; readonly size: number }
  | { readonly kind: 'unlink'; readonly file: string }
  | { readonly kind: 'rename'; readonly file: string; readonly to: string }
  | { readonly kind: 'sync'; readonly file: string }
  /** A line on stdout: what somebody was told. */
  | { readonly kind: 'said'; readonly line: string };

const SECTOR_BYTES = 512;

/** Operations on files in `dir`, by name (`.` for the folder itself), from the output of `strace -f -y -xx`. */
export function parseTrace(trace: string, dir: string): readonly DiskOperation[] {
  const nameOf = (hex: string | undefined): string | null => {
    const path = hexToBytes(hex ?? '').toString();
    if (path === dir) return '.';
    // The index in shared memory is made anew at every start.
    return dirname(path) === dir && !path.endsWith('-shm') ? basename(path) : null;
  };
  const ends = new Map<string, number>();
  return trace.split('\n').flatMap((line): DiskOperation[] => {
    const [, call = '', args = ''] = /^\d+ +(\w+)\((.*)\) += \d+/.exec(line) ?? [];
    const [first, second] = [...args.matchAll(/"([^"]*)"/g)].map(([, text]) => text);
    const [, descriptor, opened] = /^(\d+)<([^>]*)>/.exec(args) ?? [];
    const numbers = [...args.matchAll(/, (\d+)/g)].map(([, text]) => Number(text));
    if (call === 'write' && descriptor === '1') {
      const lines = hexToBytes(first ?? '')
        .toString()
        .trimEnd()
        .split('\n');
      return lines.map((said) => ({ kind: 'said', line: said }));
    }
    const file = nameOf(opened ?? first);
    if (file === null) return [];
    switch (call) {
      case 'pwrite64': {
        return [{ kind: 'write', file, bytes: hexToBytes(first ?? ''), at: numbers[1] ?? 0 }];
      }
      case 'write': {
        const bytes = hexToBytes(first ?? '');
        const at = ends.get(file) ?? 0;
        ends.set(file, at + bytes.length);
        return [{ kind: 'write', file, bytes, at }];
      }
      case 'ftruncate':
        return [{ kind: 'truncate', file, size: numbers[0] ?? 0 }];
      case 'unlink':
        return [{ kind: 'unlink', file }];
      case 'rename':
        // The next file of that name starts at 0 again.
        ends.delete(file);
        return [{ kind: 'rename', file, to: nameOf(second) ?? file }];
      case 'fsync':
      case 'fdatasync':
        return [{ kind: 'sync', file }];
      default:
        return [];
    }
  });
}

export type LossMode = 'nothing unsynced' | 'some of it' | 'some of it, torn';

/** Files that the disk may hold when the power fails right after `operations`; `draw` gives numbers in [0, 1). */
export function imageAfter(
  operations: readonly DiskOperation[],
  mode: LossMode,
  draw: () => number,
): ReadonlyMap<string, Buffer> {
  const image = new Map<string, Buffer>();
  let pending: DiskOperation[] = [];
  for (const operation of operations) {
    if (operation.kind !== 'sync') {
      pending.push(operation);
      continue;
    }
    const isCovered = (each: DiskOperation): boolean =>
      each.kind === 'unlink' || each.kind === 'rename'
        ? operation.file === '.'
        : each.kind !== 'said' && each.file === operation.file;
    for (const each of pending.filter(isCovered)) apply(image, each);
    pending = pending.filter((each) => !isCovered(each));
  }
  if (mode === 'nothing unsynced') return image;
  for (const each of pending) {
    if (draw() < 0.5) continue;
    const isTorn = mode === 'some of it, torn' && each.kind === 'write' && draw() < 0.5;
    if (!isTorn) {
      apply(image, each);
      continue;
    }
    for (let from = 0; from < each.bytes.length; from += SECTOR_BYTES) {
      if (draw() < 0.5) continue;
      const bytes = each.bytes.subarray(from, from + SECTOR_BYTES);
      apply(image, { ...each, bytes, at: each.at + from });
    }
  }
  return image;
}

export function writeImage(image: ReadonlyMap<string, Buffer>, dir: string): void {
  mkdirSync(dir, { recursive: true });
  for (const [name, bytes] of image) writeFileSync(join(dir, name), bytes);
}

function apply(image: Map<string, Buffer>, operation: DiskOperation): void {
  if (operation.kind === 'said' || operation.kind === 'sync') return;
  const { file } = operation;
  const held = image.get(file);
  switch (operation.kind) {
    case 'write': {
      const size = Math.max(held?.length ?? 0, operation.at + operation.bytes.length);
      const next = Buffer.alloc(size);
      held?.copy(next);
      operation.bytes.copy(next, operation.at);
      image.set(file, next);
      return;
    }
    case 'truncate': {
      const next = Buffer.alloc(operation.size);
      held?.copy(next);
      image.set(file, next);
      return;
    }
    case 'unlink':
      image.delete(file);
      return;
    case 'rename':
      image.delete(file);
      if (held !== undefined) image.set(operation.to, held);
      return;
  }
}

function hexToBytes(text: string): Buffer {
  return Buffer.from(text.replaceAll('\\x', ''), 'hex');
}
